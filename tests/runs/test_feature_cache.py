import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from convlens.augment import AugmentSettings, make_transform
from convlens.core.classifier import Classifier, tail
from convlens.core.device import placed
from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Quiet, Task
from convlens.data import CacheSettings, Features, PixelBatches, Pixels, list_entries
from convlens.data import pixel_store as store_module
from convlens.models import ModelSpec, build
from convlens.runs import feature_cache as features_module
from convlens.runs.feature_cache import DrawnBatches, FrozenFeatures, affordable
from convlens.runs.feature_choice import FeatureChoice, choose_features
from convlens.runs.frozen_stages import Probe, stage_maps

SPEC = InputSpec(height=32, width=32, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
LAYERS = (
    "conv 6 3 same, batchnorm, relu, dropout 0.5, maxpool 2,"
    "conv 8 3 same relu, dropout 0.3, maxpool 2, conv 10 3 relu, globalavgpool, dense"
)
LABELS = np.random.default_rng(2).integers(0, 4, 500)
PLAIN = FeatureChoice(draws=1, reason="")
TURNED = AugmentSettings(rotation_range=20, horizontal_flip=True, brightness_range=(0.8, 1.2))
OFF = CacheSettings(enabled=False)


def network(model: str = LAYERS, spec: InputSpec = SPEC) -> Classifier:
    named = ModelSpec(layers=model) if " " in model else ModelSpec(name=model)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = placed(build(named, spec, classes=4), torch.device("cpu"))
        with torch.no_grad():
            for name, buffer in net.named_buffers():
                if name.endswith("running_mean"):
                    buffer.normal_(0, 0.1)
    return net


def images(train: int = 70, val: int = 20) -> dict[str, Pixels]:
    array = np.random.default_rng(0).integers(0, 256, (train + val, 32, 32, 3), np.uint8)
    rows = np.random.default_rng(1).permutation(500)[: train + val]
    return {
        "train": Pixels(array[:train], rows[:train]),
        "val": Pixels(array[train:], rows[train:]),
    }


def batches(split: str, shown: Pixels | Features, **how: Any) -> PixelBatches:
    return PixelBatches(shown, LABELS, batch_size=16, seed=7, shuffle=split == "train", **how)


@dataclass
class Listener(Quiet):
    said: list[str] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Task]:
        self.tasks.append(total)
        with super().task(name, total) as task:
            yield task


def frozen(
    net: Classifier, settings: CacheSettings | None = None, reporter: Listener | None = None
) -> FrozenFeatures:
    return FrozenFeatures(
        net,
        name="plants, features of a network",
        seed=3,
        settings=settings or CacheSettings(),
        reporter=reporter or Listener(),
    )


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """Which stages were run, from and to, on how many images."""
    seen: list[tuple[int, int, int]] = []

    def counting(net: Classifier, source: Pixels | Features, **how: Any) -> Any:
        seen.append((how["start"], how["stop"], len(source)))
        return stage_maps(net, source, **how)

    monkeypatch.setattr(features_module, "stage_maps", counting)
    return seen


def files() -> dict[str, bytes]:
    return {
        str(entry.folder): (entry.folder / "pixels.bin").read_bytes()
        for entry in list_entries(CacheSettings().place)
    }


@pytest.mark.parametrize(
    ("model", "stages"),
    [
        ("vgg11_bn", 5),
        ("resnet18", 4),
        ("mobilenet_v2", 5),
        ("lenet5", 2),
        ("lenet5", 3),
        (LAYERS, 2),
        (LAYERS, 4),
    ],
)
def test_a_network_sees_the_same_with_features_and_without(
    model: str, stages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convlens.runs.frozen_stages._MOST_A_BATCH", 8)
    net, pixels = network(model).train(), images(20, 6)
    kept = frozen(net).batches(stages, pixels, batches, choice=PLAIN)
    assert kept is not None
    net.eval()
    rest = tail(net, stages)
    for split, ours in zip(("train", "val"), kept, strict=True):
        theirs = batches(split, pixels[split])
        assert (ours.samples, ours.batch_size) == (theirs.samples, theirs.batch_size)
        for own, other in zip(ours.epoch(2), theirs.epoch(2), strict=True):
            assert own.epoch == other.epoch == 2
            assert torch.equal(own.indices, other.indices)
            assert torch.equal(own.targets, other.targets)
            with torch.no_grad():
                torch.testing.assert_close(
                    rest(own.pixels), net(other.pixels), rtol=1e-5, atol=1e-5
                )


def test_what_the_tail_learns_is_the_same_too() -> None:
    net, pixels = network(), images()
    kept = frozen(net).batches(3, pixels, batches, choice=PLAIN)
    assert kept is not None
    net.train()
    net.stages[:3].eval()
    gradients = []
    for module, source in ((tail(net, 3), kept[0]), (net, batches("train", pixels["train"]))):
        net.zero_grad()
        batch = next(source.epoch(0))
        nn.functional.cross_entropy(module(batch.pixels), batch.targets).backward()
        gradients.append([p.grad.clone() for p in tail(net, 3).parameters() if p.grad is not None])
    assert len(gradients[0]) == 4
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("seen", [0, 16, 64])
@pytest.mark.parametrize("rank", [0, 1])
def test_shares_and_resumed_epochs_are_those_of_the_images(seen: int, rank: int) -> None:
    pixels, share = images(), {"rank": rank, "world_size": 2}
    choice = choose_features(TURNED, draws=2, frozen=network())
    kept = frozen(network()).batches(
        2, pixels, lambda split, shown: batches(split, shown, **share), choice=choice
    )
    assert kept is not None
    theirs = batches("train", pixels["train"], **share)
    for epoch in (0, 1, 5):
        ours = [batch.indices.tolist() for batch in kept[0].epoch(epoch, samples_seen=seen)]
        assert ours == [b.indices.tolist() for b in theirs.epoch(epoch, samples_seen=seen)]


def test_two_phases_run_every_stage_once_an_image(runs: list[tuple[int, int, int]]) -> None:
    net, pixels = network(), images()
    for settings in (CacheSettings(), OFF):
        runs.clear()
        features = frozen(net, settings)
        assert features.batches(4, pixels, batches, choice=PLAIN, further=[0, 1, 4, 3])
        assert runs == [(0, 3, 70), (3, 4, 70), (0, 3, 20), (3, 4, 20)]
        assert features.batches(3, pixels, batches, choice=PLAIN)
        assert features.batches(3, pixels, batches, choice=PLAIN, further=[4])
        assert len(runs) == 4


def test_the_next_run_computes_nothing(runs: list[tuple[int, int, int]]) -> None:
    reporter = Listener()
    for _ in range(2):
        assert frozen(network(), reporter=reporter).batches(3, images(), batches, choice=PLAIN)
    assert len(runs) == 2
    assert reporter.tasks == [70, 20]
    assert frozen(network(), OFF).batches(3, images(), batches, choice=PLAIN)
    assert len(runs) == 4


def test_only_what_is_missing_is_computed(runs: list[tuple[int, int, int]]) -> None:
    frozen(network()).batches(4, images(), batches, choice=PLAIN, further=[3])
    for entry in list_entries(CacheSettings().place):
        if entry.shape[0] == 20 and entry.shape[3] == 10:
            shutil.rmtree(entry.folder)
    runs.clear()
    frozen(network()).batches(4, images(), batches, choice=PLAIN, further=[3])
    assert runs == [(3, 4, 20)]


def test_a_lost_cache_is_rebuilt_to_the_last_bit() -> None:
    choice = choose_features(TURNED, draws=2, frozen=network())
    for ways in ([2, 3], [3], []):
        frozen(network()).batches(4, images(), batches, choice=choice, further=ways)
        before = files()
        assert len(before) == 3 * (len(ways) + 1)
        shutil.rmtree(CacheSettings().place)
        frozen(network()).batches(4, images(), batches, choice=choice)
        after = files()
        assert len(after) == 3
        assert after.items() <= before.items()
        shutil.rmtree(CacheSettings().place)


def test_an_epoch_is_shown_its_draw() -> None:
    net, pixels, n = network(), images(), 3
    choice = choose_features(TURNED, draws=n, frozen=net)
    kept = frozen(net).batches(3, pixels, batches, choice=choice)
    assert kept is not None
    transform = make_transform(TURNED, seed=3, classes=4, height=32, width=32)
    net.eval()
    shown = []
    for epoch in (1, 4, 5):
        ours = [*kept[0].epoch(epoch)]
        theirs = [*batches("train", pixels["train"]).epoch(epoch)]
        for own, other in zip(ours, theirs, strict=True):
            assert own.epoch == epoch
            assert torch.equal(own.indices, other.indices)
            turned = transform(replace(other, epoch=epoch % n))
            with torch.no_grad():
                torch.testing.assert_close(
                    own.pixels, net.stages[:3](turned.pixels), rtol=1e-5, atol=1e-5
                )
        order = torch.cat([batch.indices for batch in ours]).argsort()
        shown.append(torch.cat([batch.pixels for batch in ours])[order])
    assert torch.equal(shown[0], shown[1])
    assert not torch.equal(shown[0], shown[2])
    val = torch.cat([batch.pixels for batch in kept[1].epoch(0)])
    x = torch.from_numpy(pixels["val"].array).permute(0, 3, 1, 2)
    with torch.no_grad():
        torch.testing.assert_close(val, net.stages[:3](x), rtol=1e-5, atol=1e-5)


def test_a_margin_is_for_draws() -> None:
    pixels = images()
    wide = Pixels(np.pad(pixels["train"].array, ((0, 0), (2, 2), (2, 2), (0, 0))), np.arange(70))
    cropping = AugmentSettings(crop_area=(0.5, 1.0))
    choice = choose_features(cropping, draws=1, frozen=network())
    kept = frozen(network()).batches(2, {**pixels, "train": wide}, batches, choice=choice)
    assert kept is not None
    assert next(kept[0].epoch(0)).pixels.shape == (16, 6, 16, 16)


def test_whatever_features_depend_on_has_entries_of_its_own() -> None:
    def keep(**how: Any) -> int:
        before = len(files())
        augment = how.get("augment", TURNED)
        choice = choose_features(augment, draws=how.get("draws", 1), frozen=network())
        FrozenFeatures(
            how.get("net", network()),
            name="x",
            seed=how.get("seed", 3),
            settings=CacheSettings(),
            reporter=Quiet(),
        ).batches(2, how.get("pixels", images()), batches, choice=choice)
        return len(files()) - before

    assert keep() == 2
    assert keep() == 0
    assert keep(seed=4) == 1
    assert keep(draws=2) == 1
    assert keep(augment=AugmentSettings(rotation_range=21)) == 1
    assert keep(augment=AugmentSettings()) == 1
    assert keep(pixels=images(71)) == 2
    other = network()
    other.stages[1][0].bias.data[0] += 1
    assert keep(net=other) == 2


def test_nothing_is_kept_where_nothing_is_to_be(runs: list[tuple[int, int, int]]) -> None:
    none = FeatureChoice(draws=0, reason="")
    reporter = Listener()
    assert frozen(network(), reporter=reporter).batches(3, images(), batches, choice=none) is None
    assert runs == []
    assert reporter.said == []


def test_without_room_the_stages_are_computed_in_every_step(
    monkeypatch: pytest.MonkeyPatch, runs: list[tuple[int, int, int]]
) -> None:
    monkeypatch.setattr(store_module, "available_memory", lambda: 100_000)
    reporter = Listener()
    features = frozen(network(), CacheSettings(max_gigabytes=2e-4), reporter)
    for _ in range(2):
        assert features.batches(2, images(), batches, choice=PLAIN) is None
    (said,) = reporter.said
    assert "they need 1 MB; the cache has room for 0 MB" in said
    assert "CONVLENS_CACHE_GIGABYTES" in said
    assert runs == []


def test_what_later_phases_need_is_kept_where_there_is_room(
    runs: list[tuple[int, int, int]],
) -> None:
    needed = 90 * 4 * (8 * 8 * 8 + 6 * 6 * 10)
    features = frozen(network(), CacheSettings(max_gigabytes=1.01 * needed / 1e9))
    assert features.batches(4, images(), batches, choice=PLAIN, further=[2, 3]) is not None
    assert runs == [(0, 3, 70), (3, 4, 70), (0, 3, 20), (3, 4, 20)]


def test_memory_takes_what_the_cache_does_not(runs: list[tuple[int, int, int]]) -> None:
    features = frozen(network(), CacheSettings(max_gigabytes=1e-6))
    for _ in range(2):
        assert features.batches(3, images(), batches, choice=PLAIN) is not None
    assert len(runs) == 2
    assert files() == {}


def test_room_that_is_gone_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    reporter = Listener()
    monkeypatch.setattr(features_module, "memory_room", lambda: 10**9)
    monkeypatch.setattr(store_module, "available_memory", lambda: 100_000)
    features = frozen(network(), OFF, reporter)
    assert features.batches(3, images(), batches, choice=PLAIN) is None
    assert "had room for them after all" in reporter.said[-1]


def test_a_stage_that_is_not_constant_is_computed_in_every_step() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x) + torch.rand_like(x)

    reporter = Listener()
    net = Classifier({"noisy": Noisy()}, nn.Flatten(), SPEC)
    assert frozen(net, reporter=reporter).batches(2, images(), batches, choice=PLAIN) is None
    assert "is random" in reporter.said[0]


def test_no_validation_images_are_no_error() -> None:
    kept = frozen(network()).batches(3, images(20, 0), batches, choice=PLAIN)
    assert kept is not None
    assert kept[1].samples == 0
    assert [*kept[1].epoch(0)] == []


def test_entries_say_whose_features_they_are() -> None:
    frozen(network()).batches(4, images(), batches, choice=PLAIN, further=[3])
    names = {entry.name for entry in list_entries(CacheSettings().place)}
    assert names == {
        "plants, features of a network up to block2",
        "plants, features of a network up to block3",
    }


def test_draws_take_turns() -> None:
    draws = [batches("train", images(20)["train"], last="drop") for _ in range(3)]
    drawn = DrawnBatches(draws)
    assert (drawn.samples, drawn.batch_size) == (16, 16)


def test_the_last_boundary_is_kept_first() -> None:
    probes = [
        Probe(stages=4, digest=b"", shape=(1, 1, 225)),
        Probe(stages=5, digest=b"", shape=(1, 1, 100)),
        Probe(stages=6, digest=b"", shape=(1, 1, 25)),
    ]
    kept = {
        room: [own.stages for own in affordable(probes, 1, room)]
        for room in (99, 100, 499, 500, 1399, 1400)
    }
    assert kept == {
        99: [],
        100: [6],
        499: [6],
        500: [5, 6],
        1399: [5, 6],
        1400: [4, 5, 6],
    }
