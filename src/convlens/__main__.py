"""``python -m convlens``."""

import sys
from contextlib import suppress
from pathlib import Path


def _without_working_folder() -> None:
    """Import nothing from the working folder, where Python looks first under ``-m``.

    A folder of images may hold a ``typer.py``; the command ``convlens`` does not run it either.
    """
    with suppress(OSError):  # the working folder may be gone
        working, package = Path.cwd(), Path(__file__).resolve().parents[1]
        if (
            not sys.flags.safe_path
            and working != package
            and Path(sys.path[0]).resolve() == working
        ):
            del sys.path[0]


if __name__ == "__main__":
    _without_working_folder()

    from convlens.cli.main import main

    main()
