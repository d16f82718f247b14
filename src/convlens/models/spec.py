"""Which network: everything needed to build the same architecture again."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from convlens.core.errors import ConvlensError
from convlens.models.names import check_name, is_own
from convlens.models.notation import parse_head, parse_network, split_layers
from convlens.models.published import published_weights

PUBLISHED = "published"
NO_HEAD = "none"
POOL_AND_DENSE = "globalavgpool, dense"


class ModelSpec(BaseModel):
    """A network by name, in the layer notation, or from a file of the user's own.

    It is plain data: it goes into a recipe and a bundle, and the same description (with the same
    input and the same number of classes) always gives the same architecture.

    Attributes:
        name: a known network, or ``"path/to/file.py:function"`` for a module of the user's.
        layers: a whole network in the layer notation, in place of a name.
        head: ``"published"`` for the head the network is published with, ``"none"`` for features
            alone, else a head in the layer notation (``"globalavgpool, dense"``).
        binary_output: for two classes: a single output, the logit of the second class against the
            first (a sigmoid makes it a probability), in place of one a class.
        small_stem: begin with a 3×3 convolution of stride 1 and no pooling, as suits small images
            (ResNet, MobileNetV2). None: for images up to 64 pixels, unless weights are loaded.
        width: width multiplier (MobileNetV2).
        dropout: rate in the published head, in place of the family's own.
        pretrained: begin from the published ImageNet weights.
        weights: begin from this file (safetensors or ``.pth``).
        stages: for a module of the user's: the names of the children that end a stage, in order.
        source: for a module of the user's that travels in a run or a bundle: the text of its file.
        source_sha256: the SHA-256 of that text, as 64 hexadecimal digits.

    Raises:
        ConvlensError: the name or the notation is not understood, or two fields contradict.

    Example:
        >>> ModelSpec(layers="conv 8 3 same relu, globalavgpool, dense").layers
        ('conv 8 3 same relu', 'globalavgpool', 'dense')
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    layers: tuple[str, ...] = ()
    head: str = PUBLISHED
    binary_output: bool = False
    small_stem: bool | None = None
    width: Annotated[float, Field(gt=0, le=8)] = 1.0
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    pretrained: bool = False
    weights: Path | None = None
    stages: tuple[str, ...] = ()
    source: str | None = None
    source_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    _code_is_trusted: bool = PrivateAttr(default=False)  # no file can set it

    @field_validator("layers", mode="before")
    @classmethod
    def _one_layer_an_item(cls, value: object) -> object:
        if isinstance(value, str) or (
            isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
        ):
            return split_layers(value)
        return value

    @model_validator(mode="after")
    def _understood(self) -> Self:
        if (self.name is None) == (not self.layers):
            raise ConvlensError(
                "a network is either named or written in the layer notation; give "
                f"exactly one of name and layers (name is {self.name!r}, "
                f"layers has {len(self.layers)} items)",
                code="bad-model",
            )
        if self.name is not None:
            check_name(self.name)
        else:
            parse_network(self.layers)
        if self.head not in {PUBLISHED, NO_HEAD}:
            parse_head(self.head)
        self._consistent()
        if self.pretrained:
            published_weights(self.name or "a network in the layer notation")
        return self

    def _consistent(self) -> None:
        contradictions = {
            "pretrained and weights are both given; choose one": self.pretrained and self.weights,
            "pretrained weights need the published stem; leave small_stem out": self.pretrained
            and self.small_stem,
            "pretrained weights are of width 1; leave width out": self.pretrained
            and self.width != 1,
            "dropout belongs to the published head; write 'dropout RATE' in the head's own text": (
                self.dropout is not None and self.head != PUBLISHED
            ),
            "small_stem, width and dropout are for known networks; set them in your own function": (
                self.is_own and (self.small_stem, self.width, self.dropout) != (None, 1.0, None)
            ),
            "stages and source are for a network in a file of your own": not self.is_own
            and (self.stages or self.source or self.source_sha256),
            "source and source_sha256 go together": (self.source is None)
            != (self.source_sha256 is None),
        }
        for message, contradicted in contradictions.items():
            if contradicted:
                raise ConvlensError(message, code="bad-model")

    @property
    def is_own(self) -> bool:
        """Whether the network stands in a file of the user's."""
        return self.name is not None and is_own(self.name)

    @property
    def trust_words(self) -> tuple[str, ...]:
        """The words that a command on a bundle of it takes: it may carry code."""
        return ("--trust-code",) if self.is_own else ()

    @property
    def code_is_trusted(self) -> bool:
        """Whether the caller has given their word that the code of a module of the user's may run.

        It is written to no file and read from none: False until `trusting_code` is called.
        """
        return self._code_is_trusted

    def trusting_code(self) -> Self:
        """The same description, with the caller's word that its code may run.

        Example:
            >>> spec = ModelSpec(name="net.py:build")
            >>> spec.code_is_trusted, spec.trusting_code().code_is_trusted
            (False, True)
        """
        trusted = self.model_copy()
        trusted._code_is_trusted = True  # noqa: SLF001 - a copy of itself
        return trusted

    @property
    def loads_weights(self) -> bool:
        """Whether it begins from weights rather than from a draw."""
        return self.pretrained or self.weights is not None
