"""The label list, read from the schema: the single source of truth for it."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.errors import Refused
from schema.features import LABELS, TEXT, TEXT_PAIR
from schema.nearest import nearest

# Prefixes of tags in the annotation of the labels feature. A retired label is written as it is; a renaming as a JSON
# list of the old and the new name, because any separator could be part of a label.
# An implication is written as a renaming is: the label, and the one that it implies.
_RETIRED, _RENAMED, _IMPLIES = "retired:", "renamed:", "implies:"
_MOST_CHARACTERS = 200  # of a parser's error, which quotes the whole line


@dataclass(frozen=True)
class LabelList:
    """The labels of a schema. The index of a label in `names` is its index in every vector, for all models.

    Attributes:
        names: Label of every index, retired labels included: an index is never given to another label.
        retired: Labels that are no longer in use; their vector elements stay 0.
        aliases: Former name of a label -> its present name, one of `names`.
        implies: Label -> labels that every text with it has too, directly; all of them of `names`. Free of cycles.

    Example:
        >>> labels = LabelList(("billing", "refund", "praise"), frozenset({"refund"}), {"thanks": "praise"})
        >>> labels.active
        ('billing', 'praise')
        >>> labels.retired_indices
        (1,)
        >>> LabelList(("animal", "dog", "spaniel"), implies={"spaniel": ("dog",), "dog": ("animal",)}).ancestors
        {'dog': ('animal',), 'spaniel': ('animal', 'dog')}
    """

    names: tuple[str, ...]
    retired: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)
    implies: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def active(self) -> tuple[str, ...]:
        """Labels in use, in order."""
        return tuple(name for name in self.names if name not in self.retired)

    @property
    def retired_indices(self) -> tuple[int, ...]:
        """Indices of the retired labels, ascending."""
        return tuple(index for index, name in enumerate(self.names) if name in self.retired)

    @property
    def ancestors(self) -> dict[str, tuple[str, ...]]:
        """Labels in use that a label in use implies, directly or through others, for the labels that imply any."""
        found = {}
        for label in self.active:
            implied: set[str] = set()
            waiting = list(self.implies.get(label, ()))
            while waiting:
                parent = waiting.pop()
                if parent not in implied:
                    implied.add(parent)
                    waiting += self.implies.get(parent, ())
            if in_use := tuple(name for name in self.active if name in implied):
                found[label] = in_use
        return found

    @property
    def ancestor_indices(self) -> dict[int, tuple[int, ...]]:
        """Indices of the labels that each label implies, by its index; empty if no label implies another."""
        index = {name: position for position, name in enumerate(self.names)}
        return {index[label]: tuple(index[name] for name in names) for label, names in self.ancestors.items()}


def read_schema(path: str) -> schema_pb2.Schema:
    """Read a TF-Metadata schema in text format and check the features that this project relies on.

    Raises:
        Refused: The file does not exist, is not a schema, or does not describe text and labels as required.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Refused(
            f"{path}: no such schema; `bert-multilabel init --data FILE --output DIR` infers one, "
            "schema_file names it in the configuration"
        ) from None
    except UnicodeDecodeError as error:
        raise Refused(f"{path}: not a TF-Metadata schema in text format: byte {error.start} is not UTF-8") from None
    except OSError as error:
        raise Refused(f"{path}: cannot be read: {error.strerror}; schema_file names a file in text format") from None
    try:
        schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        reason = str(error)
        short = reason if len(reason) <= _MOST_CHARACTERS else f"{reason[:_MOST_CHARACTERS]}..."
        raise Refused(f"{path}: not a TF-Metadata schema in text format: {short}") from None
    except RecursionError:
        raise Refused(f"{path}: not a TF-Metadata schema: its messages are nested too deeply") from None
    try:
        label_list(schema)
        _check_text(schema)
    except ValueError as error:
        raise Refused(f"{path}: {error}") from None
    return schema


def label_list(schema: schema_pb2.Schema) -> LabelList:
    """Return the label list: the closed string domain of the labels feature, and the changes in its annotation.

    Raises:
        ValueError: The schema has no such feature or domain, the domain repeats a label, or the annotation
            contradicts the domain.
    """
    feature = labels_feature(schema)
    domain = labels_domain(schema)
    if domain is None or not domain.value:
        raise ValueError(f"feature '{LABELS}' has no string domain; list the labels there")
    names = tuple(domain.value)
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f"label '{repeated[0]}' occurs twice in the domain of '{LABELS}'; remove one")
    tags = list(feature.annotation.tag)
    aliases = _aliases(tags, names)
    return LabelList(names, _retired(tags, names), aliases, _implications(tags, names, aliases))


def labels_feature(schema: schema_pb2.Schema) -> schema_pb2.Feature:
    """Return the labels feature.

    Raises:
        ValueError: The schema has none.
    """
    return _feature(schema, LABELS)


def labels_domain(schema: schema_pb2.Schema) -> schema_pb2.StringDomain | None:
    """Return the string domain of the labels feature: its own, or the schema's domain that it names."""
    feature = labels_feature(schema)
    if not feature.HasField("domain"):
        return feature.string_domain
    return next((domain for domain in reversed(schema.string_domain) if domain.name == feature.domain), None)


def retired_tag(name: str) -> str:
    """Return the tag that marks a label as retired."""
    return f"{_RETIRED}{name}"


def renamed_tag(old: str, new: str) -> str:
    """Return the tag that records a renaming."""
    return f"{_RENAMED}{json.dumps([old, new], ensure_ascii=False)}"


def implies_tag(label: str, implied: str) -> str:
    """Return the tag that records that one label implies another."""
    return f"{_IMPLIES}{json.dumps([label, implied], ensure_ascii=False)}"


def parse_implies_tag(tag: str) -> tuple[str, str] | None:
    """Return a label and the one that it implies, by the names in the tag, or None for any other tag.

    Raises:
        ValueError: The tag records an implication, but not in the right form.

    Example:
        >>> parse_implies_tag('implies:["dog", "animal"]')
        ('dog', 'animal')
    """
    return _parse_pair(tag, _IMPLIES, '["LABEL", "IMPLIED"]')


def parse_renamed_tag(tag: str) -> tuple[str, str] | None:
    """Return the old and the new name of a renaming, or None for any other tag.

    Raises:
        ValueError: The tag records a renaming, but not in the right form.

    Example:
        >>> parse_renamed_tag('renamed:["thanks", "praise"]')
        ('thanks', 'praise')
    """
    return _parse_pair(tag, _RENAMED, '["OLD", "NEW"]')


def _parse_pair(tag: str, prefix: str, form: str) -> tuple[str, str] | None:
    if not tag.startswith(prefix):
        return None
    try:
        first, second = json.loads(tag.removeprefix(prefix))
    except (ValueError, TypeError):
        first = second = None
    if not isinstance(first, str) or not isinstance(second, str):
        raise ValueError(f"feature '{LABELS}', annotation tag '{tag}': write it as {prefix}{form}")
    return first, second


def _retired(tags: Sequence[str], names: Sequence[str]) -> frozenset[str]:
    known = frozenset(names)
    retired = [tag.removeprefix(_RETIRED) for tag in tags if tag.startswith(_RETIRED)]
    for name, count in Counter(retired).items():
        if name not in known:
            raise ValueError(
                f"annotation of '{LABELS}': '{name}' is retired, but not in the domain; put it back at its index"
            )
        if count > 1:
            raise ValueError(f"annotation of '{LABELS}': '{name}' is retired twice; remove one of the tags")
    if len(retired) == len(names):
        raise ValueError(f"every label of '{LABELS}' is retired; at least one must be in use")
    return frozenset(retired)


def _implications(tags: Sequence[str], names: Sequence[str], aliases: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    implies: dict[str, tuple[str, ...]] = {}
    for pair in filter(None, map(parse_implies_tag, tags)):
        label, implied = (aliases.get(name, name) for name in pair)
        for name in (label, implied):
            if name not in names:
                raise ValueError(
                    f"annotation of '{LABELS}': '{label}' implies '{implied}', but there is no label '{name}';"
                    f" {nearest(name, names)}"
                )
        implies[label] = tuple(dict.fromkeys((*implies.get(label, ()), implied)))
    _refuse_cycles(implies)
    return implies


def _refuse_cycles(implies: Mapping[str, Sequence[str]]) -> None:
    safe: set[str] = set()
    for start in implies:
        path: list[Iterator[str]] = [iter((start,))]
        names: list[str] = []
        while path:
            label = next(path[-1], None)
            if label is None:
                path.pop()
                safe.update(names[-1:])
                names = names[:-1]
            elif label in names:
                cycle = " -> ".join([*names[names.index(label) :], label])
                raise ValueError(
                    f"annotation of '{LABELS}': '{label}' implies itself ({cycle}); remove one of the implications"
                )
            elif label not in safe:
                names.append(label)
                path.append(iter(implies.get(label, ())))


def _aliases(tags: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    known = frozenset(names)
    renamings: dict[str, str] = {}
    for old, new in filter(None, map(parse_renamed_tag, tags)):
        if old in known:
            raise ValueError(f"annotation of '{LABELS}': '{old}' was renamed, but is in the domain; remove one")
        if old in renamings:
            raise ValueError(f"annotation of '{LABELS}': '{old}' is renamed twice; remove one of the tags")
        renamings[old] = new
    present: dict[str, str] = {}
    for old in renamings:
        _follow(old, renamings, known, present)
    return {old: present[old] for old in renamings}


def _follow(old: str, renamings: Mapping[str, str], known: frozenset[str], present: dict[str, str]) -> None:
    """Enter the present name of a renamed label and of those on the way to it, each of which is visited once."""
    passed, name = [], old
    on_the_way = set()
    while name not in known:
        if name in present:
            name = present[name]
            break
        if name not in renamings or name in on_the_way:
            raise ValueError(
                f"annotation of '{LABELS}': '{old}' was renamed to '{name}', which is not in the domain; add it"
            )
        passed.append(name)
        on_the_way.add(name)
        name = renamings[name]
    present.update(dict.fromkeys(passed, name))


def _check_text(schema: schema_pb2.Schema) -> None:
    # The serving signatures are dense, so the features must be: exactly one string a row.
    pair = [feature for feature in schema.feature if feature.name == TEXT_PAIR]
    for feature in (_feature(schema, TEXT), *pair):
        if [dimension.size for dimension in feature.shape.dim] != [1]:
            raise ValueError(f"feature '{feature.name}' must have `shape {{ dim {{ size: 1 }} }}`, exactly one string")


def _feature(schema: schema_pb2.Schema, name: str) -> schema_pb2.Feature:
    for feature in schema.feature:
        if feature.name == name:
            return feature
    known = ", ".join(feature.name for feature in schema.feature) or "none"
    raise ValueError(f"no feature '{name}' (the schema has: {known})")
