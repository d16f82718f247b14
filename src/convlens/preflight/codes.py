"""Every code of a finding: what it means, how grave it is, and what answers it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from convlens.core.errors import unknown_name

Severity: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding.

    Attributes:
        severity: the usual one; `meaning` says where the figures decide.
        about: ``"data"`` or ``"recipe"``.
        meaning: what is wrong, and from which figure on.
        remedy: what answers it.
    """

    severity: Severity
    about: Literal["data", "recipe"]
    meaning: str
    remedy: str


CODES: Mapping[str, Code] = {
    # labels and classes
    "two-labels": Code(
        "error",
        "data",
        "The same file stands under two classes.",
        "`convlens check SOURCE --fix clean.csv` leaves both out; keep the right one yourself.",
    ),
    "similar-two-labels": Code(
        "warning",
        "data",
        "Near duplicates stand under two classes, in one split or in two.",
        "Look at both and correct one of the labels.",
    ),
    "imbalance": Code(
        "warning",
        "data",
        "The largest class has more than 10 times the training images of the smallest, and "
        "neither the loss nor the sampling makes up for it.",
        "`--set training.loss.class_weights=balanced` or `--set training.sampling=balanced`",
    ),
    "few-images": Code(
        "warning",
        "data",
        "A class has fewer than 10 training images. A note where weights are loaded.",
        "Add images, or begin from published weights: `--pretrained`.",
    ),
    "few-from-scratch": Code(
        "note",
        "data",
        "Fewer than 10,000 training photographs (inputs above 64 pixels) for a network that starts "
        "from random weights. A warning below 1,000.",
        "Start from ImageNet weights: `--model resnet18 --pretrained`; or add images.",
    ),
    "class-absent": Code(
        "warning",
        "data",
        "A class has no image in the validation or the test split.",
        "Move images there; where the split was cut, add images: a class needs three.",
    ),
    "name-leakage": Code(
        "warning",
        "data",
        "File names tell the class: other cameras, or one unbroken run of numbers a class. The "
        "pictures may then differ by camera, place or day rather than by what they show.",
        "Test on images of another camera and day; give sessions as `group` in a table.",
    ),
    "labels-missing": Code(
        "warning",
        "data",
        "Rows of a table have no label: an empty cell, or `nan`, `null`, `N/A` and the like. They "
        "are left out.",
        'Fill the labels in; `--set "data.missing_labels=[]"` where such a word is a class.',
    ),
    # duplicates
    "copies": Code(
        "warning",
        "data",
        "Files of a split are exact copies of one another.",
        "`convlens check SOURCE --fix clean.csv` keeps one of each.",
    ),
    "copies-across-splits": Code(
        "error",
        "data",
        "Exact copies are on both sides of a split: what is measured was learned by heart. An "
        "error above 4 % of the split's images, else a warning.",
        "`convlens check SOURCE --fix clean.csv` takes them out of training.",
    ),
    "near-duplicates": Code(
        "error",
        "data",
        "Near duplicates are on both sides of a split: re-encoded, resized, slightly cropped or "
        "brightened. An error above 4 % of the split's images, else a warning.",
        "`convlens check SOURCE --fix clean.csv` takes them out of training.",
    ),
    # groups and splits
    "group-straddles": Code(
        "error",
        "data",
        "Images of one group (a patient, a plant, a camera) are on both sides of a split.",
        "Mend the `split` column, or remove it to have whole groups dealt out.",
    ),
    "split-unused": Code(
        "warning",
        "data",
        "A table has what looks like splits (a column `fold` or `subset`, files in `train/` and "
        "`test/`), and they are not used: splits are cut anew.",
        "A column `split` with train, val and test; or `--set data.group_column=NAME` keeps each "
        "value on one side.",
    ),
    "validation-small": Code(
        "note",
        "data",
        'The validation images that decide (a third is kept for "not sure") are too few to tell '
        "1 % apart; says how many it would take.",
        "`--set data.val=SHARE` where the split was cut, else move images there; or more images.",
    ),
    # files and pictures
    "unreadable": Code(
        "warning",
        "data",
        "Image files cannot be read: empty, truncated, damaged, or not what their name says.",
        "Replace them; `convlens check SOURCE --fix clean.csv` leaves them out and lists them.",
    ),
    "several-frames": Code(
        "warning",
        "data",
        "Files are animations or have several pages; the first frame is used, the others are not.",
        "Save the frames that matter as files of their own.",
    ),
    "few-bits": Code(
        "note",
        "data",
        "Images of 16 bits use fewer: 8, 10, 12 or 14. One scale is chosen for all of them, and "
        "kept in the bundle; larger values become white.",
        "Nothing where the camera has so many; else name its bits in `input.value_bits`.",
    ),
    "mixed-color": Code(
        "note",
        "data",
        "Some images are gray, others in color, and the network is shown both. A warning where "
        "the classes differ in it.",
        "`--set input.channels=1` makes all of them gray.",
    ),
    "small-images": Code(
        "warning",
        "data",
        "Images have at most half the sides of the network's input: they are blown up.",
        "`--size N`",
    ),
    "blank": Code(
        "warning",
        "data",
        "Images show nothing: one color, or nearly.",
        "`convlens check SOURCE --fix clean.csv` leaves them out.",
    ),
    "dark": Code(
        "warning",
        "data",
        "Images are very dark: all but a hundredth of their pixels are below a quarter of white.",
        "Look at them; leave out what even you cannot recognize.",
    ),
    "blurred": Code(
        "note",
        "data",
        "Images are blurred: there is hardly any detail, even at 128 pixels a side.",
        "Look at them; leave out what even you cannot recognize.",
    ),
    "turned": Code(
        "note",
        "data",
        "Images are turned by their EXIF orientation, which convlens applies and other programs "
        "may not.",
        "Nothing for convlens; turn the pixels themselves before you pass the files on.",
    ),
    "pixels-not-scaled": Code(
        "error",
        "data",
        "No pixel of the arrays is above 1 of 255: they were divided by 255 and then made whole "
        "numbers.",
        "Pass the bytes as they were, or the quotients as floats.",
    ),
    # the chapter's mistakes
    "channel-axis": Code(
        "note",
        "recipe",
        "The images came without a channel axis, or the network's input has another number of "
        "channels than they have. A warning where color is thrown away of all of them.",
        "`--set input.channels=3`",
    ),
    "fine-tuning-rate": Code(
        "warning",
        "recipe",
        "Loaded layers learn at more than 3 times the rate that fine-tuning takes, a tenth of the "
        "optimizer's usual one.",
        "`--set training.optimizer.learning_rate=RATE`",
    ),
    "flatten-head": Code(
        "warning",
        "recipe",
        "The head flattens a feature map where global average pooling would save more than a "
        "million parameters. A note where it is the network's own head, trained from scratch.",
        '`--head "globalavgpool, dense"`',
    ),
    # the rest of the recipe
    "network-refuses": Code(
        "error",
        "recipe",
        "The network cannot take such images: the sum that fails, and what would mend it.",
        "As the finding says: another `--size`, or another layer.",
    ),
    "softmax-output": Code(
        "error",
        "recipe",
        "The network ends in a softmax or a sigmoid, and the loss expects logits.",
        "Leave the last activation out.",
    ),
    "no-gradient": Code(
        "warning",
        "recipe",
        "Weights of your own network are to learn, and no gradient reaches them: they stay as "
        "they were drawn.",
        "Look for `no_grad()`, `detach()`, `.data` or `numpy()` in its `forward`; leave out or "
        "freeze what it does not use.",
    ),
    "scaled-twice": Code(
        "error",
        "recipe",
        "Pixels are scaled twice: `input.mean` or `input.std` is in units of 255. A warning where "
        "a network of your own divides by 255.",
        "`--set 'input.mean=[…]'` in units of [0, 1]; pixels arrive in [0, 1].",
    ),
    "not-scaled": Code(
        "error",
        "recipe",
        "Pixels reach the network beyond 20 in size: `input.std` is too small.",
        "`--set 'input.std=[…]'` in units of [0, 1].",
    ),
    "backbone-normalization": Code(
        "warning",
        "recipe",
        "Loaded weights get pixels that are not normalized as the published ones' were. A note "
        "where they come from a file of yours.",
        "`--set 'input.mean=[0.485,0.456,0.406]' --set 'input.std=[0.229,0.224,0.225]'`",
    ),
    "tiny-batches": Code(
        "warning",
        "recipe",
        "Batch normalization learns from batches of fewer than 8 images.",
        "`--set training.batch_size=16`, or train the head alone.",
    ),
    "flip-changes-class": Code(
        "warning",
        "recipe",
        "Images are mirrored, and the names of the classes say that left and right matter.",
        "`--set augment.horizontal_flip=false`",
    ),
    "input-below-stride": Code(
        "warning",
        "recipe",
        "The input is smaller than the network's stride: one number is left of each map before "
        "the last layers have run.",
        "`--size N`, or `--set model.small_stem=true`",
    ),
    "memory": Code(
        "error",
        "recipe",
        "A training step needs more memory than is free on the device.",
        "`--set training.batch_size=N`",
    ),
    "large-head": Code(
        "warning",
        "recipe",
        "The head has more than 10,000 parameters for each training image.",
        '`--head "globalavgpool, dense"`',
    ),
    "patience-too-long": Code(
        "warning",
        "recipe",
        "Early stopping or a plateau waits for at least as many epochs as the phase has: it can "
        "never act.",
        "`--set training.early_stopping.patience=N`, or more `--epochs`",
    ),
    "batch-too-large": Code(
        "warning",
        "recipe",
        "A batch holds more images than there are to train on.",
        "`--set training.batch_size=N`",
    ),
}


def validate_codes(codes: Iterable[str]) -> None:
    """Refuse what is no code.

    Raises:
        ConvlensError: one of them is not; names the nearest.
    """
    for code in codes:
        if code not in CODES:
            raise unknown_name("finding", code, CODES, code="unknown-finding")


def table_of_codes(about: Literal["data", "recipe"]) -> str:
    """The codes as a Markdown table, as the guide has it."""
    rows = [
        f"| `{name}` | {code.severity} | {code.meaning} | {code.remedy} |"
        for name, code in CODES.items()
        if code.about == about
    ]
    return "\n".join(["| code | severity | meaning | remedy |", "| --- | --- | --- | --- |", *rows])
