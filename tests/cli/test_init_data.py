"""Tests of `init` on data in the shapes that people have: never a reading that the data contradict."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.init.hints import Hints
from cli.init.project import write_project
from cli.init.reading import AmbiguousError
from components.example_gen.check import check_inputs
from components.example_gen.settings import ExamplesSettings
from pipeline.config.loading import load_configuration
from schema.errors import Refused
from schema.label_list import label_list, read_schema

LABELS = ("billing", "login", "refund")
# 60 rows with none to three labels.
ROWS = [(n, f"text number {n}", [label for i, label in enumerate(LABELS) if n >> i & 1]) for n in range(60)]
Given = Sequence[str]


def _init(tmp_path: Path, name: str, content: str | bytes, **options: Any) -> tuple[ExamplesSettings, list[str], str]:
    """Run init on a file with this content; return the settings, the labels and what is printed."""
    data = tmp_path / name
    data.write_bytes(content.encode() if isinstance(content, str) else content)
    project = write_project(data, tmp_path / "out", Hints(**options))
    config = load_configuration(project.configuration)
    check_inputs(config.examples)
    return config.examples, list(label_list(read_schema(config.schema_file)).names), project.describe()


def _json_lines(show: Callable[[Given], Any], key: str = "labels") -> str:
    return "".join(json.dumps({"text": text, key: show(given)}) + "\n" for _, text, given in ROWS)


def _csv(show: Callable[[Given], str]) -> str:
    return "text,labels\n" + "".join(f'{text},"{show(given)}"\n' for _, text, given in ROWS)


def _vector(given: Given) -> list[Any]:
    return [int(label in given) for label in LABELS]


def _names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("".join(f"{label}\n" for label in LABELS))
    return path


@pytest.mark.parametrize(
    ("name", "show", "expected"),
    [
        ("a.jsonl", lambda given: [-1, *_vector(given)[1:]], {"unknown": ("-1",)}),
        ("a.jsonl", lambda given: [None, *_vector(given)[1:]], {"unknown": ("",)}),
        ("a.jsonl", lambda given: [0.25, *_vector(given)[1:]], {"soft": True}),
        ("a.csv", lambda given: "".join(map(str, _vector(given))), {}),
        ("a.csv", lambda given: f"[nan {_vector(given)[1]}. {_vector(given)[2]}.]", {"unknown": ("nan",)}),
    ],
)
def test_reads_vectors_with_unknown_values_and_fractions(
    tmp_path: Path, name: str, show: Callable[[Given], Any], expected: dict[str, Any]
) -> None:
    content = _json_lines(show) if name.endswith("jsonl") else _csv(show)
    with pytest.raises(Refused, match="holds vectors of 3 values 0 or 1: give the names"):
        _init(tmp_path, name, content)
    examples, labels, printed = _init(tmp_path, name, content, label_names=_names(tmp_path))
    assert {"kind": "multihot", "unknown": (), "soft": False} | expected == {
        key: value for key, value in examples.labels.model_dump().items() if key in ("kind", "unknown", "soft")
    }
    assert labels == list(LABELS)
    assert ("Unknown: " in printed) == ("unknown" in expected)


def test_refuses_vectors_of_different_lengths(tmp_path: Path) -> None:
    content = _json_lines(lambda given: _vector(given)[: 2 + len(given) % 2])
    for options in ({}, {"label_names": _names(tmp_path)}):
        with pytest.raises(Refused, match="holds vectors of 2 and 3 values"):
            _init(tmp_path, "a.jsonl", content, **options)


@pytest.mark.parametrize("indent", [None, 1])
def test_reads_an_array_of_tasks_of_label_studio(tmp_path: Path, indent: int | None) -> None:
    tasks = [
        {"id": n, "annotations": [{"result": [{"value": {"choices": given}}] if given else []}], "data": {"text": text},
         "meta": {}, "created_at": "2024-01-01T00:00:00.000000Z", "project": 1}
        for n, text, given in ROWS
    ]  # fmt: skip
    examples, labels, printed = _init(tmp_path, "tasks.json", json.dumps(tasks, indent=indent))
    assert (examples.text, examples.id) == ("data.text", "id")
    assert examples.labels.model_dump()["column"] == "annotations"
    assert labels == list(LABELS)
    assert "60 rows" in printed


def test_scores_beside_labels_count(tmp_path: Path) -> None:
    def show(given: Given) -> list[dict[str, Any]]:
        return [{"label": label, "score": 0.9 if label in given else 0.1} for label in LABELS]

    printed = _init(tmp_path, "a.jsonl", _json_lines(show))[2]
    assert "refund (28)" in printed
    assert "in every row" not in printed


@pytest.mark.parametrize("unknown", [None, -1])
def test_objects_of_scores_may_have_unknown_values(tmp_path: Path, unknown: int | None) -> None:
    def show(given: Given) -> dict[str, int | None]:
        return dict(zip(LABELS, _vector(given), strict=True)) | {"login": unknown}

    examples, labels, printed = _init(tmp_path, "a.jsonl", _json_lines(show, "cats"))
    assert examples.labels.model_dump()["unknown"] == ("" if unknown is None else "-1",)
    assert labels == ["billing", "refund"]
    assert "login in 60 rows" in printed


def test_refuses_lists_that_were_cut_short(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"it is not closed, as if cut short.*; write whole lists"):
        _init(tmp_path, "a.csv", _csv(lambda given: str(list(given))[:14]))


def test_refuses_rows_that_an_annotator_rejected(tmp_path: Path) -> None:
    rows = [
        {"text": text, "label": LABELS[n % 3], "answer": "accept" if given else "reject"} for n, text, given in ROWS
    ]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    with pytest.raises(Refused, match=r"accept \(52\), reject \(8\); keep those that were accepted: jq"):
        _init(tmp_path, "a.jsonl", content)
    assert _init(tmp_path, "a.jsonl", content, labels="label")[1] == list(LABELS)


@pytest.mark.parametrize("mark", ["::", " - ", " and ", "__", "\u00b7", "~", "<br>", "\\n", ">", "\x1f", "\u2022"])
def test_finds_rare_marks_between_labels_that_also_stand_alone(tmp_path: Path, mark: str) -> None:
    assert _init(tmp_path, "a.csv", _csv(mark.join))[1] == list(LABELS)


@pytest.mark.parametrize("names", [["R&D", "Q&A", "M&A"], ["e-mail", "e-commerce", "mail"], ["C::a", "C::b", "D::a"]])
def test_does_not_split_labels_at_rare_marks(tmp_path: Path, names: list[str]) -> None:
    content = "text,labels\n" + "".join(f"{text},{names[n % 3]}\n" for n, text, _ in ROWS)
    assert _init(tmp_path, "a.csv", content)[1] == sorted(names)


@pytest.mark.parametrize("odd", ["maybe", "-", "2"])
def test_a_column_that_is_nearly_of_flags_is_no_slice(tmp_path: Path, odd: str) -> None:
    lines = [f"{text},{','.join(map(str, _vector(given)))}" for _, text, given in ROWS]
    lines[3:6] = [line.rpartition(",")[0] + f",{odd}" for line in lines[3:6]]
    with pytest.raises(Refused, match=rf"3 x .*: '{odd}' in column 'refund' \(first at a.csv:5\)"):
        _init(tmp_path, "a.csv", f"text,{','.join(LABELS)}\n" + "\n".join(lines))


def test_needs_a_column_that_looks_like_texts(tmp_path: Path) -> None:
    content = "".join(json.dumps({"day": f"2024-01-{n % 28 + 1:02}", "labels": given}) + "\n" for n, _, given in ROWS)
    with pytest.raises(Refused, match="no column looks like texts: 'day' has the longest values"):
        _init(tmp_path, "a.jsonl", content)
    assert _init(tmp_path, "a.jsonl", content, text="day")[0].text == "day"


def test_one_column_that_says_yes_in_every_row_is_no_label(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="name the one with the labels by --labels"):
        _init(tmp_path, "a.csv", "text,project\n" + "".join(f"{text},1\n" for _, text, _ in ROWS))


def test_says_which_columns_of_flags_say_no_in_every_row(tmp_path: Path) -> None:
    lines = [f"{text},{','.join(map(str, _vector(given)))},0" for _, text, given in ROWS]
    printed = _init(tmp_path, "a.csv", f"text,{','.join(LABELS)},threat\n" + "\n".join(lines))[2]
    assert "Warning: no row has the label 'threat'" in printed


def test_merges_rows_in_long_form_by_their_ids(tmp_path: Path) -> None:
    lines = [f"{n}{m},{text} {m},{label}" for m in "ab" for n, text, given in ROWS for label in given]
    lines[-1] = lines[-1].replace("text", "edited text")
    examples, labels, printed = _init(tmp_path, "a.csv", "id,text,label\n" + "\n".join(lines))
    assert (examples.copies, examples.merge_by) == ("merge", "id")
    assert labels == list(LABELS)
    assert "rows with the same 'id' become one example" in printed
    assert (
        f"1 row has another text than the first row with the same 'id', such as line {len(lines) + 1} than" in printed
    )
    (tmp_path / "out").rename(tmp_path / "first")
    lines = [f"{n},{text}{' again' * (n % 4 == 3 and i)},{label}" for n, text, g in ROWS for i, label in enumerate(g)]
    with pytest.raises(Refused, match=r"another text than the first row with the same 'id'.*; correct these texts"):
        _init(tmp_path, "a.csv", "id,text,label\n" + "\n".join(lines))


def test_refuses_rows_in_long_form_with_a_column_of_verdicts(tmp_path: Path) -> None:
    lines = [f"{text},{label},{int(label in given)}" for _, text, given in ROWS for label in LABELS]
    with pytest.raises(
        Refused, match=r"row for every label, and column 'value' .*pivot_table\(index='text', columns='l"
    ):
        _init(tmp_path, "a.csv", "text,label,value\n" + "\n".join(lines))


@pytest.mark.parametrize(
    ("encoding", "word", "named"),
    [
        ("cp1252", "d\u00e9j\u00e0 \u2013 caf\u00e9", "windows-1252"),
        ("shift_jis", "\u65e5\u672c\u8a9e\u306e\u6587\u7ae0", "shift_jis"),
    ],
)
def test_names_the_encoding_that_is_likely(tmp_path: Path, encoding: str, word: str, named: str) -> None:
    content = _csv("|".join).replace("text number", f"text {word} number").encode(encoding)
    with pytest.raises(AmbiguousError) as caught:
        _init(tmp_path, "a.csv", content)
    assert caught.value.choices[0][1] == {"encoding": named}
    assert _init(tmp_path, "a.csv", content, encoding=named)[1] == list(LABELS)


def test_reads_utf_32_and_rare_separators(tmp_path: Path) -> None:
    content = _csv("|".join).replace("text number", "t\u00e9xt").encode("utf-32")
    assert _init(tmp_path, "a.csv", content)[0].encoding == "utf-32"
    (tmp_path / "out").rename(tmp_path / "first")
    assert _init(tmp_path, "b.csv", _csv("|".join).replace(",", "^"))[0].separator == "^"


def test_names_a_blank_between_separator_and_quote(tmp_path: Path) -> None:
    content = "text, labels\n" + "".join(f'"{text}", "{",".join(given)}"\n' for _, text, given in ROWS)
    with pytest.raises(Refused, match=r"a blank stands between ',' and the quote after it.*remove it: sed"):
        _init(tmp_path, "a.csv", content)


def _hugging_face(tmp_path: Path, column: Any, feature: dict[str, Any] | list[Any]) -> bytes:
    """Return Parquet as `datasets` writes it."""
    table = pa.table({"text": [text for _, text, _ in ROWS], "label": column})
    info = {"info": {"features": {"text": {"dtype": "string", "_type": "Value"}, "label": feature}}}
    path = tmp_path / "written.parquet"
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(info)}), path)
    return path.read_bytes()


NAMED = {"names": [*LABELS, "never used"], "_type": "ClassLabel"}


@pytest.mark.parametrize(
    "feature", [[NAMED], {"feature": NAMED, "_type": "Sequence"}, {"feature": NAMED, "_type": "List"}]
)
def test_reads_the_names_of_numbers_that_hugging_face_keeps(tmp_path: Path, feature: Any) -> None:
    column = [[LABELS.index(label) for label in given] for *_, given in ROWS]
    examples, labels, printed = _init(tmp_path, "a.parquet", _hugging_face(tmp_path, column, feature))
    assert examples.labels.kind == "list"
    assert labels == NAMED["names"]
    assert "refund (28)" in printed
    assert "no row has the label 'never used'" in printed


def test_minus_one_of_hugging_face_is_no_label_that_is_known(tmp_path: Path) -> None:
    column = [n % 4 - 1 for n, *_ in ROWS]
    examples, labels, printed = _init(tmp_path, "a.parquet", _hugging_face(tmp_path, column, NAMED))
    assert examples.labels.kind == "columns"
    assert labels == NAMED["names"]
    assert "45 rows" in printed
    assert "15 rows without any known label are left out" in printed


def test_reads_fields_of_objects_in_parquet(tmp_path: Path) -> None:
    data = [{"text": text, "lang": None if n % 5 else "en"} for n, text, _ in ROWS]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"data": data, "labels": [given for *_, given in ROWS]}), path)
    examples, labels, _ = _init(tmp_path, "a.parquet", path.read_bytes())
    assert (examples.text, examples.slices, labels) == ("data.text", (), list(LABELS))


@pytest.mark.parametrize(
    "show",
    [
        lambda given: "[" + "; ".join(given) + "]",
        lambda given: "[" + "|".join(given) + "]",
        lambda given: json.dumps(list(given)).replace('"', '""' * 2),  # doubled for CSV twice
        lambda given: "{" + ",".join(f"'{label}'" if label == "login" else label for label in given) + "}",
    ],
)
def test_reads_lists_that_few_tools_print(tmp_path: Path, show: Callable[[Given], str]) -> None:
    assert _init(tmp_path, "a.csv", _csv(show))[1] == list(LABELS)


def test_refuses_a_delimiter_within_printed_lists(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="--delimiter ',': column 'labels' holds printed lists"):
        _init(tmp_path, "a.csv", _csv(lambda given: str(list(given))), delimiter=",")


def test_reads_options_of_a_survey_that_were_ticked(tmp_path: Path) -> None:
    lines = [f"{text},{','.join(label if label in given else '' for label in LABELS)}" for _, text, given in ROWS]
    examples, labels, _ = _init(tmp_path, "a.csv", f"text,{','.join(LABELS)}\n" + "\n".join(lines))
    assert (examples.labels.kind, labels) == ("columns", list(LABELS))


def test_asks_for_the_names_of_numbers_in_numbered_columns(tmp_path: Path) -> None:
    content = "text,label_1,label_2\n" + "".join(f"{text},{n % 4},{n % 3 or ''}\n" for n, text, _ in ROWS)
    with pytest.raises(Refused, match=r"label_1,label_2 hold only numbers \(0, 1, 2, 3\): write the names"):
        _init(tmp_path, "a.csv", content)
    assert _init(tmp_path, "a.csv", content, labels="label_1,label_2")[1] == ["0", "1", "2", "3"]


def test_refuses_one_label_that_every_row_has(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="every row has the only label, 'spam'"):
        _init(tmp_path, "a.csv", "text,class\n" + "".join(f"{text},spam\n" for _, text, _ in ROWS))


def test_ratings_and_spans_in_annotations_are_no_labels(tmp_path: Path) -> None:
    tasks = [
        {"annotations": [{"result": [
            {"value": {"choices": given}}, {"value": {"rating": 3}}, {"value": {"start": 0, "labels": ["PER"]}},
        ]}], "data": {"text": text}}
        for _, text, given in ROWS
    ]  # fmt: skip
    assert _init(tmp_path, "tasks.json", json.dumps(tasks))[1] == list(LABELS)


@pytest.mark.parametrize(
    ("yes", "no", "message"),
    [
        (
            "ja",
            "nein",
            "columns login, refund hold only 'ja', 'nein': .*; else take the columns of 0 and 1 by --labels b",
        ),
        ("1", "", "neither 0 nor 1: '' in column 'login'.*; if a blank means no, write 0 in its place"),
    ],
)
def test_columns_of_flags_in_other_words_do_not_vanish(tmp_path: Path, yes: str, no: str, message: str) -> None:
    lines = [
        f"{text},{int('billing' in g)},{','.join(yes if x in g else no for x in LABELS[1:])}" for _, text, g in ROWS
    ]
    with pytest.raises(Refused, match=message):
        _init(tmp_path, "a.csv", f"text,{','.join(LABELS)}\n" + "\n".join(lines))


def test_asks_about_labels_joined_in_two_ways(tmp_path: Path) -> None:
    def show(given: list[str]) -> str:
        return ", ".join(given[:-1]) + " and " * (len(given) > 1) + "".join(given[-1:])

    names = (*LABELS, "praise", "shipping")
    shown = [show([name for i, name in enumerate(names) if n >> i & 1]) for n, *_ in ROWS]
    content = "text,labels\n" + "".join(f'{text},"{shown[n]}"\n' for n, text, _ in ROWS)
    with pytest.raises(AmbiguousError, match="look like others joined by ' and '"):
        _init(tmp_path, "a.csv", content)


def test_takes_fractions_for_soft_labels_where_a_person_names_them(tmp_path: Path) -> None:
    content = "text,toxic,insult\n" + "".join(f"{text},0.{n:02},0.{99 - n}\n" for n, text, _ in ROWS)
    with pytest.raises(Refused, match=r"toxic, insult hold numbers from 0 to 1: .* by --labels toxic,insult"):
        _init(tmp_path, "a.csv", content)
    examples, labels, _ = _init(tmp_path, "a.csv", content, labels="toxic,insult")
    assert examples.soft_cut == 0.5
    assert labels == ["toxic", "insult"]


def test_warns_of_annotators_that_disagree(tmp_path: Path) -> None:
    lines = [f"{text},{LABELS[(n * who) % 3]}" for n, text, _ in ROWS for who in (1, 1, 2)]
    printed = _init(tmp_path, "a.csv", "text,label\n" + "\n".join(lines))[2]
    assert "Warning: 40 of 60 texts that are in several rows have other labels in some of them" in printed


def test_label_names_may_repeat_what_the_file_says(tmp_path: Path) -> None:
    column = [[LABELS.index(label) for label in given] for *_, given in ROWS]
    content = _hugging_face(tmp_path, column, [NAMED])
    examples, labels, printed = _init(tmp_path, "a.parquet", content, label_names=_names(tmp_path))
    assert (examples.labels.kind, labels) == ("indices", list(LABELS))
    assert "refund (28)" in printed


def test_reads_lists_with_more_combinations_than_values_are_kept(tmp_path: Path) -> None:
    rows = [f"text {n},{'|'.join(f'l{n // 20**power % 20}' for power in range(4))}\n" for n in range(5_100)]
    examples, labels, printed = _init(tmp_path, "a.csv", "text,labels\n" + "".join(rows))
    assert examples.labels.model_dump() == {"kind": "delimited", "column": "labels", "delimiter": "|"}
    assert len(labels) == 20
    assert "one a row" not in printed


def test_reads_printed_positions(tmp_path: Path) -> None:
    content = _csv(lambda given: str([LABELS.index(label) for label in given]))
    examples, labels, printed = _init(tmp_path, "a.csv", content, label_names=_names(tmp_path))
    assert examples.labels.kind == "indices"
    assert labels == list(LABELS)
    assert "billing (30), login (30), refund (28)" in printed


def test_asks_what_numbers_with_fractions_are(tmp_path: Path) -> None:
    content = "text,target\n" + "".join(f"{text},{n % 7 / 6:.3f}\n" for n, text, _ in ROWS)
    with pytest.raises(AmbiguousError, match=r"holds only numbers .*: how sure the label 'target' is: --labels target"):
        _init(tmp_path, "a.csv", content)
    examples, labels, _ = _init(tmp_path, "a.csv", content, labels="target", label_kind="indicators")
    assert examples.has_soft_labels
    assert labels == ["target"]


@pytest.mark.parametrize("show", ["{n}. {label}", "{label}: 0.9{n}", "{label} (0.9{n})"])
def test_refuses_numbers_and_scores_at_labels(tmp_path: Path, show: str) -> None:
    content = _csv(lambda given: ", ".join(show.format(n=n, label=label) for n, label in enumerate(given)))
    with pytest.raises(Refused, match="labels have a number or a score with them"):
        _init(tmp_path, "a.csv", content)
    assert len(_init(tmp_path, "a.csv", content, delimiter=",")[1]) == 6


def test_one_column_of_flags_may_have_blanks(tmp_path: Path) -> None:
    content = "text,label\n" + "".join(f"{text},{('yes', 'no', '')[n % 3]}\n" for n, text, _ in ROWS)
    examples, labels, printed = _init(tmp_path, "a.csv", content)
    assert (labels, examples.labels.model_dump()["unknown"]) == (["label"], ("",))
    assert "20 rows without any known label are left out" in printed


def test_one_column_of_flags_that_is_named_like_a_label_may_have_blanks(tmp_path: Path) -> None:
    content = "text,toxic\n" + "".join(f"{text},{('yes', 'no', 'NA')[n % 3]}\n" for n, text, _ in ROWS)
    examples, labels, _ = _init(tmp_path, "a.csv", content)
    assert (labels, examples.labels.model_dump()["unknown"]) == (["toxic"], ("NA",))


def test_refuses_all_labels_in_every_row(tmp_path: Path) -> None:
    # As a zero-shot classifier answers: all labels, the most likely first, and their scores in another column.
    rows = (json.dumps({"sequence": text, "labels": [*LABELS], "scores": [0.9, 0.2, 0.1]}) for _, text, _ in ROWS)
    with pytest.raises(Refused, match=r"every row has every label \('billing' and 2 more\).*how sure each is"):
        _init(tmp_path, "a.jsonl", "\n".join(rows))


def test_warns_of_a_label_that_no_row_denies(tmp_path: Path) -> None:
    rows = (f"{text},{'' if n % 3 else 1},{n % 2 if n % 5 else ''}\n" for n, text, _ in ROWS)
    printed = _init(tmp_path, "a.csv", "text,No Finding,Edema\n" + "".join(rows))[2]
    assert "label 'No Finding' (20 rows) is in every row that says anything about it" in printed


def test_says_which_columns_have_flags_in_some_rows_only(tmp_path: Path) -> None:
    rows = (f"{text},{n % 2},{n // 2 % 2},{n % 5}\n" for n, text, _ in ROWS)
    printed = _init(tmp_path, "a.csv", "text,billing,login,votes\n" + "".join(rows))[2]
    assert "No labels, since they have other values beside 0 and 1: 'votes' (in 24 rows)" in printed


def test_takes_the_column_with_most_different_texts_for_the_text(tmp_path: Path) -> None:
    link = "https://example.org/" + "a" * 60
    rows = "".join(
        json.dumps(
            {"Description": "Read and choose topics " * 9, "link": f"{link}{n}", "headline": text, "labels": given}
        )
        + "\n"
        for n, text, given in ROWS
    )
    assert _init(tmp_path, "a.jsonl", rows)[0].text == "headline"


def test_refuses_one_text_in_all_rows(tmp_path: Path) -> None:
    content = "text,labels\n" + "".join(f"a text,{'|'.join(given)}\n" for *_, given in ROWS)
    with pytest.raises(Refused, match="all rows have the same text"):
        _init(tmp_path, "a.csv", content)


def test_warns_of_an_id_with_several_texts(tmp_path: Path) -> None:
    content = "id,text,labels\n" + "".join(f"{n % 50},{text},{'|'.join(given)}\n" for n, text, given in ROWS)
    printed = _init(tmp_path, "a.csv", content)[2]
    assert "10 rows have another text than the first row with the same 'id', such as line 52 than line 2" in printed


def test_a_column_of_bytes_costs_no_row(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": [text for _, text, _ in ROWS],
            "picture": [b"\xff\xd8"] * 60,
            "labels": [[given] for *_, given in ROWS],
        }
    )
    pq.write_table(table, tmp_path / "b.parquet")
    examples, labels, _ = _init(tmp_path, "a.parquet", (tmp_path / "b.parquet").read_bytes())
    assert (examples.text, labels) == ("text", list(LABELS))


_OBJECT = {"text": "a text", "labels": ["joy"]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            '"text,labels"\n"a text,""joy"""\n',
            "each line is one field, 'text,labels', as if the whole line were",
        ),
        ("a.csv", "| text | labels |\n|---|---|\n| a text | joy |\n", "it is a table in Markdown"),
        (
            "a.csv",
            'Q1,Q2\nWhat?,Which?\n"{""ImportId"":""QID1""}",x\na b,c\n',
            "the rows below the header are Qualtrics'",
        ),
        (
            "a.csv",
            "text,Labels,Labels\na text,joy,\n",
            "two columns are named 'Labels'; rename one, such as to Labels_1",
        ),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a workbook of Excel 97 to 2003"),
        ("a.jsonl", b"\x28\xb5\x2f\xfd\xff\xff", "is compressed with Zstandard"),
        ("a.parquet", b"ARROW1\0\0" * 9, "is an Arrow file"),
        ("a.xml", "<a/>", "is not in one of the formats; write it as CSV"),
        ("a.json", json.dumps(_OBJECT) * 2, "it has several objects on a line; write one per line: jq -c ."),
        ("a.jsonl", f"\x1e{json.dumps(_OBJECT)}\n", "a record separator begins each line"),
        ("a.json", f"// exported\n{json.dumps([_OBJECT])}\n", "it begins with a comment"),
        ("a.jsonl", '{"text": "a", "labels": NaN}\n', "NaN is not valid JSON.*; write null in its place"),
        ("a.json", "{}", "no column has a name and values"),
        (
            "a.json",
            json.dumps({"v": "1", "data": {"rows": [_OBJECT] * 3, "names": [{"a": 1}]}}),
            r"jq -c '\.data\.rows\[\]'",
        ),
        (
            "a.jsonl",
            f"{json.dumps({'meta': {'lang': 'en', 'tags': ['joy']}, 'text': 'a text'})}\n" * 2,
            r"lift its fields up.*\. \+ \.meta",
        ),
    ],
)
def test_names_cause_and_remedy(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(Refused, match=message) as refused:
        _init(tmp_path, name, content)
    assert "\n" not in str(refused.value)
