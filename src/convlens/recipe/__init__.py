"""One complete description of a run, and the place that wires the parts together.

Example:
    >>> from convlens.recipe import carry_out, complete
    >>> recipe, reasons = complete({"source": "digits"}, images)        # doctest: +SKIP
    >>> run = carry_out(recipe, images, folder, reporter=reporter)      # doctest: +SKIP
    >>> run.metrics["test"]["accuracy"]                                 # doctest: +SKIP
    0.9889
"""

from convlens.recipe.against import Against
from convlens.recipe.build import carry_out, parts_of
from convlens.recipe.defaults import FINE_TUNING, PRETRAINED, THUMBNAIL, complete
from convlens.recipe.extension import with_epochs
from convlens.recipe.judgement import Judged
from convlens.recipe.measure import Evaluation, EvaluationSettings, measure_bundle
from convlens.recipe.own_trial import try_own_network
from convlens.recipe.pace import PhasePace, RunPace, pace_of_run
from convlens.recipe.rate import RateLook, rate_setting, try_rates
from convlens.recipe.recipe import ARRAYS, Recipe
from convlens.recipe.run import Run
from convlens.recipe.run_files import read_preflight
from convlens.recipe.run_folder import RUNS, begun, new_run_folder, newest_unfinished, writing
from convlens.recipe.same_images import moved_images
from convlens.recipe.seen import seen_in_training
from convlens.recipe.views_gain import ViewsGain

__all__ = [
    "ARRAYS",
    "FINE_TUNING",
    "PRETRAINED",
    "RUNS",
    "THUMBNAIL",
    "Against",
    "Evaluation",
    "EvaluationSettings",
    "Judged",
    "PhasePace",
    "RateLook",
    "Recipe",
    "Run",
    "RunPace",
    "ViewsGain",
    "begun",
    "carry_out",
    "complete",
    "measure_bundle",
    "moved_images",
    "new_run_folder",
    "newest_unfinished",
    "pace_of_run",
    "parts_of",
    "rate_setting",
    "read_preflight",
    "seen_in_training",
    "try_own_network",
    "try_rates",
    "with_epochs",
    "writing",
]
