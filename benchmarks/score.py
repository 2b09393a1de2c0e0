"""Measure batch scoring: texts per second against a plain loop over the SavedModel, and peak memory at two sizes.

    python -m benchmarks.score [--texts 4000] [--model REGISTRY] [--goemotions ../shared/data/goemotions]

The texts are drawn from GoEmotions' train split, with replacement. `bert-multilabel score` reads half of them and all
of them from a CSV file and writes Parquet, each in a process of its own; two loops in one process each score the same
texts with `serve_text`, in batches of 64: one in the order of the file, as a user would write it, and one sorted. If
there is an environment of PyTorch (`benchmarks.peer`), Transformers score them too, sorted, by MiniLM in float32.
Rates are of the second half of the texts, so that imports and loading do not count: (all - half) / (seconds of all -
seconds of half). On a machine that does other work, compare the rates by processor time. Memory is the peak of the
process and its children together, sampled every 0.2 seconds. The last line has all figures as one JSON object.
"""

import argparse
import csv
import json
import random
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks import peer
from benchmarks.goemotions import GOEMOTIONS, read_rows

_MODELS = ("runs/goemotions/registry", "runs/sample/registry")
_LOOP = """
import csv, sys
import tensorflow as tf, tensorflow_text
model = tf.saved_model.load(sys.argv[1])
serve = model.signatures["serve_text"]
with open(sys.argv[2], newline="", encoding="utf-8") as file:
    texts = [row["text"] for row in csv.DictReader(file)]
if sys.argv[3] == "sorted":
    texts.sort(key=len)
for start in range(0, len(texts), 64):
    serve(texts=tf.constant(texts[start : start + 64]))["probabilities"].numpy()
"""
# The same encoder, with a head of as many labels and random weights, which take as much time as trained ones.
_PYTORCH = """
import csv, sys
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
folder, path, n_labels, max_tokens = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=n_labels).eval()
with open(path, newline="", encoding="utf-8") as file:
    texts = sorted((row["text"] for row in csv.DictReader(file)), key=len)
with torch.inference_mode():
    for start in range(0, len(texts), 64):
        batch = tokenizer(
            texts[start : start + 64], padding=True, truncation=True, max_length=max_tokens, return_tensors="pt"
        )
        model(**batch).logits.sigmoid().numpy()
"""
_MAX_TOKENS = 128


@dataclass(frozen=True)
class Measured:
    """Measurements of one process."""

    texts: int
    seconds: float
    cpu_s: float
    peak_memory_mb: int


def write_texts(source: Path, path: Path, count: int, seed: int = 0) -> None:
    """Write texts drawn from GoEmotions as a CSV file with the columns id and text."""
    rng = random.Random(seed)
    texts = [row[0] for row in read_rows(source)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows((f"t{number}", rng.choice(texts)) for number in range(count))


def measure(command: list[str], texts: int) -> Measured:
    """Run a command and measure it with its children."""
    started, cpu, peak = time.perf_counter(), 0.0, 0
    with tempfile.TemporaryFile() as output:
        process = psutil.Popen(command, stdout=output, stderr=output)
        while process.poll() is None:
            try:
                family = [process, *process.children(recursive=True)]
                peak = max(peak, sum(each.memory_info().rss for each in family))
                times = [each.cpu_times() for each in family]
                cpu = max(cpu, sum(each.user + each.system for each in times))
            except psutil.NoSuchProcess:
                pass
            time.sleep(0.2)
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{' '.join(command[:4])} ... failed:\n{output.read().decode(errors='replace')[-2000:]}")
    return Measured(texts, round(time.perf_counter() - started, 2), round(cpu, 2), peak >> 20)


def rates(half: Measured, whole: Measured) -> dict[str, float]:
    """Return texts per second of the texts that only the larger measurement has."""
    texts = whole.texts - half.texts
    return {
        "texts_per_s": round(texts / max(whole.seconds - half.seconds, 1e-9), 1),
        "texts_per_cpu_s": round(texts / max(whole.cpu_s - half.cpu_s, 1e-9), 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=4000)
    parser.add_argument("--model", help="directory of a model, or a registry")
    parser.add_argument("--goemotions", type=Path, default=GOEMOTIONS)
    parser.add_argument("--peer", type=Path, default=peer.FOLDER, help="environment of PyTorch, if there is one")
    parser.add_argument("--beam", default="local", help="local or multi_processing")
    options = parser.parse_args()
    source = options.goemotions / "train.tsv"
    if not source.exists():
        print(f"{source} is missing; nothing was measured. benchmarks.fetch_goemotions FOLDER downloads it")
        return
    model = options.model or next((path for path in _MODELS if Path(path).exists()), None)
    if model is None:
        raise SystemExit("there is no model; `make goemotions` trains one, or give --model")
    from components.checkpoints.find import find_checkpoint
    from components.registry import ModelRecord, find_model

    directory = find_model(model)
    pytorch = options.peer / "bin" / "python"
    checkpoint = [str(find_checkpoint("minilm-l6").folder), str(len(ModelRecord.read(directory).labels))]
    folder = Path(tempfile.mkdtemp(prefix="score-"))
    measured: dict[str, list[Measured]] = {"score": [], "loop": [], "sorted loop": []}
    try:
        for count in (options.texts // 2, options.texts):
            path = folder / f"texts-{count}.csv"
            write_texts(source, path, count)
            command = [sys.executable, "-m", "pipeline", "score", "--model", directory, "--input", str(path)]
            command += ["--output", str(folder / f"scores-{count}"), "--beam", options.beam, "--quiet"]
            measured["score"].append(measure(command, count))
            for name, order in (("loop", "file"), ("sorted loop", "sorted")):
                measured[name].append(measure([sys.executable, "-c", _LOOP, directory, str(path), order], count))
            if pytorch.exists():
                arguments = [checkpoint[0], str(path), checkpoint[1], str(_MAX_TOKENS)]
                measured.setdefault("PyTorch", []).append(measure([str(pytorch), "-c", _PYTORCH, *arguments], count))
    finally:
        shutil.rmtree(folder)
    result: dict[str, object] = {name: [asdict(each) for each in both] for name, both in measured.items()}
    speed = {name: rates(*both) for name, both in measured.items()}
    for name, both in measured.items():
        wall, cpu = speed[name]["texts_per_s"], speed[name]["texts_per_cpu_s"]
        memory = " and ".join(str(each.peak_memory_mb) for each in both)
        print(f"{name:12} {wall:8.1f} texts/s {cpu:8.1f} per processor s, peak {memory} MiB")
    ratios = {
        f"ratio_to_{name.replace(' ', '_').lower()}": round(
            speed["score"]["texts_per_cpu_s"] / speed[name]["texts_per_cpu_s"], 3
        )
        for name in speed
        if name != "score"
    }
    growth = measured["score"][1].peak_memory_mb / measured["score"][0].peak_memory_mb
    print(json.dumps({**result, "rates": speed, **ratios, "memory_ratio": round(growth, 3)}))


if __name__ == "__main__":
    main()
