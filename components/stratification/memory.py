"""The deals that a registry remembers, so that a row that was dealt to a split stays in it as the data grow.

    <registry>/.splits/00000007/deal.bin
    <registry>/.splits/00000007/deal.json

An entry has everything that was dealt before it. It is written at the end of a run that judged a model, like the
entries of the training log; a run that fails before leaves none, and its data are dealt out anew. TensorFlow Serving
ignores the folder, like every name that is not a number. Needs no TensorFlow.
"""

from dataclasses import dataclass
from hashlib import sha256

from components.common.entries import NumberedEntries
from components.common.files import exists, make_folder, read_bytes, write_whole
from components.common.record import Record
from components.stratification.deal import Deal
from schema.errors import Refused

_DEAL_FILE = "deal.bin"
_KEPT = 3


class DealRecord(Record):
    """Entry of the memory.

    Attributes:
        inputs: Fingerprint of the inputs that were dealt out.
        dealt: Number of buckets that have a split.
    """

    FILE = "deal.json"  # written last: a folder without it is not an entry

    inputs: str
    dealt: int


_ENTRIES = NumberedEntries(".splits", DealRecord.FILE)


@dataclass(frozen=True)
class Remembered:
    """A deal that a run starts from.

    Attributes:
        number: Number of its entry; 0 if nothing was dealt before.
        deal: The deal.
    """

    number: int
    deal: Deal


def read_deal(folder: str) -> Deal:
    """Read the deal of a folder, which `write_deal` wrote; an empty one if there is none.

    Raises:
        Refused: The file is damaged or cannot be read.
    """
    path = f"{folder}/{_DEAL_FILE}"
    try:
        return Deal.from_bytes(read_bytes(path), path)
    except FileNotFoundError:
        return Deal()
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({error.strerror or error}); restore it") from None


def write_deal(folder: str, deal: Deal, inputs: str) -> None:
    """Write a deal into a folder, which is created if it does not exist."""
    make_folder(folder)
    write_whole(f"{folder}/{_DEAL_FILE}", deal.to_bytes())
    dealt = sum(int((splits < len(weights)).sum()) for weights, splits in deal.splits.items())
    DealRecord(inputs=inputs, dealt=dealt).write(folder)


def number_to_start_from(registry: str, inputs: str) -> int:
    """Return the number of the entry that inputs are dealt out beside; 0 for none.

    It is the last entry, unless that is of these very inputs: then it is the one before it, which the inputs were dealt
    out beside the first time. Both lead to the same splits; this one leaves the cache of the first time valid.

    Args:
        registry: The push destination.
        inputs: Fingerprint of the inputs; empty if it is not known.
    """
    numbers = _ENTRIES.numbers(registry)
    if numbers and inputs and DealRecord.read(_ENTRIES.folder(registry, numbers[-1])).inputs == inputs:
        numbers.pop()
    return numbers[-1] if numbers else 0


def describe_start(registry: str, inputs: str) -> str:
    """Return the number of the entry that inputs are dealt out beside, and a digest of it, for the key of a cache."""
    number = number_to_start_from(registry, inputs)
    return f"{number} {sha256(read_remembered(registry, number).deal.to_bytes()).hexdigest()[:16]}"


def read_remembered(registry: str, number: int) -> Remembered:
    """Read the deal of an entry.

    Raises:
        Refused: The file is damaged, or gone.
    """
    if number == 0:
        return Remembered(0, Deal())
    folder = _ENTRIES.folder(registry, number)
    if not exists(f"{folder}/{_DEAL_FILE}"):
        raise Refused(
            f"{folder}/{_DEAL_FILE}: is gone; restore it, or delete {folder}: rows may then change their split"
        )
    return Remembered(number, read_deal(folder))


def remember(registry: str, folder: str) -> None:
    """Append the deal of a folder to what a registry remembers; the caller holds the registry's lock.

    What the last entry has dealt out stays, and nothing is written if nothing was dealt out besides.

    Args:
        registry: The push destination.
        folder: Folder that `write_deal` wrote to; nothing is done if it has no deal.
    """
    try:
        record = DealRecord.read(folder)
    except FileNotFoundError:
        return
    numbers = _ENTRIES.numbers(registry)
    last = read_remembered(registry, numbers[-1] if numbers else 0)
    deal = last.deal.extended(read_deal(folder))
    if deal == last.deal:
        return
    write_deal(_ENTRIES.create(registry, last.number + 1), deal, record.inputs)
    for number in numbers[: 1 - _KEPT]:
        _ENTRIES.remove(_ENTRIES.folder(registry, number))
