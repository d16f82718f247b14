"""Text that is safe to show: it cannot control a terminal, and any encoding can hold it.

Names of files, folders and classes come from other people. A name may hold escape sequences, line
breaks, marks that reverse the direction of writing, or bytes that are no character.
"""

import codecs
import re

_CONTROLS = (
    "\x00-\x1f\x7f-\x9f\xad"
    "\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff"
)
"""Controls, line breaks, direction marks and invisible characters, and halves of characters.

Not the joiners U+200C and U+200D: Persian and Indic scripts and emoji are written with them.
"""
_UNSAFE = re.compile(f"[{_CONTROLS}]")
_UNSAFE_IN_LINES = re.compile(f"(?!\n)[{_CONTROLS}]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_ASCII = {
    "\u00a0": " ", "\u202f": " ", "\u2009": " ",
    "←": "<-", "→": "->", "↑": "^", "↓": "v", "↔": "<->",
    "×": "x", "·": "*", "•": "*", "÷": "/", "−": "-", "±": "+/-", "≈": "~", "≠": "!=",
    "≤": "<=", "≥": ">=", "√": "sqrt", "²": "^2", "³": "^3", "°": " deg", "µ": "u", "μ": "u",
    "⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")", "∞": "inf", "ᵀ": "^T", "λ": "lambda", "�": "?",
    "–": "-", "—": "-", "…": "...", "\u2018": "'", "\u2019": "'", "“": '"', "”": '"',
    "✓": "ok", "✗": "x",
    **dict.fromkeys("─━╌┄╴╶╸╺═", "-"), **dict.fromkeys("│┃║", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝┏┓┗┛", "+"), **dict.fromkeys("█▉▊▋▌▍▎▏▓▒░", "#"),
}  # fmt: skip

ASCII_ERRORS = "convlens-ascii"
"""Name of the error handler that writes what an encoding lacks in ASCII, for `codecs`."""


def printable(text: str, *, lines: bool = False) -> str:
    r"""Escape whatever could control a terminal or hide in it.

    Args:
        text: what is to be shown.
        lines: keep line breaks. Only for text whose line breaks come from this program.

    Example:
        >>> print(printable("a\x1b[2Jb\nc"), printable("x\u202egnp.exe"), printable("\udcff.png"))
        a\x1b[2Jb\nc x\u202egnp.exe \xff.png
    """
    unsafe = _UNSAFE_IN_LINES if lines else _UNSAFE
    return unsafe.sub(lambda found: _escaped(found[0]), text)


def printable_json(text: str) -> str:
    r"""Escape the same characters in JSON text, as JSON does; its layout stays.

    Example:
        >>> print(printable_json('{"a": "\x9b1m\udcff"}'))
        {"a": "\u009b1m\udcff"}
    """

    def escaped(found: re.Match[str]) -> str:
        units = found[0].encode("utf-16-be", "surrogatepass").hex()
        return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))

    return _UNSAFE_IN_LINES.sub(escaped, text)


def encodable(text: str, encoding: str | None) -> str:
    r"""Write in ASCII what an encoding cannot hold: an equivalent where there is one, else escaped.

    Args:
        text: what is to be shown.
        encoding: of the stream that it goes to; None where that takes any character.

    Example:
        >>> print(encodable("3 × 3 → grün", "ascii"), encodable("3 × 3 → grün", "cp1252"))
        3 x 3 -> gr\xfcn 3 × 3 -> grün
    """
    if encoding is None or text.isascii():
        return text
    try:
        return text.encode(encoding, ASCII_ERRORS).decode(encoding)
    except LookupError:  # no encoding that Python knows
        return text


def _escaped(character: str) -> str:
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file's name that is no character
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_ASCII.get(c) or _escaped(c) for c in lacking), error.end


codecs.register_error(ASCII_ERRORS, _in_ascii)
