"""Oddities of labels and copies that do not stop a run, but that a person should look at; a sentence for each."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

_NOTHING = ("nan", "none", "null", "n/a", "na", "<na>", "nat")
_MOST_NAMED = 3
_FEW_TEXTS = 5
_NEARLY_ALL = 0.9
_MANY_LABELS = 5_000


def describe_oddities(labels: Mapping[str, int], rows: int, copied_texts: int, contradictory_texts: int) -> list[str]:
    """Return a sentence for each oddity.

    Args:
        labels: Number of rows by label.
        rows: Number of all rows that have become examples.
        copied_texts: Texts that are in several rows.
        contradictory_texts: Those of them whose rows have different labels.

    Example:
        >>> describe_oddities({"Joy": 3, "joy": 2}, 9, 0, 0)
        ["labels differ by case or Unicode form only: 'Joy' (3 rows) and 'joy' (2 rows)"]
    """
    return [
        *_alike(labels),
        *_named(labels, (name for name in labels if name.casefold() in _NOTHING), "may stand for a missing value"),
        *_named(labels, (name for name in labels if rows > 1 and labels[name] == rows), "is in every row"),
        *_long_form(copied_texts, contradictory_texts),
        *_many_labels(len(labels)),
    ]


def _many_labels(n_labels: int) -> list[str]:
    if n_labels <= _MANY_LABELS:
        return []
    sentence = (
        f"{n_labels:,} labels: each is computed for every text, so that time and memory grow with rows x labels; from"
        " some thousands on, a method for extreme multi-label classification (such as PECOS), the search of the nearest"
        " label descriptions, or groups of labels fit better"
    )
    return [sentence]


def _alike(labels: Mapping[str, int]) -> list[str]:
    forms: dict[str, list[str]] = defaultdict(list)
    for name in labels:
        forms[" ".join(unicodedata.normalize("NFKC", name).casefold().split())].append(name)
    alike = [names for names in forms.values() if len(names) > 1]
    if not alike:
        return []
    described = "; ".join(" and ".join(_with_rows(labels, name) for name in names) for names in alike[:_MOST_NAMED])
    return [f"labels differ by case or Unicode form only: {described}{'; ...' if len(alike) > _MOST_NAMED else ''}"]


def _named(labels: Mapping[str, int], names: Iterable[str], what: str) -> list[str]:
    return [f"label {_with_rows(labels, name)} {what}" for name in list(names)[:_MOST_NAMED]]


def _with_rows(labels: Mapping[str, int], name: str) -> str:
    return f"'{name}' ({labels[name]} {'row' if labels[name] == 1 else 'rows'})"


def _long_form(copied: int, contradictory: int) -> list[str]:
    if copied < _FEW_TEXTS or contradictory < _NEARLY_ALL * copied:
        return []
    sentence = f"{contradictory} of {copied} texts that are in several rows have other labels in each"
    return [f"{sentence}: if there is a row per text and label, write one row per text with all its labels"]
