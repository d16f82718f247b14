"""The ``[data]`` part of a recipe: how a source is read and split."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, lt=1)]


class DataSettings(BaseModel):
    """How a source is read and split.

    A split that the source gives is used as given; these shares are for those it does not give.

    Attributes:
        val: share of the training images cut for validation; None for the default: 15 % where
            the source gives no splits at all, 10 % where it gives some; 0 for none.
        test: share cut for the test split, likewise.
        calibration: share of the validation images that is kept out of every decision, to say
            afterward how far probabilities can be trusted; where that comes to fewer than 20
            images, all of them decide.
        splits: a file of splits as `convlens.data.write_splits` writes it: the images that it
            names stay where it says, the others are dealt out.
        image_column: the column of a table that names the image files.
        label_column: the column with the class.
        split_column: the column with the split; used where the table has it.
        group_column: the column with what must not straddle splits (a patient, a plant, a camera);
            used where the table has it.
        missing_labels: the texts among labels that mean that there is no label; None
            for what programs write for an absent value (``nan``, ``null``, ``N/A``); an empty list
            makes all of these classes. An empty cell is never a label.
        class_level: how many folders below the source the class folders are: 1 makes every folder
            of the source a class, whatever its name; 2 takes the classes from the folders inside
            those. Folders above the classes that are named like splits are splits. None to find
            out.

    Raises:
        pydantic.ValidationError: a share is out of range, or they leave nothing to train on.

    Example:
        >>> DataSettings(val=0.2, test=0).val
        0.2
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    val: Fraction | None = None
    test: Fraction | None = None
    calibration: Fraction = 0.33
    splits: Path | None = None
    image_column: str = "image"
    label_column: str = "label"
    split_column: str = "split"
    group_column: str = "group"
    missing_labels: tuple[str, ...] | None = None
    class_level: Annotated[int, Field(ge=1, le=8)] | None = None

    @model_validator(mode="after")
    def _something_to_train_on(self) -> Self:
        if (self.val or 0) + (self.test or 0) >= 1:
            raise ValueError(
                f"val is {self.val} and test is {self.test}; together they must stay below 1"
            )
        return self
