"""Measurement of one way to serve a model, for both environments: it needs NumPy alone."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Predict = Callable[[list[str]], Any]  # probabilities of texts, float32 [n, n_labels]


def measure(load: Callable[[], Predict], job: dict[str, Any]) -> dict[str, Any]:
    """Measure latency, throughput, load time, memory and quality.

    Args:
        load: Function that imports what is needed, loads the model and returns it.
        job: texts, labels (indices of each text), long_texts, batch, long_batch and thresholds.

    Returns:
        load_s until the first answer; p50_ms, p99_ms and cpu_ms (processor time, median) at batch 1; texts_per_s in
        batches; the same of long texts; macro_f1 and f1_by_label of the texts at the thresholds; memory_mb, the peak;
        probabilities of the first texts, with which the sides are compared.
    """
    started = time.perf_counter()
    predict = load()
    predict(job["texts"][:1])
    result: dict[str, Any] = {"load_s": round(time.perf_counter() - started, 2)}
    result |= _latency(predict, job["texts"][: job["latency_texts"]], warm=50)
    rate, probabilities = _throughput(predict, job["texts"], job["batch"])
    result["texts_per_s"] = round(rate, 1)
    f1 = _f1_by_label(probabilities, job["labels"], np.array(job["thresholds"]))
    result |= {"macro_f1": round(float(np.mean(f1)), 4), "f1_by_label": f1.tolist()}
    result["memory_mb"] = peak_mb()
    if job["long_texts"]:
        long = _latency(predict, job["long_texts"], warm=2)
        result |= {f"long_{name}": value for name, value in long.items()}
        rate, _ = _throughput(predict, job["long_texts"], job["long_batch"])
        result |= {"long_texts_per_s": round(rate, 2), "long_memory_mb": peak_mb()}
    return result | {"probabilities": probabilities[: job["compared"]].tolist()}


def _latency(predict: Predict, texts: Sequence[str], warm: int) -> dict[str, float]:
    for text in texts[:warm]:
        predict([text])
    walls, processors = [], []
    for text in texts:
        wall, processor = time.perf_counter(), time.process_time()
        predict([text])
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return {
        "p50_ms": round(float(np.percentile(walls, 50)) * 1e3, 2),
        "p99_ms": round(float(np.percentile(walls, 99)) * 1e3, 2),
        "cpu_ms": round(float(np.median(processors)) * 1e3, 2),
    }


def _throughput(predict: Predict, texts: list[str], batch: int) -> tuple[float, Any]:
    """Return texts per second in batches as they come, the first of which warms up, and all probabilities."""
    batches = _batches(texts, batch)
    outputs = [predict(next(batches))]
    started = time.perf_counter()
    outputs += [predict(each) for each in batches]
    seconds = time.perf_counter() - started
    if len(outputs) == 1:  # nothing but the warm-up: once more
        started = time.perf_counter()
        predict(texts)
        return len(texts) / (time.perf_counter() - started), outputs[0]
    return (len(texts) - len(outputs[0])) / seconds, np.concatenate(outputs)


def _batches(texts: list[str], size: int) -> Iterator[list[str]]:
    return (texts[start : start + size] for start in range(0, len(texts), size))


def _f1_by_label(probabilities: Any, labels: Sequence[Sequence[int]], thresholds: Any) -> Any:
    """Compute the F1 of each label, 0 for a label that is neither there nor predicted."""
    actual = np.zeros(probabilities.shape, bool)
    for row, indices in enumerate(labels):
        actual[row, list(indices)] = True
    predicted = probabilities > thresholds
    true_positives = (actual & predicted).sum(axis=0)
    return 2 * true_positives / np.maximum(actual.sum(axis=0) + predicted.sum(axis=0), 1)


def peak_mb() -> int:
    # Not getrusage's ru_maxrss, which starts at the size of the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024
