"""What a caller passes for a trained network: a path, a run, a bundle or a predictor.

Every verb that takes a trained network resolves it here, so that all take the same and refuse
anything else in the same words.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from convlens.core.errors import ConvlensError
    from convlens.prediction import Bundle, Predictor
    from convlens.runs import Run

    RunLike: TypeAlias = str | Path | Run
    """A run, or the folder of a run or bundle."""

    Trained: TypeAlias = str | Path | Run | Predictor | Bundle
    """A trained network: on disk, or loaded."""

_ON_DISK = "a Run, or the path of a run's folder (str or Path)"
_TRAINED = "a Run, a Predictor, a Bundle, or the path of a run's or bundle's folder (str or Path)"


def run_folder(run: Any, *, name: str = "run") -> Path:
    """The folder of a run that is passed as a path or as a `Run`.

    Args:
        run: what the caller passed.
        name: the parameter, for the message.

    Raises:
        ConvlensError: it is neither.
    """
    return _path(run, name, _ON_DISK)


def run_file(value: Any, file: str, *, name: str) -> Path:
    """A file that is passed as a path, or as the `Run` that has it.

    Args:
        value: what the caller passed.
        file: where a run has it.
        name: the parameter, for the message.

    Raises:
        ConvlensError: it is neither.
    """
    expected = f"a file's path (str or Path), or the Run whose {file} it is"
    path = _path(value, name, expected)
    return path if _is_path(value) else path / file


def loaded(model: Any) -> Bundle | None:
    """The network of a `Predictor` or a `Bundle`; None for anything else."""
    if _is_path(model):
        return None
    from convlens.prediction import Bundle, Predictor

    if isinstance(model, Predictor):
        return model.bundle
    return model if isinstance(model, Bundle) else None


def trained_bundle(run: Any, *, trust_code: bool, name: str = "run") -> Bundle:
    """The trained network that is passed, loaded where it is on disk.

    Args:
        run: what the caller passed.
        trust_code: run the code that the bundle of a network of the user's own carries.
        name: the parameter, for the message.

    Raises:
        ConvlensError: it is no such thing, there is no bundle, or it is damaged.
    """
    from convlens.prediction import load_bundle

    found = loaded(run)
    return found or load_bundle(_path(run, name, _TRAINED), trust_code=trust_code)


def trained_folder(run: Any, *, name: str = "run") -> Path:
    """The folder of a trained network; of a loaded one where it was loaded from.

    Raises:
        ConvlensError: it is no such thing, or a bundle that was never written.
    """
    bundle = loaded(run)
    if bundle is None:
        return _path(run, name, _TRAINED)
    if bundle.folder is None:
        from convlens.core.errors import ConvlensError

        raise ConvlensError(
            f"{name} is a {type(run).__name__} that was not loaded from a folder",
            remedy="write it with convlens.prediction.save_bundle, and pass that folder",
            code="bad-run",
        )
    return bundle.folder


def device_for(run: Any, device: str) -> str:
    """The device asked for; by default a predictor stays where it is."""
    from convlens.prediction import Predictor

    return str(run.device) if device == "auto" and isinstance(run, Predictor) else device


def is_run(model: Any) -> bool:
    """Whether a `Run` was passed."""
    if _is_path(model):
        return False
    from convlens.runs import Run

    return isinstance(model, Run)


def _path(value: Any, name: str, expected: str) -> Path:
    if _is_path(value):
        return Path(os.fsdecode(value))
    if is_run(value):
        folder: Path = value.folder
        return Path(folder)
    raise _refused(value, name, expected)


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


def _refused(value: Any, name: str, expected: str) -> ConvlensError:
    from convlens.core.errors import ConvlensError

    plain = value is None or isinstance(value, bool | int | float)
    given = repr(value) if plain else f"of type {type(value).__name__}"
    return ConvlensError(f"{name} is {given}; expected {expected}", code="bad-run")
