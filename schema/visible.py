"""Control characters in texts that a person reads: the one rule for terminals, messages and JSON on stdout.

Labels, file names and contents of files come from strangers. A terminal would obey the escape sequences in them.
"""

import re

# C0 and C1 controls (C1 includes the 8-bit CSI), line and paragraph separators, lone surrogates, which cannot be
# encoded, and the marks that change the direction of a text, so that it reads as another one.
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_NOT_VISIBLE = re.compile(f"[{_CONTROLS}]")
_NOT_IN_ONE_LINE = re.compile(f"[{_CONTROLS}\t\n]")
# What JSON itself does not escape.
_NOT_IN_JSON = re.compile(f"[{_CONTROLS}]".replace("\x00-\x08\x0b-\x1f", ""))


def visible(text: str) -> str:
    r"""Return a text with its control characters as escape sequences of Python; line breaks and tabs stay.

    Example:
        >>> visible("\x1b[31mred\nblue")
        '\\x1b[31mred\nblue'
    """
    return _NOT_VISIBLE.sub(lambda match: ascii(match.group())[1:-1], text)


def in_one_line(text: str) -> str:
    r"""Return a text with its control characters, line breaks and tabs as escape sequences of Python.

    Example:
        >>> in_one_line("two\nlines")
        'two\\nlines'
    """
    return _NOT_IN_ONE_LINE.sub(lambda match: ascii(match.group())[1:-1], text)


def visible_json(text: str) -> str:
    r"""Return JSON, written with `ensure_ascii=False`, with the control characters in it escaped; it means the same.

    Example:
        >>> visible_json('"\x9b31m"')
        '"\\u009b31m"'
    """
    return _NOT_IN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
