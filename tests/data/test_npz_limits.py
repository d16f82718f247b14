import io
import zipfile

import numpy as np
import pytest

from convlens.core.errors import ConvlensError
from convlens.data import npz_limits
from convlens.data.arrays import read_npz


def npz_of(path, *, shape=(4, 8, 8, 3), claimed=None, fill=b"\0", kind=zipfile.ZIP_DEFLATED):
    """An ``.npz`` whose X claims a shape and holds another number of bytes."""
    header = io.BytesIO()
    about = {"descr": "|u1", "fortran_order": False, "shape": claimed or shape}
    np.lib.format.write_array_header_1_0(header, about)
    labels = io.BytesIO()
    np.save(labels, np.arange(shape[0]) % 2)
    with zipfile.ZipFile(path, "w", kind) as archive:
        with archive.open("X.npy", "w", force_zip64=True) as file:
            file.write(header.getvalue())
            left = int(np.prod(shape, dtype=np.int64))
            while left:
                left -= file.write((fill * (1 << 20))[: min(left, 1 << 20)])
        archive.writestr("y.npy", labels.getvalue())
    return path


def test_what_grows_a_thousandfold_is_refused_unread(tmp_path, monkeypatch):
    path = npz_of(tmp_path / "x.npz", shape=(300, 1_000, 1_000, 1))

    def unread(*_):
        raise AssertionError("it was read")

    monkeypatch.setattr("convlens.data.arrays._member", unread)
    with pytest.raises(ConvlensError, match=r"would unpack to 300 MB; expected at most 268 MB"):
        read_npz(path)


@pytest.mark.parametrize("claimed", [(4, 8, 8, 300), (4, 8, 8, 1), (1 << 40, 1 << 20)])
def test_a_header_that_claims_another_size_is_refused(tmp_path, claimed):
    path = npz_of(tmp_path / "x.npz", claimed=claimed)
    with pytest.raises(ConvlensError, match="claims .* bytes, and it holds 768"):
        read_npz(path)


def test_arrays_that_memory_cannot_hold_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(npz_limits, "memory_room", lambda: 500)
    with pytest.raises(ConvlensError, match="of memory, and .* are available"):
        read_npz(npz_of(tmp_path / "x.npz"))


def test_a_nested_header_is_damage(tmp_path):
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': " + b"(" * 5_000
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("X.npy", b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text)
        archive.writestr("y.npy", b"")
    with pytest.raises(ConvlensError, match="cannot read"):
        read_npz(tmp_path / "x.npz")


def test_plain_and_packed_arrays_are_read(tmp_path):
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert len(read_npz(npz_of(tmp_path / "x.npz", kind=kind))) == 4
