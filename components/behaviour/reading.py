"""Reads the file of behavioural tests; what is wrong with it is told in one line, with its place, before anything runs.

Needs no TensorFlow.
"""

import types
import typing
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from components.behaviour.cases import edit_cases, slots_in
from components.behaviour.settings import EVERY_OTHER, BehaviourTests, Case, EditsGroup, Group, Text, TextsGroup
from components.common.files import display
from schema.errors import Refused
from schema.label_list import LabelList
from schema.nearest import nearest

_Place = Sequence[str | int]


class _Wrong(Exception):  # noqa: N818 - it is what the file is
    """Something at a place of the file is."""

    def __init__(self, place: _Place, why: str) -> None:
        super().__init__(why)
        self.place = place


def read_tests(path: str, labels: LabelList, *, pair: bool) -> BehaviourTests:
    """Reads and checks the tests.

    Args:
        path: The YAML file.
        labels: Of the schema.
        pair: Whether the model takes pairs of texts.

    Raises:
        Refused: In one line: file, line, key, what is wrong, and the nearest name that there is.
    """
    root, raw = _load(path)
    try:
        tests = _parse(raw)
        _check(tests, labels, pair=pair)
    except _Wrong as wrong:
        line = _line_of(root, wrong.place)
        raise Refused(f"{display(path)}:{line}: {_key(wrong.place)}{wrong}") from None
    return tests


def _load(path: str) -> tuple[yaml.Node | None, Any]:
    """The file's YAML, as nodes that know their lines and as what it says."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        root, raw = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
        scalars = [token for token in yaml.scan(text, Loader=yaml.SafeLoader) if isinstance(token, yaml.ScalarToken)]
    except FileNotFoundError:
        raise Refused(f"{display(path)}: no such file; `behaviour` in the configuration names it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{display(path)}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise Refused(f"{display(path)}: not YAML: {' '.join(str(error).split())}") from None
    for scalar in scalars:
        if not _is_unicode(scalar.value):
            line = scalar.start_mark.line + 1
            raise Refused(f"{display(path)}:{line}: {scalar.value!a} has half a surrogate pair, which is no character")
    return root, raw


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parse(raw: Any) -> BehaviourTests:
    try:
        return BehaviourTests.model_validate(raw)
    except ValidationError as error:
        errors = error.errors()
        # A key that is misspelt is told rather than that it is missing under its right name.
        first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
        raise _Wrong(first["loc"], _in_words(first)) from None


def _in_words(error: Any) -> str:
    """What pydantic found, with the nearest name where a name is wrong."""
    place, kind, got = error["loc"], error["type"], error["input"]
    match kind:
        case "extra_forbidden":
            return f"unknown key; {nearest(str(place[-1]), _keys_beside(place))}"
        case "missing":
            return "is missing"
        case "literal_error":
            known = [word.strip("'") for word in error["ctx"]["expected"].replace(" or ", ", ").split(", ")]
            return f"there is no {place[-1]} {str(got)!r}; {nearest(str(got), known)}"
        case "value_error":
            return str(error["ctx"]["error"])
        case "too_short":
            return "is empty; give at least one, or take it out"
        case "model_type" | "model_attributes_type":
            return f"must be a mapping of keys, or where a text is due, a text (in quotes, if need be), got {got!r}"
    shown = "" if isinstance(got, dict | list) else f", got {got!r}"
    return f"{error['msg']}{shown}"


def _check(tests: BehaviourTests, labels: LabelList, *, pair: bool) -> None:
    """What only the whole file, the schema and the configuration together can tell."""
    groups: list[tuple[_Place, Group]] = [(("texts", at), group) for at, group in enumerate(tests.texts)]
    groups += [(("edits", at), group) for at, group in enumerate(tests.edits)]
    if not groups:
        raise _Wrong((), "has no group of tests; write some under `texts` or `edits`, or take `behaviour` out")
    names = Counter(group.name for _, group in groups)
    for place, group in groups:
        if names[group.name] > 1:
            raise _Wrong((*place, "name"), f"two groups are named {group.name!r}; rename one")
    for place, text in _texts(tests):
        _check_text(place, text, tests, pair=pair)
    for place, name in _labels(tests):
        _check_label(place, name, labels)
    for at, texts in enumerate(tests.texts):
        _check_demands(("texts", at, "cases"), texts)
    for at, edits in enumerate(tests.edits):
        _check_edits(("edits", at), edits, tests)


def _check_text(place: _Place, text: Text, tests: BehaviourTests, *, pair: bool) -> None:
    if pair and text.text_pair is None:
        raise _Wrong(place, "the model takes pairs of texts; add text_pair (it may be empty)")
    if not pair and text.text_pair is not None:
        raise _Wrong((*place, "text_pair"), "the model takes single texts; take text_pair out")
    for name in slots_in(text):
        if name not in tests.slots:
            raise _Wrong(
                place,
                f"there is no slot '{name}'; {nearest(name, list(tests.slots))}; for the braces themselves, write"
                f" {{{{{name}}}}}",
            )


def _check_label(place: _Place, name: str, labels: LabelList) -> None:
    if name in labels.active:
        return
    if name in labels.retired:
        raise _Wrong(place, f"label '{name}' is retired; take it out")
    if name in labels.aliases:
        raise _Wrong(place, f"label '{name}' is called '{labels.aliases[name]}' now; write that")
    raise _Wrong(place, f"there is no label '{name}'; {nearest(name, labels.active)}")


def _check_demands(place: _Place, group: TextsGroup) -> None:
    """Every case asks something, and nothing that cannot be."""
    for at, case in enumerate(group.cases):
        given, not_given = {*group.given, *case.given}, {*group.not_given, *case.not_given}
        if not given and not not_given:
            raise _Wrong((*place, at), "nothing is asked of its labels; add given or not_given, here or to its group")
        if both := sorted(given & not_given):
            raise _Wrong((*place, at), f"label '{both[0]}' must be given and not given; remove one")


def _check_edits(place: _Place, group: EditsGroup, tests: BehaviourTests) -> None:
    if group.names is not None and group.names not in tests.slots:
        raise _Wrong((*place, "names"), f"there is no slot '{group.names}'; {nearest(group.names, list(tests.slots))}")
    if group.names is not None and len(set(tests.slots[group.names])) < 2:
        raise _Wrong(("slots", group.names), "has one name only, which can be exchanged for no other")
    if not group.test_texts and not edit_cases(group, tests):
        raise _Wrong((*place, "texts"), f"edit {group.edit} changes none of them, so there is no case")


def _texts(tests: BehaviourTests) -> Iterator[tuple[_Place, Text]]:
    for at, group in enumerate(tests.texts):
        yield from ((("texts", at, "cases", number), case) for number, case in enumerate(group.cases))
    for at, edits in enumerate(tests.edits):
        yield from ((("edits", at, "texts", number), text) for number, text in enumerate(edits.texts))


def _labels(tests: BehaviourTests) -> Iterator[tuple[_Place, str]]:
    for at, group in enumerate(tests.texts):
        holders: list[tuple[_Place, TextsGroup | Case]] = [(("texts", at), group)]
        holders += [(("texts", at, "cases", number), case) for number, case in enumerate(group.cases)]
        for place, holder in holders:
            yield from (((*place, "given", number), name) for number, name in enumerate(holder.given))
            for number, name in enumerate(holder.not_given):
                if name != EVERY_OTHER:
                    yield (*place, "not_given", number), name


def _keys_beside(place: _Place) -> list[str]:
    """The keys that the model holding `place` knows."""
    model: Any = BehaviourTests
    for part in place[:-1]:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return sorted(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel]:
    """The settings class inside `list[Annotated[Case, ...]]` and the like."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation
    return _model_in(typing.get_args(annotation)[0])


def _key(place: _Place) -> str:
    """`texts[0].cases[2].given[0]: `."""
    written = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return f"{written.removeprefix('.')}: " if place else ""


def _line_of(root: yaml.Node | None, place: _Place) -> int:
    """The line, from 1, on which the deepest part of a place that the file has begins."""
    node, line = root, 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == part]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
