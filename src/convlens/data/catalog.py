"""Datasets by name: where they are published, and what their publishers say of them.

Addresses, sizes and checksums are those that TensorFlow Datasets publishes in its folder
``url_checksums`` (SHA-256 and bytes); torchvision publishes MD5 sums of the same files.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from convlens.core.cache_folder import cache_folder
from convlens.core.downloads import Download
from convlens.core.errors import unknown_name

IDX_KINDS = ("images-idx3", "labels-idx1")


class Dataset(BaseModel):
    """A published dataset.

    Attributes:
        name: what the user types.
        about: what is to be seen, in a line.
        classes: how many.
        images: how many, per split as published.
        size: of an image: height x width x channels, or in words.
        license: as its publisher states it.
        home: where it is described.
        files: what is fetched; empty where it comes with convlens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    about: str
    classes: Annotated[int, Field(ge=2)]
    images: Mapping[str, int]
    size: str
    license: str
    home: str
    files: tuple[Download, ...] = ()

    @property
    def bytes(self) -> int:
        """What is to be fetched, in all."""
        return sum(file.size or 0 for file in self.files)

    @property
    def folder(self) -> Path:
        """Where its files are kept."""
        return cache_folder("datasets") / self.name

    @property
    def fetched(self) -> bool:
        """Whether all files are there, by their sizes; reading verifies them."""
        places = [(self.folder / file.file_name, file.size) for file in self.files]
        return all(
            path.is_file() and (size is None or path.stat().st_size == size)
            for path, size in places
        )

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values; of its files, the bytes and whether they are there."""
        own = self.model_dump(mode="json", exclude={"files"})
        return {**own, "bytes": self.bytes, "fetched": self.fetched}


def known_datasets() -> Mapping[str, Dataset]:
    """The datasets that can be named, by their names."""
    return _BY_NAME


def dataset(name: str) -> Dataset:
    """A dataset by name.

    Raises:
        ConvlensError: there is none of that name.

    Example:
        >>> dataset("mnist").images["test"]
        10000
    """
    if name not in _BY_NAME:
        raise unknown_name("dataset", name, _BY_NAME, code="unknown-dataset")
    return _BY_NAME[name]


def _file(name: str, size: int, sha256: str, *folders: str) -> Download:
    return Download(
        file_name=name,
        urls=tuple(f"{folder}/{name}" for folder in folders),
        checksum=f"sha256:{sha256}",
        size=size,
    )


def _idx_files(sizes_and_digests: str, *folders: str) -> tuple[Download, ...]:
    """The four files that MNIST and its likes consist of."""
    names = (f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in IDX_KINDS)
    lines = (line.split() for line in sizes_and_digests.split("\n") if line.strip())
    return tuple(
        _file(name, int(size), sha256, *folders)
        for name, (size, sha256) in zip(names, lines, strict=True)
    )


_CIFAR = "https://www.cs.toronto.edu/~kriz"
_FLOWERS = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102"

_DATASETS = (
    Dataset(
        name="digits",
        about="handwritten digits; comes with convlens",
        classes=10,
        images={"train": 1437, "test": 360},
        size="8x8x1",
        license="as bundled with scikit-learn",
        home="https://archive.ics.uci.edu/dataset/80",
    ),
    Dataset(
        name="mnist",
        about="handwritten digits",
        classes=10,
        images={"train": 60000, "test": 10000},
        size="28x28x1",
        license="CC BY-SA 3.0",
        home="http://yann.lecun.com/exdb/mnist/",
        files=_idx_files(
            """
            9912422 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609
            28881 3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c
            1648877 8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6
            4542 f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6
            """,
            "https://storage.googleapis.com/cvdf-datasets/mnist",
            "https://ossci-datasets.s3.amazonaws.com/mnist",
        ),
    ),
    Dataset(
        name="fashion-mnist",
        about="articles of clothing",
        classes=10,
        images={"train": 60000, "test": 10000},
        size="28x28x1",
        license="MIT",
        home="https://github.com/zalandoresearch/fashion-mnist",
        files=_idx_files(
            """
            26421880 3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84
            29515 a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845
            4422102 346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073
            5148 67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5
            """,
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        ),
    ),
    Dataset(
        name="cifar10",
        about="small photographs of animals and vehicles",
        classes=10,
        images={"train": 50000, "test": 10000},
        size="32x32x3",
        license="none stated",
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        files=(
            _file(
                "cifar-10-binary.tar.gz",
                170052171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                _CIFAR,
            ),
        ),
    ),
    Dataset(
        name="cifar100",
        about="small photographs of a hundred kinds of things",
        classes=100,
        images={"train": 50000, "test": 10000},
        size="32x32x3",
        license="none stated",
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        files=(
            _file(
                "cifar-100-binary.tar.gz",
                168513733,
                "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                _CIFAR,
            ),
        ),
    ),
    Dataset(
        name="imagenette",
        about="ten easy classes of ImageNet, short side 160 pixels",
        classes=10,
        images={"train": 9469, "val": 3925},
        size="photographs",
        license="Apache-2.0; the photographs under the terms of ImageNet",
        home="https://github.com/fastai/imagenette",
        files=(
            _file(
                "imagenette2-160.tgz",
                98948031,
                "88daccb09b6fce93f45e6c09ddeb269cce705549e6bff322092a2a5a11489863",
                "https://s3.amazonaws.com/fast-ai-imageclas",
            ),
        ),
    ),
    Dataset(
        name="flowers102",
        about="flowers of Britain; ten training images a class, classes are numbered",
        classes=102,
        images={"train": 1020, "val": 1020, "test": 6149},
        size="photographs",
        license="none stated",
        home="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
        files=(
            _file(
                "102flowers.tgz",
                344862509,
                "2d01ecc807db462958cfe3d92f57a8c252b4abd240eb955770201e45f783b246",
                _FLOWERS,
            ),
            _file(
                "imagelabels.mat",
                502,
                "4903e94206bac23bf772aadf06451916df56b58fc483a62db32a97b82656651d",
                _FLOWERS,
            ),
            _file(
                "setid.mat",
                14989,
                "46b8678f91fd95d3c8f4feab80d271a6c834a1dd896fe29fd3e6ad9ce5c8dccd",
                _FLOWERS,
            ),
        ),
    ),
)
_BY_NAME = MappingProxyType({entry.name: entry for entry in _DATASETS})
