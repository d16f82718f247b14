"""Commands that are suggested to the user: they can be pasted into a shell as they stand."""

import os
import shlex
import subprocess
from pathlib import PurePath

from convlens.core.printable import printable


def command(verb: str, *words: str | PurePath) -> str:
    r"""A ``convlens`` command, quoted for the shell.

    Args:
        verb: the verb, and a verb below it: ``"train"``, ``"visualize gradcam"``.
        words: its arguments. A path that begins with a dash is written so that it is no option.

    Example:
        >>> command("evaluate", PurePath("my run"), "SOURCE")
        "convlens evaluate 'my run' SOURCE"
        >>> print(command("predict", "a\nb"), command("report", PurePath("-x")))
        convlens predict $'a\nb' convlens report ./-x
    """
    written = [f"./{word}" if _is_dashed_path(word) else str(word) for word in words]
    if os.name == "nt":
        return subprocess.list2cmdline(["convlens", *verb.split(), *written])
    return " ".join(["convlens", verb, *map(_quoted, written)])


def setting(key: str, value: str) -> str:
    """A ``--set`` option, quoted for the shell.

    Example:
        >>> setting("input.mean", "[0.5,0.5]"), setting("seed", "1")
        ("--set 'input.mean=[0.5,0.5]'", '--set seed=1')
    """
    return f"--set {_quoted(f'{key}={value}')}"


def _is_dashed_path(word: str | PurePath) -> bool:
    return isinstance(word, PurePath) and str(word).startswith("-")


def _quoted(word: str) -> str:
    """Quoted; with escapes where the word has characters that are not to be printed."""
    if printable(word) == word:
        return shlex.quote(word)
    return f"$'{''.join(map(_escaped, word))}'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if printable(character) == character:
        return character
    if character in "\n\r\t":
        return printable(character)
    octets = character.encode("utf-8", "surrogateescape")
    return "".join(f"\\x{octet:02x}" for octet in octets)
