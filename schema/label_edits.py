"""Changes of the label list: each leaves every other label at its place.

A change is planned as an `Edit`, made in the schema's proto, and made in its text where that can be done without losing
what the proto does not know: comments, and the user's own layout.
"""

import difflib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from schema.errors import Refused
from schema.infer import schema_text
from schema.label_list import (
    LabelList,
    label_list,
    labels_domain,
    labels_feature,
    renamed_tag,
    renaming,
    retired_tag,
)
from schema.text_edit import Unusual, edit_text

_MOST_NAMED = 10


@dataclass(frozen=True)
class Edit:
    """What one change does to the domain and to the annotation of the labels feature.

    Attributes:
        place: The place that it is about; behind the last one for a new label.
        value: The label that stands there from now on, None to leave it.
        tag_place: The tag that is replaced or, without `tag`, removed; None if none is.
        tag: The new tag, None for none.
    """

    place: int
    value: str | None = None
    tag_place: int | None = None
    tag: str | None = None


@dataclass(frozen=True)
class Edited:
    """A schema's new text, and whether comments and layout were kept."""

    text: str
    kept: bool


def plan_add(schema: schema_pb2.Schema, name: str) -> Edit:
    """A new label behind the others, or a retired one back at its place.

    Raises:
        Refused: It is a label already, or was one's name before, or cannot be a name.
    """
    labels, name = label_list(schema), checked_name(name)
    if name in labels.retired:
        return Edit(labels.names.index(name), tag_place=_tags(schema).index(retired_tag(name)))
    if name in labels.names:
        raise Refused(f"there is a label '{name}' already, at place {labels.names.index(name)}")
    if name in labels.aliases:
        raise Refused(f"'{name}' is what '{labels.aliases[name]}' was called before: rows with it mean that label")
    return Edit(len(labels.names), value=name)


def plan_rename(schema: schema_pb2.Schema, old: str, new: str) -> Edit:
    """Another name at the same place; the old one is still understood in data.

    Back to a name that it had before is possible.

    Raises:
        Refused: There is no such label in use, or the new name is another's, or cannot be one.
    """
    labels, new = label_list(schema), checked_name(new)
    place = _place_in_use(labels, old)
    if new in labels.names:
        raise Refused(f"there is a label '{new}' already, at place {labels.names.index(new)}; labels are not merged")
    if labels.aliases.get(new, old) != old:
        raise Refused(f"'{new}' is what '{labels.aliases[new]}' was called before: rows with it mean that label")
    back = next((at for at, tag in enumerate(_tags(schema)) if (renaming(tag) or ("",))[0] == new), None)
    return Edit(place, value=new, tag_place=back, tag=renamed_tag(old, new))


def plan_retire(schema: schema_pb2.Schema, name: str) -> Edit:
    """No label any more, its place left empty.

    Raises:
        Refused: There is no such label in use, or it is the last.
    """
    labels = label_list(schema)
    place = _place_in_use(labels, name)
    if len(labels.active) == 1:
        raise Refused(f"'{name}' is the last label in use; add another first")
    return Edit(place, tag=retired_tag(name))


def checked_name(name: str) -> str:
    """The name without blanks around it, as ExampleGen reads labels.

    Raises:
        Refused: Nothing is left, or it has characters that no line of text can show (control characters, line breaks).
    """
    stripped = name.strip()
    if not stripped:
        raise Refused("a label needs a name")
    for character in stripped:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
            raise Refused(f"label {name!a} has a character that cannot be part of a name: {character!a}")
    return stripped


def edit_schema(text: str, edit: Edit) -> Edited:
    """Makes the change in a schema's text.

    Where the text is laid out in a way that is not understood, it is written anew from the proto, without comments.
    """
    schema = text_format.Parse(text, schema_pb2.Schema())
    intended = _applied(schema, edit)
    try:
        changed = edit_text(
            text,
            feature=list(schema.feature).index(labels_feature(schema)),
            domain=_domain_position(schema),
            place=edit.place,
            value=edit.value,
            tag_place=edit.tag_place,
            tag=edit.tag,
        )
        if _without_empty_annotation(text_format.Parse(changed, schema_pb2.Schema())) == intended:
            return Edited(changed, kept=True)
    except (Unusual, text_format.ParseError):
        pass
    return Edited(schema_text(intended), kept=False)


def _applied(schema: schema_pb2.Schema, edit: Edit) -> schema_pb2.Schema:
    changed = schema_pb2.Schema()
    changed.CopyFrom(schema)
    domain, tags = labels_domain(changed), labels_feature(changed).annotation.tag
    assert domain is not None, "label_list has found it"
    if edit.value is not None:
        domain.value[edit.place : edit.place + 1] = [edit.value]
    at = len(tags) if edit.tag_place is None else edit.tag_place
    tags[at : at + 1] = [] if edit.tag is None else [edit.tag]
    return _without_empty_annotation(changed)


def _without_empty_annotation(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    feature = labels_feature(schema)
    if not feature.annotation.ByteSize():
        feature.ClearField("annotation")
    return schema


def _domain_position(schema: schema_pb2.Schema) -> int | None:
    """Which of the schema's domains is the labels', None if the feature has one of its own."""
    feature = labels_feature(schema)
    if not feature.HasField("domain"):
        return None
    return max(at for at, domain in enumerate(schema.string_domain) if domain.name == feature.domain)


def _tags(schema: schema_pb2.Schema) -> list[str]:
    return list(labels_feature(schema).annotation.tag)


def _place_in_use(labels: LabelList, name: str) -> int:
    if name in labels.active:
        return labels.names.index(name)
    if name in labels.retired:
        raise Refused(f"label '{name}' is retired; `labels add` brings it back first")
    if name in labels.aliases:
        raise Refused(f"there is no label '{name}' any more: it is called '{labels.aliases[name]}' now")
    raise Refused(f"there is no label '{name}'; {_hint(name, labels.active)}")


def _hint(name: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    if nearest:
        return f"did you mean '{nearest[0]}'?"
    more = ", ..." if len(known) > _MOST_NAMED else ""
    return f"the labels are: {', '.join(known[:_MOST_NAMED])}{more}"
