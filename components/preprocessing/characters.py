"""The classes of characters that BERT's tokenization knows, as regular expressions for TensorFlow's RE2.

The rules are those of `tokenization.py` in https://github.com/google-research/bert. They rest on Python's Unicode
tables, and TensorFlow has three others: RE2's and TensorFlow Text's are newer than Python 3.11's, that of
`tf.strings.lower` is older. `unassigned` takes care of what Python's lack. What `tf.strings.lower` lacks, the letters
that came with Unicode 14, is in no BERT's vocabulary; only a capital sigma beside such a one may be lowered otherwise.
"""

import sys
import unicodedata
from collections.abc import Iterable

# Well-formed UTF-8. Written as two ranges, because RE2 lets overlong and surrogate encodings pass as `.`.
WELL_FORMED = r"[\x00-\x{D7FF}\x{E000}-\x{10FFFF}]*"

# Tab, newline, carriage return and all of \p{Z}, which is where str.split() splits. The ASCII space is left out:
# replacing every space by itself would cost four times as much.
SPACES = r"[\t\n\r\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]"

# NUL is one of \p{Cc}.
DROPPED = r"[\x{FFFD}\p{Cc}\p{Cf}]"

ACCENTS = r"\p{Mn}"

# A character of these is a word by itself: Chinese, punctuation, and what ASCII has besides ($ + < = > ^ ` | ~).
_CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
SINGLE = r"[!-/:-@\[-`{-~\p{P}" + "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in _CHINESE) + "]"


def stranger(vocabulary: Iterable[str]) -> str:
    """A character that is a letter to BERT and in no token: a word with it in is [UNK].

    Raises:
        ValueError: the vocabulary has every private-use character.
    """
    known = set().union(*vocabulary)
    for code in range(0xE000, 0xF900):
        if chr(code) not in known:
            return chr(code)
    raise ValueError("the vocabulary has every character of U+E000-U+F8FF: none is left to stand for [UNK]")


def unassigned(vocabulary: Iterable[str]) -> str:
    """The class of the characters that are unassigned in Python's Unicode tables and in no token.

    To Google's code such a character is a letter, so its word is [UNK]; newer tables may call it punctuation, a mark
    or a control. Replacing it by the `stranger` gives Google's answer whatever the tables say.
    """
    known = set().union(*vocabulary)
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) != "Cn" or character in known or _is_chinese(code):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "[" + "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in ranges) + "]"


def _is_chinese(code: int) -> bool:
    """Whether Google's code splits the character off: it asks for the block, assigned or not."""
    return any(first <= code <= last for first, last in _CHINESE)
