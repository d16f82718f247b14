"""A run: its directory, the runner, its evaluation and comparison, and the feature cache."""

from convlens.runs.augment_preview import augment_preview
from convlens.runs.benchmark import PhaseTimings, RunTimings, benchmark_run
from convlens.runs.compare import RunComparison
from convlens.runs.custom_trial import try_own_network
from convlens.runs.evaluate import Evaluation, EvaluationSettings, measure_bundle
from convlens.runs.extension import with_epochs
from convlens.runs.lr_finder import LrFinderResult, rate_setting, try_rates
from convlens.runs.metrics import CalibratedMetrics
from convlens.runs.run import Run
from convlens.runs.run_files import read_preflight
from convlens.runs.run_folder import RUNS, new_run, new_run_folder, newest_unfinished, writing
from convlens.runs.runner import parts_of, run_training
from convlens.runs.same_images import moved_images
from convlens.runs.tta import TtaGain

__all__ = [
    "RUNS",
    "CalibratedMetrics",
    "Evaluation",
    "EvaluationSettings",
    "LrFinderResult",
    "PhaseTimings",
    "Run",
    "RunComparison",
    "RunTimings",
    "TtaGain",
    "augment_preview",
    "benchmark_run",
    "measure_bundle",
    "moved_images",
    "new_run",
    "new_run_folder",
    "newest_unfinished",
    "parts_of",
    "rate_setting",
    "read_preflight",
    "run_training",
    "try_own_network",
    "try_rates",
    "with_epochs",
    "writing",
]
