"""The command line, from the parser that reads it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from docs.generated.markdown import code, table
from typer.main import get_command

from convlens.cli.main import app

_OPENING = """# Command line

Every verb is a function of the [Python API](python.md) with the same name and words. `--json`
prints one JSON object on stdout and everything else on stderr. The exit status is 0 when done, 1
when the work failed, 2 when the request was wrong; [what went wrong](errors.md) has a code.

"""


def page() -> str:
    """The whole page."""
    root = get_command(app)
    return _OPENING + "\n".join(_section(command, words) for words, command in verbs(root))


def verbs(command: Any, words: tuple[str, ...] = ("convlens",)) -> Iterator[tuple[str, Any]]:
    """Each verb that does something, with the words that call it."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield " ".join(words), command
        return
    for name in sorted(inner):
        yield from verbs(inner[name], (*words, name))


def _section(command: Any, words: str) -> str:
    told, _, example = (command.help or "").partition("Example:")
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = [words, *(_name_of_argument(p) for p in arguments), "[OPTIONS]" * bool(options)]
    parts = [f"## {words}\n", told.strip() + "\n"]
    if example:
        parts.append(f"```console\n$ {' '.join(example.split())}\n```\n")
    parts.append(f"Usage: `{' '.join(filter(None, usage))}`\n")
    if arguments:
        rows = [(code(_name_of_argument(p)), p.help or "") for p in arguments]
        parts.append(table(("argument", "what it is"), rows))
    if options:
        rows = [(_flags(p), _values(p), _default(p), p.help or "") for p in options]
        parts.append(table(("option", "takes", "default", "what it does"), rows))
    return "\n".join(parts)


def _name_of_argument(parameter: Any) -> str:
    several = parameter.nargs == -1 or get_origin(parameter.type_descriptor.annotation) is list
    name = parameter.metavar or parameter.name.upper()
    name += "..." * (several and not name.endswith("..."))
    return name if parameter.required else f"[{name}]"


def _flags(parameter: Any) -> str:
    return ", ".join(code(flag) for flag in [*parameter.opts, *parameter.secondary_opts])


def _values(parameter: Any) -> str:
    """What follows the option: its choices, its kind and its bounds."""
    if parameter.is_flag:
        return ""
    annotation = parameter.type_descriptor.annotation
    several = get_origin(annotation) is list
    kind = get_args(annotation)[0] if several else annotation
    if get_origin(kind) is Literal:
        told = ", ".join(code(choice) for choice in get_args(kind))
    else:
        names = {int: "a whole number", float: "a number", Path: "a path"}
        told = code(parameter.metavar) if parameter.metavar else names.get(kind, "text")
    if parameter.min is not None and parameter.max is not None:
        told += f", {parameter.min} to {parameter.max}"
    elif parameter.min is not None:
        told += f", {parameter.min} or more"
    return told + ", repeatable" * several


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    none = parameter.default is None or parameter.is_flag
    return "" if none else code(parameter.default)
