"""Files of weights are read without trusting them."""

import os
import pickle
import struct
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from convlens.core.errors import ConvlensError
from convlens.models import weights_file
from convlens.models.weights_file import read_weights
from tests.hostile.programs import HOSTILE, STATE, bare, legacy, zipped


@pytest.mark.parametrize("wrap", [zipped, legacy, bare])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_is_refused_and_not_run(
    name: str, wrap: Callable[[bytes, Path], None], tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    file = tmp_path / "hostile.pth"
    wrap(HOSTILE[name](marker), file)
    with pytest.raises(
        ConvlensError, match=r"its pickle asks for .* nothing of it was run"
    ) as told:
        read_weights(file)
    assert told.value.exit_status == 2
    assert not marker.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the payloads are written for a POSIX shell")
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_hostile_pickles_are_hostile(name: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    opened = pickle.loads(HOSTILE[name](marker))  # noqa: S301
    if hasattr(opened, "close"):
        opened.close()
    assert os.path.lexists(marker)


def test_at_least_twenty_are_tried() -> None:
    assert len(HOSTILE) >= 20


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("zipped_file", [False, True])
def test_what_torch_saves_is_read(tmp_path: Path, zipped_file: bool, wrapped: bool) -> None:
    file = tmp_path / "weights.pth"
    content = {"state_dict": STATE, "epoch": 3} if wrapped else STATE
    torch.save(content, file, _use_new_zipfile_serialization=zipped_file)
    found = read_weights(file)
    assert list(found) == list(STATE)
    assert all(torch.equal(found[key], STATE[key]) for key in STATE)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64])
def test_other_kinds_of_numbers_are_read(tmp_path: Path, dtype: torch.dtype) -> None:
    file = tmp_path / "weights.pth"
    torch.save({"w": torch.arange(4).to(dtype)}, file)
    assert read_weights(file)["w"].dtype == dtype


def test_parameters_metadata_and_views_are_read(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    state = net.state_dict()  # an ordered dict with metadata
    state["1.weight"] = torch.nn.Parameter(state["1.weight"])
    state["0.weight"] = state["0.weight"].to(memory_format=torch.channels_last)
    torch.save(state, tmp_path / "w.pth")
    found = read_weights(tmp_path / "w.pth")
    assert all(torch.equal(found[key], state[key]) for key in state)


def test_what_a_data_parallel_wrapper_adds_is_taken_off(tmp_path: Path) -> None:
    torch.save({f"module.{key}": value for key, value in STATE.items()}, tmp_path / "w.pth")
    assert list(read_weights(tmp_path / "w.pth")) == list(STATE)


def test_safetensors_are_read_whatever_they_are_called(tmp_path: Path) -> None:
    for name in ("w.safetensors", "w.bin"):
        save_file(STATE, tmp_path / name)
        assert torch.equal(read_weights(tmp_path / name)["a.weight"], STATE["a.weight"])


def jpeg(to: Path) -> None:
    Image.new("RGB", (8, 8)).save(to, "JPEG")


def png(to: Path) -> None:
    Image.new("L", (8, 8)).save(to, "PNG")


def compressed(to: Path) -> None:
    torch.save(STATE, to.with_suffix(".whole"))
    with (
        zipfile.ZipFile(to.with_suffix(".whole")) as whole,
        zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for entry in whole.infolist():
            archive.writestr(entry.filename, whole.read(entry))


def other_archive(to: Path) -> None:
    with zipfile.ZipFile(to, "w") as archive:
        archive.writestr("config.json", "{}")


def tar(to: Path) -> None:
    with tarfile.open(to, "w") as archive:
        archive.add(__file__, "pickle")


def half(write: Callable[[Path], None]) -> Callable[[Path], None]:
    def cut(to: Path) -> None:
        write(to)
        content = to.read_bytes()
        to.write_bytes(content[: len(content) // 2])

    return cut


def legacy_state(to: Path) -> None:
    torch.save(STATE, to, _use_new_zipfile_serialization=False)


def expanded(to: Path) -> None:
    torch.save({"w": torch.zeros(1).expand(10**6, 10**5)}, to)


def claims_more_than_it_holds(to: Path) -> None:
    legacy_state(to)
    content = to.read_bytes()
    at = content.index(b"cpuq")  # before it stands the device, after it the number of elements
    found = content.index(b"K\x06", at)
    to.write_bytes(content[:found] + b"J" + struct.pack("<i", 2**31 - 1) + content[found + 2 :])


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a JPEG": (jpeg, "it is a JPEG image, not weights"),
    "a PNG": (png, "it is a PNG image, not weights"),
    "nothing": (lambda to: to.write_bytes(b""), "neither safetensors nor what torch.save"),
    "noise": (lambda to: to.write_bytes(bytes(range(1, 200))), "neither safetensors nor"),
    "text": (lambda to: to.write_text("weights"), "neither safetensors nor"),
    "HDF5": (lambda to: to.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99)), "as Keras writes"),
    "a tar archive": (tar, "neither safetensors nor"),
    "another archive": (other_archive, "not one that torch.save wrote"),
    "a bomb": (compressed, "it is compressed, which torch.save never does"),
    "half of a zip": (half(lambda to: torch.save(STATE, to)), "it is damaged"),
    "half of a legacy file": (half(legacy_state), "its pickle is damaged"),
    "a list": (lambda to: torch.save([1, 2], to), "it holds a list, not tensors by name"),
    "no tensors": (lambda to: torch.save({}, to), "not tensors by name"),
    "numbers": (lambda to: torch.save({"a": 1}, to), "'a' is a int, not a tensor"),
    "a whole module": (lambda to: torch.save(torch.nn.Linear(2, 2), to), "asks for torch.nn"),
    "an optimizer": (
        lambda to: torch.save({"lr": np.float64(1)}, to),
        "asks for numpy",
    ),
    "an expanded tensor": (expanded, "'w' claims more numbers than the file holds"),
    "a wrong count": (claims_more_than_it_holds, "claims to hold more numbers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_weights_is_refused_with_what_it_is(name: str, tmp_path: Path) -> None:
    write, message = REFUSED[name]
    write(tmp_path / "w.pth")
    with pytest.raises(ConvlensError, match=message) as caught:
        read_weights(tmp_path / "w.pth")
    assert str(tmp_path / "w.pth") in str(caught.value)
    assert caught.value.exit_status == 2


def damaged_header(content: bytes) -> bytes:
    return content[:10] + b"\x00" + content[11:]


def longer_header(content: bytes) -> bytes:
    return struct.pack("<Q", 2**40) + content[8:]


@pytest.mark.parametrize(
    "damage", [damaged_header, longer_header, lambda c: c[:-4], lambda c: c[:5], lambda _: b""]
)
def test_damaged_safetensors_are_refused(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_file(STATE, file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ConvlensError, match="it is damaged"):
        read_weights(file)


def test_a_file_that_is_not_there_or_is_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pth", tmp_path):
        with pytest.raises(ConvlensError, match="cannot read the weights"):
            read_weights(path)


def test_the_size_is_known_before_anything_is_read(tmp_path: Path) -> None:
    with (tmp_path / "w.pth").open("wb") as file:
        file.truncate(weights_file.MAX_BYTES + 1)  # sparse: takes no room
    with pytest.raises(ConvlensError, match="more than 4 GiB"):
        read_weights(tmp_path / "w.pth")


def test_what_an_archive_unpacks_to_is_known_from_its_header(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "w.pth")
    content = bytearray((tmp_path / "w.pth").read_bytes())
    at = content.rindex(b"PK\x01\x02")  # the last entry of the directory
    content[at + 20 : at + 28] = struct.pack("<II", 2**32 - 2, 2**32 - 2)
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(ConvlensError, match="unpacks to more than|is damaged"):
        read_weights(tmp_path / "w.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights_file, "MAX_PROGRAM_BYTES", 10)
        torch.save(STATE, tmp_path / "w.pth")
        with pytest.raises(ConvlensError, match="its pickle has"):
            read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x02\x8e" + (1 << 62).to_bytes(8, "little") + b"x",  # BINBYTES8
        b"\x80\x02\x8d" + (1 << 62).to_bytes(8, "little") + b"x",  # BINUNICODE8
        b"\x80\x04\x95" + (1 << 62).to_bytes(8, "little") + b"x",  # FRAME
        b"\x80\x02\x8b" + (0x7FFFFFFF).to_bytes(4, "little") + b"x",  # LONG4
        b"\x80\x02\x96" + (1 << 62).to_bytes(8, "little") + b"x",  # BYTEARRAY8
    ],
)
def test_a_pickle_that_claims_more_bytes_than_there_are_is_refused(tmp_path, program):
    legacy = tmp_path / "a.pth"
    legacy.write_bytes(program)
    zipped = tmp_path / "b.pth"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("b/data.pkl", program)
    for path in (legacy, zipped):
        with pytest.raises(ConvlensError, match="is refused|are refused") as caught:
            read_weights(path)
        assert caught.value.exit_status == 2


def test_a_safetensors_header_that_is_nested_or_endless_is_refused(tmp_path):
    for name, header, claimed in (
        ("deep", b'{"a":' * 50_000, None),
        ("long", b"{}", (1 << 62)),
    ):
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes((claimed or len(header)).to_bytes(8, "little") + header)
        with pytest.raises(ConvlensError, match="are refused"):
            read_weights(path)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_a_pickle_of_another_protocol_is_refused_before_torch_warns_of_it(
    protocol: int, tmp_path: Path
) -> None:
    file = tmp_path / "w.pth"
    file.write_bytes(b"\x80" + bytes([protocol]) + b"N.")
    zipped(file.read_bytes(), tmp_path / "zipped.pth")
    for path in (file, tmp_path / "zipped.pth"):
        with pytest.raises(ConvlensError, match=f"of protocol {protocol}, and torch.save writes 2"):
            read_weights(path)


def test_a_compiled_network_is_refused_before_torch_warns_of_it(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    torch.save(STATE, file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("w/constants.pkl", pickle.dumps((), protocol=2))
    with pytest.raises(ConvlensError, match=r"TorchScript.*save its state_dict\(\) instead"):
        read_weights(file)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither pipes nor devices here")
def test_weights_that_never_end_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.pth")
    (tmp_path / "w.safetensors").symlink_to("/dev/zero")
    for name in ("w.pth", "w.safetensors"):
        with pytest.raises(ConvlensError, match="not a regular file"):
            read_weights(tmp_path / name)
