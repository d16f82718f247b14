"""The ready recipes that come with convlens, found by name.

They are not in `convlens.recipe`, which loads torch: a slip in a name is told at once.
"""

from difflib import get_close_matches
from pathlib import Path

from convlens.core.errors import ConvlensError
from convlens.core.paths import exists, is_file


def ready_recipes() -> dict[str, Path]:
    """The files of the ready recipes by name, sorted.

    A wheel has them inside the package. In a clone, and where pip installs one to be worked on,
    they are the folder ``recipes`` at its top.
    """
    package = Path(__file__).parents[1]
    packed = package / "recipes"
    folder = packed if packed.is_dir() else package.parents[1] / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.toml"), key=lambda path: path.stem)}


def recipe_file(recipe: str | Path) -> Path:
    """The file that is meant: the one at that path, or else the ready recipe of that name.

    Raises:
        ConvlensError: there is neither.

    Example:
        >>> recipe_file("chapter-transfer").name
        'chapter-transfer.toml'
    """
    ready = ready_recipes()
    if str(recipe) in ready and not is_file(recipe):
        return ready[str(recipe)]
    if exists(recipe):
        return Path(recipe)
    nearest = get_close_matches(Path(recipe).stem, ready, n=1)
    hint = f"did you mean '{nearest[0]}'? Pass" if nearest else "pass"
    raise ConvlensError(
        f"no such file or ready recipe: {recipe}",
        remedy=f"{hint} a TOML file, or one of: {', '.join(ready)}",
        code="unknown-recipe",
    )
