"""Findings about the network of a recipe: its head, its output, its stride, its memory."""

import math
import re

import torch

from convlens.core.formatting import some
from convlens.data import available_memory, gigabytes
from convlens.models import portable
from convlens.preflight.finding import Finding, found
from convlens.preflight.plan import Plan, plan_of

WORTH_SAVING = 1_000_000
HEAD_FACTOR = 10_000

_POOLING_HEAD = '--head "globalavgpool, dense"'
_DIVIDES = re.compile(r"(/=?|div_?\(|true_divide\()\s*255")
_AVERAGES = {"adam": 2, "adamw": 2, "sgd": 1, "muon": 1}


def network_refuses(plan: Plan) -> Finding | None:
    """The network cannot take such images."""
    if plan.refusal is None:
        return None
    return found(
        "network-refuses",
        plan.refusal.problem,
        plan.refusal.remedy or "another --size, or another network",
        error=plan.refusal.code,
    )


def flatten_head(plan: Plan) -> Finding | None:
    """A head that flattens a feature map, where pooling would save millions of parameters."""
    if not plan.stage_layers:
        return None
    shape = plan.stage_layers[-1].output_shape
    dense = next((row for row in plan.head_layers if row.parameters), None)
    if len(shape) != 3 or dense is None or len(dense.output_shape) != 1:
        return None
    channels, positions, outputs = shape[0], math.prod(shape[1:]), dense.output_shape[0]
    now, pooled = outputs * (channels * positions + 1), outputs * (channels + 1)
    if dense.parameters != now or now - pooled < WORTH_SAVING:
        return None
    return found(
        "flatten-head",
        f"the head flattens {channels}×{shape[1]}×{shape[2]}: its first dense layer has {now:,} "
        f"parameters, and {pooled:,} behind global average pooling",
        _pooled_remedy(plan),
        severity="note" if _as_published(plan) else None,
        flattened=now,
        pooled=pooled,
        saved=now - pooled,
    )


def _as_published(plan: Plan) -> bool:
    """Whether the head is the network's own, trained with it from scratch."""
    model = plan.recipe.model
    return model.head == "published" and not model.loads_weights and not plan.written_by_hand


def _pooled_remedy(plan: Plan) -> str:
    """The same head with pooling in place of the flatten, where the recipe writes it out."""
    head = plan.recipe.model.head
    if head in {"published", "none"}:
        return _POOLING_HEAD
    return f'--head "{re.sub(r"flatten", "globalavgpool", head)}"'


def large_head(plan: Plan) -> Finding | None:
    """A head of far more parameters than there are images."""
    if not plan.samples or plan.head_parameters <= HEAD_FACTOR * plan.samples:
        return None
    return found(
        "large-head",
        f"the head has {plan.head_parameters:,} parameters, "
        f"{plan.head_parameters / plan.samples:,.0f} for each of {plan.samples:,} training images",
        _POOLING_HEAD,
        parameters=plan.head_parameters,
        images=plan.samples,
    )


def softmax_output(plan: Plan) -> Finding | None:
    """A network that ends in a softmax or a sigmoid, where the loss expects logits."""
    outputs = plan.outputs
    if outputs is None or outputs.ndim != 2 or not outputs.numel():
        return None
    within = bool(((outputs >= 0) & (outputs <= 1)).all())
    sums = bool(((outputs.sum(dim=1) - 1).abs() < 1e-3).all())
    ends = plan.trace.layers[-1].type.lower() if plan.trace and plan.trace.layers else ""
    sigmoid = within and "sigmoid" in ends
    if not ((within and sums and outputs.shape[1] > 1) or sigmoid):
        return None
    what = "sigmoid" if sigmoid else "softmax"
    return found(
        "softmax-output",
        f"the network's outputs are probabilities already (a {what} at its end), and the loss "
        "expects logits: it would learn slowly and be unsure of everything",
        f"leave the last {what} out of the network; the loss and predict apply it",
        ends_in=what,
    )


def weights_without_gradient(plan: Plan) -> Finding | None:
    """Weights of a network of the user's own that are to learn and that no gradient reaches."""
    if not plan.out_of_reach or plan.network is None:
        return None
    weights = dict(plan.network.named_parameters())
    lost = sum(weights[name].numel() for name in plan.out_of_reach)
    names = some((f"'{name}'" for name in plan.out_of_reach), 3)
    return found(
        "no-gradient",
        f"no gradient reaches {lost:,} weights that are to learn ({names}): they stay as they were "
        "drawn",
        "look for no_grad(), detach(), .data or numpy() in the network's forward; leave out layers "
        "that it does not use, or freeze them with requires_grad_(False)",
        weights=lost,
        names=list(plan.out_of_reach),
    )


def scaled_twice_by_own_code(plan: Plan) -> Finding | None:
    """A network of the user's that divides by 255 what arrives in [0, 1]."""
    if not plan.recipe.model.is_own:
        return None
    source = portable(plan.recipe.model).source or ""
    line = next((t for t in source.splitlines() if _DIVIDES.search(t.partition("#")[0])), None)
    if line is None:
        return None
    return found(
        "scaled-twice",
        f"the network's code divides by 255 ('{line.strip()[:60]}'), and pixels arrive in [0, 1]",
        "leave the division out",
        severity="warning",
        line=line.strip(),
    )


def input_below_stride(plan: Plan) -> Finding | None:
    """An input of which one number a map is left before the last layers."""
    idle = _on_single_numbers(plan)
    if len(idle) < 2:
        return None
    spec = plan.recipe.input
    small = "--set model.small_stem=true or " if _has_small_stem(plan) else ""
    return found(
        "input-below-stride",
        f"the input is {spec.height}×{spec.width}: {len(idle)} layers run on maps of 1×1, where a "
        "kernel sees nothing but padding",
        f"{small}--size {_sufficient_size(plan)}",
        layers=idle,
        side=min(spec.height, spec.width),
    )


def _on_single_numbers(plan: Plan) -> list[str]:
    """The convolutions before the head whose output is 1×1."""
    return [
        row.name
        for row in plan.stage_layers
        if row.macs and row.parameters and row.output_shape[1:] == (1, 1)
    ]


def _sufficient_size(plan: Plan) -> int:
    """The input's side doubled until hardly a layer is left with single numbers."""
    side = min(plan.recipe.input.height, plan.recipe.input.width)
    for _ in range(5):
        side *= 2
        update = {"height": side, "width": side}
        larger = plan.recipe.input.model_copy(update=update)
        tried = plan_of(plan.recipe.model_copy(update={"input": larger}), plan.images)
        if tried.trace is not None and len(_on_single_numbers(tried)) < 2:
            break
    return side


def _has_small_stem(plan: Plan) -> bool:
    model = plan.recipe.model
    classic = (model.name or "").startswith(("resnet", "mobilenet"))
    return classic and not model.loads_weights and not model.small_stem


def memory(plan: Plan) -> Finding | None:
    """A training step that needs more memory than is free where it is made."""
    on_gpu = plan.device is not None and plan.device.type == "cuda"
    free = torch.cuda.mem_get_info(plan.device)[0] if on_gpu else available_memory()
    if plan.trace is None or free is None:
        return None
    optimizer = plan.recipe.training.plan[-1].optimizer.name
    shared = plan.processes if on_gpu else 1  # those of one host share its memory, but not GPUs
    size = math.ceil(min(plan.recipe.training.batch_size, max(1, plan.samples)) / shared)
    full = plan.trace.training_memory(size, averages=_AVERAGES[optimizer])
    if full is None:
        return None
    fixed = full.total - full.activations
    # In 16 bits, which GPUs compute in unless told otherwise, most of what is kept is half as much.
    in_16_bits = on_gpu and plan.recipe.training.precision != "float32"
    kept = full.activations // (2 if in_16_bits else 1)
    if fixed + kept <= free:
        return None
    fits = shared * int((free - fixed) / (kept / size) / 1.25)
    remedy = f"--set training.batch_size={fits}" if fits >= 1 else "a smaller network, or --size"
    return found(
        "memory",
        f"a step of {size} images takes about {gigabytes(fixed + kept)}, and {gigabytes(free)} "
        f"are free{' on the GPU' * on_gpu}",
        remedy,
        needed=fixed + kept,
        free=free,
    )
