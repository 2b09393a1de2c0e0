"""What gathering insights adds to an evaluation: processor seconds, and bytes, by labels and rows.

python -m benchmarks.insights
"""

import pickle
import time

import numpy as np

from components.evaluation.insights.tally import Example, InsightsTally, ScoreReader

_DIFFERENT = 1_000  # rows, over and over


def main() -> None:
    """Prints a line a size; candidate and baseline are both tallied."""
    print("labels    rows   cpu s   tally MB   insights.json MB")
    for n_labels, rows in ((28, 5_000), (28, 50_000), (500, 20_000)):
        tally, seconds = _tallied(n_labels, rows)
        sizes = (len(pickle.dumps(tally)), len(tally.insights().model_dump_json()))
        print(f"{n_labels:6d} {rows:7,d} {seconds:7.2f} {sizes[0] / 1e6:10.2f} {sizes[1] / 1e6:18.2f}")


def _tallied(n_labels: int, rows: int) -> tuple[InsightsTally, float]:
    random = np.random.default_rng(0)
    scores = random.random((_DIFFERENT, n_labels), np.float32) ** 3
    columns = [np.flatnonzero(random.random(n_labels) < 1.2 / n_labels).tolist() for _ in range(_DIFFERENT)]
    scored = ScoreReader(output_indices=tuple(range(n_labels)), thresholds=(0.3,) * n_labels)
    tally = InsightsTally([f"label {number}" for number in range(n_labels)], scored, scored)
    began = time.process_time()
    for row in range(rows):
        place = row % _DIFFERENT
        tally.add(Example(scores[place], scores[place], columns[place], f"row {row}", "some text " * 20, None))
    tally.compact()
    return tally, time.process_time() - began


if __name__ == "__main__":
    main()
