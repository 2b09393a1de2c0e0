"""Changes of the label list. Each keeps the index of every other label.

A change is planned as an `Edit`, applied to the schema's proto, and applied to its text where that preserves what the
proto lacks: comments, and the user's own layout.
"""

import unicodedata
from dataclasses import dataclass

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.errors import Refused
from schema.infer import schema_text
from schema.label_list import (
    LabelList,
    implies_tag,
    label_list,
    labels_domain,
    labels_feature,
    parse_implies_tag,
    parse_renamed_tag,
    renamed_tag,
    retired_tag,
)
from schema.nearest import nearest
from schema.text_edit import UnusualLayout, edit_text


@dataclass(frozen=True)
class Edit:
    """Change of the domain and of the annotation of the labels feature.

    Attributes:
        index: Index of the label that changes; the number of labels for a new one.
        value: New name at this index; None to keep the name.
        tag_index: Index of the tag to replace or, without `tag`, to remove; None to keep all tags.
        tag: New tag; None for none.
    """

    index: int
    value: str | None = None
    tag_index: int | None = None
    tag: str | None = None


@dataclass(frozen=True)
class EditedSchema:
    """Text of a changed schema.

    Attributes:
        text: The schema in text format.
        keeps_layout: Whether comments and layout are those of the original.
    """

    text: str
    keeps_layout: bool


def plan_add(schema: schema_pb2.Schema, name: str) -> Edit:
    """Plan to append a label, or to bring a retired label back at its index.

    Raises:
        Refused: The name is a label in use or a label's former name, or cannot be a name.
    """
    labels, name = label_list(schema), checked_name(name)
    if name in labels.retired:
        return Edit(labels.names.index(name), tag_index=_tags(schema).index(retired_tag(name)))
    if name in labels.names:
        raise Refused(f"label '{name}' exists already, at index {labels.names.index(name)}")
    if name in labels.aliases:
        raise Refused(f"'{name}' is the former name of '{labels.aliases[name]}': rows with it mean that label")
    return Edit(len(labels.names), value=name)


def plan_rename(schema: schema_pb2.Schema, old: str, new: str) -> Edit:
    """Plan to rename a label at its index. The old name is still understood in data.

    A label may get one of its former names back.

    Raises:
        Refused: No label in use has the old name, or the new one belongs to another label or cannot be a name.
    """
    labels, new = label_list(schema), checked_name(new)
    index = _index_in_use(labels, old)
    if new in labels.names:
        raise Refused(f"label '{new}' exists already, at index {labels.names.index(new)}; labels are not merged")
    if labels.aliases.get(new, old) != old:
        raise Refused(f"'{new}' is the former name of '{labels.aliases[new]}': rows with it mean that label")
    reverted = next((at for at, tag in enumerate(_tags(schema)) if (parse_renamed_tag(tag) or ("",))[0] == new), None)
    return Edit(index, value=new, tag_index=reverted, tag=renamed_tag(old, new))


def plan_retire(schema: schema_pb2.Schema, name: str) -> Edit:
    """Plan to take a label out of use. Its index is not used again.

    Raises:
        Refused: No label in use has this name, or it is the last one.
    """
    labels = label_list(schema)
    index = _index_in_use(labels, name)
    if len(labels.active) == 1:
        raise Refused(f"'{name}' is the last label in use; add another first")
    return Edit(index, tag=retired_tag(name))


def plan_imply(schema: schema_pb2.Schema, label: str, implied: str, *, remove: bool = False) -> Edit:
    """Plan to record that every text with a label has another one too, or to remove that record.

    Raises:
        Refused: One of them is no label in use, they imply each other, or the record exists already or does not exist.
    """
    labels = label_list(schema)
    index = _index_in_use(labels, label)
    _index_in_use(labels, implied)
    recorded = implied in labels.implies.get(label, ())
    if remove:
        if not recorded:
            raise Refused(
                f"'{label}' does not imply '{implied}' directly; `bert-multilabel labels list` shows what does"
            )
        return Edit(index, tag_index=_index_of_implication(schema, labels, (label, implied)))
    if recorded:
        raise Refused(f"'{label}' implies '{implied}' already")
    if label == implied:
        raise Refused(f"'{label}' cannot imply itself")
    if label in labels.ancestors.get(implied, ()):
        raise Refused(
            f"'{implied}' implies '{label}' already, directly or through others; two labels cannot imply each other"
        )
    return Edit(index, tag=implies_tag(label, implied))


def _index_of_implication(schema: schema_pb2.Schema, labels: LabelList, wanted: tuple[str, str]) -> int:
    for index, tag in enumerate(_tags(schema)):
        pair = parse_implies_tag(tag)
        if pair is not None and tuple(labels.aliases.get(name, name) for name in pair) == wanted:
            return index
    raise AssertionError("label_list has found it")


def checked_name(name: str) -> str:
    """Return a label's name without surrounding whitespace, as ExampleGen reads labels.

    Raises:
        Refused: The name is blank, or has control characters or line breaks, which a line of text cannot show.
    """
    stripped = name.strip()
    if not stripped:
        raise Refused("a label needs a name")
    for character in stripped:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
            raise Refused(f"label {name!a} has a character that cannot be part of a name: {character!a}")
    return stripped


def edit_schema(text: str, edit: Edit) -> EditedSchema:
    """Apply an edit to a schema's text.

    Text in a layout that cannot be edited is written anew from the proto, without its comments.
    """
    schema = text_format.Parse(text, schema_pb2.Schema())
    intended = _applied(schema, edit)
    try:
        edited = edit_text(
            text,
            feature=list(schema.feature).index(labels_feature(schema)),
            domain=_domain_index(schema),
            index=edit.index,
            value=edit.value,
            tag_index=edit.tag_index,
            tag=edit.tag,
        )
        if _without_empty_annotation(text_format.Parse(edited, schema_pb2.Schema())) == intended:
            return EditedSchema(edited, keeps_layout=True)
    except (UnusualLayout, text_format.ParseError):
        pass
    return EditedSchema(schema_text(intended), keeps_layout=False)


def _applied(schema: schema_pb2.Schema, edit: Edit) -> schema_pb2.Schema:
    edited = schema_pb2.Schema()
    edited.CopyFrom(schema)
    domain, tags = labels_domain(edited), labels_feature(edited).annotation.tag
    assert domain is not None, "label_list has found it"
    if edit.value is not None:
        domain.value[edit.index : edit.index + 1] = [edit.value]
    at = len(tags) if edit.tag_index is None else edit.tag_index
    tags[at : at + 1] = [] if edit.tag is None else [edit.tag]
    return _without_empty_annotation(edited)


def _without_empty_annotation(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    feature = labels_feature(schema)
    if not feature.annotation.ByteSize():
        feature.ClearField("annotation")
    return schema


def _domain_index(schema: schema_pb2.Schema) -> int | None:
    """Return the index of the labels' domain among the schema's, or None if the feature has its own."""
    feature = labels_feature(schema)
    if not feature.HasField("domain"):
        return None
    return max(index for index, domain in enumerate(schema.string_domain) if domain.name == feature.domain)


def _tags(schema: schema_pb2.Schema) -> list[str]:
    return list(labels_feature(schema).annotation.tag)


def _index_in_use(labels: LabelList, name: str) -> int:
    if name in labels.active:
        return labels.names.index(name)
    if name in labels.retired:
        raise Refused(f"label '{name}' is retired; bring it back first with `bert-multilabel labels add`")
    if name in labels.aliases:
        raise Refused(f"label '{name}' does not exist any more: it was renamed to '{labels.aliases[name]}'")
    raise Refused(f"there is no label '{name}'; {nearest(name, labels.active)}")
