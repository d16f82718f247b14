"""Archives: sound ones damaged by chance, and crafted ones that would write where they must not."""

import bz2
import functools
import gzip
import io
import lzma
import random
import stat
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.hostile.case import Case, Check, Ground, Kind, Outcome, accepted, refused
from tests.hostile.formats import deflated_zeros
from tests.hostile.mutations import mutate

Files = Mapping[str, bytes]

_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": functools.partial(gzip.compress, mtime=0),
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
}
_UP = "../../../../../../../../../../.."


def _sound(ground: Ground) -> Files:
    photos = ground.fixture / "photos"
    return {
        f"plants/{folder.name}/{number}.png": (folder / f"{number}.png").read_bytes()
        for folder in sorted(photos.iterdir())
        for number in range(4)
    }


# Writers


def tar(files: Files, *more: tarfile.TarInfo) -> bytes:
    """A tar of files, then of headers without content."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            archive.addfile(member(name, size=len(content)), io.BytesIO(content))
        for info in more:
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    return packed.getvalue()


def member(
    name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "", size: int = 0
) -> tarfile.TarInfo:
    """A header of a tar."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def packed_zip(files: Iterable[tuple[str, bytes]], *, mode: int = 0) -> bytes:
    """A zip of files whose names are taken as they are; ``mode`` is that of each."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members may have one name here
        for name, content in files:
            info = zipfile.ZipInfo("placeholder", (2020, 1, 1, 0, 0, 0))
            info.filename, info.external_attr = name, mode << 16
            archive.writestr(info, content)
    return packed.getvalue()


def zip_of_zeros(
    name: str, size: int, *, before: bytes = b"", beside: Files | None = None
) -> bytes:
    """A zip with a member of zeros, which are written without being packed one after the other.

    Args:
        name: the member's.
        size: how many zeros.
        before: what the member begins with.
        beside: other members.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(before) + packer.flush(zlib.Z_FULL_FLUSH)
    coded = start + deflated_zeros(size)[2:-4]  # without what zlib puts around
    checksum, block = zlib.crc32(before), bytes(1 << 22)
    for position in range(0, size, len(block)):
        checksum = zlib.crc32(block[: size - position], checksum)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for other, content in (beside or {}).items():
            archive.writestr(other, content)
        archive.writestr(name, coded)
        info = archive.getinfo(name)  # stored until now; from here on, deflated
        info.compress_type, info.CRC, info.file_size = (
            zipfile.ZIP_DEFLATED,
            checksum,
            len(before) + size,
        )
        packed.seek(info.header_offset)
        packed.write(info.FileHeader())
        packed.seek(archive.start_dir)
    return packed.getvalue()


# Judging


def is_damaged(path: Path) -> bool:
    """Whether the archive's own checksums say so, read to its end by the standard library."""
    data = path.read_bytes()
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                return archive.testzip() is not None
        if path.suffix == ".gz":
            unpacker = zlib.decompressobj(31)
            unpacker.decompress(data)
            return not unpacker.eof
        if path.suffix == ".bz2":
            packed = bz2.BZ2Decompressor()
            packed.decompress(data)
            return not packed.eof
        if path.suffix == ".xz":
            coded = lzma.LZMADecompressor()
            coded.decompress(data)
            return not coded.eof
    except Exception:  # noqa: BLE001 - whatever it is, it cannot be read
        return True
    return False


def _nothing_odd(folder: Path) -> Iterator[str]:
    """Of what is unpacked, only plain files and folders may remain."""
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            yield f"the cache holds a link or a device: {path.name!r}"
        elif stat.S_ISREG(mode) and mode & 0o111:
            yield f"the cache holds a program: {path.name!r}"


def case(ground: Ground, suffix: str, data: bytes, check: Check) -> Case:
    """An archive that is looked into and, where it is accepted, checked."""
    path = ground.folder / f"hostile.{suffix}"
    path.write_bytes(data)

    def judge(outcomes: Sequence[Outcome]) -> Iterator[str]:
        yield from _nothing_odd(ground.folder.parent / "cache")
        yield from check(outcomes)

    return Case([["data", "info", path, "--json"]], judge)


def _mutated(ground: Ground, dice: random.Random) -> Case:
    suffix = dice.choice([*_PACKERS, "zip"])
    files = _sound(ground)
    if suffix == "zip":
        data = mutate(packed_zip(files.items()), dice)
    elif dice.random() < 0.5:
        data = mutate(_PACKERS[suffix](tar(files)), dice)
    else:  # damage within what is packed, which the packing then vouches for
        data = _PACKERS[suffix](mutate(tar(files), dice))

    def check(outcomes: Sequence[Outcome]) -> Iterator[str]:
        if is_damaged(ground.folder / f"hostile.{suffix}"):
            yield from refused(outcomes)

    return case(ground, suffix, data, check)


# Crafted archives: data, and what must become of it

_Craft = Callable[[Ground], tuple[bytes, Check]]


def _anything(_: Sequence[Outcome]) -> Iterable[str]:
    return ()


def _with(suffix: str, name: str, *, kind: bytes = tarfile.REGTYPE, link: str = "") -> _Craft:
    """Sound files, and one more."""

    def craft(ground: Ground) -> tuple[bytes, Check]:
        files = _sound(ground)
        # Where it would be written is watched.
        own, to = (text.replace("{marker}", str(ground.marker)) for text in (name, link))
        if suffix == "zip":
            return packed_zip([*files.items(), (own, b"outside")]), refused
        size = 7 if kind == tarfile.REGTYPE else 0
        return _PACKERS[suffix](tar(files, member(own, kind, link=to, size=size))), refused

    return craft


def _through_a_link(ground: Ground) -> tuple[bytes, Check]:
    link = member("plants/ant/up", tarfile.SYMTYPE, link=str(ground.folder.parent))
    return tar(_sound(ground), link, member("plants/ant/up/executed", size=7)), refused


def _zip_link(ground: Ground) -> tuple[bytes, Check]:
    link = [("plants/ant/9.png", b"/etc/passwd")]
    return packed_zip([*_sound(ground).items(), *link], mode=stat.S_IFLNK | 0o777), refused


def _zip_setuid(ground: Ground) -> tuple[bytes, Check]:
    return packed_zip(_sound(ground).items(), mode=stat.S_IFREG | 0o6777), _anything


def _overlapping(ground: Ground) -> tuple[bytes, Check]:
    """A hundred members of 64 MB each, all of which are the same bytes."""
    del ground
    one = zip_of_zeros("plants/ant/000.png", 1 << 26)
    start = one.index(b"PK\1\2")
    central, local = one[start : start + 46 + 18], one[:start]
    entries = b"".join(
        central.replace(b"000.png", f"{number:03}.png".encode()) for number in range(100)
    )
    end = struct.pack("<HHHHIIH", 0, 0, 100, 100, len(entries), len(local), 0)
    return local + entries + b"PK\5\6" + end, refused


def _wrong_sizes(ground: Ground) -> tuple[bytes, Check]:
    data = bytearray(packed_zip(_sound(ground).items()))
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = b"\xff\xff\xff\x7f"
    return bytes(data), refused


def _one_flipped(suffix: str) -> _Craft:
    """A bit of an image is another: only the archive's own checksum knows."""

    def craft(ground: Ground) -> tuple[bytes, Check]:
        files = dict(_sound(ground))
        if suffix == "zip":
            whole = bytearray(packed_zip(files.items()))
            whole[whole.index(b"PK\3\4") + 14] ^= 1  # of the checksum, in both places
            whole[whole.index(b"PK\1\2") + 16] ^= 1
            return bytes(whole), refused
        whole = bytearray(_PACKERS[suffix](tar(files)))
        whole[-6] ^= 1
        return bytes(whole), refused

    return craft


def _twice(suffix: str) -> _Craft:
    def craft(ground: Ground) -> tuple[bytes, Check]:
        files = _sound(ground)
        name, content = next(iter(files.items()))
        if suffix == "zip":
            return packed_zip([*files.items(), (name, content)]), refused
        return tar(files, member(name, size=5)), refused

    return craft


def _pax(*records: tuple[str, str], times: int = 1) -> _Craft:
    def craft(ground: Ground) -> tuple[bytes, Check]:
        lines = []
        for key, value in records:
            line = f" {key}={value}\n".encode("utf-8", "surrogateescape")
            size = len(line) + 1
            while len(str(size)) + len(line) != size:
                size = len(str(size)) + len(line)
            lines.append(str(size).encode() + line)
        content = b"".join(lines)
        header = member("pax", tarfile.XHDTYPE, size=len(content)).tobuf(tarfile.USTAR_FORMAT)
        chained = header + content + bytes(-len(content) % 512)
        return chained * times + tar(_sound(ground)), _anything

    return craft


def _sparse(ground: Ground) -> tuple[bytes, Check]:
    info = member("plants/ant/9.png", b"S", size=512).tobuf(tarfile.GNU_FORMAT)
    block = bytearray(info)
    block[386:410] = b"00000000000\0" + b"00000001000\0"
    block[483:495] = b"77777777777\0"  # its real size: 8 GB
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(512) + tar(_sound(ground)), refused


def _empty_members(count: int) -> _Craft:
    def craft(ground: Ground) -> tuple[bytes, Check]:
        headers = (member(f"plants/ant/empty {n}.png").tobuf() for n in range(count))
        return gzip.compress(b"".join(headers) + tar(_sound(ground)), 1, mtime=0), accepted

    return craft


def _names_in_two_cases(ground: Ground) -> tuple[bytes, Check]:
    files = {
        name.replace(".png", end): data
        for name, data in _sound(ground).items()
        for end in (".png", ".PNG")
    }
    return tar(files), accepted


_CRAFTED: dict[str, _Craft] = {
    "zip-up": _with("zip", f"{_UP}/{{marker}}"),
    "zip-up-one": _with("zip", "../executed"),
    "zip-up-two": _with("zip", "plants/../../../executed"),
    "zip-up-three": _with("zip", "plants/ant/../../../../../executed"),
    "zip-backslash": _with("zip", "plants\\..\\..\\..\\executed"),
    "zip-absolute": _with("zip", "{marker}"),
    "zip-drive": _with("zip", "C:\\executed"),
    "zip-link": _zip_link,
    "zip-setuid": _zip_setuid,
    "zip-escape": _with("zip", "plants/ant/\x1b]0;owned\x07.png"),
    "zip-newline": _with("zip", "plants/ant/a\nb.png"),
    "zip-long-name": _with("zip", f"plants/ant/{'x' * 5000}.png"),
    "zip-deep": _with("zip", "d/" * 5000 + "x.png"),
    "zip-twice": _twice("zip"),
    "zip-overlapping": _overlapping,
    "zip-wrong-size": _wrong_sizes,
    "zip-flipped": _one_flipped("zip"),
    "zip-zeros": lambda _: (zip_of_zeros("plants/ant/0.png", 1 << 30), refused),
    "zip-file-as-folder": _with("zip", "plants/ant/0.png/1.png"),
    "tar-up": _with("tar", f"{_UP}/{{marker}}"),
    "tar-up-two": _with("tar.gz", "plants/../../../executed"),
    "tar-absolute": _with("tar.xz", "{marker}"),
    "tar-symlink": _with("tar", "plants/ant/9.png", kind=tarfile.SYMTYPE, link="{marker}"),
    "tar-hardlink": _with("tar.bz2", "plants/ant/9.png", kind=tarfile.LNKTYPE, link="/etc/passwd"),
    "tar-device": _with("tar", "plants/ant/9.png", kind=tarfile.CHRTYPE),
    "tar-block-device": _with("tar", "plants/ant/9.png", kind=tarfile.BLKTYPE),
    "tar-pipe": _with("tar", "plants/ant/9.png", kind=tarfile.FIFOTYPE),
    "tar-through-a-link": _through_a_link,
    "tar-escape": _with("tar", "plants/ant/\x1b[2J.png"),
    "tar-twice": _twice("tar"),
    "tar-flipped-gz": _one_flipped("tar.gz"),
    "tar-flipped-xz": _one_flipped("tar.xz"),
    "tar-flipped-bz2": _one_flipped("tar.bz2"),
    "tar-pax-chain": _pax(("comment", "x"), times=5000),
    "tar-pax-path": _pax(("path", "../../../executed")),
    "tar-pax-size": _pax(("size", "9" * 30)),
    "tar-pax-negative-size": _pax(("size", "-512")),
    "tar-pax-null": _pax(("path", "plants/ant/a\0b.png")),
    "tar-pax-linkpath": _pax(("linkpath", "/etc/passwd"), ("path", "plants/ant/l.png")),
    "tar-pax-sparse": _pax(
        ("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", "9" * 15)
    ),
    "tar-pax-surrogate": _pax(("path", "plants/ant/\udcff.png")),
    "tar-sparse": _sparse,
    "tar-gz-zeros": lambda _: (_gzip_of_zeros(1 << 31), refused),
    "tar-empty-members": _empty_members(100_000),
    "tar-cases": _names_in_two_cases,
}


def _gzip_of_zeros(size: int) -> bytes:
    """One member of zeros behind a tar's header, in a gzip that is wrong at its very end alone."""
    head = member("plants/ant/0.png", size=size).tobuf()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08" + bytes(7) + start + deflated_zeros(size)[2:-4] + bytes(8)


def _crafted(craft: _Craft) -> Callable[[Ground], Case]:
    def make(ground: Ground) -> Case:
        data, check = craft(ground)
        starts = {b"\x1f\x8b": "tar.gz", b"BZ": "tar.bz2", b"\xfd7": "tar.xz", b"PK": "zip"}
        return case(ground, starts.get(data[:2], "tar"), data, check)

    return make


KIND = Kind({name: _crafted(craft) for name, craft in _CRAFTED.items()}, _mutated)
