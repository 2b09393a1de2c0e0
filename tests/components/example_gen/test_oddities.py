"""Oddities of labels and copies."""

from components.example_gen.oddities import describe_oddities


def test_names_labels_that_differ_by_unicode_form_only() -> None:
    labels = {"caf\u00e9": 2, "cafe\u0301": 1, "tea": 1}
    assert describe_oddities(labels, 9, 0, 0) == [
        "labels differ by case or Unicode form only: 'caf\u00e9' (2 rows) and 'cafe\u0301' (1 row)"
    ]


def test_names_labels_of_missing_values_and_of_every_row() -> None:
    assert describe_oddities({"None": 1, "all": 4}, 4, 0, 0) == [
        "label 'None' (1 row) may stand for a missing value",
        "label 'all' (4 rows) is in every row",
    ]


def test_suspects_rows_in_long_form_if_nearly_all_copies_contradict() -> None:
    assert describe_oddities({}, 20, 10, 8) == describe_oddities({}, 20, 4, 4) == []
    (sentence,) = describe_oddities({}, 20, 10, 9)
    assert sentence.startswith("9 of 10 texts that are in several rows have other labels in each: if there is a row")


def test_thousands_of_labels_are_answered_by_what_fits_better() -> None:
    assert describe_oddities({f"label {number}": 2 for number in range(5_000)}, 9_000, 0, 0) == []
    (sentence,) = describe_oddities({f"label {number}": 2 for number in range(5_001)}, 9_000, 0, 0)
    assert sentence.startswith("5,001 labels: each is computed for every text")
    assert "extreme multi-label classification" in sentence


def test_names_labels_that_differ_by_invisible_characters_only() -> None:
    (sentence,) = describe_oddities({"joy": 2, "joy\u200b": 1}, 9, 0, 0)
    assert sentence.startswith("labels differ by case or Unicode form only: 'joy' (2 rows)")


def test_names_placeholders_for_no_label() -> None:
    assert describe_oddities({"-": 1, "\\N": 1, "0": 1, "joy": 1}, 9, 0, 0) == [
        f"label '{name}' (1 row) may stand for a missing value" for name in ("-", "\\N", "0")
    ]
    assert describe_oddities({"0": 1, "1": 1}, 9, 0, 0) == []


def test_names_labels_that_every_row_has_that_knows_them() -> None:
    assert describe_oddities({"a": 3, "b": 3}, 9, 0, 0, {"a": 6, "b": 5}) == [
        "label 'a' (3 rows) is in every row that says anything about it: no row says that it does not have it"
    ]
