"""The bundled sample: it equals what its script writes, and has the documented traits."""

from __future__ import annotations

import csv
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
SPLITS = ("train", "test")
CJK = re.compile(r"[\u4e00-\u9fff]")
EMOJI = re.compile(r"[\U0001f300-\U0001faff]")

Row = dict[str, str]
Bank = dict[str, list[str]]


def read(split: str) -> list[Row]:
    with (SAMPLE / split / "messages.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Row]]:
    return {split: read(split) for split in SPLITS}


@pytest.fixture(scope="module")
def banks() -> dict[str, Bank]:
    # data/ is not a package, so the script is loaded by its path.
    spec = importlib.util.spec_from_file_location("make_sample", SAMPLE / "make_sample.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses looks its module up in sys.modules
    spec.loader.exec_module(module)
    return {split: module.read_phrases(SAMPLE / "phrases" / f"{split}.txt") for split in SPLITS}


def labels_of(row: Row) -> list[str]:
    return row["labels"].split("|") if row["labels"] else []


def counts(rows: list[Row]) -> Counter[str]:
    return Counter(label for row in rows for label in labels_of(row))


def share(rows: list[Row], *labels: str) -> float:
    """Return the share of the rows that have all of these labels."""
    return sum(set(labels) <= set(labels_of(row)) for row in rows) / len(rows)


def sentences(text: str) -> set[str]:
    """Return the sentences of a text that contain a letter or a digit, in lower case."""
    parts = re.split(r"[.!?。！？\n]+", text.lower())
    return {part.strip() for part in parts if re.search(r"\w", part)}


def n_grams(text: str, n: int) -> set[tuple[str, ...]]:
    """Return the sequences of n words; a Chinese character counts as a word."""
    words = re.findall(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+(?:['’][^\W\u4e00-\u9fff]+)?", text.lower())
    return set(zip(*(words[i:] for i in range(n)), strict=False))


def test_script_writes_exactly_the_committed_files(tmp_path: Path) -> None:
    command = [sys.executable, str(SAMPLE / "make_sample.py"), "--output", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    for split in SPLITS:
        written = (tmp_path / split / "messages.csv").read_bytes()
        assert written == (SAMPLE / split / "messages.csv").read_bytes()


def test_columns_ids_and_closed_sets_are_as_documented(rows: dict[str, list[Row]]) -> None:
    every = rows["train"] + rows["test"]
    assert [row["id"] for row in every] == [f"m{i:05d}" for i in range(1, len(every) + 1)]
    for row in every:
        assert list(row) == ["id", "text", "labels", "channel", "language"]
        assert row["channel"] in {"email", "chat", "phone_transcript", "social"}
        assert row["language"] in {"en", "zh"}
        assert row["text"].strip()
        assert labels_of(row) == sorted(set(labels_of(row)))


def test_files_are_utf_8_with_unix_line_endings() -> None:
    for split in SPLITS:
        content = (SAMPLE / split / "messages.csv").read_bytes()
        assert not content.startswith(b"\xef\xbb\xbf")
        assert b"\r" not in content
        content.decode("utf-8")


def test_splits_have_the_documented_sizes(rows: dict[str, list[Row]]) -> None:
    assert {split: len(rows[split]) for split in SPLITS} == {"train": 2000, "test": 600}


def test_both_splits_have_twelve_labels(rows: dict[str, list[Row]]) -> None:
    assert len(counts(rows["train"])) == 12
    assert set(counts(rows["train"])) == set(counts(rows["test"]))


@pytest.mark.parametrize(("split", "rarest"), [("train", 12), ("test", 6)])
def test_rarest_label_is_thirty_times_rarer_but_countable(rows: dict[str, list[Row]], split: str, rarest: int) -> None:
    (_, most), *_, (_, least) = counts(rows[split]).most_common()
    assert least >= rarest
    assert most / least >= 30


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    "pair",
    [
        ("account_access", "data_privacy"),
        ("app_bug", "feature_request"),
        ("billing", "cancellation"),
        ("damaged_item", "refund"),
        ("damaged_item", "safety_hazard"),
        ("service_complaint", "shipping"),
    ],
)
def test_correlated_labels_occur_together_at_least_twice_as_often_as_by_chance(
    rows: dict[str, list[Row]], split: str, pair: tuple[str, str]
) -> None:
    by_chance = share(rows[split], pair[0]) * share(rows[split], pair[1])
    assert share(rows[split], *pair) / by_chance >= 2


@pytest.mark.parametrize("split", SPLITS)
def test_messages_have_none_to_three_labels(rows: dict[str, list[Row]], split: str) -> None:
    sizes = Counter(len(labels_of(row)) for row in rows[split])
    assert set(sizes) == {0, 1, 2, 3}
    assert sizes[0] / len(rows[split]) == pytest.approx(0.06, abs=0.01)


@pytest.mark.parametrize("split", SPLITS)
def test_some_messages_are_entirely_chinese(rows: dict[str, list[Row]], split: str) -> None:
    chinese = [row["text"] for row in rows[split] if row["language"] == "zh"]
    assert len(chinese) / len(rows[split]) == pytest.approx(0.03, abs=0.01)
    assert all(CJK.search(text) for text in chinese)
    assert not any(CJK.search(row["text"]) for row in rows[split] if row["language"] == "en")


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(("trait", "at_least"), [("emoji", 0.05), (",", 0.5), ('"', 0.05), ("\n", 0.3)])
def test_texts_contain_what_confuses_csv_readers(
    rows: dict[str, list[Row]], split: str, trait: str, at_least: float
) -> None:
    pattern = EMOJI if trait == "emoji" else re.compile(re.escape(trait))
    found = sum(bool(pattern.search(row["text"])) for row in rows[split])
    assert found / len(rows[split]) >= at_least


@pytest.mark.parametrize("split", SPLITS)
def test_some_messages_exceed_128_words(rows: dict[str, list[Row]], split: str) -> None:
    """A word is at least one word piece, so these certainly exceed BERT's usual 128 word pieces."""
    long = sum(len(row["text"].split()) > 128 for row in rows[split])
    assert long / len(rows[split]) == pytest.approx(0.02, abs=0.005)


def test_no_two_messages_are_equal(rows: dict[str, list[Row]]) -> None:
    texts = Counter(row["text"].lower() for split in SPLITS for row in rows[split])
    assert texts.most_common(1)[0][1] == 1


def test_no_sentence_of_the_test_split_occurs_in_train(rows: dict[str, list[Row]]) -> None:
    train, test = (set().union(*(sentences(row["text"]) for row in rows[split])) for split in SPLITS)
    assert not train & test


def test_sequences_of_five_words_in_the_test_split_hardly_occur_in_train(
    rows: dict[str, list[Row]],
) -> None:
    train, test = (set().union(*(n_grams(row["text"], 5) for row in rows[split])) for split in SPLITS)
    assert len(train & test) / len(test) < 0.002


def test_phrase_banks_share_no_phrase(banks: dict[str, Bank]) -> None:
    train, test = ({phrase for lines in banks[split].values() for phrase in lines} for split in SPLITS)
    assert not train & test
    assert set(banks["train"]) == set(banks["test"])


@pytest.mark.parametrize(("split", "at_least"), [("train", 20), ("test", 12)])
def test_every_label_is_expressed_in_many_ways(banks: dict[str, Bank], split: str, at_least: int) -> None:
    ways: Counter[str] = Counter()
    for section, phrases in banks[split].items():
        if section.startswith("topic "):
            for label in section.removeprefix("topic ").split("|"):
                ways[label] += len(phrases)
    assert len(ways) == 12
    assert min(ways.values()) >= at_least
