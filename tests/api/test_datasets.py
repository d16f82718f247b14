"""Datasets, sources and the cache from Python; `tests/cli/test_data.py` types the same."""

from pathlib import Path

import numpy as np
import pytest

import convlens
from convlens.core.cache_folder import cache_folder
from convlens.core.errors import ConvlensError
from convlens.data import catalog, known_datasets


def test_the_list_is_the_catalog_and_says_what_is_here() -> None:
    found = convlens.data_list()
    assert [dataset.name for dataset in found] == list(known_datasets())
    assert {dataset.name for dataset in found if dataset.fetched} == {"digits"}


def test_one_name_or_several_are_fetched(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = known_datasets()["digits"].model_copy(update={"name": "numerals"})
    monkeypatch.setattr(catalog, "_BY_NAME", {**known_datasets(), "numerals": here})
    folder = cache_folder("datasets")
    assert convlens.data_fetch("digits", quiet=True) == {"digits": folder / "digits"}
    both = convlens.data_fetch(["digits", "numerals"], quiet=True)
    assert both == {"digits": folder / "digits", "numerals": folder / "numerals"}
    with pytest.raises(ConvlensError, match="did you mean 'mnist'"):
        convlens.data_fetch("mnits", quiet=True)
    assert capsys.readouterr() == ("", "")


def test_what_is_found_in_arrays_is_what_train_would_find(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    arrays = (pixels, np.arange(40) % 2)
    found = convlens.data_info(arrays, seed=3, settings=["data.val=0.3"], quiet=True)
    assert found.dataset is None
    assert found.images is not None
    run = convlens.train(
        arrays, seed=3, settings=["data.val=0.3"], epochs=1, out=tmp_path / "run", quiet=True
    )
    data = run.environment["data"]
    assert (data["fingerprint"], data["images"]) == (
        found.images.fingerprint(),
        found.images.counts(),
    )


def test_a_dataset_that_is_not_fetched_is_described_and_not_fetched() -> None:
    found = convlens.data_info("mnist", quiet=True)
    assert found.images is None
    assert found.dataset is not None
    assert found.dataset.classes == 10
    assert found.as_json().keys() == {"dataset"}
    digits = convlens.data_info("digits", quiet=True)
    assert digits.dataset == known_datasets()["digits"]
    assert digits.images is not None


def test_without_a_source_it_is_the_cache() -> None:
    assert convlens.data_info().usage == ()
    place = cache_folder("archives") / "one"
    place.parent.mkdir(parents=True)
    place.write_bytes(bytes(7))
    (kept,) = convlens.data_info().usage
    assert (kept.kind, kept.files, kept.bytes) == ("archives", 1, 7)


@pytest.mark.parametrize(
    ("words", "told"),
    [({"seed": -1}, "seed is -1"), ({"settings": ["data.vall=1"]}, "did you mean 'val'")],
)
def test_slips(words: dict[str, int], told: str) -> None:
    with pytest.raises(ConvlensError, match=told):
        convlens.data_info("digits", quiet=True, **words)
