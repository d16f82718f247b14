import bz2
import gzip
import io
import lzma
import stat
import sys
import tarfile
import threading
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from convlens.core.cache_folder import cache_folder
from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.data import archives, open_source
from convlens.data.archive_members import ArchiveLimits, members
from convlens.data.archives import read_archive, unpack

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


def pack(folder, path):
    """Every file of a folder, in an archive of the kind that the path says."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.relative_to(folder))
    else:
        kind = {"gz": "gz", "tgz": "gz", "xz": "xz", "bz2": "bz2"}.get(path.suffix[1:], "")
        with tarfile.open(path, f"w:{kind}") as archive:
            for file in files:
                archive.add(file, file.relative_to(folder))
    return path


def tar_of(path, *infos):
    with tarfile.open(path, "w") as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(b"x" * info.size) if info.isreg() else None)
    return path


def tar_member(name, kind=tarfile.REGTYPE, link="", size=0):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def zip_of(path, *members):
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in members:
            archive.writestr(info, content)
    return path


def refusal(path, listener):
    """What `unpack` says; nothing may have been written anywhere but to the archive's own place."""
    before = {p for p in path.parent.rglob("*") if cache_folder("archives") not in p.parents}
    with pytest.raises(ConvlensError) as caught:
        unpack(path, listener)
    assert caught.value.exit_status == 2
    after = {p for p in path.parent.rglob("*") if cache_folder("archives") not in p.parents}
    assert after - before <= {cache_folder("archives"), cache_folder("archives").parent}
    assert list(cache_folder("archives").glob("*")) == []
    return caught.value


@pytest.fixture
def plants(tmp_path, write_classes):
    for split, count in (("train", 4), ("test", 2)):
        write_classes(tmp_path / "made" / "plants" / split, rose=count, ähre=count)
    return tmp_path / "made"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_is_as_the_folder_in_it(tmp_path, plants, suffix, listener):
    found = read_archive(
        pack(plants, tmp_path / f"my{suffix}"), for_training=True, reporter=listener
    )
    assert found.name == "my"
    assert found.classes == ("rose", "ähre")
    assert len(found.in_split("train")) == 8
    assert len(found.in_split("test")) == 4
    assert found.notes == (f"read from plants/ in my{suffix}",)
    folder = plants / "plants"
    for path in found.paths:
        inside = Path(path).relative_to(found.root)
        assert Path(path).read_bytes() == (folder / inside).read_bytes()


def test_the_same_content_is_unpacked_once(tmp_path, plants, listener):
    one = pack(plants, tmp_path / "one.zip")
    place = unpack(one, listener)
    two = tmp_path / "elsewhere.zip"
    two.write_bytes(one.read_bytes())
    tasks = len(listener.done)
    assert unpack(two, listener) == place
    assert len(listener.done) == tasks


def test_the_fingerprint_of_an_archive_is_that_of_its_content(tmp_path, plants, listener):
    prints = {
        open_source(source, reporter=listener).fingerprint()
        for source in (
            pack(plants, tmp_path / "a.zip"),
            pack(plants, tmp_path / "b.tar.gz"),
            plants / "plants",
        )
    }
    assert len(prints) == 1


def test_class_folders_at_the_top(tmp_path, write_classes, listener):
    pack(write_classes(tmp_path / "flat", a=2, b=1), tmp_path / "flat.zip")
    found = read_archive(tmp_path / "flat.zip", for_training=True, reporter=listener)
    assert found.labels.tolist() == [0, 0, 1]
    assert found.notes == ()


def test_what_the_system_left_is_ignored(tmp_path, write_classes, listener):
    root = write_classes(tmp_path / "made", a=1, b=1, __MACOSX=1)
    (root / "a" / ".DS_Store").write_bytes(b"x")
    place = unpack(pack(root, tmp_path / "my.zip"), listener)
    assert sorted(p.name for p in place.rglob("*")) == ["000.png", "000.png", "a", "b"]


@pytest.mark.parametrize(
    "name",
    ["../out.png", "a/../../out.png", "/etc/out.png", "C:\\out.png", "..\\out.png", "a\\..\\..\\o"],
)
def test_members_that_would_leave_the_folder(tmp_path, name, listener):
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    for path in (
        zip_of(tmp_path / "my.zip", (info, b"x")),
        tar_of(tmp_path / "my.tar", tar_member(name, size=1)),
    ):
        error = refusal(path, listener)
        assert error.code == "archive-refused"
        assert "outside its folder" in error.message


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_links_and_devices_in_a_tar(tmp_path, kind, listener):
    path = tar_of(tmp_path / "my.tar", tar_member("a/b.png", kind, link="../../target"))
    assert "is a link or a device" in refusal(path, listener).message


def test_a_link_in_a_zip(tmp_path, listener):
    info = zipfile.ZipInfo("a/b.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zip_of(tmp_path / "my.zip", (info, b"/etc/passwd"))
    assert "is a link or a device" in refusal(path, listener).message


def test_a_member_through_a_link_is_never_reached(tmp_path, listener):
    path = tar_of(
        tmp_path / "my.tar",
        tar_member("a", tarfile.SYMTYPE, link=str(tmp_path)),
        tar_member("a/out.png", size=1),
    )
    refusal(path, listener)
    assert not (tmp_path / "out.png").exists()


def test_a_member_that_is_there_twice(tmp_path, listener):
    path = tar_of(tmp_path / "my.tar", tar_member("a/b", size=1), tar_member("a/b", size=2))
    assert "twice" in refusal(path, listener).message
    path = tar_of(tmp_path / "my.tar", tar_member("a", size=1), tar_member("a/b", size=1))
    assert "twice" in refusal(path, listener).message


def test_thousands_of_nested_folders(tmp_path, listener):
    deep = "/".join(["d"] * 5000) + "/x.png"
    assert "32 folders deep" in refusal(zip_of(tmp_path / "my.zip", (deep, b"x")), listener).message
    assert (
        "32 folders deep"
        in refusal(tar_of(tmp_path / "my.tar", tar_member(deep, size=1)), listener).message
    )


def test_thousands_of_folders_side_by_side(tmp_path, listener, write_image):
    image = write_image(tmp_path / "x.png").read_bytes()
    rows = [(f"{'ab'[n % 2]}/{n}/x.png", image) for n in range(2000)]
    images = open_source(zip_of(tmp_path / "my.zip", *rows), reporter=listener)
    assert len(images) == 2000


@pytest.mark.parametrize("name", ["a/\x1b[31m.png", "a/" + "x" * 300])
def test_names_that_are_no_names(tmp_path, name, listener):
    error = refusal(tar_of(tmp_path / "my.tar", tar_member(name, size=1)), listener)
    assert "name" in error.message
    assert "\x1b" not in error.message


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, listener):
    path = tmp_path / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("a/b.png", "w", force_zip64=True) as file,
    ):
        for _ in range(300):
            file.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    error = refusal(path, listener)
    assert "would unpack to 315 MB" in error.message
    assert "268 MB" in error.message
    assert listener.done == []


@pytest.mark.parametrize("opener", [gzip.open, lzma.open, bz2.open])
def test_a_tar_bomb_is_refused(tmp_path, opener, listener):
    path = tmp_path / "bomb.tar.gz"
    info = tar_member("a/b.png", size=400 << 20)
    with opener(path, "wb") as file:
        file.write(info.tobuf() + bytes(1 << 20))
    assert "would unpack to" in refusal(path, listener).message


def test_a_header_that_claims_gigabytes_is_not_read(tmp_path, listener):
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        info = tar_member("header", kind, size=1 << 33)
        (tmp_path / "my.tar").write_bytes(info.tobuf() + bytes(10240))
        assert refusal(tmp_path / "my.tar", listener).code == "damaged-archive"


def test_too_many_members(tmp_path):
    path = tar_of(tmp_path / "my.tar", *(tar_member(f"a/{n}", size=1) for n in range(20)))
    with pytest.raises(ConvlensError, match="at most"):
        list(members(path, ArchiveLimits(members=10)))
    assert len(list(members(path, ArchiveLimits(members=20)))) == 20


def test_a_member_larger_than_it_says_is_refused(tmp_path, listener):
    """The directory of a zip may lie: only what it says is ever written."""
    path = tmp_path / "my.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/b.png", bytes(100))
    content = bytearray(path.read_bytes())
    for offset in (content.find(b"PK\x01\x02") + 24, 22):  # both places that state the size
        content[offset : offset + 4] = (10).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    assert refusal(path, listener).code == "damaged-archive"


def test_an_encrypted_zip(tmp_path, listener):
    path = zip_of(tmp_path / "my.zip", ("a/b.png", b"x"))
    content = bytearray(path.read_bytes())
    content[content.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(content))
    assert "is encrypted" in refusal(path, listener).message


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_truncated_archives(tmp_path, plants, suffix, share, listener):
    path = pack(plants, tmp_path / f"my{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    error = refusal(path, listener)
    assert error.code == "damaged-archive"
    assert str(path) in error.message


def test_a_damaged_member_of_a_zip(tmp_path, listener):
    path = zip_of(tmp_path / "my.zip", ("a/b.png", bytes(range(256)) * 8))
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(bytes(content))
    assert "CRC" in refusal(path, listener).message


def test_a_file_that_is_no_archive(tmp_path, listener):
    (tmp_path / "my.zip").write_text("hello")
    assert refusal(tmp_path / "my.zip", listener).code == "damaged-archive"


def test_what_is_wrong_inside_is_told_of_the_archive(tmp_path, write_classes, listener):
    path = pack(write_classes(tmp_path / "made", only=2), tmp_path / "my.zip")
    with pytest.raises(ConvlensError) as caught:
        read_archive(path, for_training=True, reporter=listener)
    assert str(path) in caught.value.message
    assert str(cache_folder("archives")) not in caught.value.message


def test_a_disk_that_fills(tmp_path, plants, listener, monkeypatch):
    path = pack(plants, tmp_path / "my.zip")
    real, opened = Path.open, []

    def full(self, mode="r", *rest, **options):
        if mode == "xb":
            opened.append(self)
            if len(opened) == 3:
                raise OSError(28, "No space left on device", str(self))
        return real(self, mode, *rest, **options)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(WorkFailedError, match="no room left") as caught:
        unpack(path, listener)
    monkeypatch.undo()
    assert caught.value.exit_status == 1


def test_a_disk_that_filled_leaves_nothing_behind(tmp_path, plants, listener, monkeypatch):
    path = pack(plants, tmp_path / "my.zip")

    def fail(*rest):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(archives, "_settle", fail)
        with pytest.raises(WorkFailedError):
            unpack(path, listener)
    assert list(cache_folder("archives").iterdir()) == []
    assert len(list(unpack(path, listener).rglob("*.png"))) == 12


def test_two_at_once(tmp_path, plants, listener):
    path = pack(plants, tmp_path / "my.tar.gz")
    places = []
    threads = [threading.Thread(target=lambda: places.append(unpack(path, listener))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert places[0] == places[1]
    assert len(list(cache_folder("archives").iterdir())) == 1
    assert len(list(places[0].rglob("*.png"))) == 12


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such permissions there")
def test_nothing_unpacked_may_be_executed(tmp_path, listener):
    info = tar_member("a/run.png", size=1)
    info.mode = 0o4777
    place = unpack(tar_of(tmp_path / "my.tar", info), listener)
    assert stat.S_IMODE((place / "a" / "run.png").stat().st_mode) & 0o7111 == 0


def test_random_damage_is_always_told(tmp_path, plants, listener):
    """Whatever bytes differ: the archive opens, or is refused in one message."""
    rng = np.random.default_rng(0)
    for suffix in (".zip", ".tar", ".tar.gz"):
        content = pack(plants, tmp_path / f"my{suffix}").read_bytes()
        for _ in range(40):
            damaged = np.frombuffer(content, np.uint8).copy()
            damaged[rng.integers(0, len(damaged), 4)] = rng.integers(0, 256, 4)
            path = tmp_path / f"damaged{suffix}"
            path.write_bytes(damaged.tobytes())
            with suppress(ConvlensError):
                unpack(path, listener)


def packed(kind: str, content: bytes) -> bytes:
    return {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "": bytes}[kind](content)


@pytest.fixture
def tarred(tmp_path, plants):
    """The bytes of a plain tar of random images, and the archive's path without its suffix."""
    return pack(plants, tmp_path / "plain.tar").read_bytes()


@pytest.mark.parametrize(
    ("kind", "trailer"), [("gz", 8), ("bz2", 4), ("xz", 12)], ids=["gzip", "bzip2", "xz"]
)
def test_a_checksum_at_the_end_of_the_stream_is_compared(tmp_path, tarred, kind, trailer, listener):
    """The tar within is whole: its end is reached before the checksum is."""
    data = bytearray(packed(kind, tarred))
    data[-trailer] ^= 1
    path = tmp_path / f"plants.tar.{kind}"
    path.write_bytes(data)
    assert refusal(path, listener).code == "damaged-archive"


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bits_in_stored_pixels_are_found(tmp_path, tarred, seed, listener):
    data = bytearray(gzip.compress(tarred))
    data[int(np.random.default_rng(seed).integers(600, len(data) - 600))] ^= 16
    path = tmp_path / "plants.tar.gz"
    path.write_bytes(data)
    refusal(path, listener)


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
def test_a_tar_without_its_end_is_refused(tmp_path, tarred, kind, listener):
    """Cut between two members: nothing but the missing end says that there were more."""
    end = len(tarred.rstrip(b"\0"))
    whole = -(-end // 512) * 512
    path = tmp_path / (f"plants.tar.{kind}" if kind else "plants.tar")
    path.write_bytes(packed(kind, tarred[:whole]))
    assert "ends early" in str(refusal(path, listener))


def test_a_damaged_header_in_the_middle_is_no_end(tmp_path, tarred, listener):
    with tarfile.open(fileobj=io.BytesIO(tarred)) as archive:
        last = archive.getmembers()[-1].offset
    data = bytearray(tarred)
    data[last + 150] ^= 1  # its checksum
    path = tmp_path / "plants.tar"
    path.write_bytes(data)
    assert "a header is damaged" in str(refusal(path, listener))


@pytest.mark.parametrize("kind", ["", "gz"])
def test_what_follows_the_end_is_refused(tmp_path, tarred, kind, listener):
    path = tmp_path / (f"plants.tar.{kind}" if kind else "plants.tar")
    path.write_bytes(packed(kind, tarred) + b"something else")
    assert refusal(path, listener).code == "damaged-archive"
    path.write_bytes(packed(kind, tarred + b"something else"))
    assert "followed by something else" in str(refusal(path, listener))


def test_a_stream_of_several_members_and_padding_is_one(tmp_path, plants, tarred, listener):
    half = len(tarred) // 2
    for kind in ("gz", "bz2", "xz"):
        path = tmp_path / f"plants.tar.{kind}"
        parts = packed(kind, tarred[:half]) + packed(kind, tarred[half:] + bytes(10_240))
        path.write_bytes(parts)
        assert len(list(unpack(path, listener).rglob("*.png"))) == len(list(plants.rglob("*.png")))


def test_a_hidden_member_of_a_zip_is_verified_too(tmp_path, listener):
    path = tmp_path / "plants.zip"
    content = np.random.default_rng(0).bytes(5_000)
    zip_of(path, (".hidden/a.bin", content), ("a/1.png", b"x"))
    data = path.read_bytes()
    at = data.index(content)
    path.write_bytes(data[: at + 99] + bytes([data[at + 99] ^ 1]) + data[at + 100 :])
    assert refusal(path, listener).code == "damaged-archive"


def test_chained_headers_are_damage(tmp_path, listener):
    info = tarfile.TarInfo("a")
    info.type = tarfile.XHDTYPE
    path = tmp_path / "chain.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) * 2_000 + bytes(1_024)))
    assert "nested too deeply" in str(refusal(path, listener))
