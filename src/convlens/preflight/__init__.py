"""Findings about data, recipe and network, before an epoch is spent.

A *finding* has a code, a severity, its evidence, and for a remedy the very option to pass.

Example:
    >>> from convlens.core.reporter import Quiet
    >>> from convlens.data import open_source
    >>> from convlens.preflight import check_data, check_recipe, look_for_faults, plan_of
    >>> from convlens.recipe import resolve_defaults
    >>> images = open_source("digits", reporter=Quiet())
    >>> [finding.code for finding in check_data(look_for_faults(images, Quiet()))]
    ['validation-small']
    >>> config = {"source": "digits", "augment": {"horizontal_flip": True}}
    >>> recipe, _ = resolve_defaults(config, images)
    >>> [finding.remedy for finding in check_recipe(plan_of(recipe, images))]
    ['--set augment.horizontal_flip=false']
"""

from convlens.preflight.check_data import check_data, look_for_faults
from convlens.preflight.check_recipe import check_recipe
from convlens.preflight.clean import validate_fix, validate_no_arrays, write_cleaned
from convlens.preflight.codes import CODES, Code, Severity, table_of_codes, validate_codes
from convlens.preflight.context import Material
from convlens.preflight.estimates import Estimate, PhaseEstimate, estimate
from convlens.preflight.finding import Finding, blocking
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
    "table_of_codes",
    "told_before_training",
    "validate_codes",
    "validate_fix",
    "validate_no_arrays",
    "write_cleaned",
]
