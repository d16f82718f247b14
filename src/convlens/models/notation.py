"""The layer notation: a whole network as text, read into layers.

``conv 32 3 same relu, maxpool 2, flatten, dense`` is a network. The grammar is written down in the
guide, on the page "The layer notation"; `SIGNATURES` below is the same in Python. This file reads;
what a layer becomes stands in `convlens.models.notation_build`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal, TypeAlias

from convlens.core.errors import ConvlensError

Padding: TypeAlias = Literal["same", "valid"]
ACTIVATIONS = ("relu", "relu6", "leakyrelu", "elu", "gelu", "silu", "sigmoid", "tanh")
_MOST_LAYERS = 2_000
HEAD_STARTS = frozenset({"flatten", "globalavgpool"})

MEND = "\nto mend it: "
"""What stands in an error between the layer that is shown and the remedy."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that a layer is written with: what it is called, and its range."""

    name: str
    low: float
    high: float
    whole: bool = True
    optional: bool = False

    def read(self, word: str) -> float | None:
        """The number that a word stands for, or None where it is none or out of range."""
        if not re.fullmatch(r"\d*\.?\d+" if not self.whole else r"\d+", word):
            return None
        value = float(word)
        return value if self.low <= value <= self.high else None

    def __str__(self) -> str:
        number = "a whole number" if self.whole else "a number"
        return f"{self.name}, {number} from {self.low:,g} to {self.high:,g}"


_FILTERS = Quantity("FILTERS", 1, 65_536)
_KERNEL = Quantity("KERNEL", 1, 255)
_WINDOW = Quantity("WINDOW", 1, 255)
_STRIDE = Quantity("STRIDE", 1, 255)
_RATE = Quantity("RATE", 0, 0.99, whole=False)
_UNITS = Quantity("UNITS", 1, 1_000_000, optional=True)


@dataclass(frozen=True, slots=True)
class Signature:
    """How one kind of layer is written: its numbers in order, then its options in any order."""

    numbers: tuple[Quantity, ...] = ()
    stride: bool = False
    padding: bool = False
    activation: bool = False

    def describe(self, kind: str) -> str:
        """The whole form, as the guide shows it: ``maxpool WINDOW [/STRIDE] [same|valid]``."""
        words = [kind, *(f"[{q.name}]" if q.optional else q.name for q in self.numbers)]
        words += ["[/STRIDE]"] * self.stride
        words += ["[same|valid]"] * self.padding
        words += ["[ACTIVATION]"] * self.activation
        return " ".join(words)


SIGNATURES: Mapping[str, Signature] = MappingProxyType(
    {
        "conv": Signature((_FILTERS, _KERNEL), stride=True, padding=True, activation=True),
        "depthwise": Signature((_KERNEL,), stride=True, padding=True, activation=True),
        "residual": Signature((_FILTERS,), stride=True),
        "bottleneck": Signature((_FILTERS,), stride=True),
        "maxpool": Signature((_WINDOW,), stride=True, padding=True),
        "avgpool": Signature((_WINDOW,), stride=True, padding=True),
        "globalavgpool": Signature(),
        "batchnorm": Signature(),
        "dropout": Signature((_RATE,)),
        "flatten": Signature(),
        "dense": Signature((_UNITS,), activation=True),
        **{name: Signature() for name in ACTIVATIONS},
    }
)


@dataclass(frozen=True, slots=True)
class Written:
    """A layer's own text, and which layer of the whole it is, from 1."""

    text: str
    position: int

    @property
    def words(self) -> list[str]:
        """The words in lower case: the kind, then its numbers and options."""
        return self.text.lower().split()

    def error(self, problem: str, word: int = 0, *, remedy: str = "") -> ConvlensError:
        """An error that shows the layer and points at one word, or behind the last."""
        spans = [match.span() for match in re.finditer(r"\S+", self.text)]
        start, end = (*spans, (len(self.text) + 1, len(self.text) + 2))[min(word, len(spans))]
        return ConvlensError(
            f"layer {self.position}: {problem}\n"
            f"  {self.text}\n"
            f"  {' ' * start}{'^' * (end - start)}",
            remedy=remedy,
            between=MEND,
            code="bad-layers",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer, read.

    Attributes:
        kind: a key of `SIGNATURES`.
        numbers: its numbers in the signature's order; an optional one left out is missing.
        stride: as written, else None.
        padding: ``"valid"`` unless written otherwise.
        activation: as written, else None.
        written: where it stood, for errors found later.
    """

    kind: str
    numbers: tuple[float, ...]
    stride: int | None
    padding: Padding
    activation: str | None
    written: Written

    def whole(self, index: int) -> int:
        """The number at ``index``, as an integer."""
        return int(self.numbers[index])


def split_layers(text: str | Sequence[str]) -> tuple[str, ...]:
    """Cut a network's text at commas and line ends into the texts of its layers.

    Example:
        >>> split_layers(["conv 8 3 relu, maxpool 2", "flatten"])
        ('conv 8 3 relu', 'maxpool 2', 'flatten')
    """
    lines = [text] if isinstance(text, str) else text
    pieces = (piece.strip() for line in lines for piece in re.split(r"[,\n]", line))
    return tuple(piece for piece in pieces if piece)


def parse_network(text: str | Sequence[str]) -> tuple[Layer, ...]:
    """Read a network in the layer notation.

    Args:
        text: layers between commas or on lines of their own, or a list of such texts.

    Raises:
        ConvlensError: a word is not understood; the message shows the layer and points at the word.

    Example:
        >>> [layer.kind for layer in parse_network("conv 8 3 relu, flatten, dense")]
        ['conv', 'flatten', 'dense']
    """
    pieces = split_layers(text)
    if len(pieces) > _MOST_LAYERS:
        raise ConvlensError(
            f"the network has {len(pieces):,} layers; at most {_MOST_LAYERS:,} are built: "
            "write fewer, or a module of your own",
            code="bad-layers",
        )
    if not pieces:
        raise ConvlensError(
            "the network has no layers; write at least 'flatten, dense'", code="bad-layers"
        )
    return tuple(_parse_layer(Written(piece, number)) for number, piece in enumerate(pieces, 1))


def parse_head(text: str) -> tuple[Layer, ...]:
    """Read a head in the layer notation: it holds a flatten or a globalavgpool.

    Raises:
        ConvlensError: as `parse_network`, or the feature map is never flattened.
    """
    layers = parse_network(text)
    if not any(layer.kind in HEAD_STARTS for layer in layers):
        raise ConvlensError(
            f"head is '{text}'; it must turn the feature map into a vector: begin with "
            "globalavgpool or flatten ('globalavgpool, dense'), or choose 'published' or 'none'",
            code="bad-layers",
        )
    return layers


def split_at_head(layers: Sequence[Layer]) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
    """Cut a network at its first flatten or global pool: the layers of the stages, of the head."""
    start = next((at for at, layer in enumerate(layers) if layer.kind in HEAD_STARTS), len(layers))
    return tuple(layers[:start]), tuple(layers[start:])


def _parse_layer(written: Written) -> Layer:
    kind = written.words[0]
    signature = SIGNATURES.get(kind)
    if signature is None:
        hint = _did_you_mean(kind, SIGNATURES)
        raise written.error(f"unknown layer '{kind}'; {hint}known: {', '.join(SIGNATURES)}")
    numbers = _read_numbers(signature, written)
    options = _read_options(signature, written, first=1 + len(numbers))
    stride = options.get("stride")
    return Layer(
        kind=kind,
        numbers=numbers,
        stride=int(stride[1:]) if stride else None,
        padding="same" if options.get("padding") == "same" else "valid",
        activation=options.get("activation"),
        written=written,
    )


def _read_numbers(signature: Signature, written: Written) -> tuple[float, ...]:
    kind, *words = written.words
    numbers: list[float] = []
    for index, quantity in enumerate(signature.numbers):
        word = words[index] if index < len(words) else ""
        value = quantity.read(word)
        if value is not None:
            numbers.append(value)
        elif not quantity.optional or word[:1].isdigit():
            found = f"'{word}'" if word else "nothing"
            raise written.error(
                f"{found} where {kind} needs {quantity}; write: {signature.describe(kind)}",
                index + 1,
            )
    return tuple(numbers)


def _read_options(signature: Signature, written: Written, first: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for index, word in enumerate(written.words[first:], first):
        option = _option_kind(word)
        if option is None or not getattr(signature, option):
            raise written.error(_misplaced(signature, written.words[0], word), index)
        if option in found:
            raise written.error(
                f"'{word}' after '{found[option]}': one {option} is enough; drop one", index
            )
        if option == "stride" and _STRIDE.read(word[1:]) is None:
            raise written.error(
                f"'{word}' is no stride; '/' is followed by {_STRIDE}: /2 for a stride of 2", index
            )
        found[option] = word
    return found


def _option_kind(word: str) -> str | None:
    if word.startswith("/"):
        return "stride"
    if word in {"same", "valid"}:
        return "padding"
    return "activation" if word in ACTIVATIONS else None


def _misplaced(signature: Signature, kind: str, word: str) -> str:
    allowed = [*(("same", "valid") if signature.padding else ())]
    allowed += ACTIVATIONS if signature.activation else ()
    hint = _did_you_mean(word, allowed)
    if word in SIGNATURES:
        hint = f"put a comma before '{word}' to make it a layer of its own; "
    return f"'{word}' has no place here; {hint}write: {signature.describe(kind)}"


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(word, list(known), n=1)
    return f"did you mean '{nearest[0]}'? " if nearest else ""
