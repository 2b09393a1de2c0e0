"""The Trainer's `run_fn`: fit on the train split, choose thresholds on the eval split, export."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components.checkpoints.find import find_checkpoint, load_backbone
from components.common.progress import PROGRESS
from components.preprocessing.features import SEGMENT_IDS
from components.registry import ModelRecord
from components.trainer.cpu.occurring import only_occurring
from components.trainer.decisions.decisions import decide
from components.trainer.export import export_classifier
from components.trainer.hardware import arithmetic, choose_strategy, is_chief, set_seeds, wait_for_all
from components.trainer.input_pipeline import (
    count_labels,
    ids_of_batch,
    length_grouped_batches,
    occurring_tokens,
)
from components.trainer.loop.fit import fit, predict
from components.trainer.loop.losses import multi_hot_loss, prior_bias
from components.trainer.loop.pooled import head_over_pooled
from components.trainer.loop.resume import Interruption, fingerprint
from components.trainer.loop.trainable import freeze
from components.trainer.model import build_classifier, plain_copy
from components.trainer.reference import make_reference
from components.trainer.settings import TrainerConfig, TrainingSettings
from components.trainer.start import with_start
from components.trainer.warm_start import start_from
from schema.label_list import label_list, read_schema

_PACKAGES = ("tfx", "tensorflow-text", "keras", "keras-hub")


def run_fn(fn_args: FnArgs) -> None:
    """What TFX's Trainer calls, and each worker of several.

    Raises:
        Refused: The checkpoint cannot be used, or TF_CONFIG.
        FloatingPointError: The loss is not a number; nothing is exported.
        MemoryError: A step does not fit into memory.
    """
    config = with_start(TrainerConfig.model_validate(fn_args.custom_config["trainer"]))
    settings = config.training
    strategy = choose_strategy(settings)
    set_seeds(settings)
    transform = tft.TFTransformOutput(fn_args.transform_output)
    places = label_list(read_schema(fn_args.schema_path))
    labels, retired = places.names, places.retired_indices
    record = ModelRecord(
        model_id="",
        labels=list(labels),
        thresholds=[],
        checkpoint=config.checkpoint,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        # Of TensorFlow itself: its package is tensorflow or tensorflow-cpu.
        versions={"tensorflow": tf.__version__, **{package: version(package) for package in _PACKAGES}},
        retired=[label for label in labels if label in places.retired],
        renamed=dict(places.aliases),
        checkpoint_fingerprint=config.checkpoint_fingerprint,
    )

    PROGRESS.info("reading checkpoint %s", config.checkpoint)
    # Pooled outputs that are computed once are worth their digits: the head learns on what serving will see.
    once = settings.trainable == "head" and settings.precision == "auto"
    checkpoint = find_checkpoint(config.checkpoint)
    with strategy.scope(), arithmetic("float32" if once else settings.precision):
        model = build_classifier(load_backbone(checkpoint), len(labels), settings.dropout)
    freeze(model, settings.trainable)
    counts = count_labels(fn_args.train_files, len(labels))
    if settings.head_bias == "prior":
        model.layers[-1].bias.assign(prior_bias(counts, settings.loss))
    if settings.warm_start and start_from(model, config, record) and config.start is not None:
        record = record.model_copy(update={"started_from": config.start.path.rsplit("/", 1)[-1]})

    pair = SEGMENT_IDS in transform.transformed_feature_spec()
    batches = partial(
        length_grouped_batches, n_labels=len(labels), batch_size=settings.batch_size, pair=pair,
        any_order=not settings.deterministic,
    )  # fmt: skip
    train = partial(batches, fn_args.train_files, shuffle_seed=settings.seed)
    evaluation = batches(fn_args.eval_files)
    interruption = _interruption(config, fn_args, record, writes=is_chief(strategy))
    fit_on = partial(
        fit, settings=settings, n_examples=counts.examples, log_dir=fn_args.model_run_dir,
        loss=multi_hot_loss(retired, settings.loss, counts, settings.label_smoothing), interruption=interruption,
    )  # fmt: skip
    if settings.trainable == "head":
        with strategy.scope():
            fit_on(*head_over_pooled(model, train(), evaluation, settings, fn_args.model_run_dir))
    else:
        files = [*fn_args.train_files, *fn_args.eval_files]
        with only_occurring(model, partial(occurring_tokens, files, model.backbone.vocabulary_size)):
            fit_on(model, train(), evaluation, ids_of=lambda step: ids_of_batch(train(ids=True), step))
    if is_chief(strategy):
        exported = plain_copy(model)
        _export(exported, transform, evaluation, record, settings, retired, fn_args)
        reference = make_reference(exported, transform, evaluation, checkpoint, retired)
        reference.write(fn_args.serving_model_dir.rstrip("/").rpartition("/")[0])
        if interruption:
            interruption.forget()
    wait_for_all(strategy)


def _export(
    model: Any,
    transform: tft.TFTransformOutput,
    evaluation: tf.data.Dataset,
    record: ModelRecord,
    settings: TrainingSettings,
    retired: Sequence[int],
    fn_args: FnArgs,
) -> None:
    PROGRESS.info("choosing thresholds on the eval split")
    said = predict(model, evaluation)
    decisions = decide(model, *said, record.labels, settings, fn_args.model_run_dir, retired)
    PROGRESS.info("exporting")
    export_classifier(model, transform, record.labels, decisions.thresholds, fn_args.serving_model_dir, retired=retired)
    made = {
        "model_id": _directory_digest(Path(fn_args.serving_model_dir)),
        "thresholds": [float(threshold) for threshold in decisions.thresholds],
        "calibration": decisions.calibration,
    }
    record.model_copy(update=made).write(fn_args.serving_model_dir)


def _interruption(config: TrainerConfig, fn_args: FnArgs, record: ModelRecord, *, writes: bool) -> Interruption | None:
    """Where this training's state is kept: of the same files, settings, labels, start and packages it is the same."""
    every = config.training.checkpoint_every
    if every is None or config.resume_dir is None:
        return None
    files = sorted(tf.io.gfile.glob([*fn_args.train_files, *fn_args.eval_files]))
    name = fingerprint(
        config=config.model_dump(mode="json", exclude={"resume_dir": True, "training": {"checkpoint_every"}}),
        files=[[file, tf.io.gfile.stat(file).length] for file in files],
        model=record.model_dump(mode="json", exclude={"created"}),
    )
    return Interruption(f"{config.resume_dir}/{name}", every, writes=writes)


def _directory_digest(directory: Path) -> str:
    """SHA-256 over the names and contents of all files of the export: two models are one if and only if it is equal."""
    digest = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        digest.update(path.relative_to(directory).as_posix().encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
