"""What ``bundle.json`` must hold, checked before anything is built from it."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from convlens.core.command_line import command
from convlens.core.errors import ConvlensError
from convlens.core.files import read_json
from convlens.core.legacy import BUNDLE_KEYS, upgrade_keys
from convlens.core.settings import problems
from convlens.core.version import __version__

FORMAT_VERSION = 2
"""2 since a bundle holds a calibration: who ignored it would give other probabilities."""

MANIFEST = "bundle.json"


class _Weights(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    sha256: str


class _Manifest(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")

    format_version: Annotated[int, Field(ge=1)]
    model: dict[str, Any]
    classes: Annotated[list[str], Field(min_length=1)]
    input: dict[str, Any]
    weights: _Weights
    calibration: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    provenance: dict[str, Any] = {}

    @field_validator("classes")
    @classmethod
    def _no_class_twice(cls, names: list[str]) -> list[str]:
        if len({*names}) < len(names):
            raise ValueError("a class is named twice")
        return names


def read_manifest(folder: Path) -> dict[str, Any]:
    """The plain values of a bundle's ``bundle.json``.

    Raises:
        ConvlensError: it is damaged, or of a newer format.
    """
    path = folder / MANIFEST
    try:
        manifest = read_json(path)
    except ConvlensError as error:
        raise damaged_bundle(folder, error.problem) from error
    version = manifest.get("format_version") if isinstance(manifest, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ConvlensError(
            f"{path} is of bundle format {version}; this convlens ({__version__}) reads formats "
            f"up to {FORMAT_VERSION}; update convlens",
            code="unknown-bundle-format",
        )
    try:
        _Manifest.model_validate(manifest)
    except ValidationError as error:
        raise damaged_bundle(folder, f"{MANIFEST}: {problems(error)}") from error
    return upgrade_keys(manifest, BUNDLE_KEYS)


def damaged_bundle(folder: Path, reason: str) -> ConvlensError:
    """The error for a bundle that cannot be used."""
    run = folder.parent
    again = " or train again"
    if (run / "recipe.toml").is_file() and (run / "checkpoint").is_dir():
        again = f" or type {command('resume', run)}, which writes it again from the checkpoint"
    return ConvlensError(
        f"the bundle in {folder} is damaged ({reason})",
        remedy=f"restore it,{again}",
        code="damaged-bundle",
    )
