"""Cost of the Evaluator's metrics without the models' inference: seconds, CPU seconds and peak memory.

    python -m benchmarks.evaluate

Runs TFMA as the Evaluator does, on generated predictions: a candidate and a baseline; all examples and slices by label,
column, text length and pair of columns; with gates and their confidence intervals. Prints one line for each size, then
all of them as one JSON object.
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
class Cost:
    """Cost of one evaluation.

    Attributes:
        labels: Number of labels.
        examples: Number of examples.
        slices: Number of slices, all examples included.
        seconds: Wall-clock time from the predictions to the metrics on disk.
        cpu_seconds: CPU time of the process during that time.
        peak_mb: Peak memory of the process, in MiB.
        before_mb: Peak memory before the evaluation, which includes the generated predictions, in MiB.
        read_seconds: Wall-clock time to read the results and decide the gates.
        gates: Number of gates passed, and of all.
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


class Predictions:
    """Generated predictions of two models, with 1.2 labels an example, rare and frequent ones, as in GoEmotions."""

    def __init__(self, n_examples: int, n_labels: int) -> None:
        generator = np.random.default_rng(0)
        n_examples = min(n_examples, _DIFFERENT)  # repeated, so that generating them costs little
        frequency = np.arange(1, n_labels + 1) ** -0.8
        share = np.minimum(1.2 * frequency / frequency.sum(), 0.6)
        self._truth = generator.random((n_examples, n_labels), np.float32) < share
        self._scores = [_scores(self._truth, share, generator, noise) for noise in (1.4, 1.5)]
        self._lengths = generator.geometric(1 / 70, n_examples)
        self._names = np.array([label.encode() for label in _labels(n_labels)])

    def extracts(self, example: int) -> dict[str, Any]:
        """Return TFMA's extracts of an example after the models have run on it."""
        import tensorflow_model_analysis as tfma

        models = (tfma.CANDIDATE_KEY, tfma.BASELINE_KEY)
        row = example % len(self._truth)
        labels = self._names[self._truth[row]]
        return {
            tfma.FEATURES_KEY: {
                "text": np.array([b"%d" % example]),
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
    """Run one evaluation in this process, and send its cost."""
    import tensorflow_model_analysis as tfma

    from components.blessing.judge import judge_gates
    from components.evaluation.eval_config import build_eval_config
    from components.evaluation.results import read_evaluation
    from components.evaluation.settings import EvaluationSettings
    from schema.label_list import LabelList

    settings = EvaluationSettings(slices=["language", "language*channel"], gates=list(_GATES))
    labels = LabelList(_labels(n_labels))
    config = build_eval_config(labels, settings, {"language": _LANGUAGES})
    config = tfma.utils.update_eval_config_with_defaults(config, has_baseline=True)
    predictions = Predictions(n_examples, n_labels)
    before_mb, started, cpu_started = _peak_mb(), time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        _run_tfma(config, predictions, n_examples, folder)
        seconds, cpu_seconds, peak_mb = time.monotonic() - started, time.process_time() - cpu_started, _peak_mb()
        evaluation = read_evaluation(folder, labels.active)
        results = judge_gates(settings.gates, evaluation, min_support=settings.min_support)
        read_seconds = time.monotonic() - started - seconds
    sender.send(
        Cost(
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


def _run_tfma(config: Any, predictions: Predictions, n_examples: int, folder: str) -> None:
    """Write the metrics of all predictions into a folder."""
    import apache_beam as beam
    import tensorflow_model_analysis as tfma

    from components.evaluation.extractors import bucketing_extractor

    # Names alone: none of the extractors runs a model.
    models = [
        tfma.types.EvalSharedModel(model_name=name, model_type=tfma.TF_GENERIC, is_baseline=is_baseline)
        for name, is_baseline in ((tfma.CANDIDATE_KEY, False), (tfma.BASELINE_KEY, True))
    ]
    extractors = [
        bucketing_extractor(config),
        tfma.extractors.SliceKeyExtractor(eval_config=config, materialize=False),
    ]
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        _ = (
            pipeline
            | beam.Create(range(n_examples), reshuffle=False)
            | beam.Map(predictions.extracts)
            | tfma.ExtractEvaluateAndWriteResults(
                eval_config=config, eval_shared_model=models, output_path=folder, extractors=extractors
            )
        )


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--sizes",
        nargs="+",
        metavar="LABELSxEXAMPLES",
        default=["28x10000", "28x50000", "28x200000", "28x800000", "500x50000"],
        help="sizes to measure",
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
