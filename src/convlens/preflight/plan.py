"""What the findings about a recipe are made from: the recipe, its network's trace, the images."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.modes import kept_modes
from convlens.data import ImageSet
from convlens.inspection import Layer, Trace, explain_custom_errors, trace
from convlens.models import build_architecture
from convlens.recipe import Recipe
from convlens.runs import try_own_network
from convlens.training import freeze


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    """A recipe, and what can be known of it before it is carried out.

    Attributes:
        recipe: what is asked.
        images: what it is to be trained on.
        network: as the recipe describes it, its weights drawn and none loaded; None where it cannot
            be built.
        trace: its layers; None where it cannot take such images.
        refusal: why it cannot.
        device: where it is to be trained; None where that is not known.
        processes: how many share each batch.
        out_of_reach: weights of a network of the user's own that are to learn and get no gradient.
    """

    recipe: Recipe
    images: ImageSet
    network: Classifier | None
    trace: Trace | None
    refusal: ConvlensError | None
    device: torch.device | None = None
    processes: int = 1
    out_of_reach: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        """Images to train on."""
        return len(self.images.splits["train"])

    @property
    def written_by_hand(self) -> bool:
        """Whether the network is the user's own rather than one by name."""
        return self.recipe.model.is_own or bool(self.recipe.model.layers)

    @cached_property
    def head_parameters(self) -> int:
        """Learnable numbers after the last stage."""
        return sum(layer.parameters for layer in self.head_layers)

    @property
    def head_layers(self) -> Sequence[Layer]:
        """The rows of the trace that belong to the head."""
        rows = self.trace.layers if self.trace else ()
        return [row for row in rows if row.name.partition(".")[0].startswith("head")]

    @property
    def stage_layers(self) -> Sequence[Layer]:
        """The rows of the trace before the head."""
        head = {row.name for row in self.head_layers}
        return [r for r in (self.trace.layers if self.trace else ()) if r.name not in head]

    @cached_property
    def outputs(self) -> Tensor | None:
        """What a network written by hand makes of four images of noise; None of others."""
        if self.network is None or self.trace is None or not self.written_by_hand:
            return None
        generator = torch.Generator().manual_seed(0)
        pixels = torch.rand(4, *self.recipe.input.shape, generator=generator)
        modes, draws = kept_modes(self.network), torch.random.fork_rng(devices=[])
        with modes, draws, torch.inference_mode():
            found: Tensor = self.network.eval()(pixels)
        return found


def plan_of(
    recipe: Recipe,
    images: ImageSet,
    *,
    device: torch.device | None = None,
    processes: int = 1,
) -> Plan:
    """Build the network that a recipe describes, and follow an image through it.

    No weights are loaded: what is found does not depend on them.

    Args:
        recipe: the complete description of the run.
        images: the images of its source, split.
        device: where it will be trained; nothing is put there. None for a CPU.
        processes: how many will share each batch.
    """
    model = recipe.model
    network, found, refusal = None, None, None
    out_of_reach: tuple[str, ...] = ()
    try:
        with torch.random.fork_rng(devices=[]), explain_custom_errors():
            torch.manual_seed(0)
            network = build_architecture(model, recipe.input, classes=len(images.classes))
        samples, where = len(images.splits["train"]), device or torch.device("cpu")
        out_of_reach = try_own_network(network, recipe, samples=samples, device=where)
        freeze(network, _widest(recipe, network))
        found = trace(network, recipe.input.shape)
    except ConvlensError as error:
        refusal = error
    return Plan(
        recipe=recipe,
        images=images,
        network=network,
        trace=found,
        refusal=refusal,
        device=device,
        processes=processes,
        out_of_reach=out_of_reach,
    )


def _widest(recipe: Recipe, network: Classifier) -> str:
    """Of the phases, the one in which most learns: it needs most memory."""
    return max(
        (phase.train for phase in recipe.training.plan),
        key=lambda train: freeze(network, train).trainable,
    )
