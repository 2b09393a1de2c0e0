"""What the Evaluator's metrics take, the model's inference apart: seconds, CPU seconds, the most memory.

    python -m benchmarks.evaluate

Runs TFMA as the Evaluator does, on predictions that are there already: a candidate and a baseline, all examples, a
slice for each label, a column, text lengths and a cross of two columns, with gates and their confidence intervals.
Prints one line for each size, then all of them as one JSON object.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

_DIFFERENT = 50_000
_LANGUAGES, _CHANNELS = ("de", "en", "zh"), ("chat", "mail")
_GATES = (
    "macro_f1 >= 0.1",
    "macro_f1 >= baseline - 0.01",
    "macro_auc >= 0.1",
    "hamming_loss <= 0.9",
    "f1[*] >= baseline - 0.05 where support >= 50",
    "auc in language=zh >= 0.1",
)


@dataclass(frozen=True)
class Measured:
    """One evaluation.

    Attributes:
        labels, examples: how many.
        slices: how many came of them, all examples among them.
        seconds: on the clock, from the predictions to the metrics on disk.
        cpu_seconds: of the process, in the same time.
        peak_mb: the most memory that the process held, in MiB.
        before_mb: what it held before the evaluation, the made-up predictions among it.
        read_seconds: to read the result back and judge the gates.
        gates: how many gates passed, of all.
    """

    labels: int
    examples: int
    slices: int
    seconds: float
    cpu_seconds: float
    peak_mb: int
    before_mb: int
    read_seconds: float
    gates: str


class MadeUp:
    """Two models' predictions for 1.2 labels an example, rare ones and frequent, as in GoEmotions."""

    def __init__(self, n_examples: int, n_labels: int) -> None:
        generator = np.random.default_rng(0)
        n_examples = min(n_examples, _DIFFERENT)  # over and over: what is made up must not count as what is measured
        frequency = np.arange(1, n_labels + 1) ** -0.8
        share = np.minimum(1.2 * frequency / frequency.sum(), 0.6)
        self._truth = generator.random((n_examples, n_labels), np.float32) < share
        self._scores = [_scores(self._truth, share, generator, noise) for noise in (1.4, 1.5)]
        self._lengths = generator.geometric(1 / 70, n_examples)
        self._names = np.array([label.encode() for label in _labels(n_labels)])

    def extracts(self, row: int) -> dict[str, Any]:
        """What TFMA has of an example once the models have run on it."""
        import tensorflow_model_analysis as tfma

        models = (tfma.CANDIDATE_KEY, tfma.BASELINE_KEY)
        text, row = row, row % len(self._truth)
        labels = self._names[self._truth[row]]
        return {
            tfma.FEATURES_KEY: {
                "text": np.array([b"%d" % text]),
                "labels": labels,
                "language": np.array([_LANGUAGES[row % 3].encode()]),
                "channel": np.array([_CHANNELS[row % 2].encode()]),
                "text_length": self._lengths[row : row + 1],
            },
            tfma.LABELS_KEY: dict.fromkeys(models, labels),
            tfma.PREDICTIONS_KEY: dict(zip(models, (table[row] for table in self._scores), strict=True)),
        }


def _scores(truth: Any, share: Any, generator: np.random.Generator, noise: float) -> Any:
    log_odds = generator.standard_normal(truth.shape, np.float32)
    log_odds *= noise
    log_odds += np.log(share / (1 - share)).astype(np.float32) + 3 * truth
    return 1 / (1 + np.exp(-log_odds))


def _labels(n_labels: int) -> tuple[str, ...]:
    return tuple(f"label-{number}" for number in range(n_labels))


def evaluate(n_labels: int, n_examples: int, sender: Any) -> None:
    """Runs one evaluation in this process, and sends what it took."""
    import apache_beam as beam
    import tensorflow_model_analysis as tfma

    from components.blessing.judge import judge_gates
    from components.evaluation.eval_config import build_eval_config
    from components.evaluation.extractors import bucketing_extractor
    from components.evaluation.results import read_evaluation
    from components.evaluation.settings import EvaluationSettings
    from schema.label_list import LabelList

    settings = EvaluationSettings(slices=["language", "language*channel"], gates=list(_GATES))
    labels = LabelList(_labels(n_labels))
    config = build_eval_config(labels, settings, {"language": _LANGUAGES})
    config = tfma.utils.update_eval_config_with_defaults(config, has_baseline=True)
    made_up = MadeUp(n_examples, n_labels)
    before_mb, started, cpu_started = _peak_mb(), time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        with beam.Pipeline(runner="FnApiRunner") as pipeline:
            _ = (
                pipeline
                | beam.Create(range(n_examples), reshuffle=False)
                | beam.Map(made_up.extracts)
                | tfma.ExtractEvaluateAndWriteResults(
                    eval_config=config,
                    # Names only: no extractor below runs a model.
                    eval_shared_model=[
                        tfma.types.EvalSharedModel(model_name=name, model_type=tfma.TF_GENERIC, is_baseline=is_baseline)
                        for name, is_baseline in ((tfma.CANDIDATE_KEY, False), (tfma.BASELINE_KEY, True))
                    ],
                    output_path=folder,
                    extractors=[
                        bucketing_extractor(config),
                        tfma.extractors.SliceKeyExtractor(eval_config=config, materialize=False),
                    ],
                )
            )
        seconds, cpu_seconds, peak_mb = time.monotonic() - started, time.process_time() - cpu_started, _peak_mb()
        evaluation = read_evaluation(folder, labels.active)
        results = judge_gates(settings.gates, evaluation, min_support=settings.min_support)
        read_seconds = time.monotonic() - started - seconds
    sender.send(
        Measured(
            labels=n_labels,
            examples=n_examples,
            slices=len(evaluation.slices) + 1,
            seconds=round(seconds, 1),
            cpu_seconds=round(cpu_seconds, 1),
            peak_mb=peak_mb,
            before_mb=before_mb,
            read_seconds=round(read_seconds, 1),
            gates=f"{sum(result.passed for result in results)} of {len(results)}",
        )
    )


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Measures each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--sizes",
        nargs="+",
        metavar="LABELSxEXAMPLES",
        default=["28x10000", "28x50000", "28x200000", "28x800000", "500x50000"],
        help="what to measure",
    )
    results = []
    for size in parser.parse_args().sizes:
        n_labels, n_examples = map(int, size.split("x"))
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=evaluate, args=(n_labels, n_examples, sender))
        process.start()
        sender.close()
        try:
            results.append(receiver.recv())
        except EOFError:
            raise SystemExit(f"the evaluation of {size} ended without a result") from None
        process.join()
        print(results[-1], file=sys.stderr)
    print(json.dumps({"evaluations": [asdict(result) for result in results]}))


if __name__ == "__main__":
    main()
