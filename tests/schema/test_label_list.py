"""Read the label list from the schema."""

import itertools
import time
from pathlib import Path

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.errors import Refused
from schema.features import ID, LABELS, TEXT, TEXT_PAIR
from schema.infer import infer_schema, schema_text
from schema.label_list import implies_tag, label_list, labels_feature, read_schema, renamed_tag, retired_tag


def _write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "schema.pbtxt"
    path.write_text(text)
    return str(path)


def _with_two_second_texts() -> str:
    schema = infer_schema(["a"], [], pair=True)
    next(feature for feature in schema.feature if feature.name == TEXT_PAIR).shape.dim[0].size = 2
    return schema_text(schema)


def test_the_label_list_is_the_domain_in_its_order(tmp_path: Path) -> None:
    path = _write(tmp_path, schema_text(infer_schema(["z", "ä", "a"], [])))
    assert label_list(read_schema(path)).names == ("z", "ä", "a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not a schema", "not a TF-Metadata schema"),
        ("", "no feature 'labels'"),
        ('feature { name: "labels" type: BYTES }', "has no string domain"),
        (schema_text(infer_schema(["a", "b", "a"], [])), "label 'a' occurs twice"),
        (schema_text(infer_schema(["a"], [])).replace("size: 1", "size: 2"), "'text' .* exactly one string"),
        (_with_two_second_texts(), "'text_pair' .* exactly one string"),
    ],
)
def test_refuses_a_file_that_is_not_a_schema_of_this_project(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        read_schema(_write(tmp_path, text))


def test_the_second_text_is_described_like_the_first() -> None:
    described = {feature.name: feature for feature in infer_schema(["a"], ["channel"], pair=True).feature}
    assert list(described) == [ID, TEXT, TEXT_PAIR, "channel", LABELS]
    described[TEXT_PAIR].name = TEXT
    assert described[TEXT_PAIR] == described[TEXT]


def test_the_refusal_of_a_missing_schema_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="bert-multilabel init"):
        read_schema(str(tmp_path / "none.pbtxt"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff", "byte 0 is not UTF-8"), (None, "cannot be read: Is a directory"), (b"\0", "not a TF-Metadata schema")],
)
def test_names_a_schema_that_cannot_be_read(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "schema.pbtxt"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(Refused, match=message) as refused:
        read_schema(str(path))
    assert str(refused.value).startswith(f"{path}: ")


def _renamed(count: int) -> schema_pb2.Schema:
    """Return a schema of which every label was renamed, one of them again and again, and half are retired."""
    schema = infer_schema([f"label {number}" for number in range(count)], [])
    tags = labels_feature(schema).annotation.tag
    tags.extend(renamed_tag(f"step {number}", f"step {number + 1}") for number in range(count))
    tags.append(renamed_tag(f"step {count}", "label 0"))
    tags.extend(retired_tag(f"label {number}") for number in range(1, count // 2))
    return schema


def test_time_to_read_grows_with_the_number_of_labels_not_its_square() -> None:
    times = []
    for count in (2_000, 16_000):
        schema = _renamed(count)
        started = time.process_time()
        labels = label_list(schema)
        times.append(time.process_time() - started)
        assert labels.aliases["step 0"] == "label 0"
    assert times[1] < 25 * times[0], "8 times the labels; 64 times as long were it quadratic"


def _implying(*pairs: tuple[str, str], retired: str = "", renamed: tuple[str, str] | None = None) -> schema_pb2.Schema:
    schema = infer_schema(["animal", "dog", "spaniel", "pet"], [])
    tags = labels_feature(schema).annotation.tag
    tags.extend([implies_tag(*pair) for pair in pairs])
    tags.extend([retired_tag(retired)] if retired else [])
    tags.extend([renamed_tag(*renamed)] if renamed else [])
    return schema


def test_labels_imply_others_directly_and_through_others() -> None:
    labels = label_list(_implying(("spaniel", "dog"), ("dog", "animal"), ("spaniel", "pet")))
    assert labels.implies == {"spaniel": ("dog", "pet"), "dog": ("animal",)}
    assert labels.ancestors == {"dog": ("animal",), "spaniel": ("animal", "dog", "pet")}
    assert labels.ancestor_indices == {1: (0,), 2: (0, 1, 3)}


def test_implications_pass_through_retired_labels_and_survive_renamings() -> None:
    pairs = (("spaniel", "hound"), ("hound", "animal"))
    labels = label_list(_implying(*pairs, retired="dog", renamed=("hound", "dog")))
    assert labels.ancestors == {"spaniel": ("animal",)}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("dog", "dog")], r"'dog' implies itself \(dog -> dog\)"),
        ([("spaniel", "dog"), ("dog", "animal"), ("animal", "dog")], r"'dog' implies itself \(dog -> animal -> dog\)"),
        ([("dog", "animl")], r"there is no label 'animl'; did you mean 'animal'\?"),
        ([("cat", "animal")], "there is no label 'cat'"),
    ],
)
def test_refuses_cycles_and_labels_that_do_not_exist(pairs: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        label_list(_implying(*pairs))


def test_finds_that_deep_and_wide_implications_have_no_cycle_in_time() -> None:
    names = [f"l{number}" for number in range(3_000)]
    schema = infer_schema(names, [])
    tags = labels_feature(schema).annotation.tag
    tags.extend(implies_tag(child, parent) for child, parent in itertools.pairwise(reversed(names)))
    started = time.perf_counter()
    assert len(label_list(schema).implies) == 2_999
    assert time.perf_counter() - started < 5
