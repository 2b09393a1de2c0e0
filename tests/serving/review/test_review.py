"""A review from scores to a source: which texts are drawn, and what is known after people have answered."""

import csv
import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import ArrayLike

from components.example_gen.formats.opening import open_table
from components.example_gen.formats.rows import Row
from components.example_gen.parsing.known import LabelResolver
from components.example_gen.parsing.label_changes import LabelChanges
from components.example_gen.parsing.row_parser import LabelledText, make_row_parser
from components.registry import ModelRecord
from schema.errors import Refused
from serving.request_log.reader import Window
from serving.review.answers import ASKED, combine, write_source
from serving.review.candidates import Candidates, Judge, judge_of, read_log, read_scores
from serving.review.label_studio import Answer, labelling_configuration, read_answers
from serving.review.review import Review, write_review
from serving.review.sampling import Chosen, choose_texts
from serving.scoring.record import InputFact, ScoredWith, ScoringRecord
from tests.components.example_gen.support import settings_for
from tests.support.environments import python_of

_LABELS = ("joy", "anger", 'a "quoted" <label> & [more]')
_JUDGE = Judge("7", _LABELS, np.array([0.5, 0.3, 0.1]))


def _candidates(rows: ArrayLike, texts: Sequence[str] = (), judge: Judge = _JUDGE) -> Candidates:
    probabilities = np.array(rows)
    n = len(probabilities)
    return Candidates(judge, [f"r{row}" for row in range(n)], texts or [f"text {row}" for row in range(n)], [None] * n,
                      probabilities, [{"channel": "chat"}] * n)  # fmt: skip


def test_the_nearest_texts_are_drawn_and_asked_about_the_labels_that_are_near() -> None:
    part = _candidates([[0.99, 0.01, 0.0001], [0.52, 0.01, 0.0001], [0.45, 0.32, 0.9], [0.9, 0.9, 0.1]])
    chosen = choose_texts([part], count=10, band=0.5)
    assert {text.id: text.asked for text in chosen} == {
        "r1": ("joy",), "r2": ("anger", "joy"), "r3": (_LABELS[2],),
    }  # fmt: skip
    (second,) = (text for text in chosen if text.id == "r2")
    assert second.given == ("anger", _LABELS[2])
    assert second.probabilities == {"anger": 0.32, "joy": 0.45, _LABELS[2]: 0.9}
    assert second.slices == {"channel": "chat"}


def test_rare_labels_have_their_turn_and_memory_does_not_grow_with_the_texts() -> None:
    rng = np.random.default_rng(0)
    common = np.stack([rng.uniform(0.45, 0.55, 5_000), np.full(5_000, 0.01), np.full(5_000, 0.0001)], axis=1)
    rare = np.array([[0.01, 0.31, 0.0001]] * 3)
    rows = np.concatenate([common, rare])
    texts = [f"text {number}" for number in range(len(rows))]
    parts = [_candidates(rows[start : start + 500], texts[start : start + 500]) for start in range(0, 5_500, 500)]
    chosen = choose_texts(parts, count=10, band=1.0)
    assert [text.asked[0] for text in chosen].count("anger") == 3
    assert len(chosen) == 10
    nearest = np.sort(np.abs(np.log(common[:, 0] / (1 - common[:, 0]))))[:7]
    of_joy = sorted(
        abs(np.log(p / (1 - p))) for text in chosen if text.asked == ("joy",) for p in text.probabilities.values()
    )
    np.testing.assert_allclose(of_joy, nearest, atol=1e-4)
    assert [text.text for text in choose_texts(parts[::-1], count=10, band=1.0)] == [text.text for text in chosen]


def test_copies_count_once() -> None:
    part = _candidates([[0.5, 0, 0]] * 3, ["Twice", " twice ", "once"])
    assert len(choose_texts([part], count=10, band=0.1)) == 2


def test_scores_of_a_folder_are_judged_by_its_model(tmp_path: Path) -> None:
    record = ScoringRecord(
        model=ScoredWith(
            path="m", version=17, model_id="x", labels=["joy", "anger"], thresholds={"anger": 0.3, "joy": 0.5}
        ),
        inputs=[InputFact(name="a.csv", size=1, changed=0)], options={}, started="",
    )  # fmt: skip
    record.write(str(tmp_path))
    (tmp_path / "scores").mkdir()
    rows = [
        {"id": f"a:{n}", "text": f"t{n}", "probabilities": {"joy": 0.5, "anger": n / 10}, "slices": {"channel": None}}
        for n in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "scores" / "scores-00000-of-00001.parquet")
    (part,) = read_scores(str(tmp_path))
    assert (part.judge.name, part.judge.labels, part.judge.thresholds.tolist()) == ("17", ("joy", "anger"), [0.5, 0.3])
    assert part.probabilities.tolist() == [[0.5, 0.0], [0.5, 0.1], [0.5, 0.2]]
    assert list(part.texts) == ["t0", "t1", "t2"]
    assert list(part.slices) == [{"channel": ""}] * 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("scores.csv", "id,text,anger,joy\n1,a text,0.2,0.5\n"),
        ("scores.jsonl", '{"id": 1, "text": "a text", "probabilities": {"joy": 0.5, "anger": 0.2}}\n'),
    ],
)
def test_scores_of_others_need_a_model_whose_thresholds_count(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(Refused, match=r"was not written by score, .*; give --model"):
        next(read_scores(str(tmp_path / name)))
    (tmp_path / "saved_model.pb").touch()
    ModelRecord(
        model_id="0123456789abcdefghij", labels=["joy", "old", "anger"], thresholds=[0.5, 1, 0.25], checkpoint="",
        created="", versions={}, retired=["old"],
    ).write(str(tmp_path))  # fmt: skip
    (part,) = read_scores(str(tmp_path / name), judge_of(str(tmp_path)))
    assert (list(part.ids), list(part.texts), part.probabilities.tolist()) == (["1"], ["a text"], [[0.5, 0.2]])
    assert part.judge.thresholds.tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": 1, "probabilities": {"joy": 0.5}}\n', "a row has no 'text'; score with --fields text,probabilities"),
        ('{"id": 1, "text": "a"}\n', "a row has no 'probabilities'"),
        ('{"id": 1, "text": "a", "probabilities": {"fear": 1}}\n', "a row has no 'joy'"),
        ("{\n", "cannot be read as scores"),
    ],
)
def test_scores_without_what_is_needed_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "scores.jsonl").write_text(content)
    with pytest.raises(Refused, match=message):
        list(read_scores(str(tmp_path / "scores.jsonl"), _JUDGE))


def test_logged_requests_are_read_with_the_thresholds_of_the_version_that_answered(tmp_path: Path) -> None:
    from serving.request_log.rows import HEADER_KEY, SCHEMA, LogHeader

    folder = tmp_path / "2026-11-28" / "05"
    folder.mkdir(parents=True)
    header = LogHeader(
        model="m",
        version=9,
        labels=("joy", "old", "anger"),
        thresholds=(0.5, 1.0, 0.3),
        retired=("old",),
        slices=("channel", "kanal"),
    )
    row = {
        "id": "q-0", "request": "q", "time": datetime(2026, 11, 28, 5, 1, tzinfo=UTC), "api": "rest", "text": "a text",
        "characters": 6, "probabilities": [0.5, 0.0, 0.25], "labels": [],
        "slices": [("channel", "chat")],
    }  # fmt: skip
    table = pa.Table.from_pylist([row, row | {"id": "q-1", "text": None}], schema=SCHEMA)
    pq.write_table(table.replace_schema_metadata({HEADER_KEY: header.model_dump_json()}), folder / "1-x.parquet")
    (part,) = read_log(str(tmp_path), Window())
    assert (part.judge.name, part.judge.labels) == ("9", ("joy", "anger"))
    assert (list(part.ids), list(part.texts), part.probabilities.tolist()) == (["q-0"], ["a text"], [[0.5, 0.25]])
    assert list(part.slices) == [{"channel": "chat", "kanal": ""}], "a source has all columns"


_SLICES = {"kanal, [1]": '"chat"', "b": ""}


def _chosen(row: str, asked: Sequence[str], given: Sequence[str], text: str = "") -> Chosen:
    return Chosen(
        row, text or f"text of {row}", None, _JUDGE, tuple(asked), tuple(given), dict.fromkeys(asked, 0.5), _SLICES
    )


@pytest.fixture
def review(tmp_path: Path) -> Path:
    """Folder of a review of five texts."""
    write_review(
        str(tmp_path),
        [
            _chosen("r1", ["joy", "anger"], ["joy"], text='"quoted", and\nlines <b> $text'),
            _chosen("r2", [_LABELS[2]], [_LABELS[2], "anger"]),
            _chosen("r3", ["joy"], []),
            _chosen("r4", ["joy"], ["joy"]),
            _chosen("r5", ["anger"], []),
        ],
    )
    return tmp_path


# r1: one of two; r2: another one than asked; r3: none; r4: skipped; r5: nobody has answered.
_ANSWERS = {"r1": ["anger"], "r2": [_LABELS[2], "joy"], "r3": [], "r4": None}
_EXPECTED = [
    ("r1", ("joy", "anger"), ("anger",)),
    ("r2", (_LABELS[2],), (_LABELS[2], "joy")),
    ("r3", ("joy",), ()),
]


def test_label_studio_accepts_the_tasks_and_its_exports_are_read_back(review: Path) -> None:
    """The SDK is label-studio-sdk 2.1.2: `LabelInterface.validate_task`, `validate_prediction`, `Converter.convert`."""
    folder = Path(__file__).parent
    python = python_of("label-studio-sdk-2.1.2", folder / "label_studio.lock")
    (review / "answers.json").write_text(json.dumps(_ANSWERS))
    ended = subprocess.run(
        [python, str(folder / "label_studio_round_trip.py"), str(review)], capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert json.loads(ended.stdout.splitlines()[-1]) == {"wrong": [], "choices": sorted(_LABELS)}
    for export in ("JSON/result.json", "JSON_MIN/result.json", "CSV/result.csv"):
        answers = read_answers(str(review / export))
        assert [(answer.row, answer.asked, answer.given) for answer in answers][: len(_EXPECTED)] == _EXPECTED, export
        assert len(answers) == len(_EXPECTED), export
        assert answers[0].text == '"quoted", and\nlines <b> $text'
        assert [answer.slices for answer in answers] == [_SLICES] * len(answers), export


def test_the_table_is_read_back_once_somebody_has_filled_it_in(review: Path) -> None:
    path = review / "tasks.csv"
    assert read_answers(str(path)) == []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["labels"] for row in rows[:3]] == ['["joy"]', json.dumps([_LABELS[2], "anger"]), "[]"]
    for row in rows:
        answer = _ANSWERS.get(row["row"])
        if answer is not None:
            row |= {"labels": json.dumps(answer), "done": "Yes"}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert [(answer.row, answer.asked, answer.given) for answer in read_answers(str(path))] == _EXPECTED
    assert {str(answer.slices) for answer in read_answers(str(path))} == {str(_SLICES)}


def test_a_review_counts_its_questions(review: Path) -> None:
    found = Review.read(str(review))
    assert (found.texts, found.models) == (5, ["7"])
    assert found.questions == {"joy": 3, "anger": 2, _LABELS[2]: 1}
    assert [(review / name).stat().st_mode & 0o77 for name in (".", "tasks.json", "tasks.csv")] == [0, 0, 0]
    with pytest.raises(Refused, match=r"no text is near a threshold, .*--band"):
        write_review(str(review), [])


def test_names_of_labels_are_escaped() -> None:
    assert "value='a \"quoted\" &lt;label&gt; &amp; [more]'" in labelling_configuration(_LABELS, pairs=True)


@pytest.mark.parametrize("content", ["{}", "[1]", "not JSON", '[{"annotations": [{}], "data": {"text": "x"}}]'])
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "export.json").write_text(content)
    with pytest.raises(Refused, match=r"export.json: is not an export of tasks that `review sample` wrote"):
        read_answers(str(tmp_path / "export.json"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"answers.json: cannot be read \(no such file or directory\)"):
        read_answers(str(tmp_path / "answers.json"))
    with pytest.raises(Refused, match=r"requests: there is no such folder; give the one of `serve --request-log`"):
        list(read_log(str(tmp_path / "requests"), Window()))


def test_what_people_disagree_about_is_unknown_and_silence_is_too(tmp_path: Path) -> None:
    answers = [
        Answer("1", "a", None, ("joy", "anger"), ("joy",)),
        Answer("1", "a", None, ("joy", "anger"), ("joy", "anger")),
        Answer("2", "b", None, ("joy",), ()),
        Answer("3", "nobody agrees", None, ("joy",), ()),
        Answer("3", "nobody agrees", None, ("joy",), ("joy",)),
    ]
    reviewed, disagreements = combine(answers)
    assert disagreements == 2
    assert [row.row for row in reviewed] == ["1", "2"], "a row of which nothing is known would be quarantined"
    write_source(str(tmp_path / "reviewed.jsonl"), reviewed)
    rows = [json.loads(line) for line in (tmp_path / "reviewed.jsonl").read_text().splitlines()]
    assert rows == [
        {"id": "1", "text": "a", "labels": ["joy"], "asked": ["joy"]},
        {"id": "2", "text": "b", "labels": [], "asked": ["joy"]},
    ]
    write_source(str(tmp_path / "reviewed.csv"), reviewed, "|")
    assert (tmp_path / "reviewed.csv").read_text().splitlines() == ["id,text,labels,asked", "1,a,joy,joy", "2,b,,joy"]
    sliced = [replace(row, slices=_SLICES) for row in reviewed[:1]] + reviewed[1:]
    write_source(str(tmp_path / "sliced.csv"), sliced)
    with (tmp_path / "sliced.csv").open(newline="", encoding="utf-8") as file:
        assert [(row["id"], row["kanal, [1]"], row["b"]) for row in csv.DictReader(file)] == [
            ("1", '"chat"', ""),
            ("2", "", ""),
        ]
    with pytest.raises(Refused, match=r"the slice column 'asked' has the name of another column"):
        write_source(str(tmp_path / "sliced.csv"), [replace(reviewed[0], slices={"asked": "x"})])
    with pytest.raises(Refused, match=r"label 'joy' contains the delimiter 'o'"):
        write_source(str(tmp_path / "reviewed.csv"), reviewed, "o")


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("reviewed.jsonl", {"kind": "list", "column": "labels"}),
        ("reviewed.csv", {"kind": "delimited", "column": "labels"}),
    ],
)
def test_the_pipeline_takes_what_was_answered_for_known_and_silence_for_unknown(
    review: Path, name: str, labels: dict[str, str]
) -> None:
    """The rows go through TextExampleGen's own reader, parser and resolver, with `asked: asked` in the inputs."""
    rows = list(csv.DictReader((review / "tasks.csv").open(newline="", encoding="utf-8")))
    answered = [
        Answer(row["row"], row["text"], None, tuple(json.loads(row["asked"])), tuple(answer))
        for row in rows
        if (answer := _ANSWERS.get(row["row"])) is not None
    ]
    write_source(str(review / name), combine(answered)[0])
    inputs = [
        {"pattern": name, "split": "train", "asked": ASKED},
        {"pattern": "*.csv", "split": {"eval": 1, "test": 1}},
    ]
    settings = settings_for(review, format=name.rpartition(".")[2], id="id", labels=labels, inputs=inputs)
    resolver = LabelResolver(LabelChanges(names=_LABELS))
    known = {}
    path = str(review / name)
    with open_table(path, settings, name, columns=settings.columns_of(0), objects=settings.objects_of(0)) as table:
        parser = make_row_parser(table.columns, settings, ASKED, (), name, table.others)
        for row in table.rows:
            assert isinstance(row, Row)
            parsed = parser.parse(row)
            assert isinstance(parsed, LabelledText), parsed
            resolved = resolver.resolve(parsed)
            known[parsed.id] = (set(resolved.given), set(resolved.unknown))
    assert known == {
        "r1": ({"anger"}, {_LABELS[2]}),
        "r2": ({_LABELS[2], "joy"}, {"anger"}),
        "r3": (set(), {"anger", _LABELS[2]}),
    }
