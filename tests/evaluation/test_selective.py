from contextlib import suppress

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from convlens.core.errors import ConvlensError
from convlens.evaluation import (
    SelectiveRule,
    fit_selective,
    measure_selective,
    wilson_interval,
)


def answers(n: int, seed: int, sureness: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Four classes; labels are drawn from the probabilities, some of which are overconfident."""
    rng = np.random.default_rng(seed)
    logits = sureness * rng.normal(size=(n, 4))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (probabilities.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    sharpened = probabilities**1.5
    return sharpened / sharpened.sum(axis=1, keepdims=True), labels


def test_candidates_by_hand() -> None:
    """Of nine images 80 % need the eighth largest probability of the true class, which is 0.3."""
    own = np.array([0.9, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4, 0.3, 0.05])
    probabilities = np.column_stack([own, 1 - own])
    rule = fit_selective(probabilities, np.zeros(9, np.int64), coverage=0.8)
    assert rule.candidate_from == pytest.approx(0.3)
    asked = np.array([[0.75, 0.25], [0.65, 0.35], [0.3, 0.7], [0.29, 0.71]])
    assert rule.candidates(asked).tolist() == [
        [True, False],
        [True, True],
        [True, True],
        [False, True],
    ]
    assert rule.sure(asked).tolist() == [True, False, False, True]


def test_the_likeliest_class_is_always_named() -> None:
    rule = SelectiveRule(coverage=0.5, candidate_from=0.9, n=10)
    assert rule.candidates(np.array([[0.4, 0.35, 0.25]])).tolist() == [[True, False, False]]


@pytest.mark.parametrize(("n", "coverage"), [(60, 0.9), (200, 0.8)])
def test_the_true_class_is_named_as_often_as_promised(n: int, coverage: float) -> None:
    """Over many calibration sets, on many images; without excess, for nothing is tied here."""
    probabilities, labels = answers(400 * n, 1)
    others, truth = answers(20_000, 2)
    true = np.arange(len(truth)), truth
    covered = []
    for start in range(0, 400 * n, n):
        part = slice(start, start + n)
        rule = fit_selective(probabilities[part], labels[part], coverage=coverage)
        covered.append((others[true] >= rule.candidate_from).mean())
    assert coverage - 0.006 <= np.mean(covered) <= coverage + 1 / (n + 1) + 0.006
    named = rule.candidates(others)[true]
    assert named.mean() >= covered[-1]


@pytest.mark.parametrize(("n", "error_rate", "sureness"), [(600, 0.1, 2.0), (1000, 0.05, 3.0)])
def test_the_error_rate_among_answers_is_kept_as_surely_as_promised(
    n: int, error_rate: float, sureness: float
) -> None:
    probabilities, labels = answers(200 * n, 3, sureness)
    others, truth = answers(40_000, 4, sureness)
    surest, wrong = others.max(axis=1), others.argmax(axis=1) != truth
    assert wrong.mean() > 1.5 * error_rate  # answering everything would break the promise
    broken, answered = 0, []
    for start in range(0, 200 * n, n):
        part = slice(start, start + n)
        sure = np.zeros(len(truth), bool)
        with suppress(ConvlensError):  # it cannot be promised from every set
            rule = fit_selective(
                probabilities[part], labels[part], error_rate=error_rate, confidence=0.9
            )
            sure = surest > rule.sure_above
        answered.append(sure.mean())
        broken += bool(sure.any()) and wrong[sure].mean() > error_rate
    assert broken / 200 <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 200)
    rates = wrong[np.argsort(-surest)].cumsum() / np.arange(1, len(wrong) + 1)
    possible = np.flatnonzero(rates <= error_rate).max() / len(wrong)
    assert np.mean(answered) > 0.4 * possible


def test_where_few_errors_are_made_all_images_are_answered() -> None:
    probabilities = np.tile([0.9, 0.1], (1000, 1))
    probabilities[:, 0] -= np.linspace(0, 0.3, 1000)
    rule = fit_selective(probabilities, np.zeros(1000, np.int64), error_rate=0.01)
    assert rule.sure_above == -1
    assert rule.sure(np.array([[0.5, 0.5], [0.99, 0.01]])).all()


def test_it_stops_before_the_images_that_it_gets_wrong() -> None:
    """The 800 surest are right, the others wrong: the bound allows but a few of those."""
    surest = np.linspace(0.99, 0.6, 1000)
    labels = (np.arange(1000) >= 800).astype(np.int64)
    rule = fit_selective(np.column_stack([surest, 1 - surest]), labels, error_rate=0.05)
    assert rule.sure_above is not None
    kept = (surest > rule.sure_above).sum()
    wrong = kept - 800
    assert 800 <= kept < 860
    assert stats.binom.cdf(wrong, kept, 0.05) <= 0.05


def test_images_that_tie_are_answered_together_or_not_at_all() -> None:
    """Half are at 0.99 and right, half at 0.7 and wrong; nothing lies between."""
    surest = np.repeat([0.99, 0.7], 500)
    labels = np.repeat([0, 1], 500)
    rule = fit_selective(np.column_stack([surest, 1 - surest]), labels, error_rate=0.05)
    assert rule.sure_above == pytest.approx(0.7)
    asked = np.array([[0.99, 0.01], [0.7, 0.3]])
    assert rule.sure(asked).tolist() == [True, False]
    assert rule.sure(asked.astype(np.float32)).tolist() == [True, False]


def test_a_few_surer_images_do_not_hide_those_that_tie_below_them() -> None:
    surest = np.concatenate([np.linspace(0.999, 0.991, 10), np.repeat([0.99, 0.7], [490, 500])])
    labels = np.repeat([0, 1], 500)
    rule = fit_selective(np.column_stack([surest, 1 - surest]), labels, error_rate=0.05)
    assert rule.sure_above == pytest.approx(0.7)


def test_not_sure_of_an_error_rate_names_two_classes_at_least() -> None:
    rule = SelectiveRule(
        coverage=0.95, error_rate=0.05, confidence=0.95, candidate_from=0.9, sure_above=0.8, n=100
    )
    asked = np.array([[0.7, 0.1, 0.2], [0.85, 0.1, 0.05]])
    assert rule.candidates(asked).tolist() == [[True, False, True], [True, False, False]]


def test_figures_by_hand() -> None:
    rule = SelectiveRule(coverage=0.9, candidate_from=0.3, n=100)
    probabilities = np.array(
        [[0.8, 0.1, 0.1], [0.5, 0.4, 0.1], [0.9, 0.05, 0.05], [0.34, 0.33, 0.33]]
    )
    figures = measure_selective(rule, probabilities, np.array([0, 2, 1, 2]))
    assert (figures.coverage, figures.answered, figures.error_rate) == (0.5, 0.5, 0.5)
    assert figures.error_rate_interval == wilson_interval(1, 2)
    assert figures.candidates == 2.5
    assert figures.as_json()["coverage_interval"] == list(wilson_interval(2, 4))
    never = measure_selective(rule, probabilities[1:2], np.array([0]))
    assert (never.answered, never.error_rate, never.error_rate_interval) == (0.0, None, None)


def test_the_rule_survives_json() -> None:
    probabilities, labels = answers(500, 5)
    for asked in ({"coverage": 0.9}, {"error_rate": 0.2}):
        rule = fit_selective(probabilities.astype(np.float32), labels, **asked)
        back = SelectiveRule.model_validate_json(rule.model_dump_json())
        assert back == rule
        assert (back.candidates(probabilities) == rule.candidates(probabilities)).all()
    with pytest.raises(ValidationError, match="candidate_from"):
        SelectiveRule(coverage=0.9, candidate_from=1.5, n=10)


@pytest.mark.parametrize(
    ("n", "asked", "code", "words"),
    [
        (50, {"coverage": 0.99}, "too-few-images", "it takes 99; ask for at most 0.98"),
        (50, {"error_rate": 0.01}, "too-few-images", "it takes 299, all of them right"),
        (2000, {"error_rate": 0.01}, "cannot-promise", "the lowest that could be is about"),
        (50, {}, "bad-option", "one of them"),
        (50, {"coverage": 0.9, "error_rate": 0.1}, "bad-option", "one of them"),
        (
            50,
            {"coverage": 95},
            "bad-option",
            "the coverage is 95; expected a share between 0 and 1",
        ),
        (50, {"error_rate": 0.0}, "bad-option", "the error rate is 0.0; expected a share"),
        (50, {"error_rate": 0.1, "confidence": 95}, "bad-option", "the confidence is 95"),
    ],
)
def test_what_cannot_be_promised_is_refused(
    n: int, asked: dict[str, float], code: str, words: str
) -> None:
    probabilities, labels = answers(n, 6, sureness=0.5)
    with pytest.raises(ConvlensError, match=words) as caught:
        fit_selective(probabilities, labels, **asked)
    assert caught.value.code == code


def test_the_fewest_images_that_it_asks_for_are_enough() -> None:
    probabilities = np.tile([0.9, 0.1], (299, 1))
    labels = np.zeros(299, np.int64)
    assert fit_selective(probabilities[:99], labels[:99], coverage=0.99).n == 99
    assert fit_selective(probabilities, labels, error_rate=0.01).n == 299
    with pytest.raises(ConvlensError, match="it takes 99"):
        fit_selective(probabilities[:98], labels[:98], coverage=0.99)
    with pytest.raises(ConvlensError, match="it takes 299"):
        fit_selective(probabilities[:298], labels[:298], error_rate=0.01)
