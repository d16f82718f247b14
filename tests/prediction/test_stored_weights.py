"""What a bundle's weights claim is compared with the network before either takes memory."""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.prediction.test_bundle import bundle

from convlens.core.errors import ConvlensError
from convlens.prediction import bundle as bundle_file
from convlens.prediction import load_bundle, save_bundle
from convlens.prediction.stored_weights import MOST_BYTES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_bundle(bundle(), tmp_path / "bundle")
    return tmp_path / "bundle"


def _with_manifest(folder: Path, **values: Any) -> None:
    file = folder / "bundle.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | values), "utf-8")


def _with_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """Other weights, which the manifest vouches for."""
    file = folder / "model.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    _with_manifest(folder, weights={"file": file.name, "sha256": digest})


@pytest.mark.parametrize(
    "claim",
    [
        {"classes": [str(number) for number in range(100_000)]},
        {"model": {"layers": ["conv 8 3 same relu", "batchnorm", "flatten", "dense"]}},
        {"model": {"name": "resnet152"}},
    ],
)
def test_a_manifest_asks_for_no_more_than_its_weights(
    claim: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, build = [], bundle_file.build_architecture

    def watched(*args: Any, **options: Any) -> Any:
        built.append(build(*args, **options))
        return built[-1]

    monkeypatch.setattr(bundle_file, "build_architecture", watched)
    _with_manifest(folder, **claim)
    with pytest.raises(ConvlensError, match=r"model\.safetensors: its? .*the network"):
        load_bundle(folder)
    devices = {tensor.device.type for net in built for tensor in net.parameters()}
    assert devices == {"meta"}


def test_a_hundred_thousand_layers_are_refused(folder: Path) -> None:
    _with_manifest(folder, model={"layers": ["conv 4 3 same relu"] * 100_000})
    with pytest.raises(ConvlensError, match="100,000 layers; at most 2,000"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.update({n: v.to(torch.complex64) for n, v in t.items()}), "is C64 of shape"),
        (lambda t: t.update({n: v.double() for n, v in t.items()}), "is F64 of shape"),
        (lambda t: t.update({n: v.flatten() for n, v in t.items()}), "of shape"),
        (lambda t: t.popitem(), "it has no "),
        (lambda t: t.update(more=torch.ones(1)), "it has more, which the network has not"),
        (lambda t: t.update({n: v * torch.nan for n, v in t.items() if v.ndim}), "not finite"),
    ],
)
def test_weights_are_exactly_those_of_the_network(
    change: Callable[[dict[str, torch.Tensor]], object], words: str, folder: Path
) -> None:
    _with_weights(folder, change)
    with pytest.raises(ConvlensError, match=words) as told:
        load_bundle(folder)
    assert told.value.code == "damaged-bundle"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither pipes nor devices here")
@pytest.mark.parametrize("name", ["model.safetensors", "training_images.bin", "bundle.json"])
@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_weights_that_never_end_are_refused(
    name: str, put: Callable[[Path], None], folder: Path
) -> None:
    _with_manifest(folder, training_images={"count": 5, "kind": "files"})
    (folder / name).unlink(missing_ok=True)
    put(folder / name)
    with pytest.raises(ConvlensError, match="regular file|no bundle"):
        load_bundle(folder)


def test_weights_have_a_limit(folder: Path) -> None:
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(MOST_BYTES + 1)  # sparse: takes no room
    with pytest.raises(ConvlensError, match="at most 4,294,967,296 are read"):
        load_bundle(folder)
