"""Add, rename and retire labels in the text of a schema, which keeps its comments and layout."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.errors import Refused
from schema.infer import infer_schema, schema_text
from schema.label_edits import Edit, checked_name, edit_schema, plan_add, plan_imply, plan_rename, plan_retire
from schema.label_list import LabelList, label_list, read_schema, renamed_tag, retired_tag

SAMPLE = (Path(__file__).parents[2] / "schema" / "sample.pbtxt").read_text(encoding="utf-8")
COMMENTED = """# Curated by hand.
feature { name: "text" type: BYTES shape { dim { size: 1 } } }
feature {
  name: "labels"   # the only one that matters
  value_count { min: 0 }
  type: BYTES
  domain: "topics"  # see below
}
string_domain <
  name: 'topics'
  value: "a" # first { of [ all
  # a comment between
  value: "b"; value: "c"
  value: 'd' "e"
>
# The end.
"""
# Other layouts: all in one line, lists, a domain inside the feature, an annotation with other contents.
LAYOUTS = {
    "commented": COMMENTED,
    "sample": SAMPLE,
    "windows": COMMENTED.replace("\n", "\r\n"),
    "line": 'feature{name:"text" shape{dim{size:1}}} feature{name:"labels" string_domain{value:"a" value:"b"}}',
    "list": 'feature: [{name: "text" shape {dim {size: 1}}}, {name: "labels" domain: "x"}]\n'
    'string_domain { name: "x" value: ["a", "b"] }',
    "annotated": 'feature { name: "text" shape { dim { size: 1 } } }\nfeature {\n  name: "labels"\n  domain: "x"\n'
    '  annotation {\n    # the owner\n    tag: "team:support"\n    comment: "x"\n  }\n}\n'
    'string_domain {\n  name: "x"\n  value: "a"\n  value: "b"\n}',
}
PLANS: dict[str, Callable[..., Edit]] = {"add": plan_add, "rename": plan_rename, "retire": plan_retire}
NAMES = st.text(min_size=1, max_size=8).filter(lambda name: _is_valid_name(name))


def _is_valid_name(name: str) -> bool:
    try:
        return checked_name(name) == name
    except Refused:
        return False


def _parse(text: str) -> schema_pb2.Schema:
    return text_format.Parse(text, schema_pb2.Schema())


def _edit(text: str, plan: Callable[..., Edit], *names: str) -> str:
    edited = edit_schema(text, plan(_parse(text), *names))
    assert edited.keeps_layout, edited.text
    return edited.text


def _labels(text: str) -> LabelList:
    return label_list(_parse(text))


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_a_change_keeps_the_other_labels_and_their_indices(text: str) -> None:
    before = _labels(text).names
    first, second = before[0], before[1]

    added = _edit(text, plan_add, "neu: 'ä' \"=\"\\")
    assert _labels(added) == LabelList((*before, "neu: 'ä' \"=\"\\"))
    renamed = _edit(added, plan_rename, second, "two")
    assert _labels(renamed) == LabelList((first, "two", *_labels(added).names[2:]), aliases={second: "two"})
    retired = _edit(renamed, plan_retire, first)
    assert _labels(retired).names == _labels(renamed).names
    assert _labels(retired).retired == {first}
    assert _labels(retired).retired_indices == (0,)
    assert _labels(retired).active == _labels(renamed).names[1:]
    assert _labels(retired).aliases == {second: "two"}
    again = _edit(_edit(_edit(retired, plan_rename, "two", "zwei"), plan_add, first), plan_rename, "zwei", second)
    assert _labels(again) == LabelList(_labels(added).names, aliases={"two": second, "zwei": second})


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_retiring_and_adding_a_label_restores_the_text_exactly(text: str) -> None:
    first = _labels(text).names[0]
    assert _edit(_edit(text, plan_retire, first), plan_add, first) == text


def test_comments_stay_where_they_are() -> None:
    text = _edit(_edit(_edit(COMMENTED, plan_retire, "a"), plan_rename, "b", "bee"), plan_add, "f")
    assert text == (
        COMMENTED.replace('value: "b"', 'value: "bee"')
        .replace("""value: 'd' "e"\n""", """value: 'd' "e"\n  value: "f"\n""")
        .replace(
            "# see below\n",
            """# see below\n  annotation {\n    tag: "retired:a"\n    tag: 'renamed:["b", "bee"]'\n  }\n""",
        )
    )


def test_an_unusual_layout_is_written_anew() -> None:
    text = COMMENTED.replace('"topics"  # see', '"topics" annotation { tag: ["retired:a"] } # see')
    edited = edit_schema(text, plan_add(_parse(text), "a"))
    assert not edited.keeps_layout
    assert _labels(edited.text) == LabelList(("a", "b", "c", "de"))
    assert "#" not in edited.text


@given(st.lists(NAMES, min_size=2, max_size=5, unique=True), st.data())
def test_any_sequence_of_changes_gives_the_expected_labels(names: list[str], data: st.DataObject) -> None:
    """Compare with a model in plain Python. Every change goes through the text, which alone is read again."""
    text = "# mine\n" + schema_text(infer_schema(names, []))
    labels, retired, aliases = list(names), set[str](), dict[str, str]()
    for _ in range(6):
        pool = st.one_of(NAMES, st.sampled_from([*labels, *aliases]))
        kind, name, other = data.draw(st.sampled_from(["add", "rename", "retire"])), data.draw(pool), data.draw(pool)
        in_use = name in labels and name not in retired
        plan, arguments = PLANS[kind], (name, other) if kind == "rename" else (name,)
        allowed = {
            "add": name in retired or name not in (*labels, *aliases),
            "rename": in_use and other not in labels and aliases.get(other, name) == name,
            "retire": in_use and len(labels) - len(retired) > 1,
        }[kind]
        if not allowed:
            with pytest.raises(Refused) as refused:
                plan(_parse(text), *arguments)
            assert len(str(refused.value).splitlines()) == 1
            continue
        if kind == "add" and name in retired:
            retired.remove(name)
        elif kind == "add":
            labels.append(name)
        elif kind == "retire":
            retired.add(name)
        else:
            labels[labels.index(name)] = other
            aliases = {old: other if new == name else new for old, new in (aliases | {name: other}).items()}
            aliases.pop(other, None)
        text = _edit(text, plan, *arguments)
        assert _labels(text) == LabelList(tuple(labels), frozenset(retired), aliases)
        assert text.startswith("# mine\n")


@pytest.mark.parametrize(
    ("plan", "names", "message"),
    [
        (plan_add, ["refund"], "label 'refund' exists already, at index 8"),
        (plan_add, ["  refund "], "label 'refund' exists already"),
        (plan_add, ["  "], "a label needs a name"),
        (plan_add, ["a\nb"], r"label 'a\nb' has a character that cannot be part of a name: '\n'"),
        (plan_add, ["a\x00"], r"cannot be part of a name: '\x00'"),
        (plan_add, ["a\u2028b"], r"cannot be part of a name: '\u2028'"),
        (plan_add, ["\udcff"], r"cannot be part of a name: '\udcff'"),
        (plan_rename, ["refnd", "x"], "there is no label 'refnd'; did you mean 'refund'?"),
        (plan_rename, ["refund", "billing"], "label 'billing' exists already, at index 2; labels are not merged"),
        (plan_rename, ["refund", "refund"], "label 'refund' exists already"),
        (plan_retire, ["zzz"], "there is no label 'zzz'; known here: account_access, app_bug"),
    ],
)
def test_refuses_an_impossible_change_in_one_line(plan: Callable[..., Edit], names: list[str], message: str) -> None:
    with pytest.raises(Refused) as refused:
        plan(_parse(SAMPLE), *names)
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_refuses_a_change_that_contradicts_an_earlier_one() -> None:
    text = _edit(_edit(COMMENTED, plan_rename, "a", "ay"), plan_retire, "b")
    for plan, names, message in (
        (plan_add, ["a"], "'a' is the former name of 'ay'"),
        (plan_rename, ["c", "a"], "'a' is the former name of 'ay'"),
        (plan_rename, ["c", "b"], "label 'b' exists already"),
        (plan_rename, ["a", "x"], "label 'a' does not exist any more: it was renamed to 'ay'"),
        (plan_rename, ["b", "x"], "label 'b' is retired"),
        (plan_retire, ["b"], "label 'b' is retired"),
    ):
        with pytest.raises(Refused, match=message):
            plan(_parse(text), *names)
    for name in ("ay", "c"):
        text = _edit(text, plan_retire, name)
    with pytest.raises(Refused, match="'de' is the last label in use"):
        plan_retire(_parse(text), "de")


def _tagged(*tags: str) -> str:
    schema = infer_schema(["a", "b"], [])
    next(feature for feature in schema.feature if feature.name == "labels").annotation.tag.extend(tags)
    return schema_text(schema)


def test_a_chain_of_renamings_ends_at_the_present_name() -> None:
    labels = _labels(
        _tagged(renamed_tag("y", "z"), "a tag of the user's", renamed_tag("z", "b"), renamed_tag("x", "y"))
    )
    assert labels == LabelList(("a", "b"), aliases={"x": "b", "y": "b", "z": "b"})


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([retired_tag("x")], "'x' is retired, but not in the domain"),
        ([retired_tag("a"), retired_tag("a")], "'a' is retired twice"),
        ([retired_tag("a"), retired_tag("b")], "at least one must be in use"),
        ([renamed_tag("a", "b")], "'a' was renamed, but is in the domain"),
        ([renamed_tag("x", "a"), renamed_tag("x", "b")], "'x' is renamed twice"),
        ([renamed_tag("x", "y")], "'x' was renamed to 'y', which is not in the domain"),
        ([renamed_tag("x", "y"), renamed_tag("y", "x")], "'x' was renamed to 'x', which is not in the domain"),
        (["renamed:x=y"], "write it as renamed:"),
        (["renamed:" + json.dumps(["x", 1])], "write it as renamed:"),
    ],
)
def test_refuses_an_annotation_that_contradicts_the_domain(tmp_path: Path, tags: list[str], message: str) -> None:
    path = tmp_path / "schema.pbtxt"
    path.write_text(_tagged(*tags), encoding="utf-8")
    with pytest.raises(Refused, match=message):
        read_schema(str(path))


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_an_implication_is_recorded_and_removed_in_the_text(text: str) -> None:
    first, second = _labels(text).names[:2]
    implying = _edit(text, plan_imply, first, second)
    assert _labels(implying).ancestors == {first: (second,)}
    removed = edit_schema(implying, plan_imply(_parse(implying), first, second, remove=True))
    assert removed.text == text
    renamed = _edit(implying, plan_rename, second, "two")
    assert _labels(renamed).ancestors == {first: ("two",)}
    again = edit_schema(renamed, plan_imply(_parse(renamed), first, "two", remove=True))
    assert _labels(again.text).implies == {}


@pytest.mark.parametrize(
    ("label", "implied", "remove", "message"),
    [
        ("b", "a", False, "'a' implies 'b' already, directly or through others"),
        ("de", "a", False, "'a' implies 'de' already, directly or through others"),
        ("a", "a", False, "'a' cannot imply itself"),
        ("a", "b", False, "'a' implies 'b' already"),
        ("a", "bb", False, "there is no label 'bb'; did you mean 'b'?"),
        ("a", "c", False, "label 'c' is retired"),
        ("a", "de", True, "'a' does not imply 'de' directly"),
    ],
)
def test_refuses_an_implication_in_a_line(label: str, implied: str, remove: bool, message: str) -> None:
    text = _edit(_edit(_edit(COMMENTED, plan_retire, "c"), plan_imply, "a", "b"), plan_imply, "b", "de")
    with pytest.raises(Refused, match=re.escape(message)):
        plan_imply(_parse(text), label, implied, remove=remove)
