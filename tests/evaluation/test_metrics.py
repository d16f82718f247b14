import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from convlens.core.errors import WorkFailedError
from convlens.evaluation import Metrics, measure, wilson_interval

CLASSES = ("cat", "dog", "owl")


def random_case(seed: int, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(k), n).astype(np.float32)
    return probabilities, rng.integers(0, k, n)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(2, 8))
def test_figures_follow_from_their_definitions(seed: int, n: int, k: int) -> None:
    probabilities, labels = random_case(seed, n, k)
    names = tuple("abcdefgh"[:k])
    figures = measure(probabilities, labels, classes=names, resamples=20)
    predicted = [max(range(k), key=lambda c, row=row: row[c]) for row in probabilities.tolist()]
    pairs = list(zip(labels.tolist(), predicted, strict=True))
    hits = sum(true == said for true, said in pairs)
    assert figures.accuracy == hits / n
    assert figures.interval == wilson_interval(hits, n)
    assert figures.confusion.tolist() == [
        [pairs.count((true, said)) for said in range(k)] for true in range(k)
    ]
    for number, own in enumerate(figures.classes):
        found = pairs.count((number, number))
        assert own.support == labels.tolist().count(number)
        assert own.predicted == predicted.count(number)
        assert own.recall == (pytest.approx(found / own.support) if own.support else None)
        assert own.precision == (pytest.approx(found / own.predicted) if own.predicted else None)
    own_probability = probabilities.astype(float)[np.arange(n), labels]
    assert figures.log_loss == pytest.approx(-np.log(own_probability).mean(), rel=1e-4)


def rounded(probabilities: np.ndarray) -> np.ndarray:
    """Rows that sum to 1 to the last digit, as scikit-learn asks."""
    wide = probabilities.astype(np.float64)
    return wide / wide.sum(axis=1, keepdims=True)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 7))
def test_figures_equal_scikit_learns(seed: int, k: int) -> None:
    probabilities, labels = random_case(seed, 90, k)
    labels[:k] = np.arange(k)
    probabilities[::2, :] = np.roll(probabilities[::2, :], 1, axis=1)
    figures = measure(probabilities, labels, classes=tuple("abcdefg"[:k]), resamples=20)
    proper, predicted = rounded(probabilities), probabilities.argmax(axis=1)
    assert figures.accuracy == metrics.accuracy_score(labels, predicted)
    assert figures.balanced_accuracy == pytest.approx(
        metrics.balanced_accuracy_score(labels, predicted)
    )
    assert figures.log_loss == pytest.approx(metrics.log_loss(labels, proper))
    assert figures.brier == pytest.approx(((np.eye(k)[labels] - proper) ** 2).sum(axis=1).mean())
    area = (
        metrics.roc_auc_score(labels, proper[:, 1])
        if k == 2
        else metrics.roc_auc_score(labels, proper, multi_class="ovr")
    )
    assert figures.roc_auc == pytest.approx(area)
    f1 = metrics.f1_score(labels, predicted, average=None, zero_division=0.0)
    assert [own.f1 for own in figures.classes] == pytest.approx(f1.tolist())
    if k > 5:
        assert figures.top5 == metrics.top_k_accuracy_score(labels, proper, k=5)


@pytest.mark.parametrize("k", [3, 7])
def test_brier_of_several_classes_is_scikit_learns(k: int) -> None:
    probabilities, labels = random_case(6, 80, k)
    labels[:k] = np.arange(k)
    figures = measure(probabilities, labels, classes=tuple("abcdefg"[:k]), resamples=20)
    theirs = metrics.brier_score_loss(labels, rounded(probabilities), labels=list(range(k)))
    assert figures.brier == pytest.approx(theirs)


def test_brier_of_two_classes_is_twice_scikit_learns() -> None:
    probabilities, labels = random_case(5, 50, 2)
    figures = measure(probabilities, labels, classes=("cat", "dog"))
    theirs = metrics.brier_score_loss(labels, rounded(probabilities)[:, 1])
    assert figures.brier == pytest.approx(2 * theirs)


def test_every_figure_lies_in_its_interval() -> None:
    probabilities, labels = random_case(8, 200, 7)
    figures = measure(probabilities, labels, classes=tuple("abcdefg"))
    told = figures.as_json()
    for name in ("balanced_accuracy", "log_loss", "brier", "calibration_error", "roc_auc", "top5"):
        low, high = told[f"{name}_interval"]
        assert low < told[name] < high, name
    for own in told["classes"]:
        for name in ("recall", "precision", "f1"):
            low, high = own[f"{name}_interval"]
            assert low <= own[name] <= high


def test_intervals_narrow_as_images_grow() -> None:
    widths = []
    for n in (100, 1600):
        figures = measure(*random_case(2, n, 4), classes=tuple("abcd"))
        for interval in (figures.log_loss_interval, figures.roc_auc_interval):
            assert interval is not None
            widths.append(interval[1] - interval[0])
    assert widths[2] == pytest.approx(widths[0] / 4, rel=0.3)
    assert widths[3] == pytest.approx(widths[1] / 4, rel=0.3)


def test_the_seed_decides_the_intervals_and_is_told() -> None:
    case = random_case(1, 80, 3)
    one, again, other = (measure(*case, classes=CLASSES, seed=seed) for seed in (4, 4, 5))
    assert one.log_loss_interval == again.log_loss_interval != other.log_loss_interval
    assert one.roc_auc_interval == again.roc_auc_interval != other.roc_auc_interval
    assert (one.as_json()["seed"], one.as_json()["resamples"]) == (4, 1000)


def perfect(n: int) -> Metrics:
    probabilities = np.full((n, 3), 0.01)
    labels = np.arange(n) % 3
    probabilities[np.arange(n), labels] = 0.98
    return measure(probabilities, labels, classes=CLASSES)


def test_few_images_that_are_all_right_prove_no_perfection() -> None:
    few, many = perfect(12), perfect(1200)
    for figures, low in ((few, 0.8), (many, 0.998)):
        assert (figures.balanced_accuracy, figures.roc_auc) == (1.0, 1.0)
        assert figures.balanced_accuracy_interval[0] < low
        assert figures.roc_auc_interval is not None
        assert figures.roc_auc_interval[0] < low
        assert figures.classes[0].f1_interval is not None
        assert figures.classes[0].f1_interval[0] < low
    assert many.balanced_accuracy_interval[0] > few.balanced_accuracy_interval[0]


def test_one_image_has_figures_but_no_intervals_by_resampling() -> None:
    figures = measure(np.array([[0.7, 0.2, 0.1]]), np.array([0]), classes=CLASSES)
    assert figures.log_loss == pytest.approx(-np.log(0.7))
    assert (figures.log_loss_interval, figures.brier_interval) == (None, None)
    assert figures.calibration_error == pytest.approx(0.3)
    assert (figures.calibration_error_interval, figures.roc_auc) == (None, None)
    json.dumps(figures.as_json(), allow_nan=False)


def test_answers_that_are_all_alike_have_no_intervals_by_resampling() -> None:
    """Nor where their mean differs from each of them in the last digit."""
    figures = measure(np.full((30, 3), 1 / 3), np.arange(30) % 3, classes=CLASSES)
    assert figures.log_loss == pytest.approx(np.log(3))
    assert (figures.log_loss_interval, figures.brier_interval) == (None, None)
    assert figures.roc_auc_interval == pytest.approx(wilson_interval(5, 10))


def test_a_single_class_has_figures_too() -> None:
    figures = measure(np.ones((5, 1)), np.zeros(5, np.int64), classes=("cat",))
    assert (figures.accuracy, figures.roc_auc, figures.confused) == (1.0, None, ())


def test_roc_auc_is_not_told_where_a_class_has_no_images() -> None:
    probabilities, labels = random_case(0, 30, 3)
    figures = measure(probabilities, labels % 2, classes=CLASSES)
    assert (figures.roc_auc, figures.roc_auc_interval) == (None, None)
    recalls = [own.recall for own in figures.classes if own.recall is not None]
    assert figures.balanced_accuracy == pytest.approx(np.mean(recalls))


def test_a_certain_mistake_costs_no_more_than_36_nats() -> None:
    figures = measure(np.array([[1.0, 0.0]] * 2), np.array([0, 1]), classes=("cat", "dog"))
    assert figures.log_loss == pytest.approx(36.04 / 2, abs=0.01)


def test_the_most_confused_pairs_come_first() -> None:
    said = np.array([1, 1, 1, 2, 0, 0, 2, 2, 2])
    true = np.array([0, 0, 0, 0, 0, 1, 1, 2, 2])
    pairs = measure(np.eye(3)[said], true, classes=CLASSES).confused
    assert [(pair.true, pair.predicted, pair.count) for pair in pairs] == [
        ("cat", "dog", 3),
        ("cat", "owl", 1),
        ("dog", "cat", 1),
        ("dog", "owl", 1),
    ]
    assert pairs[0].share == 3 / 5
    assert pairs[0].share_interval == wilson_interval(3, 5)


def test_weights_that_broke_are_said_to_be_so() -> None:
    with pytest.raises(WorkFailedError, match="answer to 1 of 2 images is not a number"):
        measure(np.array([[0.5, 0.5], [np.nan, 0.5]]), np.array([0, 1]), classes=("cat", "dog"))


def test_top5_counts_the_five_most_probable() -> None:
    probabilities = np.tile(np.array([[0.3, 0.25, 0.2, 0.15, 0.06, 0.04]], np.float32), (6, 1))
    figures = measure(probabilities, np.arange(6), classes=tuple("abcdef"))
    assert figures.accuracy == 1 / 6
    assert figures.top5 == 5 / 6


def test_top5_is_not_told_where_it_means_nothing() -> None:
    probabilities, labels = random_case(0, 20, 5)
    assert measure(probabilities, labels, classes=tuple("abcde")).top5 is None


def test_a_class_without_images_has_no_recall_and_one_never_said_no_precision() -> None:
    probabilities = np.array([[0.9, 0.1, 0.0], [0.8, 0.1, 0.1]], np.float32)
    cat, dog, owl = measure(probabilities, np.array([0, 1]), classes=CLASSES).classes
    assert (cat.recall, cat.precision) == (1.0, 0.5)
    assert (dog.recall, dog.precision) == (0.0, None)
    assert (owl.recall, owl.recall_interval) == (None, None)


def test_it_is_all_plain_json() -> None:
    probabilities, labels = random_case(3, 30, 8)
    figures = measure(probabilities, labels, classes=tuple("abcdefgh"))
    back = json.loads(json.dumps(figures.as_json(), allow_nan=False))
    assert back["accuracy"] == figures.accuracy
    assert back["interval"] == list(figures.interval)
    assert back["n"] == 30
    assert [own["name"] for own in back["classes"]] == list("abcdefgh")


@pytest.mark.parametrize(
    ("shape", "labels", "classes"),
    [((0, 3), 0, CLASSES), ((2, 3), 3, CLASSES), ((2, 3), 2, ("cat", "dog"))],
)
def test_what_does_not_fit_together_is_refused(
    shape: tuple[int, int], labels: int, classes: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="expected N×K"):
        measure(np.full(shape, 1 / 3), np.zeros(labels, np.int64), classes=classes)


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
def test_a_label_that_is_no_class_is_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="expected 0 to 2"):
        measure(np.full((2, 3), 1 / 3), np.array(labels), classes=CLASSES)


@pytest.mark.parametrize("row", [[1.5, -0.5], [0.0, 0.0]])
def test_what_is_no_probability_is_refused(row: list[float]) -> None:
    with pytest.raises(ValueError, match="expected shares of 1"):
        measure(np.array([row]), np.array([0]), classes=("cat", "dog"))
