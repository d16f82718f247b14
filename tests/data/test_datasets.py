import gzip
import hashlib
import io
import re
import tarfile
from struct import pack

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from convlens.core.downloads import Download
from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet
from convlens.data import catalog, datasets, fetch_dataset, open_for_evaluation, open_source
from convlens.data.catalog import dataset, known_datasets
from convlens.data.dataset_formats import read_cifar, read_idx, read_names
from convlens.data.datasets import read_dataset, read_flower_labels


def idx(array):
    """An array of bytes in the IDX format, written out by hand."""
    array = np.asarray(array, np.uint8)
    shape = b"".join(pack(">I", length) for length in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def tar_gz(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def as_fetched(name, **contents):
    """Put files in the place of a dataset's, and into the catalog what they are."""
    entry = dataset(name)
    folder = entry.folder
    folder.mkdir(parents=True)
    files = []
    for file in entry.files:
        content = contents[re.sub(r"\W", "_", file.file_name)]
        (folder / file.file_name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        files.append(
            Download(
                file_name=file.file_name,
                urls=("http://127.0.0.1:9/none",),
                checksum=f"sha256:{digest}",
                size=len(content),
            )
        )
    return entry.model_copy(update={"files": tuple(files)})


@pytest.fixture
def replaced(monkeypatch):
    """Puts files of ours in the place of a dataset's; its name in the catalog then means them."""

    def replace(name, **contents):
        entry = as_fetched(name, **contents)
        monkeypatch.setattr(catalog, "_BY_NAME", {**known_datasets(), name: entry})

    return replace


def test_every_entry_says_where_it_is_from():
    assert {"digits", "mnist", "fashion-mnist", "cifar10", "cifar100"} < set(known_datasets())
    for name, entry in known_datasets().items():
        assert entry.name == name
        assert entry.license
        assert entry.home.startswith("http")
        assert bool(entry.files) == (name != "digits")
        for file in entry.files:
            assert re.fullmatch("sha256:[0-9a-f]{64}", file.checksum)
            assert file.size
            assert all(url.endswith(file.file_name) for url in file.urls)
    assert set(known_datasets()) == set(datasets._READERS)
    sums = [file.checksum for entry in known_datasets().values() for file in entry.files]
    assert len(set(sums)) == len(sums)


def test_an_unknown_name_lists_the_known():
    with pytest.raises(ConvlensError, match=r"did you mean 'mnist'\? Known: cifar10"):
        dataset("mnits")


def test_what_is_fetched_is_known_by_its_size(replaced):
    assert dataset("digits").fetched
    assert not dataset("cifar10").fetched
    replaced("cifar10", cifar_10_binary_tar_gz=b"whole")
    assert dataset("cifar10").fetched
    (dataset("cifar10").folder / "cifar-10-binary.tar.gz").write_bytes(b"half")
    assert not dataset("cifar10").fetched


def test_fetching_what_is_there_asks_nobody(replaced):
    replaced("cifar10", cifar_10_binary_tar_gz=b"whole")
    assert (fetch_dataset("cifar10", Quiet()) / "cifar-10-binary.tar.gz").read_bytes() == b"whole"


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("shape", [(3,), (2, 4, 5), (1, 1)])
def test_idx(tmp_path, packed, shape):
    values = np.arange(np.prod(shape)).reshape(shape)
    content = idx(values)
    (tmp_path / "a").write_bytes(gzip.compress(content) if packed else content)
    assert (read_idx(tmp_path / "a") == values).all()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "does not begin"),
        (b"\0\0", "does not begin"),
        (b"\0\0\x0d\1\0\0\0\1aaaa", "does not begin"),
        (idx([1, 2, 3])[:-1], "says 3 values and holds 2"),
        (idx([1, 2, 3]) + b"x", "says 3 values and holds 4"),
        (b"\0\0\x08\3" + b"\xff" * 12, "claims"),
        (b"\0\0\x08\3\0\0", "damaged"),
        (gzip.compress(idx([1, 2, 3]), mtime=0)[:-9], "damaged"),
        (b"\x1f\x8b but no gzip", "damaged"),
    ],
)
def test_damaged_idx(tmp_path, content, words):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ConvlensError, match=words) as caught:
        read_idx(tmp_path / "a")
    assert caught.value.code == "damaged-dataset"


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_mnist_and_its_likes(replaced, name):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (70, 28, 28)), np.arange(70) % 10
    files = {
        "train_images_idx3_ubyte_gz": images[:50],
        "train_labels_idx1_ubyte_gz": labels[:50],
        "t10k_images_idx3_ubyte_gz": images[50:],
        "t10k_labels_idx1_ubyte_gz": labels[50:],
    }
    replaced(name, **{key: gzip.compress(idx(value), mtime=0) for key, value in files.items()})
    found = read_dataset(name, for_training=True, reporter=Quiet())
    assert found.name == name
    assert found.arrays.shape == (70, 28, 28, 1)
    assert (found.arrays[..., 0] == images).all()
    assert found.in_split("test").tolist() == list(range(50, 70))
    assert list(found.classes) == sorted(found.classes)
    published = [*"0123456789"] if name == "mnist" else datasets._FASHION_CLASSES
    assert [found.classes[i] for i in found.labels] == [published[i] for i in labels]


def test_labels_that_do_not_fit_the_images(replaced):
    images = gzip.compress(idx(np.zeros((3, 28, 28))))
    labels = gzip.compress(idx([0, 1]), mtime=0)
    replaced(
        "mnist",
        train_images_idx3_ubyte_gz=images,
        train_labels_idx1_ubyte_gz=labels,
        t10k_images_idx3_ubyte_gz=images,
        t10k_labels_idx1_ubyte_gz=labels,
    )
    with pytest.raises(ConvlensError, match="do not fit together"):
        read_dataset("mnist", for_training=True, reporter=Quiet())


def cifar_records(images, *labels):
    """CIFAR's binary records, written out by hand: labels, then red, green and blue planes."""
    records = []
    for number, image in enumerate(images):
        planes = [image[:, :, channel].tobytes() for channel in range(3)]
        records.append(bytes(int(own[number]) for own in labels) + b"".join(planes))
    return b"".join(records)


def test_cifar10(tmp_path, replaced):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (60, 32, 32, 3), np.uint8), np.arange(60) % 10
    files = {"batches.meta.txt": "\n".join("jihgfedcba").encode() + b"\n\n"}
    for part in range(6):
        name = "test_batch.bin" if part == 5 else f"data_batch_{part + 1}.bin"
        chosen = slice(10 * part, 10 * part + 10)
        files[f"cifar-10-batches-bin/{name}"] = cifar_records(images[chosen], labels[chosen])
    content = tar_gz(tmp_path / "a.tar.gz", files).read_bytes()
    replaced("cifar10", cifar_10_binary_tar_gz=content)
    found = read_dataset("cifar10", for_training=True, reporter=Quiet())
    assert found.classes == tuple("abcdefghij")
    assert (found.arrays == images).all()
    assert [found.classes[i] for i in found.labels] == ["jihgfedcba"[i] for i in labels]
    assert found.in_split("test").tolist() == list(range(50, 60))


def test_cifar100_takes_the_fine_label(tmp_path, replaced):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 32, 32, 3), np.uint8)
    fine, coarse = np.arange(200) % 100, np.arange(200) % 20
    names = [f"kind_{number:02}" for number in range(100)]
    files = {
        "cifar-100-binary/train.bin": cifar_records(images[:100], coarse[:100], fine[:100]),
        "cifar-100-binary/test.bin": cifar_records(images[100:], coarse[100:], fine[100:]),
        "cifar-100-binary/fine_label_names.txt": "\n".join(names).encode(),
    }
    content = tar_gz(tmp_path / "a.tar.gz", files).read_bytes()
    replaced("cifar100", cifar_100_binary_tar_gz=content)
    images_found = open_source("cifar100", reporter=Quiet())
    assert images_found.classes[7] == "kind 07"
    assert (images_found.labels == fine).all()
    measured = open_for_evaluation("cifar100", classes=images_found.classes, reporter=Quiet())
    assert (measured.arrays == images[100:]).all()


def test_damaged_cifar(tmp_path):
    path = tar_gz(tmp_path / "a.tar.gz", {"x/train.bin": b"\0" * 3000, "x/names.txt": b"a"})
    for call in (
        lambda: read_cifar(path, ["train.bin"], label_bytes=1),
        lambda: read_cifar(path, ["test.bin"], label_bytes=1),
        lambda: read_names(path, "other.txt"),
    ):
        with pytest.raises(ConvlensError) as caught:
            call()
        assert caught.value.code == "damaged-dataset"


def jpeg(seed):
    file = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    Image.fromarray(noise).save(file, "JPEG")
    return file.getvalue()


def test_imagenette_has_names_for_its_folders(tmp_path, replaced):
    folders = list(datasets._IMAGENETTE_CLASSES)
    files = {
        f"imagenette2-160/{split}/{folder}/{n}.JPEG": jpeg(1000 * s + 10 * f + n)
        for s, split in enumerate(("train", "val"))
        for f, folder in enumerate(folders)
        for n in range(4)
    }
    content = tar_gz(tmp_path / "a.tgz", files).read_bytes()
    replaced("imagenette", imagenette2_160_tgz=content)
    images = open_source("imagenette", reporter=Quiet())
    assert images.classes == tuple(sorted(datasets._IMAGENETTE_CLASSES.values()))
    for path, label in zip(images.paths, images.labels, strict=True):
        folder = path.replace("\\", "/").split("/")[-2]
        assert datasets._IMAGENETTE_CLASSES[folder] == images.classes[label]
    assert len(images.splits["val"]) == 40


def test_flowers(tmp_path, replaced):
    files = {f"jpg/image_{n:05}.jpg": jpeg(n) for n in range(1, 13)}
    content = tar_gz(tmp_path / "a.tgz", files).read_bytes()
    savemat(tmp_path / "labels.mat", {"labels": [[1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]]})
    splits = {"trnid": [[1, 2, 5, 9]], "valid": [[3, 6, 10]], "tstid": [[4, 7, 8, 11, 12]]}
    savemat(tmp_path / "setid.mat", splits)
    replaced(
        "flowers102",
        **{"102flowers_tgz": content},
        imagelabels_mat=(tmp_path / "labels.mat").read_bytes(),
        setid_mat=(tmp_path / "setid.mat").read_bytes(),
    )
    images = open_source("flowers102", reporter=Quiet())
    assert images.classes == ("001", "002", "003")
    assert images.names()[0] == "jpg/image_00001.jpg"
    assert images.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert images.splits["train"].tolist() == [0, 1, 4, 8]
    assert images.splits["test"].tolist() == [3, 6, 7, 10, 11]


def test_damaged_flower_labels(tmp_path):
    savemat(tmp_path / "labels.mat", {"labels": [[1, 2]]})
    savemat(tmp_path / "setid.mat", {"trnid": [[1, 9]], "valid": [[1]], "tstid": [[2]]})
    (tmp_path / "text.mat").write_text("text")
    for one, two in (("labels", "setid"), ("text", "setid"), ("labels", "labels")):
        with pytest.raises(ConvlensError, match="damaged"):
            read_flower_labels(tmp_path / f"{one}.mat", tmp_path / f"{two}.mat")
