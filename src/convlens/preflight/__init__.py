"""Findings about data, recipe and network, before an epoch is spent.

A *finding* has a code, a severity, its evidence, and for a remedy the very option to pass.

Example:
    >>> from convlens.core.reporter import Quiet
    >>> from convlens.data import open_source
    >>> from convlens.preflight import check_data, check_recipe, look_for_faults, plan_of
    >>> from convlens.recipe import complete
    >>> images = open_source("digits", reporter=Quiet())
    >>> [finding.code for finding in check_data(look_for_faults(images, Quiet()))]
    ['validation-small']
    >>> recipe, _ = complete({"source": "digits", "augment": {"horizontal_flip": True}}, images)
    >>> [finding.remedy for finding in check_recipe(plan_of(recipe, images))]
    ['--set augment.horizontal_flip=false']
"""

from convlens.preflight.check_data import check_data, look_for_faults
from convlens.preflight.check_recipe import check_recipe
from convlens.preflight.cleaned import refuse_arrays, refuse_fix, write_cleaned
from convlens.preflight.codes import CODES, Code, Severity, refuse_unknown_codes, table_of_codes
from convlens.preflight.estimates import Estimate, PhaseEstimate, estimate
from convlens.preflight.finding import Finding, blocking
from convlens.preflight.material import Material
from convlens.preflight.near_duplicates import Pairs, near_duplicates
from convlens.preflight.plan import Plan, plan_of
from convlens.preflight.preflight import (
    Preflight,
    StoppedError,
    finding_of,
    told_before_training,
)

__all__ = [
    "CODES",
    "Code",
    "Estimate",
    "Finding",
    "Material",
    "Pairs",
    "PhaseEstimate",
    "Plan",
    "Preflight",
    "Severity",
    "StoppedError",
    "blocking",
    "check_data",
    "check_recipe",
    "estimate",
    "finding_of",
    "look_for_faults",
    "near_duplicates",
    "plan_of",
    "refuse_arrays",
    "refuse_fix",
    "refuse_unknown_codes",
    "table_of_codes",
    "told_before_training",
    "write_cleaned",
]
