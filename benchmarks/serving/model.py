"""The model of `benchmarks.serve`: MiniLM trained on GoEmotions, as an export of the Trainer and for Transformers."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.goemotions import read_labels, read_rows

_MAX_TOKENS = 512
_BATCH_SIZE = 32
_EVAL_ROWS = 5_000


def write_model(folder: Path, data: Path, steps: int) -> None:
    """Train, and write `saved_model`, `variants`, `hugging_face` and `thresholds.json` below a folder.

    Args:
        folder: Folder to write to.
        data: Folder of GoEmotions.
        steps: Number of batches of 32.
    """
    import tensorflow_transform as tft

    from benchmarks.transformed import write_transformed
    from components.checkpoints.find import BUNDLED, find_checkpoint
    from components.trainer.decisions.thresholds import choose_thresholds
    from components.trainer.export import export_classifier
    from components.trainer.input_pipeline import length_grouped_batches
    from components.trainer.loop.fit import predict
    from components.trainer.model import plain_copy
    from components.variants.measure import Rows
    from tests.components.preprocessing.transform import run_transform

    checkpoint, labels = find_checkpoint(BUNDLED), read_labels(data)
    files = {}
    train_rows = read_rows(data / "train.tsv")
    for split, rows in (("train", train_rows[: steps * _BATCH_SIZE]), ("eval", train_rows[-_EVAL_ROWS:])):
        files[split] = str(folder / f"{split}.gz")
        texts, indices = [row[0] for row in rows], [row[1] for row in rows]
        write_transformed(Path(files[split]), texts, indices, len(labels), checkpoint, 64)
    model = plain_copy(_train(files, len(labels), folder))
    probabilities, actual = predict(model, length_grouped_batches([files["eval"]], len(labels), 64))
    thresholds = choose_thresholds(probabilities, actual)
    (folder / "thresholds.json").write_text(json.dumps([float(each) for each in thresholds]), encoding="utf-8")
    transform = run_transform(
        folder,
        [{"id": ["0"], "text": ["a text"], "labels": [labels[0]]}],
        labels,
        {"vocabulary": str(checkpoint.vocabulary), "lower_case": True, "max_tokens": _MAX_TOKENS},
    )
    export_classifier(
        model, tft.TFTransformOutput(str(transform / "graph")), labels, thresholds, str(folder / "saved_model")
    )
    _write_hugging_face(folder / "hugging_face", checkpoint.folder, model, len(labels))
    rows = train_rows[-_EVAL_ROWS:]
    given = [[labels[int(index)] for index in row[1].split(",")] for row in rows]
    evaluation = Rows([row[0] for row in rows], [], given, [[] for _ in rows])
    _write_variants(folder, model, labels, tft.TFTransformOutput(str(transform / "graph")), evaluation)


def _write_variants(folder: Path, model: Any, labels: list[str], transform: Any, evaluation: Any) -> None:
    """Write each variant with its record, its thresholds chosen on the eval rows as the step `Variants` does."""
    from components.canary.settings import CanarySettings
    from components.checkpoints.find import BUNDLED, find_checkpoint
    from components.registry import ModelRecord
    from components.trainer.decisions.thresholds import choose_thresholds
    from components.trainer.settings import TrainingSettings
    from components.variants.executor import maker_of
    from components.variants.making import Source
    from components.variants.settings import VariantsSettings
    from schema.label_list import LabelList

    settings = VariantsSettings(
        training=TrainingSettings(), checkpoint=BUNDLED, max_tokens=_MAX_TOKENS, gates=[], canary=CanarySettings()
    )
    record = ModelRecord(model_id="", labels=labels, thresholds=[], checkpoint=BUNDLED, created="", versions={})
    source = Source(model, record, find_checkpoint(BUNDLED), LabelList(tuple(labels)), transform, settings)
    (folder / "partial").mkdir()
    for name in ("bfloat16", "onnx", "int8"):
        maker = maker_of(name, source)
        probabilities = maker.predict_unfinished()(evaluation.texts, [])
        thresholds = choose_thresholds(probabilities, evaluation.multi_hot(labels))
        maker.write(folder / "partial" / name, thresholds)
        chosen = {"thresholds": [float(each) for each in thresholds]}
        record.model_copy(update=chosen).write(str(folder / "partial" / name))
    (folder / "partial").rename(folder / "variants")


def write_record(folder: Path, data: Path) -> Path:
    """Give `saved_model` the record without which nothing is scored or served; return its path."""
    from components.registry import ModelRecord, checksums, content_id

    model = folder / "saved_model"
    if not (model / ModelRecord.FILE).exists():
        ModelRecord(
            model_id=content_id(checksums(str(model))), labels=read_labels(data),
            thresholds=json.loads((folder / "thresholds.json").read_text(encoding="utf-8")), checkpoint="minilm-l6",
            created="2026-01-01T00:00:00+00:00", versions={},
        ).write(str(model))  # fmt: skip
    return model


def _train(files: dict[str, str], n_labels: int, folder: Path) -> Any:
    from components.checkpoints.find import BUNDLED, find_checkpoint, load_backbone
    from components.trainer.cpu import optimize_training_for_cpu
    from components.trainer.input_pipeline import count_labels, length_grouped_batches, occurring_token_ids
    from components.trainer.loop.fit import fit
    from components.trainer.loop.losses import multi_hot_loss, prior_bias
    from components.trainer.model import build_classifier
    from components.trainer.numerics import set_seeds, use_precision
    from components.trainer.settings import TrainingSettings

    settings = TrainingSettings(batch_size=_BATCH_SIZE, epochs=1, learning_rate=2e-4, layer_decay=0.9, seed=0)
    set_seeds(settings)
    with use_precision(settings.precision):
        model = build_classifier(load_backbone(find_checkpoint(BUNDLED)), n_labels, settings.dropout)
    counts = count_labels([files["train"]], n_labels)
    model.layers[-1].bias.assign(prior_bias(counts, settings.loss))
    batches = partial(length_grouped_batches, n_labels=n_labels, batch_size=settings.batch_size)
    train, evaluation = batches([files["train"]], shuffle_seed=settings.seed), batches([files["eval"]])
    find_token_ids = partial(occurring_token_ids, list(files.values()), model.backbone.vocabulary_size)
    with optimize_training_for_cpu(model, find_token_ids):
        fit(model, train, evaluation, settings, counts.examples, str(folder / "logs"), loss=multi_hot_loss())
    return model


def _write_hugging_face(folder: Path, checkpoint: Path, model: Any, n_labels: int) -> None:
    """Write config.json, tokenizer.json and model.safetensors of a `BertForSequenceClassification`."""
    from safetensors.numpy import save_file

    from components.checkpoints.backbone import variables_by_name

    folder.mkdir()
    shutil.copy(checkpoint / "tokenizer.json", folder)
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    config |= {
        "architectures": ["BertForSequenceClassification"], "problem_type": "multi_label_classification",
        "id2label": {str(index): f"LABEL_{index}" for index in range(n_labels)},
        "label2id": {f"LABEL_{index}": index for index in range(n_labels)},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = {}
    for name, variable in variables_by_name(model.backbone).items():
        hidden = name.replace("layer_", "layer.").replace("/", ".") if "/layer_" in name else name.replace("/", ".")
        key = f"bert.{hidden}".removesuffix(".kernel").removesuffix(".gamma")
        value = np.asarray(variable, np.float32)
        if name.endswith("/kernel"):
            value = (
                value.reshape(-1, config["hidden_size"])
                if "attention/output" in name
                else value.reshape(len(value), -1)
            )
            value = value.T
        if name.endswith("/beta"):
            key = key.removesuffix(".beta") + ".bias"
        elif not name.endswith("/bias"):
            key += ".weight"
        tensors[key] = np.ascontiguousarray(value.reshape(-1) if name.endswith("/bias") else value)
    head = model.layers[-1]
    tensors["classifier.weight"] = np.ascontiguousarray(np.asarray(head.kernel, np.float32).T)
    tensors["classifier.bias"] = np.asarray(head.bias, np.float32)
    save_file(tensors, str(folder / "model.safetensors"), metadata={"format": "pt"})
