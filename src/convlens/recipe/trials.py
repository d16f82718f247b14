"""The phases of a run to try steps on: what each starts from, with nothing trained before it."""

from collections.abc import Iterator, Mapping

from convlens.core.batch import Batches
from convlens.core.classifier import Classifier
from convlens.core.ranks import Ranks
from convlens.core.reporter import Reporter
from convlens.data import CacheSettings, ImageSet, Pixels
from convlens.recipe.recipe import Recipe
from convlens.recipe.refusals import refuse_at_once, refuse_small_images
from convlens.recipe.wiring import PhaseStart, Wiring
from convlens.training import Terms, TrainingState


def first_phase(
    recipe: Recipe,
    images: ImageSet,
    pixels: Mapping[str, Pixels],
    classifier: Classifier,
    *,
    cache: CacheSettings,
    reporter: Reporter,
) -> tuple[TrainingState, Batches, Terms]:
    """What a run's first phase starts from, to try steps on; nothing is kept of frozen stages.

    Returns:
        The state before its first step, its training batches, and what the steps are made with.

    Raises:
        ConvlensError: the recipe asks of the network what it does not have.
    """
    run = Wiring(recipe, images, pixels, classifier, cache, Ranks(), reporter)
    refuse_small_images(run)
    state = TrainingState.start(classifier, recipe.training)
    return state, run.batches("train"), run.terms(state)


def phase_trials(
    recipe: Recipe,
    images: ImageSet,
    pixels: Mapping[str, Pixels],
    classifier: Classifier,
    *,
    cache: CacheSettings,
    reporter: Reporter,
) -> Iterator[PhaseStart]:
    """What each phase of a run starts from, one after another; nothing is trained.

    Raises:
        ConvlensError: the recipe asks of the network what it does not have.
    """
    run = Wiring(recipe, images, pixels, classifier, cache, Ranks(), reporter)
    refuse_at_once(run)
    for number in range(len(recipe.training.plan)):
        state = TrainingState.start(classifier, recipe.training, phase=number)
        yield run.start(state)
