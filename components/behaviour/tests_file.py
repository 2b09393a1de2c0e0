"""Reader of the file of behavioural tests, which refuses a wrong file before anything runs. Needs no TensorFlow."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from components.behaviour.cases import edit_cases, slots_in
from components.behaviour.settings import EVERY_OTHER, BehaviourTests, Case, EditsGroup, Group, Text, TextsGroup
from components.common.files import display
from components.common.validation import Location, at_key, explain
from components.common.yaml_text import InvalidYamlError, parse_yaml
from schema.errors import Refused
from schema.label_list import LabelList
from schema.nearest import nearest


class _Error(Exception):
    """Error at a location of the file; the message names the key."""

    def __init__(self, location: Location, message: str) -> None:
        super().__init__(message)
        self.location = location


def read_tests(path: str, labels: LabelList, *, pair: bool) -> BehaviourTests:
    """Read and check a file of behavioural tests.

    Args:
        path: Path of the YAML file.
        labels: The schema's labels.
        pair: Whether the model takes pairs of texts.

    Raises:
        Refused: The file cannot be read or is wrong. The message is one line with file, line and key, and the nearest
            known name for an unknown one.
    """
    root, content = _load(path)
    try:
        tests = _parse(content)
        _check(tests, labels, pair=pair)
    except _Error as error:
        raise Refused(f"{display(path)}:{_line(root, error.location)}: {error}") from None
    return tests


def _load(path: str) -> tuple[yaml.Node | None, Any]:
    """Return the file's YAML as nodes, which know their lines, and as Python values."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = parse_yaml(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        scalars = [token for token in yaml.scan(text, Loader=yaml.SafeLoader) if isinstance(token, yaml.ScalarToken)]
    except FileNotFoundError:
        raise Refused(f"{display(path)}: no such file; `behaviour` in the configuration names it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"{display(path)}: cannot be read: {error}") from None
    except InvalidYamlError as error:
        raise Refused(f"{display(path)}: {error}") from None
    for scalar in scalars:
        if not _is_unicode(scalar.value):
            line = scalar.start_mark.line + 1
            raise Refused(
                f"{display(path)}:{line}: {scalar.value!a} has half a surrogate pair, which is not a character"
            )
    return root, content


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parse(content: Any) -> BehaviourTests:
    try:
        return BehaviourTests.model_validate(content)
    except ValidationError as error:
        problem = explain(error, BehaviourTests)
        raise _Error(problem.location, problem.message) from None


def _check(tests: BehaviourTests, labels: LabelList, *, pair: bool) -> None:
    """Check what depends on the whole file, the schema and the configuration."""
    groups: list[tuple[Location, Group]] = [(("texts", index), group) for index, group in enumerate(tests.texts)]
    groups += [(("edits", index), group) for index, group in enumerate(tests.edits)]
    if not groups:
        raise _Error((), "has no group of tests; write some under `texts` or `edits`, or remove `behaviour`")
    names = Counter(group.name for _, group in groups)
    for location, group in groups:
        if names[group.name] > 1:
            raise _at((*location, "name"), f"two groups are named {group.name!r}; rename one")
    for location, text in _texts(tests):
        _check_text(location, text, tests, pair=pair)
    for location, name in _labels(tests):
        _check_label(location, name, labels)
    for index, texts in enumerate(tests.texts):
        _check_demands(("texts", index, "cases"), texts)
    for index, edits in enumerate(tests.edits):
        _check_edits(("edits", index), edits, tests)


def _check_text(location: Location, text: Text, tests: BehaviourTests, *, pair: bool) -> None:
    if pair and text.text_pair is None:
        raise _at(location, "the model takes pairs of texts; add text_pair (it may be empty)")
    if not pair and text.text_pair is not None:
        raise _at((*location, "text_pair"), "the model takes single texts; remove text_pair")
    for name in slots_in(text):
        if name not in tests.slots:
            raise _at(
                location,
                f"there is no slot '{name}'; {nearest(name, list(tests.slots))}; for the braces themselves, write"
                f" {{{{{name}}}}}",
            )


def _check_label(location: Location, name: str, labels: LabelList) -> None:
    if name in labels.active:
        return
    if name in labels.retired:
        raise _at(location, f"label '{name}' is retired; remove it")
    if name in labels.aliases:
        raise _at(location, f"label '{name}' was renamed to '{labels.aliases[name]}'; write that")
    raise _at(location, f"there is no label '{name}'; {nearest(name, labels.active)}")


def _check_demands(location: Location, group: TextsGroup) -> None:
    """Check that every case makes a demand, and no contradictory ones."""
    for index, case in enumerate(group.cases):
        given, not_given = {*group.given, *case.given}, {*group.not_given, *case.not_given}
        if not given and not not_given:
            raise _at((*location, index), "has no demand; add given or not_given, here or to its group")
        if both := sorted(given & not_given):
            raise _at((*location, index), f"label '{both[0]}' must be given and not given; remove one")


def _check_edits(location: Location, group: EditsGroup, tests: BehaviourTests) -> None:
    if group.names is not None and group.names not in tests.slots:
        raise _at((*location, "names"), f"there is no slot '{group.names}'; {nearest(group.names, list(tests.slots))}")
    if group.names is not None and len(set(tests.slots[group.names])) < 2:
        raise _at(("slots", group.names), "has only one name, which cannot be exchanged; add another")
    if not group.test_texts and not edit_cases(group, tests):
        raise _at((*location, "texts"), f"edit {group.edit} changes none of them, so there is no case")


def _at(location: Location, message: str) -> _Error:
    return _Error(location, at_key(location, message))


def _texts(tests: BehaviourTests) -> Iterator[tuple[Location, Text]]:
    for index, group in enumerate(tests.texts):
        yield from ((("texts", index, "cases", number), case) for number, case in enumerate(group.cases))
    for index, edits in enumerate(tests.edits):
        yield from ((("edits", index, "texts", number), text) for number, text in enumerate(edits.texts))


def _labels(tests: BehaviourTests) -> Iterator[tuple[Location, str]]:
    for index, group in enumerate(tests.texts):
        owners: list[tuple[Location, TextsGroup | Case]] = [(("texts", index), group)]
        owners += [(("texts", index, "cases", number), case) for number, case in enumerate(group.cases)]
        for location, owner in owners:
            yield from (((*location, "given", number), name) for number, name in enumerate(owner.given))
            for number, name in enumerate(owner.not_given):
                if name != EVERY_OTHER:
                    yield (*location, "not_given", number), name


def _line(root: yaml.Node | None, location: Location) -> int:
    """Return the line, from 1, of the deepest part of a location that is in the file."""
    node, line = root, 1
    for part in location:
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
