"""Choice of the texts that a person should look at: those that are near the threshold of some label."""

import hashlib
import heapq
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from components.example_gen.splitting import fold
from serving.review.candidates import Candidates, Judge

MOST_ASKED = 5
"""Labels that a person is asked about one text, at most: those whose thresholds are nearest."""

_LEAST_HELD = 20
_MIN_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Chosen:
    """Text to label.

    Attributes:
        id: Its id.
        text: The text.
        text_pair: The second text; None where single texts are classified.
        judge: The model that scored it.
        asked: Labels in question, that whose threshold is nearest first.
        given: Labels that the model gives.
        probabilities: Probability of each label in `asked` and `given`.
        slices: Values by slice column, which a source of the pipeline needs as well.
    """

    id: str
    text: str
    text_pair: str | None
    judge: Judge
    asked: tuple[str, ...]
    given: tuple[str, ...]
    probabilities: dict[str, float]
    slices: Mapping[str, str] = field(default_factory=dict)


class _Near(NamedTuple):
    """Text near the threshold of a label; heaps have the farthest first."""

    nearness: float  # minus the distance
    order: bytes  # random, but the same for a text in every run
    text: Chosen


def choose_texts(parts: Iterable[Candidates], count: int, band: float, seed: int = 0) -> list[Chosen]:
    """Choose texts that are near thresholds, the labels in turn, so that rare ones are asked about as well.

    The distance of a probability from a threshold is that of their log odds. Of each label the nearest texts are kept;
    then every label in turn gives the nearest of its texts that is not chosen yet. Copies of a text, without regard to
    case and white space, count once. Memory depends on the number of labels and on `count`, not on that of the texts.

    Args:
        parts: Texts with probabilities; the labels of different models need not be the same.
        count: Number of texts; fewer if there are not as many in the band.
        band: Distance, in log odds, up to which a text is near.
        seed: Seed of the order of labels, and of texts that are equally near.

    Returns:
        The texts, in the order in which they were chosen.
    """
    heaps: dict[str, list[_Near]] = {}
    for part in parts:
        distances = np.abs(_log_odds(part.probabilities) - _log_odds(part.judge.thresholds))
        most_held = _LEAST_HELD + 4 * count // len(part.judge.labels)
        bounds = np.array([_bound(heaps.get(label, []), most_held, band) for label in part.judge.labels])
        for row in np.flatnonzero((distances <= bounds).any(axis=1)).tolist():
            text = _describe(part, row, distances[row], band)
            order = _order(text, seed)
            for column in np.flatnonzero(distances[row] <= bounds).tolist():
                heap = heaps.setdefault(part.judge.labels[column], [])
                heapq.heappush(heap, _Near(-float(distances[row, column]), order, text))
                if len(heap) > most_held:
                    heapq.heappop(heap)
    return list(itertools.islice(_in_turn(heaps, seed), count))


def _bound(heap: list[_Near], most_held: int, band: float) -> float:
    """Return the distance up to which another text is of interest."""
    return band if len(heap) < most_held else min(band, -heap[0].nearness)


def _in_turn(heaps: dict[str, list[_Near]], seed: int) -> Iterator[Chosen]:
    labels = sorted(heaps, key=lambda label: hashlib.sha256(f"{seed} {label}".encode()).digest())
    queues = [iter(sorted(heaps[label], key=lambda near: (-near.nearness, near.order))) for label in labels]
    seen: set[tuple[str, str]] = set()
    while queues:
        left = []
        for queue in queues:
            for near in queue:
                key = (fold(near.text.text), fold(near.text.text_pair or ""))
                if key not in seen:
                    seen.add(key)
                    yield near.text
                    left.append(queue)
                    break
        queues = left


def _describe(part: Candidates, row: int, distances: NDArray[np.float64], band: float) -> Chosen:
    judge, probabilities = part.judge, part.probabilities[row]
    nearest = [column for column in np.argsort(distances, kind="stable")[:MOST_ASKED] if distances[column] <= band]
    asked = tuple(judge.labels[column] for column in nearest)
    given = tuple(judge.labels[column] for column in np.flatnonzero(probabilities > judge.thresholds))
    of_labels = dict(zip(judge.labels, probabilities.tolist(), strict=True))
    shown = {label: round(of_labels[label], 6) for label in (*asked, *given)}
    return Chosen(part.ids[row], part.texts[row], part.pairs[row], judge, asked, given, shown, part.slices[row])


def _order(text: Chosen, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{text.text}\0{text.text_pair or ''}\0{text.id}".encode("utf-8", "replace")).digest()


def _log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(probabilities, _MIN_PROBABILITY, 1 - _MIN_PROBABILITY)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))
