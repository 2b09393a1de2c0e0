"""Cost of gathering insights during an evaluation: CPU seconds and bytes, by numbers of labels and rows.

python -m benchmarks.insights
"""

import pickle
import time

import numpy as np

from components.evaluation.insights.tally import Example, InsightsTally, ScoreReader

_DIFFERENT = 1_000  # rows, which are repeated


def main() -> None:
    """Print one line for each size; both a candidate and a baseline are tallied."""
    print("labels    rows   cpu s   tally MB   insights.json MB")
    for n_labels, rows in ((28, 5_000), (28, 50_000), (500, 20_000)):
        tally, seconds = _fill_tally(n_labels, rows)
        sizes = (len(pickle.dumps(tally)), len(tally.insights().model_dump_json()))
        print(f"{n_labels:6d} {rows:7,d} {seconds:7.2f} {sizes[0] / 1e6:10.2f} {sizes[1] / 1e6:18.2f}")


def _fill_tally(n_labels: int, rows: int) -> tuple[InsightsTally, float]:
    random = np.random.default_rng(0)
    scores = random.random((_DIFFERENT, n_labels), np.float32) ** 3
    columns = [np.flatnonzero(random.random(n_labels) < 1.2 / n_labels).tolist() for _ in range(_DIFFERENT)]
    reader = ScoreReader(output_indices=tuple(range(n_labels)), thresholds=(0.3,) * n_labels)
    tally = InsightsTally([f"label {number}" for number in range(n_labels)], reader, reader)
    started = time.process_time()
    for row in range(rows):
        index = row % _DIFFERENT
        tally.add(Example(scores[index], scores[index], columns[index], f"row {row}", "some text " * 20, None))
    tally.compact()
    return tally, time.process_time() - started


if __name__ == "__main__":
    main()
