"""Edits that keep a text's meaning, and so must not change its labels.

Every edit returns the same text for the same draws, and keeps a letter together with its combining marks.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Sequence

from components.behaviour.settings import EditsGroup

Edit = Callable[[str], str]

_WORD = re.compile(r"[^\W\d_][\w'’]*")
_FINAL_PUNCTUATION = re.compile(r"[.!?…。！？]+$")


def make_edit(group: EditsGroup, names: Sequence[str], rng: random.Random) -> Edit:
    """Return the edit of a group.

    Args:
        group: The group, which names the edit.
        names: Values of the slot `group.names`; used by the edit names alone.
        rng: Generator of all draws.
    """
    match group.edit:
        case "typos":
            return lambda text: typos(text, group.times, rng)
        case "lower_case":
            return str.lower
        case "upper_case":
            return str.upper
        case "title_case":
            return title_case
        case "punctuation":
            return punctuation
        case "whitespace":
            return whitespace
        case "names":
            return exchange_names(names, rng)


def typos(text: str, times: int, rng: random.Random) -> str:
    """Swap neighbouring letters of words, no letter twice.

    Only letters that differ are swapped, and only in scripts that are spelled letter by letter: nobody swaps two Han
    characters by a slip of the finger.

    Args:
        text: The text.
        times: Number of swaps; fewer where the text has no room for as many.
        rng: Generator of the draws.

    Example:
        >>> typos("my money back", 1, random.Random(1))
        'my moeny back'
    """
    positions = [position for position in range(len(text) - 1) if _can_be_swapped(text, position)]
    rng.shuffle(positions)
    chosen: list[int] = []
    for position in positions:
        if len(chosen) < times and all(abs(position - other) > 1 for other in chosen):
            chosen.append(position)
    letters = list(text)
    for position in chosen:
        letters[position], letters[position + 1] = letters[position + 1], letters[position]
    return "".join(letters)


def title_case(text: str) -> str:
    """Capitalize every word. What follows an apostrophe is part of the word before it.

    Example:
        >>> title_case("don't panic")
        "Don't Panic"
    """
    return _WORD.sub(lambda word: word[0][0].upper() + word[0][1:].lower(), text)


def punctuation(text: str) -> str:
    """Remove the final stops, question and exclamation marks; add a full stop if there are none."""
    body = text.rstrip()
    if not body:
        return text
    bare = _FINAL_PUNCTUATION.sub("", body)
    ending = "" if bare != body else "。" if _is_wide(body[-1]) else "."
    return f"{bare}{ending}{text[len(body) :]}"


def whitespace(text: str) -> str:
    """Double every space, and put one before and one after the text."""
    return f" {text.replace(' ', '  ')} " if text.strip() else text


def exchange_names(names: Sequence[str], rng: random.Random) -> Edit:
    """Return an edit that replaces each name by another one, the same wherever the name occurs.

    Args:
        names: The names.
        rng: Generator of the draws.
    """
    chosen: dict[str, str] = {}

    def replacement(match: re.Match[str]) -> str:
        name = match[0]
        if name not in chosen:
            chosen[name] = rng.choice([other for other in names if other != name] or [name])
        return chosen[name]

    longest_first = sorted(set(names), key=lambda name: (-len(name), name))
    pattern = re.compile("|".join(_whole(name) for name in longest_first))
    return lambda text: pattern.sub(replacement, text)


def _can_be_swapped(text: str, position: int) -> bool:
    first, second = text[position], text[position + 1]
    following = text[position + 2] if position + 2 < len(text) else ""
    return first != second and _is_spelled(first) and _is_spelled(second) and not _is_mark(following)


def _is_spelled(character: str) -> bool:
    return character.isalpha() and not _is_wide(character)


def _is_wide(character: str) -> bool:
    """Return whether a character is Han, Kana, Hangul or their punctuation, which are written without spaces."""
    return unicodedata.east_asian_width(character) in "WF"


def _is_mark(character: str) -> bool:
    """Return whether a character belongs to the letter before it: an accent, a vowel sign or a joiner."""
    return bool(character) and (unicodedata.category(character).startswith("M") or character in "\u200c\u200d")


def _whole(name: str) -> str:
    """Return a pattern that matches a name where it is not part of a longer word."""
    before = "" if not name or _is_wide(name[0]) else r"(?<!\w)"
    after = "" if not name or _is_wide(name[-1]) else r"(?!\w)"
    return f"{before}{re.escape(name)}{after}"
