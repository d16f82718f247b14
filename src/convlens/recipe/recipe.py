"""The recipe: what is asked, complete enough to run it again."""

from pathlib import Path
from typing import Annotated, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, model_validator

from convlens.augment import AugmentSettings, augments_training_alone
from convlens.core.files import write_text
from convlens.core.input_spec import InputSpec
from convlens.data import DataSettings
from convlens.evaluation import SelectiveSettings
from convlens.models import ModelSpec
from convlens.training import TrainingSettings

ARRAYS = "arrays"


class Recipe(BaseModel):
    """One complete description of a run; its parts stand beside their owners.

    Attributes:
        source: what the images come from; ``"arrays"`` for arrays handed over in Python.
        seed: fixes every draw of the run.
        data: how the source is read and split.
        input: how a file becomes a tensor.
        augment: what is done to training images, and to no others: there is no place here to say
            that validation or test images are augmented.
        model: the network.
        training: how it is trained.
        selective: what its "not sure" should promise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    data: DataSettings = DataSettings()
    input: InputSpec
    augment: AugmentSettings = AugmentSettings()
    model: ModelSpec
    training: TrainingSettings = TrainingSettings()
    selective: SelectiveSettings = SelectiveSettings()

    @model_validator(mode="before")
    @classmethod
    def _augments_nothing_else(cls, values: object) -> object:
        if isinstance(values, dict):
            for key in values:
                if "augment" in str(key) and key != "augment":
                    raise augments_training_alone(str(key))
        return values

    @model_validator(mode="after")
    def _output_fits_loss(self) -> Self:
        if self.model.binary_output != (self.training.loss.name == "binary"):
            raise ValueError(
                f"model.binary_output is {str(self.model.binary_output).lower()} and the loss is "
                f"'{self.training.loss.name}'; the loss 'binary' is for one output, the others "
                "for an output a class"
            )
        return self

    @model_validator(mode="after")
    def _ends_at_full_size(self) -> Self:
        epochs = sum(phase.epochs for phase in self.training.plan)
        small = self.augment.early_epochs if self.augment.early_scale < 1 else 0
        if small >= epochs:
            raise ValueError(
                f"augment.early_epochs is {small}, and the run has {epochs} epochs; images must "
                "have their full size in the last ones: set fewer early_epochs"
            )
        if small and self.training.budget_seconds is not None:
            raise ValueError(
                f"augment.early_epochs is {small}, and a budget decides how many epochs there "
                "are; set augment.early_epochs=0, or epochs in place of the budget"
            )
        return self

    def margin_of(self, part: str) -> float:
        """How much larger than the input a part's images are decoded: training turns its own."""
        return self.augment.margin if part == "train" else 0.0

    def trusting_code(self) -> Self:
        """The same recipe, with the caller's word that the code of its network may run."""
        return self.model_copy(update={"model": self.model.trusting_code()})

    def to_toml(self) -> str:
        """The recipe as TOML, every value written out; what is None is left out."""
        values = self.model_dump(mode="json", exclude_none=True)
        return tomli_w.dumps(values, multiline_strings=True)  # so that carried code can be read

    def save(self, path: Path) -> None:
        """Write the recipe atomically."""
        write_text(path, self.to_toml())
