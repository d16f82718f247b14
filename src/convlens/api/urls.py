"""Images that are named by their address on the web."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convlens.core.input_spec import InputSpec
    from convlens.core.reporter import Reporter

_LARGEST = 50_000_000  # bytes of an image at an address
_SCHEMES = ("http://", "https://")


def urls_among(images: Any) -> list[str]:
    """The addresses among images as the user names them.

    Example:
        >>> urls_among(["leaf.jpg", "https://example.org/leaf.jpg"])
        ['https://example.org/leaf.jpg']
    """
    named = [images] if isinstance(images, str) else images
    if not isinstance(named, Sequence):
        return []
    return [name for name in named if isinstance(name, str) and _is_url(name)]


def require_permission(urls: Sequence[str], *, allow_url: bool) -> None:
    """Refuse addresses unless they may be fetched.

    Raises:
        ConvlensError: there are some, and they may not.
    """
    from convlens.core.errors import ConvlensError

    if urls and not allow_url:
        raise ConvlensError(
            f"{urls[0]} is a URL; pass --allow-url to fetch it (in Python, allow_url=True), or "
            "download it and pass the file",
            code="url-not-allowed",
        )


@contextmanager
def fetched(
    images: str | Sequence[str | Path], spec: InputSpec, reporter: Reporter
) -> Iterator[tuple[list[str | Path], Mapping[str, str]]]:
    """Fetch what is named by its address into files that are gone afterward.

    What cannot be fetched, or is no image, is left out and told.

    Args:
        images: paths and addresses.
        spec: how the network reads an image.
        reporter: sees progress, and is told what is left out.

    Yields:
        Paths in the order given; and the address of each file that was fetched.

    Raises:
        ConvlensError: nothing is left.
    """
    from convlens.core.errors import ConvlensError

    with tempfile.TemporaryDirectory(prefix="convlens-") as folder:
        paths: list[str | Path] = []
        addresses: dict[str, str] = {}
        reason = ""
        for number, name in enumerate([images] if isinstance(images, str) else images):
            if not isinstance(name, str) or not _is_url(name):
                paths.append(name)
                continue
            file = Path(folder) / f"{number}"
            reason = _fetch_image(name, file, spec, reporter)
            if reason:
                reporter.warn(f"left out {reason}")
                continue
            paths.append(str(file))
            addresses[str(file)] = name
        if not paths:
            raise ConvlensError(f"there is no image to classify: {reason}", code="no-images")
        yield paths, addresses


def _fetch_image(url: str, file: Path, spec: InputSpec, reporter: Reporter) -> str:
    """Fetch an image and verify that it is one; why it is left out, else empty."""
    from convlens.core.downloads import fetch_unpublished
    from convlens.core.errors import WorkFailedError
    from convlens.data import UnreadableImageError, decode

    try:
        fetch_unpublished(url, file, largest=_LARGEST, reporter=reporter)
        decode(file, spec)
    except WorkFailedError as error:
        return error.message
    except UnreadableImageError as error:
        return f"{url}: {error.reason}"
    return ""


def _is_url(name: str) -> bool:
    return name.lower().startswith(_SCHEMES)
