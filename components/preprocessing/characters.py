"""Classes of characters in BERT's tokenization, as regular expressions for TensorFlow's RE2.

The rules are those of `tokenization.py` in https://github.com/google-research/bert. They depend on Python's Unicode
tables, and TensorFlow has three others: those of RE2 and TensorFlow Text are newer than Python 3.11's, that of
`tf.strings.lower` is older. `unassigned_characters` handles characters that Python's tables lack. The characters that
`tf.strings.lower` lacks, the letters of Unicode 14, are in no BERT's vocabulary; only a capital sigma beside one may be
lower-cased differently.
"""

import sys
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache

LONGEST_WORD = 200
"""Longest word, in characters, that is split; Google's max_input_chars_per_word."""

# Well-formed UTF-8, as two ranges, because `.` in RE2 matches overlong and surrogate encodings as well.
WELL_FORMED = r"[\x00-\x{D7FF}\x{E000}-\x{10FFFF}]*"

# Tab, newline, carriage return and all of \p{Z}: where str.split() splits. The ASCII space is left out, because
# replacing every space by itself would cost four times as much.
SPACES = r"[\t\n\r\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]"

# NUL is one of \p{Cc}.
DROPPED = r"[\x{FFFD}\p{Cc}\p{Cf}]"

ACCENTS = r"\p{Mn}"

# Characters that are words by themselves: Chinese, punctuation, and ASCII's other symbols ($ + < = > ^ ` | ~).
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


def unknown_character(vocabulary: Iterable[str]) -> str:
    """Return a character that BERT treats as a letter and that is in no token, so that a word with it is [UNK].

    Raises:
        ValueError: The vocabulary has every private-use character.
    """
    known = set().union(*vocabulary)
    for code in range(0xE000, 0xF900):
        if chr(code) not in known:
            return chr(code)
    raise ValueError("the vocabulary has every character of U+E000-U+F8FF: none is left to stand for [UNK]")


def unassigned_characters(vocabulary: Iterable[str]) -> str:
    """Return the class of characters that Python's Unicode tables do not assign and that are in no token.

    Google's code treats such a character as a letter, so that its word is [UNK]. Newer tables may call it punctuation,
    a mark or a control character. Replacing it by the `unknown_character` gives Google's ids whatever the tables say.
    """
    return _unassigned_but(frozenset(filter(_is_unassigned, set().union(*vocabulary))))


@cache
def _unassigned_but(known: frozenset[str]) -> str:
    """Return the class of the unassigned characters without some, which are few: most vocabularies share a result."""
    return class_of(lambda each: _is_unassigned(each) and each not in known)


@cache
def class_of(is_member: Callable[[str], bool]) -> str:
    r"""Return the regular expression of the characters for which a function is true, as ranges.

    Example:
        >>> print(class_of(lambda character: character in "abcx"))
        [\x{61}-\x{63}\x{78}-\x{78}]
    """
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if not is_member(chr(code)):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "[" + "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in ranges) + "]"


def is_dropped(character: str) -> bool:
    """Return whether a character is one of `DROPPED`, by Python's tables."""
    return character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf")


def is_accent(character: str) -> bool:
    """Return whether a character is one of `ACCENTS`, by Python's tables."""
    return unicodedata.category(character) == "Mn"


def is_single(character: str) -> bool:
    """Return whether a character is one of `SINGLE`, by Python's tables."""
    is_symbol = character.isascii() and character.isprintable() and not character.isalnum() and character != " "
    return is_symbol or unicodedata.category(character).startswith("P") or _is_chinese(ord(character))


def _is_unassigned(character: str) -> bool:
    return unicodedata.category(character) == "Cn" and not _is_chinese(ord(character))


def _is_chinese(code: int) -> bool:
    """Return whether Google's code splits a character off, which depends on its block and not on its assignment."""
    # Most characters are outside of all blocks, which is quick to see.
    return 0x3400 <= code <= 0x2FA1F and any(first <= code <= last for first, last in _CHINESE)
