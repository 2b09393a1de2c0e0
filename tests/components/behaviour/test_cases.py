"""Make cases from groups of tests."""

from components.behaviour.cases import Question, edit_cases, text_cases
from components.behaviour.settings import BehaviourTests

TEN = [str(number) for number in range(10)]


def with_texts(*cases: object, samples: int = 100, **group: object) -> BehaviourTests:
    texts = [{"name": "g", "pass_rate": 1, "cases": list(cases), "samples": samples, **group}]
    return BehaviourTests.model_validate(
        {"slots": {"a": TEN, "b": TEN, "c": TEN, "name": ["Ann", "Bo"]}, "texts": texts}
    )


def with_edits(edit: str, *texts: object, seed: int = 0, **group: object) -> BehaviourTests:
    edits = [{"name": "g", "pass_rate": 1, "edit": edit, "texts": list(texts), **group}]
    return BehaviourTests.model_validate({"seed": seed, "slots": {"name": ["Ann", "Bo", "Cy"]}, "edits": edits})


def test_fills_slots_in_every_combination() -> None:
    tests = with_texts("{a} of {b}, {{b}} and {a}", given=["x"])
    cases = text_cases(tests.texts[0], tests)
    assert {case.question.text for case in cases} == {f"{a} of {b}, {{b}} and {a}" for a in TEN for b in TEN}
    assert {case.given for case in cases} == {("x",)}


def test_draws_the_same_combinations_every_time_when_there_are_too_many() -> None:
    tests = with_texts("{a} {b} {c}", "no slot", samples=7, given=["x"])
    cases = text_cases(tests.texts[0], tests)
    assert len(cases) == len(set(cases)) == 8
    assert text_cases(tests.texts[0], tests) == cases


def test_fills_both_texts_of_a_pair_with_the_same_values() -> None:
    tests = with_texts({"text": "is {name} in?", "text_pair": "{name} is out", "given": ["x"]})
    assert [case.question for case in text_cases(tests.texts[0], tests)] == [
        Question("is Ann in?", "Ann is out"), Question("is Bo in?", "Bo is out"),
    ]  # fmt: skip


def test_a_case_adds_to_the_demands_of_its_group() -> None:
    tests = with_texts({"text": "t", "given": ["y"], "not_given": ["*"]}, given=["x"], not_given=["z"])
    (case,) = text_cases(tests.texts[0], tests)
    assert (case.given, case.not_given) == (("x", "y"), ("z", "*"))


def test_a_text_that_an_edit_does_not_change_is_not_a_case() -> None:
    tests = with_edits("lower_case", "ABC", "abc")
    assert [case.edited.text for case in edit_cases(tests.edits[0], tests)] == ["abc"]


def test_texts_of_the_test_split_follow_those_of_the_file_and_keep_their_rows() -> None:
    tests = with_edits("upper_case", "own", test_texts=2)
    rows = [Question(text, row=f"r{text}") for text in "abc"]
    cases = edit_cases(tests.edits[0], tests, rows)
    assert [(case.edited.text, case.edited.row) for case in cases] == [("OWN", None), ("A", "ra"), ("B", "rb")]


def test_edits_both_texts_of_a_pair_and_replaces_a_name_by_the_same_other_one() -> None:
    tests = with_edits("names", {"text": "Ann", "text_pair": "so Ann"}, names="name")
    (case,) = edit_cases(tests.edits[0], tests)
    assert case.edited.text in ("Bo", "Cy")
    assert case.edited.text_pair == f"so {case.edited.text}"


def test_draws_for_a_text_depend_on_the_seed_but_not_on_other_texts() -> None:
    text, others = "a longer text of several words", [f"another text {number}" for number in TEN]
    alone = with_edits("typos", text)
    among = with_edits("typos", *others, text)
    assert edit_cases(alone.edits[0], alone)[0] == edit_cases(among.edits[0], among)[-1]
    found = {edit_cases(tests.edits[0], tests)[0] for tests in (with_edits("typos", text, seed=n) for n in range(9))}
    assert len(found) > 1
