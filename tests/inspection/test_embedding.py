"""Features of every image, streamed into an .npz file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Quiet
from convlens.data import ImageSet, decode
from convlens.inspection import embedding
from convlens.inspection.embedding import embed, features

SPEC = InputSpec(height=8, width=10, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


@pytest.fixture
def net() -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        stages = {"a": nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU())}
        head = nn.Sequential(nn.Flatten(), nn.Linear(6 * 6 * 8, 7), nn.ReLU(), nn.Linear(7, 2))
        return Classifier(stages, head, SPEC)


def _set(count: int, paths: list[str] | None = None) -> ImageSet:
    numbers = np.random.default_rng(0)
    return ImageSet(
        name="things",
        classes=("bö", "a"),
        labels=numbers.integers(0, 2, count),
        splits={
            "train": np.arange(0, count - 1),
            "val": np.arange(0),
            "test": np.arange(count - 1, count),
        },
        paths=paths,
        arrays=None if paths else numbers.integers(0, 256, (count, 8, 10, 3), np.uint8),
        root=str(Path(paths[0]).parent.parent) if paths else "",
    )


def _expected(net: Classifier, pixels: np.ndarray) -> torch.Tensor:
    net.eval()
    with torch.no_grad():
        maps: torch.Tensor = net.stages(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    return maps


def test_each_image_is_the_mean_of_what_the_head_reads(net: Classifier, tmp_path: Path) -> None:
    images = _set(5)
    net.train()
    written = embed(net, images, tmp_path / "new" / "f.npz", reporter=Quiet())
    assert net.training
    maps = _expected(net, images.arrays)
    with np.load(tmp_path / "new" / "f.npz", allow_pickle=False) as found:
        np.testing.assert_allclose(found["features"], maps.mean(dim=(2, 3)), rtol=1e-5, atol=1e-6)
        assert found["features"].dtype == np.float32
        np.testing.assert_array_equal(found["labels"], images.labels)
        assert found["names"].tolist() == [f"image {number}" for number in range(5)]
        assert found["classes"].tolist() == ["bö", "a"]
        assert found["splits"].tolist() == ["train"] * 4 + ["test"]
    assert written.shape == (5, 6)
    assert written.as_json()["layer"] == "before the head"


def test_without_pooling_the_map_is_kept(net: Classifier, tmp_path: Path) -> None:
    images = _set(3)
    written = embed(net, images, tmp_path / "f.npz", pool=False, reporter=Quiet())
    assert written.shape == (3, 6, 6, 8)
    with np.load(tmp_path / "f.npz") as found:
        np.testing.assert_allclose(
            found["features"], _expected(net, images.arrays), rtol=1e-5, atol=1e-6
        )


def test_a_named_layer_is_taken_as_it_is(net: Classifier, tmp_path: Path) -> None:
    images = _set(3)
    written = embed(net, images, tmp_path / "f.npz", layer="head.2", reporter=Quiet())
    with torch.no_grad():
        expected = net.head[:3](_expected(net, images.arrays))
    with np.load(tmp_path / "f.npz") as found:
        np.testing.assert_allclose(found["features"], expected, rtol=1e-5, atol=1e-6)
    assert (written.layer, written.shape) == ("head.2", (3, 7))
    by_stage = features(net, images.arrays, layer="a")
    np.testing.assert_allclose(by_stage, features(net, images.arrays), rtol=1e-6)


def test_files_are_decoded_in_order_and_the_unreadable_are_named(
    net: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "_MOST_A_BATCH", 4)
    paths = []
    for number in range(11):
        path = tmp_path / "set" / "a" / f"ü{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (9, 13, 3), np.uint8)
        Image.fromarray(pixels).save(path)
        paths.append(str(path))
    for broken in (2, 4, 5, 6, 7):  # a whole batch of four among them
        Path(paths[broken]).write_bytes(Path(paths[broken]).read_bytes()[:60])
    images = _set(11, paths)
    written = embed(net, images, tmp_path / "f.npz", reporter=Quiet())
    kept = [0, 1, 3, 8, 9, 10]
    assert [file.path for file in written.skipped] == [paths[n] for n in (2, 4, 5, 6, 7)]
    decoded = np.stack([decode(paths[number], SPEC) for number in kept])
    with np.load(tmp_path / "f.npz") as found:
        assert found["names"].tolist() == [f"a/ü{number:02}.png" for number in kept]
        np.testing.assert_array_equal(found["labels"], images.labels[kept])
        np.testing.assert_allclose(
            found["features"], _expected(net, decoded).mean(dim=(2, 3)), rtol=1e-5, atol=1e-6
        )


def test_only_a_batch_is_in_memory_at_a_time(
    net: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "_MOST_A_BATCH", 3)
    seen: list[int] = []

    def counting(classifier: Classifier, pixels: np.ndarray, **asked: object) -> np.ndarray:
        seen.append(len(pixels))
        return features(classifier, pixels, **asked)  # type: ignore[arg-type]

    monkeypatch.setattr(embedding, "features", counting)
    embed(net, _set(8), tmp_path / "f.npz", reporter=Quiet())
    assert seen == [3, 3, 2]


def test_nothing_is_left_behind_where_it_fails(net: Classifier, tmp_path: Path) -> None:
    with pytest.raises(ConvlensError, match="unknown layer 'b'"):
        embed(net, _set(3), tmp_path / "f.npz", layer="b", reporter=Quiet())
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"x" * 50)
    with pytest.raises(ConvlensError, match=r"none of the 2 images could be read \(.*broken\.png"):
        embed(net, _set(2, [str(broken)] * 2), tmp_path / "f.npz", reporter=Quiet())
    with pytest.raises(ConvlensError, match=r"expected a name that ends in \.npz"):
        embed(net, _set(3), tmp_path / "f.csv", reporter=Quiet())
    assert [path.name for path in tmp_path.iterdir()] == ["broken.png"]


def test_a_file_that_cannot_be_written_is_told(net: Classifier, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConvlensError, match="cannot write"):
        embed(net, _set(2), tmp_path / "file" / "f.npz", reporter=Quiet())
