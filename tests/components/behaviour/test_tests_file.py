"""Read a file of behavioural tests, or refuse it in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from components.behaviour.settings import BehaviourTests
from components.behaviour.tests_file import read_tests
from schema.errors import Refused
from schema.label_list import LabelList

LABELS = LabelList(("billing", "refund", "old"), frozenset({"old"}), {"money_back": "refund"})
EDITS = "'typos', 'lower_case', 'upper_case', 'title_case', 'punctuation', 'whitespace' or 'names'"
GOOD = """\
seed: 3
slots:
  thing: [lamp, kettle]
  person: [Ann, Bo]
texts:
  - name: refunds
    pass_rate: 0.9
    given: [refund]
    cases:
      - my {thing} back
      - {text: "{{thing}}", not_given: ["*"]}
edits:
  - name: typing
    pass_rate: 0.8
    edit: typos
    times: 2
    texts: [all of my money]
    test_texts: 5
"""


def read(folder: Path, content: str, *, pair: bool = False) -> BehaviourTests:
    file = folder / "behaviour.yaml"
    file.write_text(content, encoding="utf-8")
    return read_tests(str(file), LABELS, pair=pair)


def refused(folder: Path, content: str, *, pair: bool = False) -> str:
    with pytest.raises(Refused) as error:
        read(folder, content, pair=pair)
    (line,) = str(error.value).splitlines()
    start = f"{folder}/behaviour.yaml"
    assert line.startswith(start)
    return line.removeprefix(start)


def test_reads_a_correct_file(tmp_path: Path) -> None:
    tests = read(tmp_path, GOOD)
    assert [case.text for case in tests.texts[0].cases] == ["my {thing} back", "{{thing}}"]
    assert tests.edits[0].times == 2
    assert BehaviourTests.model_validate_json(tests.model_dump_json()) == tests


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "given: [refund]",
            "given: [refnd]",
            ":8: key 'texts[0].given[0]': there is no label 'refnd'; did you mean 'refu",
        ),
        ("given: [refund]", "given: [old]", ":8: key 'texts[0].given[0]': label 'old' is retired; remove it"),
        (
            "given: [refund]",
            "given: [money_back]",
            ":8: key 'texts[0].given[0]': label 'money_back' was renamed to 'refund'",
        ),
        (
            '["*"]',
            "[biling]",
            ":11: key 'texts[0].cases[1].not_given[0]': there is no label 'biling'; did you mean 'bil",
        ),
        ('["*"]', "[refund]", ":11: key 'texts[0].cases[1]': label 'refund' must be given and not given"),
        ("    given: [refund]\n", "", ":9: key 'texts[0].cases[0]': has no demand; add given"),
        (
            "edit: typos",
            "edit: typoss",
            f":15: key 'edits[0].edit': Input should be {EDITS}, got 'typoss'; did you mean 'typos'?",
        ),
        ("edit: typos", "edit: names", ":13: key 'edits[0]': edit names needs `names`"),
        ("edit: typos", "edit: lower_case", ":13: key 'edits[0]': `times` is for edit typos, not lower_case"),
        ("    test_texts: 5\n", "    test_text: 5\n", ":18: unknown key 'edits[0].test_text'; did you mean 'test_te"),
        ("    texts: [all of my money]\n    test_texts: 5\n", "", ":13: key 'edits[0]': has no case: give texts"),
        (
            "texts: [all of my money]\n    test_texts: 5",
            "texts: [a 1]",
            ":17: key 'edits[0].texts': edit typos changes none",
        ),
        (
            "pass_rate: 0.9",
            "pass_rate: 1.1",
            ":7: key 'texts[0].pass_rate': Input should be less than or equal to 1, got",
        ),
        ("pass_rate: 0.9", "pass_rate: -1", ":7: key 'texts[0].pass_rate': Input should be greater than or equal to 0"),
        ("    pass_rate: 0.9\n", "", ":6: key 'texts[0].pass_rate' is missing"),
        ("      - my {thing} back", "      - my {thin} back", ":10: key 'texts[0].cases[0]': there is no slot 'thin'"),
        ("[lamp, kettle]", "[]", ":3: key 'slots.thing': is empty"),
        ("name: typing", "name: refunds", ":6: key 'texts[0].name': two groups are named 'refunds'"),
        ("cases:", "case:", ":9: unknown key 'texts[0].case'; did you mean 'cases'?"),
        ("seed: 3", "sed: 3", ":1: unknown key 'sed'; did you mean 'seed'?"),
        (
            "my {thing} back",
            "{text: hello, text_pair: you}",
            ":10: key 'texts[0].cases[0].text_pair': the model takes sin",
        ),
        ("my {thing} back", '"\\ud83d"', ":10: '\\ud83d' has half a surrogate pair"),
        (
            "my {thing} back",
            "yes",
            ":10: key 'texts[0].cases[0]': must be a text (in quotes if need be) or a mapping of keys, got True",
        ),
    ],
)
def test_refuses_an_error_with_its_line_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert GOOD.count(old) == 1
    assert refused(tmp_path, GOOD.replace(old, new)).startswith(message)


def test_refuses_a_group_without_cases(tmp_path: Path) -> None:
    content = "texts:\n  - {name: a, pass_rate: 1, given: [refund], cases: []}\n"
    assert refused(tmp_path, content).startswith(":2: key 'texts[0].cases': is empty")
    for content in ("", "texts: []\n", "[]"):
        assert "group" in refused(tmp_path, content) or "mapping" in refused(tmp_path, content)


def test_refuses_names_that_are_not_values_of_a_slot(tmp_path: Path) -> None:
    names = GOOD.replace("edit: typos\n    times: 2", "edit: names\n    names: persons")
    assert refused(tmp_path, names).startswith(
        ":16: key 'edits[0].names': there is no slot 'persons'; did you mean 'person'?"
    )
    alone = GOOD.replace("edit: typos\n    times: 2", "edit: names\n    names: person").replace("[Ann, Bo]", "[Ann]")
    assert refused(tmp_path, alone).startswith(":4: key 'slots.person': has only one name")


def test_a_model_of_pairs_needs_pairs(tmp_path: Path) -> None:
    assert refused(tmp_path, GOOD, pair=True).startswith(":10: key 'texts[0].cases[0]': the model takes pairs of texts")
    pairs = "texts:\n  - {name: a, pass_rate: 1, given: [refund], cases: [{text: hello, text_pair: ''}]}\n"
    assert read(tmp_path, pairs, pair=True).texts[0].cases[0].text_pair == ""


def test_refuses_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"nowhere\.yaml: no such file"):
        read_tests(str(tmp_path / "nowhere.yaml"), LABELS, pair=False)
    assert refused(tmp_path, "texts: [").startswith(": not YAML")
    with pytest.raises(Refused, match="cannot be read"):
        read_tests(str(tmp_path), LABELS, pair=False)


def test_reads_the_tests_of_the_sample_without_tensorflow() -> None:
    code = (
        "import sys\n"
        "from components.behaviour.tests_file import read_tests\n"
        "from schema.label_list import label_list, read_schema\n"
        "tests = read_tests('data/sample/behaviour.yaml', label_list(read_schema('schema/sample.pbtxt')), pair=False)\n"
        "assert tests.texts and tests.edits\n"
        "assert not {'tensorflow', 'tfx', 'apache_beam'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
