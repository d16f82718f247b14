"""Names of splits: of folders, of cells in a table, of arrays in a file."""

import re
from collections.abc import Mapping

SPLIT_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training", "trn", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "holdout", "heldout"), "test"),
}
_FILLERS = frozenset(
    "set sets data dataset split splits subset folder dir seg "  # noqa: SIM905
    "image images img imgs photo photos pic pics picture pictures sample samples file files".split()
)
_COMPOUND = re.compile(rf"({'|'.join(SPLIT_WORDS)})(set|data|images|imgs|split)")
_HOLD_OUT = re.compile(r"(hold|held)[\W_]+out")


def split_named(name: str) -> str | None:
    """The split that a name means; None where it means something else.

    Case and separators do not matter, nor do words such as "set", "data" and "images" around the
    split's own word. A name with any other word means no split.

    Args:
        name: of a folder, or the text of a cell.

    Example:
        >>> [split_named(name) for name in ("Training_Set", "seg_test", "dev", "blood test")]
        ['train', 'test', 'val', None]
    """
    plain = _HOLD_OUT.sub(r"\1out", name.casefold())
    words = [_without_ending(word) for word in re.split(r"[\W_]+", plain) if word]
    splits = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
    if len(splits) != 1 or any(w not in SPLIT_WORDS and w not in _FILLERS for w in words):
        return None
    return splits.pop()


def is_filler(name: str) -> bool:
    """Whether a folder's name says no more than that data is in it: ``images``, ``dataset``.

    Example:
        >>> is_filler("Images"), is_filler("cat images")
        (True, False)
    """
    words = [word for word in re.split(r"[\W_]+", name.casefold()) if word]
    return bool(words) and all(word in _FILLERS for word in words)


def _without_ending(word: str) -> str:
    compound = _COMPOUND.fullmatch(word)
    return compound[1] if compound else word
