"""Oddities of labels and copies that do not stop a run, but that a person should look at; a sentence for each."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

_NOTHING = (
    *("nan", "none", "null", "nil", "n/a", "n.a.", "na", "<na>", "#n/a", "nat", "\\n", "-", "--", "?", "[]", "{}"),
    *("no label", "no labels", "unlabeled", "unlabelled", "not labeled", "not labelled"),
)
_NEITHER = ("0", "false")  # beside names
_MOST_NAMED = 3
_FEW_TEXTS = 5
_NEARLY_ALL = 0.9
_MANY_LABELS = 5_000


def describe_oddities(
    labels: Mapping[str, int],
    rows: int,
    copied_texts: int,
    contradictory_texts: int,
    unknown: Mapping[str, int] | None = None,
) -> list[str]:
    """Return a sentence for each oddity.

    Args:
        labels: Number of rows by label.
        rows: Number of all rows that have become examples.
        copied_texts: Texts that are in several rows.
        contradictory_texts: Those of them whose rows have different labels.
        unknown: Number of rows by label of which nobody knows whether they have it.

    Example:
        >>> describe_oddities({"Joy": 3, "joy": 2}, 9, 0, 0)
        ["labels differ by case or Unicode form only: 'Joy' (3 rows) and 'joy' (2 rows)"]
    """
    return [
        *_alike(labels),
        *_named(labels, _missing_values(labels), "may stand for a missing value"),
        *_named(labels, (name for name in labels if rows > 1 and labels[name] == rows), "is in every row"),
        *_never_denied(labels, rows, unknown or {}),
        *_long_form(copied_texts, contradictory_texts),
        *_many_labels(len(labels)),
    ]


def _missing_values(labels: Mapping[str, int]) -> list[str]:
    nothing = _NOTHING if all(name.isdigit() for name in labels) else (*_NOTHING, *_NEITHER)
    return [name for name in labels if name.casefold() in nothing]


def _never_denied(labels: Mapping[str, int], rows: int, unknown: Mapping[str, int]) -> list[str]:
    names = [name for name, count in labels.items() if count and unknown.get(name) and count + unknown[name] == rows]
    what = "is in every row that says anything about it: no row says that it does not have it"
    return _named(labels, names, what)


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
        forms[_form(name)].append(name)
    alike = [names for names in forms.values() if len(names) > 1]
    if not alike:
        return []
    described = "; ".join(" and ".join(_with_rows(labels, name) for name in names) for names in alike[:_MOST_NAMED])
    return [f"labels differ by case or Unicode form only: {described}{'; ...' if len(alike) > _MOST_NAMED else ''}"]


def _form(name: str) -> str:
    """Return a name without what nobody sees: case, forms of Unicode, and characters without width."""
    visible = "".join(each for each in unicodedata.normalize("NFKC", name) if unicodedata.category(each) != "Cf")
    return " ".join(visible.casefold().split())


def _named(labels: Mapping[str, int], names: Iterable[str], what: str) -> list[str]:
    return [f"label {_with_rows(labels, name)} {what}" for name in list(names)[:_MOST_NAMED]]


def _with_rows(labels: Mapping[str, int], name: str) -> str:
    return f"'{name}' ({labels[name]} {'row' if labels[name] == 1 else 'rows'})"


def _long_form(copied: int, contradictory: int) -> list[str]:
    if copied < _FEW_TEXTS or contradictory < _NEARLY_ALL * copied:
        return []
    sentence = f"{contradictory} of {copied} texts that are in several rows have other labels in each"
    return [f"{sentence}: if there is a row per text and label, write one row per text with all its labels"]
