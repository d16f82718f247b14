"""A trial of a network of the user's own before anything is spent on it: two training steps.

What works forward may fail backward, in training mode, in a second step, in a batch of another
size, or when it is written to a file. Each is tried here on a copy, and refused by name.
"""

from copy import deepcopy

import torch
from safetensors.torch import save
from torch import Tensor, nn

from convlens.core.batch_norm import normalizes_over_batch
from convlens.core.classifier import Classifier
from convlens.core.device import kept_generators, placed, seed_generators
from convlens.core.errors import ConvlensError
from convlens.core.tensors import savable
from convlens.models import Running, backward_remedy, blame_backward, failed, watched_modules
from convlens.recipe.recipe import Recipe
from convlens.training import (
    build_optimizer,
    freeze,
    in_16_bits,
    laid_out,
    learning_mode,
    summed_loss,
)

_IMAGES = 3
_STEPS = 2


def try_own_network(
    network: Classifier, recipe: Recipe, *, samples: int, device: torch.device
) -> tuple[str, ...]:
    """Refuse a network of the user's own that cannot be trained, or used on a single image.

    Args:
        network: as it was built; left as it is, and so are torch's generators.
        recipe: how it is to be trained; a network by name, or in the layer notation, is not tried.
        samples: training images.
        device: where it is to be trained.

    Returns:
        The weights that are to learn and to which no phase's loss leads back, by name.

    Raises:
        ConvlensError: it fails; names the module, and what to change.
    """
    if not recipe.model.is_own:
        return ()
    trial = _Trial(network, recipe, device)
    batch_size = recipe.training.batch_size
    last = samples % batch_size or batch_size  # filled up where it has to be normalized
    smallest = min(_IMAGES, max(2, last) if normalizes_over_batch(network) else last)
    with kept_generators(device):
        trial.prediction()
        for train in dict.fromkeys(phase.train for phase in recipe.training.plan):
            trial.phase(train, sorted({_IMAGES, smallest}))
        trial.saving()
    return trial.out_of_reach()


class _Trial:
    """A copy of the network, on which steps are tried."""

    def __init__(self, network: Classifier, recipe: Recipe, device: torch.device) -> None:
        self._recipe = recipe
        self._called = recipe.model.name or ""
        settings = recipe.training
        self._network = placed(deepcopy(network), device, channels_last=settings.channels_last)
        self._device = device
        self._outputs = 1 if recipe.model.binary_output else None
        self._learning: dict[str, None] = {}  # in order, by name
        self._reached: set[str] = set()

    def phase(self, train: str, sizes: list[int]) -> None:
        """Steps of a phase, on batches of each size."""
        learning_mode(self._network, freeze(self._network, train))
        plan = self._recipe.training.plan
        settings = next(phase.optimizer for phase in plan if phase.train == train)
        optimizer = build_optimizer(self._network, settings)
        for images in (size for size in sizes for _ in range(_STEPS)):
            optimizer.zero_grad()
            loss = self._loss(self._network, images)
            try:
                loss.backward()
            except torch.OutOfMemoryError:
                raise
            except Exception as error:
                raise self._backward_failed(error, images) from error
            self._note_gradients()
            try:
                optimizer.step()
            except Exception as error:
                raise failed(f"{self._called}, in a step of {settings.name},", error) from error

    def _note_gradients(self) -> None:
        for name, weight in self._network.named_parameters():
            if weight.requires_grad:
                self._learning[name] = None
                if weight.grad is not None:
                    self._reached.add(name)

    def out_of_reach(self) -> tuple[str, ...]:
        """The weights that were to learn in some phase and had a gradient in none."""
        return tuple(name for name in self._learning if name not in self._reached)

    def _loss(self, network: nn.Module, images: int) -> Tensor:
        settings = self._recipe.training
        targets = torch.arange(images, device=self._device) % 2
        with torch.autocast(
            self._device.type, torch.bfloat16, enabled=in_16_bits(settings, self._device)
        ):
            logits = self._fed(network, laid_out(self._pixels(images), settings), "in training")
            return summed_loss(logits, targets, settings.loss) / images

    def _fed(self, network: nn.Module, pixels: Tensor, when: str) -> Tensor:
        """The logits of a batch, whose shape has to be right."""
        running = Running()
        try:
            with watched_modules(network) as running:
                logits: object = network(pixels)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            fed = f"{self._called}, fed {tuple(pixels.shape)} {when},"
            raise failed(fed, error, module=running.describe()) from error
        if isinstance(logits, Tensor) and logits.ndim == 2 and len(logits) == len(pixels):
            self._outputs = self._outputs or logits.shape[1]
            if logits.shape[1] == self._outputs:
                return logits
        what = f"a {type(logits).__name__}"
        if isinstance(logits, Tensor):
            what = f"shape {tuple(logits.shape)}"
        expected = f"({len(pixels)}, {self._outputs or 'classes'})"
        raise ConvlensError(
            f"{self._called}, fed {tuple(pixels.shape)} {when}, gives {what}; expected logits of "
            f"shape {expected}",
            remedy="keep the axis of the batch (no squeeze() without an axis), and give as many "
            "outputs in training as otherwise",
            code="bad-own-model",
        )

    def _backward_failed(self, error: Exception, images: int) -> ConvlensError:
        def step(network: nn.Module) -> None:
            for _ in range(_STEPS):
                self._loss(network, images).backward()

        path = self._called.rpartition(":")[0]
        where = blame_backward(self._network, step, path)
        told = str(error).partition("\n")[0].partition("; expected version")[0].rstrip(".")
        return ConvlensError(
            f"{self._called} cannot be trained: its backward pass fails"
            + f" ({where})" * bool(where)
            + f": {told}",
            remedy=backward_remedy(error),
            code="bad-own-model",
        )

    def prediction(self) -> None:
        """As in prediction, where a batch of one image must not lose its axis."""
        with torch.inference_mode():
            for images in (_IMAGES, 1):
                self._fed(self._network.eval(), self._pixels(images), "in prediction")

    def saving(self) -> None:
        """Its weights have to go into a file."""
        try:
            save(savable(self._network.state_dict()))
        except Exception as error:
            raise ConvlensError(
                f"the weights of {self._called} cannot be saved: {type(error).__name__}: {error}",
                remedy="keep tensors alone in its state: no get_extra_state(), no special kinds",
                code="bad-own-model",
            ) from error

    def _pixels(self, images: int) -> Tensor:
        seed_generators(0, self._device)
        shape = (images, *self._recipe.input.shape)
        return torch.randint(0, 256, shape, dtype=torch.uint8).to(self._device)
