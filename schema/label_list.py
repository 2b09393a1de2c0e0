"""The schema as the single source of truth for the label list."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.errors import Refused
from schema.features import LABELS, TEXT, TEXT_PAIR

# Tags in the annotation of the labels feature. After `retired:` everything is the name; a renaming is a JSON list of
# the old and the new name, because no separator is a character that a label cannot have.
_RETIRED, _RENAMED = "retired:", "renamed:"


@dataclass(frozen=True)
class LabelList:
    """The labels of a schema. A label's position in `names` is its place in every vector, as long as models live.

    Attributes:
        names: The label of every place, retired ones too: a place is never given to another label.
        retired: Those of them that are not in use any more; their places stay empty.
        aliases: What a label was called before -> what it is called now, one of `names`.
    """

    names: tuple[str, ...]
    retired: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def active(self) -> tuple[str, ...]:
        """The labels that are in use, in order."""
        return tuple(name for name in self.names if name not in self.retired)

    @property
    def retired_columns(self) -> tuple[int, ...]:
        """The places that stay empty."""
        return tuple(place for place, name in enumerate(self.names) if name in self.retired)


def read_schema(path: str) -> schema_pb2.Schema:
    """Reads a TF-Metadata schema in text format and checks what this project relies on.

    Raises:
        Refused: There is no such file, it is no schema, or it does not describe text and labels as this project needs.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Refused(
            f"{path}: no such schema; `bert-multilabel init --data FILE --output DIR` infers one, "
            "schema_file names it in the configuration"
        ) from None
    try:
        schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise Refused(f"{path}: not a TF-Metadata schema in text format: {error}") from None
    try:
        label_list(schema)
        _check_text(schema)
    except ValueError as error:
        raise Refused(f"{path}: {error}") from None
    return schema


def label_list(schema: schema_pb2.Schema) -> LabelList:
    """The closed string domain of the labels feature, in its order, and what its annotation says of changes.

    Raises:
        ValueError: The schema has no such feature or domain, the domain repeats a label, or the annotation
            contradicts it.
    """
    feature = labels_feature(schema)
    domain = labels_domain(schema)
    if domain is None or not domain.value:
        raise ValueError(f"feature '{LABELS}' has no string domain; list the labels there")
    names = tuple(domain.value)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"label '{repeated[0]}' stands twice in the domain of '{LABELS}'; remove one")
    tags = list(feature.annotation.tag)
    return LabelList(names, _retired(tags, names), _aliases(tags, names))


def labels_feature(schema: schema_pb2.Schema) -> schema_pb2.Feature:
    """The labels feature.

    Raises:
        ValueError: There is none.
    """
    return _feature(schema, LABELS)


def labels_domain(schema: schema_pb2.Schema) -> schema_pb2.StringDomain | None:
    """The string domain of the labels feature: its own, or the one of the schema that it names."""
    feature = labels_feature(schema)
    if not feature.HasField("domain"):
        return feature.string_domain
    return next((domain for domain in reversed(schema.string_domain) if domain.name == feature.domain), None)


def retired_tag(name: str) -> str:
    """The tag that says that a label is retired."""
    return f"{_RETIRED}{name}"


def renamed_tag(old: str, new: str) -> str:
    """The tag that says what a label was called before."""
    return f"{_RENAMED}{json.dumps([old, new], ensure_ascii=False)}"


def renaming(tag: str) -> tuple[str, str] | None:
    """The old and the new name, None for a tag that is about something else.

    Raises:
        ValueError: It is about a renaming, but cannot be read.
    """
    if not tag.startswith(_RENAMED):
        return None
    try:
        old, new = json.loads(tag.removeprefix(_RENAMED))
    except (ValueError, TypeError):
        old = new = None
    if not isinstance(old, str) or not isinstance(new, str):
        raise ValueError(f"feature '{LABELS}', annotation tag '{tag}': write it as renamed:[\"OLD\", \"NEW\"]")
    return old, new


def _retired(tags: Sequence[str], names: Sequence[str]) -> frozenset[str]:
    retired = [tag.removeprefix(_RETIRED) for tag in tags if tag.startswith(_RETIRED)]
    for name in retired:
        if name not in names:
            raise ValueError(f"annotation of '{LABELS}': '{name}' is retired, but not in the domain; leave it there")
        if retired.count(name) > 1:
            raise ValueError(f"annotation of '{LABELS}': '{name}' is retired twice; remove one of the tags")
    if len(retired) == len(names):
        raise ValueError(f"every label of '{LABELS}' is retired; at least one must be in use")
    return frozenset(retired)


def _aliases(tags: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    steps: dict[str, str] = {}
    for old, new in filter(None, map(renaming, tags)):
        if old in names:
            raise ValueError(f"annotation of '{LABELS}': '{old}' was renamed, but is in the domain; remove one")
        if old in steps:
            raise ValueError(f"annotation of '{LABELS}': '{old}' is renamed twice; remove one of the tags")
        steps[old] = new
    return {old: _end_of(old, steps, names) for old in steps}


def _end_of(old: str, steps: Mapping[str, str], names: Sequence[str]) -> str:
    """Follows one renaming after the other to a name of today; as many steps as there are, or it is a circle."""
    name = old
    for _ in steps:
        name = steps[name]
        if name in names:
            return name
        if name not in steps:
            break
    raise ValueError(f"annotation of '{LABELS}': '{old}' was renamed to '{name}', which is not in the domain; add it")


def _check_text(schema: schema_pb2.Schema) -> None:
    # A dense serving signature needs a dense feature: exactly one string a row.
    pair = [feature for feature in schema.feature if feature.name == TEXT_PAIR]
    for feature in (_feature(schema, TEXT), *pair):
        if [dimension.size for dimension in feature.shape.dim] != [1]:
            raise ValueError(f"feature '{feature.name}' must have `shape {{ dim {{ size: 1 }} }}`, exactly one string")


def _feature(schema: schema_pb2.Schema, name: str) -> schema_pb2.Feature:
    for feature in schema.feature:
        if feature.name == name:
            return feature
    known = ", ".join(feature.name for feature in schema.feature) or "none"
    raise ValueError(f"no feature '{name}' (it has: {known})")
