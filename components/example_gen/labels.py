"""From the label columns of a row to its labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from components.example_gen.rows import Reason
from components.example_gen.settings import DelimitedLabels, ExamplesSettings, IndexedLabels, IndicatorLabels
from components.files import read_bytes
from schema.errors import Refused

# The values of a row's label columns -> its labels, in the order of the row, each once. Raises UnusableLabels.
LabelParser = Callable[[Sequence[str]], list[str]]


class UnusableLabels(Exception):  # noqa: N818 - it says what the row has
    """The row's labels mean nothing."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def make_label_parser(settings: ExamplesSettings, names: Sequence[str]) -> LabelParser:
    """Chooses the parser for the configured kind of labels.

    Args:
        settings: Their `labels` decide.
        names: What `read_label_names` returned.
    """
    match settings.labels:
        case DelimitedLabels(delimiter=delimiter):
            return lambda values: split_labels(values[0], delimiter)
        case IndicatorLabels(columns=columns):
            return _Indicators(columns)
        case IndexedLabels(delimiter=delimiter):
            return _Indices(delimiter, tuple(names))


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
    return list(dict.fromkeys(label for part in value.split(delimiter) if (label := part.strip())))


@dataclass(frozen=True, slots=True)
class _Indicators:
    names: tuple[str, ...]

    def __call__(self, values: Sequence[str]) -> list[str]:
        labels = []
        for name, value in zip(self.names, values, strict=True):
            flag = value.strip()
            if flag == "1":
                labels.append(name)
            elif flag != "0":
                raise UnusableLabels(Reason.NOT_0_OR_1, f"'{flag[:40]}' in column '{name}'")
        return labels


@dataclass(frozen=True, slots=True)
class _Indices:
    delimiter: str
    names: tuple[str, ...]

    def __call__(self, values: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(self._name(index) for index in split_labels(values[0], self.delimiter)))

    def _name(self, index: str) -> str:
        if not (index.isascii() and index.removeprefix("-").isdigit()):
            raise UnusableLabels(Reason.NOT_AN_INDEX, f"'{index[:40]}'")
        # A number of a thousand digits is out of range too; int() would refuse to read it.
        if len(index) > 9 or not 0 <= int(index) < len(self.names):
            raise UnusableLabels(Reason.INDEX_OUT_OF_RANGE, f"{index[:40]} is not in 0 to {len(self.names) - 1}")
        return self.names[int(index)]
