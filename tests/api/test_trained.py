"""Every verb takes a trained network in the same forms, and refuses anything else in words."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convlens
from convlens.core.errors import ConvlensError
from convlens.prediction import Bundle, Predictor

LAYERS = "conv 4 3 same relu, globalavgpool, dense"
X = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), np.uint8)
Y = np.arange(60) % 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> convlens.Run:
    out = tmp_path_factory.mktemp("runs") / "run"
    return convlens.train((X, Y), layers=LAYERS, epochs=1, out=out, quiet=True)


def embedded(model: Any, out: Path) -> float:
    convlens.embed(model, (X, Y), out=out / "features.npz", quiet=True)
    with np.load(out / "features.npz") as file:
        return float(file["features"].sum())


Call = Callable[[Any, Path], Any]

OF_TRAINED: dict[str, Call] = {
    "evaluate": lambda model, _: convlens.evaluate(model, (X, Y), quiet=True).accuracy,
    "predict": lambda model, _: convlens.predict(model, X[:2], quiet=True)[0].top[0],
    "load": lambda model, _: convlens.load(model).predict(X[:1])[0].top[0],
    "visualize": lambda model, _: convlens.visualize(model, quiet=True).filters().summary["layers"],
    "embed": embedded,
    "inspect": lambda model, _: convlens.inspect(model).parameters,
    "compare": lambda model, _: len(convlens.compare([model], repeats=1, quiet=True).networks),
}
OF_RUNS: dict[str, Call] = {
    "report": lambda run, out: convlens.report(run, out=out / "r.html", quiet=True).is_file(),
    "train": lambda run, _: convlens.train(resume=run, quiet=True),
    "resume": lambda run, _: convlens.resume(run, source=(X, Y), quiet=True),
}
OTHERS = {
    "check",
    "data_fetch",
    "data_info",
    "data_list",
    "visualize_augment",
    "visualize_convolution",
}
OTHERS |= {"visualize_pooling", "visualize_lr", "Run"}


def forms(run: convlens.Run) -> dict[str, Any]:
    return {
        "Path": run.folder,
        "str": str(run.folder),
        "bundle's folder": run.bundle,
        "Run": run,
        "Predictor": run.predictor(),
        "Bundle": run.predictor().bundle,
    }


def test_every_verb_is_tried() -> None:
    tried = OF_TRAINED.keys() | OF_RUNS.keys()
    verbs = {name for name in convlens.__all__ if not name.startswith("_")}
    assert verbs == tried | OTHERS


@pytest.mark.parametrize("verb", OF_TRAINED)
def test_a_trained_network_is_taken_in_every_form(
    run: convlens.Run, tmp_path: Path, verb: str
) -> None:
    found = [OF_TRAINED[verb](form, tmp_path) for form in forms(run).values()]
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("wrong", [None, 3, True, b"runs/x", object(), {"a": 1}, [1]])
@pytest.mark.parametrize("verb", [*OF_TRAINED, *OF_RUNS])
def test_anything_else_is_refused_by_its_type(tmp_path: Path, verb: str, wrong: Any) -> None:
    if (verb == "train" and wrong is True) or (verb in {"train", "resume"} and wrong is None):
        pytest.skip("these ask for a new run, or for the newest unfinished one")
    with pytest.raises(ConvlensError) as refused:
        (OF_TRAINED | OF_RUNS)[verb](wrong, tmp_path)
    told = str(refused.value)
    if not (verb == "inspect" and wrong is None):
        assert type(wrong).__name__ in told or repr(wrong) in told
        assert "Run" in told or "folder" in told


def test_the_other_network_of_a_comparison_is_taken_in_every_form(run: convlens.Run) -> None:
    for form in forms(run).values():
        found = convlens.evaluate(run, (X, Y), baseline=form, quiet=True).baseline
        assert found is not None
        assert found.comparison.first == found.comparison.second
        assert 0 < found.comparison.n <= 60
    with pytest.raises(ConvlensError, match="baseline is of type object"):
        convlens.evaluate(run, (X, Y), baseline=object(), quiet=True)


def test_a_loaded_network_is_measured_as_it_is_not_as_it_lies_on_disk(
    run: convlens.Run, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(run.folder, tmp_path / "run"))
    predictor = convlens.load(folder)
    before = convlens.evaluate(predictor, (X, Y), quiet=True).accuracy
    for parameter in predictor.bundle.classifier.parameters():
        parameter.data.zero_()
    constant = float((Y == 0).mean())
    assert convlens.evaluate(predictor, (X, Y), quiet=True).accuracy == constant
    assert convlens.evaluate(folder, (X, Y), quiet=True).accuracy == before
    made = Bundle(
        classifier=predictor.bundle.classifier,
        model=predictor.bundle.model,
        classes=predictor.classes,
    )
    assert len(convlens.predict(made, X[:2], quiet=True)) == 2
    assert convlens.inspect(made).parameters > 0
    assert len(convlens.visualize(made, quiet=True).filters().figures) == 1
    with pytest.raises(ConvlensError, match="not loaded from a folder"):
        convlens.evaluate(made, (X, Y), quiet=True)


def test_a_run_is_a_source_of_files_too(run: convlens.Run, tmp_path: Path) -> None:
    again = convlens.train(
        (X, Y), recipe=run, splits=run, weights=run, out=tmp_path / "again", quiet=True
    )
    assert again.recipe.model.layers == run.recipe.model.layers
    assert (again.folder / "splits.csv").read_bytes() == (run.folder / "splits.csv").read_bytes()
    for name in ("recipe", "splits", "weights"):
        with pytest.raises(ConvlensError, match=f"{name} is of type object"):
            convlens.train((X, Y), out=tmp_path / "x", quiet=True, **{name: object()})


@pytest.mark.parametrize(
    "verb", ["train", "check", "data_info", "visualize_augment", "visualize_lr"]
)
@pytest.mark.parametrize("wrong", [3, object(), "Run"])
def test_a_source_that_is_none_is_refused_in_words(
    run: convlens.Run, verb: str, wrong: Any
) -> None:
    with pytest.raises(ConvlensError):
        getattr(convlens, verb)(run if wrong == "Run" else wrong, quiet=True)


@pytest.mark.parametrize("images", [None, 3, object(), [None], {}, []])
def test_images_that_are_none_are_refused_in_words(run: convlens.Run, images: Any) -> None:
    with pytest.raises(ConvlensError):
        convlens.predict(run, images, quiet=True)


def test_a_predictor_stays_where_it_is(run: convlens.Run) -> None:
    predictor = run.predictor(device="cpu")
    again = convlens.load(predictor)
    assert isinstance(again, Predictor)
    assert again.device == predictor.device
    assert again.bundle is predictor.bundle
