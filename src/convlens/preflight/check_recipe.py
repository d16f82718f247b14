"""Everything there is to find about a recipe."""

from collections.abc import Callable

from convlens.preflight import network_findings, training_findings
from convlens.preflight.finding import Finding, sort_by_severity
from convlens.preflight.plan import Plan

_FINDINGS: tuple[Callable[[Plan], Finding | None], ...] = (
    network_findings.network_refuses,
    network_findings.softmax_output,
    network_findings.weights_without_gradient,
    training_findings.scaled_twice,
    training_findings.not_scaled,
    network_findings.memory,
    training_findings.channel_axis,
    training_findings.fine_tuning_rate,
    network_findings.flatten_head,
    network_findings.scaled_twice_by_own_code,
    training_findings.backbone_normalization,
    training_findings.tiny_batches,
    training_findings.flip_changes_class,
    network_findings.input_below_stride,
    network_findings.large_head,
    training_findings.patience_too_long,
    training_findings.batch_too_large,
)


def check_recipe(plan: Plan) -> tuple[Finding, ...]:
    """The findings about a recipe, gravest first.

    That augmentation touches validation or test images is none of them: a recipe has no place to
    say so.

    Args:
        plan: what `plan_of` makes of the recipe and its images.
    """
    return sort_by_severity(find(plan) for find in _FINDINGS)
