"""Edits that leave a text's meaning alone, and so must leave its labels alone.

Each takes a text and whatever it draws from, and gives the edited text: the same one for the same draws. None splits a
letter from the marks upon it.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Sequence

from components.behaviour.settings import EditsGroup

Edit = Callable[[str], str]

_WORD = re.compile(r"[^\W\d_][\w'’]*")
_FINAL_PUNCTUATION = re.compile(r"[.!?…。！？]+$")


def edit_of(group: EditsGroup, names: Sequence[str], rng: random.Random) -> Edit:
    """The edit that a group asks for.

    Args:
        group: Names it, and its choices.
        names: The values of the slot that `group.names` names; of no matter to other edits.
        rng: What is drawn is drawn from it.
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
            return other_names(names, rng)


def typos(text: str, times: int, rng: random.Random) -> str:
    """Swaps two neighbouring letters of a word, `times` times, never one letter twice.

    Only letters that differ, and only of scripts that are spelled letter by letter: to swap two Han characters is no
    slip of a finger. Where a text has fewer such places, there are fewer typos.
    """
    places = [at for at in range(len(text) - 1) if _can_be_swapped(text, at)]
    rng.shuffle(places)
    chosen: list[int] = []
    for place in places:
        if len(chosen) < times and all(abs(place - other) > 1 for other in chosen):
            chosen.append(place)
    letters = list(text)
    for place in chosen:
        letters[place], letters[place + 1] = letters[place + 1], letters[place]
    return "".join(letters)


def title_case(text: str) -> str:
    """Every Word With A Capital; what follows an apostrophe is not a word of its own."""
    return _WORD.sub(lambda word: word[0][0].upper() + word[0][1:].lower(), text)


def punctuation(text: str) -> str:
    """Takes the final stops, question and exclamation marks away; puts a full stop where there are none."""
    body = text.rstrip()
    if not body:
        return text
    bare = _FINAL_PUNCTUATION.sub("", body)
    ending = "" if bare != body else "。" if _is_wide(body[-1]) else "."
    return f"{bare}{ending}{text[len(body) :]}"


def whitespace(text: str) -> str:
    """A blank becomes two, and one comes before and behind the text."""
    return f" {text.replace(' ', '  ')} " if text.strip() else text


def other_names(names: Sequence[str], rng: random.Random) -> Edit:
    """Exchanges each of the names for another of them: one name for one other, wherever it stands in the texts."""
    chosen: dict[str, str] = {}

    def replaced(found: re.Match[str]) -> str:
        name = found[0]
        if name not in chosen:
            chosen[name] = rng.choice([other for other in names if other != name] or [name])
        return chosen[name]

    longest_first = sorted(set(names), key=lambda name: (-len(name), name))
    pattern = re.compile("|".join(_whole(name) for name in longest_first))
    return lambda text: pattern.sub(replaced, text)


def _can_be_swapped(text: str, at: int) -> bool:
    first, second = text[at], text[at + 1]
    on_second = text[at + 2] if at + 2 < len(text) else ""
    return first != second and _is_spelled(first) and _is_spelled(second) and not _is_mark(on_second)


def _is_spelled(character: str) -> bool:
    return character.isalpha() and not _is_wide(character)


def _is_wide(character: str) -> bool:
    """Of Han, Kana, Hangul and their punctuation, which no blanks part into words."""
    return unicodedata.east_asian_width(character) in "WF"


def _is_mark(character: str) -> bool:
    """Belongs to the letter before it: an accent, a vowel sign, a joiner."""
    return bool(character) and (unicodedata.category(character).startswith("M") or character in "\u200c\u200d")


def _whole(name: str) -> str:
    """A pattern of the name where it is no part of a longer word."""
    before = "" if not name or _is_wide(name[0]) else r"(?<!\w)"
    behind = "" if not name or _is_wide(name[-1]) else r"(?!\w)"
    return f"{before}{re.escape(name)}{behind}"
