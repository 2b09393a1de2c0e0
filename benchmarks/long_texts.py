"""Benchmark of what is done with long texts: `truncation: head` and `head_tail` against `long_texts.windows`.

    python -m benchmarks.long_texts [--long 40] [--words 5000] [--kinds head max ...]

Texts of 5,000 words, a diary in which nothing has a label, have a message of the bundled sample somewhere, which
decides their labels. Training texts are those and the messages alone; thresholds come from long texts, results from
others, whose messages are worded with phrases of their own. The encoder is MiniLM's first layers.

Every kind is a process of its own that takes the pipeline's way: Transform, the Trainer's `run_fn`, and the exported
model's signature serve_text. Costs are processor time, which does not depend on what else the machine does, and peak
memory. `short_ms` is the processor time of one message alone, which a model with windows reads as one without.

The last line printed is a JSON object: the results of each kind.
"""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving.measure import peak_mb

LABELS = ("account_access", "app_bug", "billing", "product_question", "refund", "shipping")
_POOLS = ("max", "mean", "attention")
_MESSAGE_WORDS = 45  # of the longest messages that are used, so that they fit one window
_MAX_TOKENS = 128
_SAMPLE = Path(__file__).parents[1] / "data" / "sample"

_WHO = ("My sister", "Our neighbour", "The old gardener", "A friend of mine", "My uncle", "The baker", "Her cousin")
_DID = (
    *("walked to", "sat near", "painted", "told us about", "remembered", "took the path around", "drew a map of"),
    *("looked for birds near", "read a poem about", "dreamt of", "waited beside", "planted apple trees behind"),
)
_WHAT = (
    *("the harbour", "the old mill", "the lighthouse", "a small chapel", "the market square", "the river bend"),
    *("the village school", "the orchard", "a stone bridge", "the hill above the town", "the railway cutting"),
)
_WHEN = (
    *("in the early morning", "before the rain came", "on a quiet Sunday", "while the bells were ringing"),
    *("when the leaves had turned yellow", "after supper", "as the fog lifted", "during the long summer holidays"),
)
_THEN = (
    *("Nobody said a word", "We laughed about it later", "The dog slept in the shade", "Somebody played the accordion"),
    *("The wind smelled of hay", "It was the best day of the year", "The children counted the boats", "Tea was ready"),
)


@dataclass(frozen=True)
class Row:
    """Text and its labels."""

    text: str
    labels: tuple[str, ...]


def main() -> None:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    arguments = _arguments()
    if arguments.kind:
        print(json.dumps(_measure(arguments.kind, arguments)))
        return
    kinds = {}
    for kind in arguments.kinds:
        process = subprocess.run(
            [sys.executable, "-m", "benchmarks.long_texts", *sys.argv[1:], "--kind", kind],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        kinds[kind] = json.loads(process.stdout.splitlines()[-1])
        print(kind, kinds[kind], file=sys.stderr, flush=True)
    facts = {name: getattr(arguments, name) for name in ("long", "words", "layers", "epochs", "stride", "most")}
    print(json.dumps({"benchmark": "long_texts", "cpus": len(os.sched_getaffinity(0)), **facts, "kinds": kinds}))


def _measure(kind: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train, export and serve a model that reads long texts in one way."""
    import tensorflow as tf
    from sklearn.metrics import f1_score, roc_auc_score
    from tfx.components.trainer.fn_args_utils import FnArgs

    from components.preprocessing.settings import WindowSettings
    from components.registry import ModelRecord
    from components.trainer.run import run_fn
    from components.trainer.settings import TrainerConfig, TrainingSettings
    from tests.components.preprocessing.transform import run_transform

    windows = None
    if kind in _POOLS:
        windows = WindowSettings.model_validate(
            {"size": _MAX_TOKENS, "stride": arguments.stride, "most": arguments.most, "pool": kind}
        )
    splits = _rows(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        checkpoint = _first_layers(folder / "checkpoint", arguments.layers)
        tokenizer = {
            "checkpoint": str(checkpoint), "lower_case": True,
            "max_tokens": windows.max_tokens if windows else _MAX_TOKENS,
            "truncation": "head" if windows else kind,
        }  # fmt: skip
        roots = {}
        for split in ("train", "eval"):
            rows = [
                {"id": [str(number)], "text": [row.text], "labels": list(row.labels)}
                for number, row in enumerate(splits[split])
            ]
            roots[split] = run_transform(folder / split, rows, LABELS, tokenizer)
        settings = TrainingSettings(
            epochs=arguments.epochs, batch_size=32, learning_rate=3e-4, patience=arguments.epochs, seed=arguments.seed
        )
        config = TrainerConfig(
            training=settings, checkpoint=str(checkpoint), checkpoint_fingerprint="", windows=windows
        )
        before = time.process_time()
        run_fn(FnArgs(
            train_files=[f"{roots['train']}/examples/Split-train/*"],
            eval_files=[f"{roots['eval']}/examples/Split-train/*"],
            transform_graph_path=str(roots["train"] / "graph"),
            schema_path=str(roots["train"] / "schema" / "schema.pbtxt"),
            serving_model_dir=str(folder / "model"),
            model_run_dir=str(folder / "run"),
            custom_config={"trainer": config.model_dump(mode="json")},
        ))  # fmt: skip
        result: dict[str, Any] = {"training_cpu_s": round(time.process_time() - before, 1), "training_mb": peak_mb()}
        served = tf.saved_model.load(str(folder / "model")).signatures["serve_text"]

        def predict(texts: Sequence[str]) -> Any:
            return served(texts=tf.constant(list(texts)))["probabilities"].numpy()

        test = splits["test"]
        predict([test[0].text])
        before = time.process_time()
        probabilities = np.concatenate([predict([row.text for row in test[start : start + 8]])
                                        for start in range(0, len(test), 8)])  # fmt: skip
        result["serving_cpu_ms"] = round((time.process_time() - before) / len(test) * 1e3, 1)
        result["short_ms"] = round(_median_cpu_ms(predict, [row.text for row in splits["short"]]), 2)
        thresholds = np.array(ModelRecord.read(str(folder / "model")).thresholds, np.float32)
        result["serving_mb"] = _serving_mb(folder / "model", [row.text for row in test[:8]])
    actual = np.array([[label in row.labels for label in LABELS] for row in test])
    result["macro_f1"] = round(float(f1_score(actual, probabilities > thresholds, average="macro", zero_division=0)), 3)
    result["macro_auc"] = round(float(roc_auc_score(actual, probabilities, average="macro")), 3)
    return result


def _median_cpu_ms(predict: Any, texts: Sequence[str]) -> float:
    times = []
    for text in texts:
        before = time.process_time()
        predict([text])
        times.append(time.process_time() - before)
    return float(np.median(times)) * 1e3


_SERVE = """
import json, pathlib, sys
import tensorflow as tf, tensorflow_text
texts = json.load(sys.stdin)
model = tf.saved_model.load(sys.argv[1])
model.signatures["serve_text"](texts=tf.constant(texts))
print(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def _serving_mb(model: Path, texts: Sequence[str]) -> int:
    """Return the peak memory of a process that serves some texts at once, in MiB."""
    process = subprocess.run(
        [sys.executable, "-c", _SERVE, str(model)], input=json.dumps(list(texts)), text=True, stdout=subprocess.PIPE,
        check=True,
    )  # fmt: skip
    return int(process.stdout.splitlines()[-1]) // 1024


def _rows(arguments: argparse.Namespace) -> dict[str, list[Row]]:
    """Return the rows of each split; `short` has messages of the test split alone."""
    draw = random.Random(0)
    messages = {split: _messages(split) for split in ("train", "test")}
    draw.shuffle(messages["train"])
    draw.shuffle(messages["test"])
    n = arguments.long
    hidden, rest = messages["train"][: 2 * n], messages["train"][2 * n :]

    def long(rows: Sequence[Row]) -> list[Row]:
        return [Row(_diary(draw, row.text, arguments.words), row.labels) for row in rows]

    return {
        "train": [*long(hidden[:n]), *rest[: arguments.short]],
        "eval": long(hidden[n:]),
        "test": long(messages["test"][: 2 * n]),
        "short": messages["test"][:200],
    }


def _messages(split: str) -> list[Row]:
    """Return the sample's English messages that are short enough for one window and have one of the labels alone."""
    with (_SAMPLE / split / "messages.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["language"] == "en"]
    return [
        Row(row["text"], (row["labels"],))
        for row in rows
        if row["labels"] in LABELS and len(row["text"].split()) <= _MESSAGE_WORDS
    ]


def _diary(draw: random.Random, message: str, words: int) -> str:
    """Return a text of a number of words that has a message somewhere."""
    sentences: list[str] = []
    n_words = len(message.split())
    while n_words < words:
        sentence = f"{draw.choice(_WHO)} {draw.choice(_DID)} {draw.choice(_WHAT)} {draw.choice(_WHEN)}. "
        sentence += f"{draw.choice(_THEN)}."
        sentences.append(sentence)
        n_words += len(sentence.split())
    sentences.insert(draw.randint(0, len(sentences)), message)
    return " ".join(sentences)


def _first_layers(folder: Path, layers: int) -> Path:
    """Write MiniLM with its first layers alone as a Hugging Face folder, and return it."""
    from safetensors.numpy import load_file, save_file

    from components.checkpoints.find import BUNDLED, find_checkpoint

    bundled = find_checkpoint(BUNDLED).folder
    folder.mkdir()
    for name in ("vocab.txt", "tokenizer_config.json"):
        shutil.copy(bundled / name, folder)
    config = json.loads((bundled / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": layers}), encoding="utf-8")
    kept = {}
    for name, value in load_file(bundled / "model.safetensors").items():
        _, found, rest = name.partition("encoder.layer.")
        if not found or int(rest.split(".")[0]) < layers:
            kept[name] = value
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = ("head", "head_tail", *_POOLS)
    parser.add_argument("--kinds", nargs="*", choices=kinds, default=list(kinds))
    parser.add_argument("--long", type=int, default=40, help="long texts in train and in eval; twice as many in test")
    parser.add_argument("--short", type=int, default=600, help="messages alone in train")
    parser.add_argument("--words", type=int, default=5000, help="words of a long text")
    parser.add_argument("--layers", type=int, default=2, help="encoder layers")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--stride", type=int, default=96)
    parser.add_argument("--most", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=kinds, help=argparse.SUPPRESS)  # set in the process that measures one
    return parser.parse_args()


if __name__ == "__main__":
    main()
