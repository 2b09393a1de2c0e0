"""From the label columns of a row to its labels."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from components.common.files import read_bytes
from components.example_gen.formats.rows import Reason, Value
from components.example_gen.formats.values import Unusable, shown, single
from components.example_gen.settings import (
    DelimitedLabels,
    ExamplesSettings,
    IndexedLabels,
    IndicatorLabels,
    ListLabels,
)
from schema.errors import Refused

# The values of a row's label columns -> its labels, in the order of the row, each once. Raises Unusable.
LabelParser = Callable[[Sequence[Value]], list[str]]


def make_label_parser(settings: ExamplesSettings, names: Sequence[str]) -> LabelParser:
    """Chooses the parser for the configured kind of labels.

    Args:
        settings: Their `labels` decide.
        names: What `read_label_names` returned.
    """
    match settings.labels:
        case DelimitedLabels(column=column, delimiter=delimiter):
            return lambda values: split_labels(single(values[0], column), delimiter)
        case IndicatorLabels(columns=columns):
            return _Indicators(columns)
        case IndexedLabels(column=column, delimiter=delimiter):
            return _Indices(column, delimiter, tuple(names))
        case ListLabels(column=column):
            return _List(column)


def read_label_names(settings: ExamplesSettings) -> tuple[str, ...]:
    """The list that label indices point into; empty for the other kinds of labels.

    Raises:
        Refused: The file is missing, empty or not UTF-8, or names a label twice or with a blank line.
    """
    if not isinstance(settings.labels, IndexedLabels):
        return ()
    path = f"{settings.input_base.rstrip('/')}/{settings.labels.names}"
    try:
        names = tuple(name.strip() for name in read_bytes(path).decode("utf-8-sig").rstrip().split("\n"))
    except UnicodeDecodeError:
        raise Refused(f"{path}: the list of labels is not UTF-8; save it as UTF-8") from None
    except Exception as error:  # a remote file system raises its own classes
        raise Refused(f"{path}: no such list of labels ({error}); set examples.labels.names") from None
    for line, name in enumerate(names, start=1):
        if not name:
            raise Refused(f"{path}:{line}: a blank line in the list of labels; name a label on every line")
        if name in names[: line - 1]:
            raise Refused(f"{path}:{line}: label '{name}' is listed twice; name each label once")
    return names


def split_labels(value: str, delimiter: str) -> list[str]:
    """The parts of a delimited list, stripped, without blank and repeated ones, in their order."""
    return _distinct(value.split(delimiter))


def _distinct(labels: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(stripped for label in labels if (stripped := label.strip())))


@dataclass(frozen=True, slots=True)
class _List:
    column: str

    def __call__(self, values: Sequence[Value]) -> list[str]:
        (labels,) = values
        if labels is None:
            raise Unusable(Reason.MISSING_FIELD, f"'{shown(self.column)}'")
        if not isinstance(labels, str):
            return _distinct(labels)
        if labels:  # "" is what null is read as
            raise Unusable(Reason.NOT_A_LIST, f"'{shown(self.column)}' holds '{shown(labels)}'")
        return []


@dataclass(frozen=True, slots=True)
class _Indicators:
    names: tuple[str, ...]

    def __call__(self, values: Sequence[Value]) -> list[str]:
        labels = []
        for name, value in zip(self.names, values, strict=True):
            flag = single(value, name).strip()
            if flag == "1":
                labels.append(name)
            elif flag != "0":
                raise Unusable(Reason.NOT_0_OR_1, f"'{flag[:40]}' in column '{name}'")
        return labels


@dataclass(frozen=True, slots=True)
class _Indices:
    column: str
    delimiter: str
    names: tuple[str, ...]

    def __call__(self, values: Sequence[Value]) -> list[str]:
        (value,) = values
        # A list may hold one delimited string: in a tf.Example everything is a list.
        written = value if isinstance(value, list) else [single(value, self.column)]
        indices = (index for part in written for index in split_labels(part, self.delimiter))
        return list(dict.fromkeys(self._name(index) for index in indices))

    def _name(self, index: str) -> str:
        if not (index.isascii() and index.removeprefix("-").isdigit()):
            raise Unusable(Reason.NOT_AN_INDEX, f"'{index[:40]}'")
        # A number of a thousand digits is out of range too; int() would refuse to read it.
        if len(index) > 9 or not 0 <= int(index) < len(self.names):
            raise Unusable(Reason.INDEX_OUT_OF_RANGE, f"{index[:40]} is not in 0 to {len(self.names) - 1}")
        return self.names[int(index)]
