"""The text of a network in a file of the user's own: read it, and know it again.

Nothing here runs that text, and nothing here loads torch.
"""

import hashlib

from convlens.core.errors import ConvlensError
from convlens.core.paths import typed_path


def sha256(source: str) -> str:
    """The SHA-256 of a source text in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()


def split_name(name: str) -> tuple[str, str]:
    """The path and the function of ``"path/to/file.py:function"``."""
    path, _, function = name.rpartition(":")
    return path, function


def read_source(name: str) -> str:
    """The text of the file that ``"path/to/file.py:function"`` names; it is not run.

    Raises:
        ConvlensError: the file cannot be read.
    """
    path = typed_path(split_name(name)[0])
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConvlensError(
            f"cannot read {path} ({reason})",
            remedy="--model takes path/to/file.py:function",
            code="unreadable-model",
        ) from error


def with_source(name: str) -> dict[str, str]:
    """The fields of a `convlens.models.ModelSpec` that carry a file's text with its hash.

    Args:
        name: ``"path/to/file.py:function"``; its path becomes absolute.

    Raises:
        ConvlensError: the file cannot be read.
    """
    path, function = split_name(name)
    source = read_source(name)
    return {
        "name": f"{typed_path(path).resolve()}:{function}",
        "source": source,
        "source_sha256": sha256(source),
    }


def untrusted(called: str, digest: str | None, *, where: str = "") -> ConvlensError:
    """The error for code that nobody has given their word for.

    Args:
        called: ``"path/to/file.py:function"``.
        digest: the SHA-256 of its text; None where it stands in a file.
        where: the file in which it can be read; empty where that goes without saying.
    """
    known_by = f", SHA-256 {digest}" if digest else ""
    place = f" in {where}" if where else ""
    return ConvlensError(
        f"this network is code of its own ({called}{known_by}), and nothing of it was run; read "
        f"it{place}, and pass --trust-code if you trust where it comes from",
        code="untrusted-code",
    )
