"""The Trainer's `run_fn`: fit the model on the train split, choose thresholds on the eval split, export it."""

from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib.metadata import version
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components.checkpoints.find import Checkpoint, find_checkpoint, load_backbone
from components.checkpoints.pooling import Pooling
from components.checkpoints.vocabulary import read_vocabulary
from components.common.progress import LASTING, PROGRESS
from components.preprocessing.features import SEGMENT_IDS
from components.preprocessing.settings import WindowSettings
from components.registry import ModelRecord, checksums, content_id
from components.trainer.cpu import optimize_training_for_cpu
from components.trainer.decisions.decisions import decide
from components.trainer.decisions.scores import Scorer, cut_soft_labels
from components.trainer.decoding import decode_rows
from components.trainer.export import export_classifier
from components.trainer.input_pipeline import (
    count_labels,
    ids_of_batch,
    length_grouped_batches,
    occurring_token_ids,
)
from components.trainer.loop.distribution import choose_strategy, is_chief, wait_for_all
from components.trainer.loop.event_files import Notes, Samples
from components.trainer.loop.fit import fit, predict
from components.trainer.loop.label_counts import LabelCounts
from components.trainer.loop.losses import multi_hot_loss, prior_bias
from components.trainer.loop.parts import Parts
from components.trainer.loop.pooled import head_over_pooled
from components.trainer.loop.resume import TrainingState, fingerprint
from components.trainer.loop.trainable import freeze
from components.trainer.model import build_classifier, plain_copy
from components.trainer.numerics import set_seeds, use_precision
from components.trainer.reference import make_reference
from components.trainer.settings import TrainerConfig, TrainingSettings, hyper_parameters, with_values
from components.trainer.start import with_start
from components.trainer.tuning.settings import tuned_values
from components.trainer.warm_start import start_from
from components.trainer.windowed_classifier import WindowedClassifier
from components.trainer.windowed_head import windowed_head_over_pooled
from schema.errors import Refused
from schema.features import FEATURES, SOFT_LABELS, UNKNOWN_LABELS
from schema.label_list import LabelList, label_list, read_schema

_SAMPLE_TEXTS = 8
_PACKAGES = ("tfx", "tensorflow-text", "keras", "keras-hub")


def run_fn(fn_args: FnArgs) -> None:
    """Train and export a model. Called by TFX's Trainer, in each of several workers.

    Raises:
        Refused: The checkpoint or TF_CONFIG cannot be used.
        FloatingPointError: The loss is not a number; nothing is exported.
        MemoryError: A step does not fit in memory.
    """
    config = with_start(TrainerConfig.model_validate(fn_args.custom_config["trainer"]))
    if fn_args.hyperparameters:
        found = tuned_values(fn_args.hyperparameters["values"])
        PROGRESS.info("with the values that were found: %s", found)
        config = config.model_copy(update={"training": with_values(config.training, found)})
    data = Data(fn_args, config.training, config.windows)
    trained = train(config, data)
    if is_chief(trained.strategy):
        PROGRESS.info("to look at the training: tensorboard --logdir %s", fn_args.model_run_dir, extra=LASTING)
        _export(plain_copy(trained.model), data, trained.checkpoint, trained.record, config.training, config.soft_cut)
        if trained.state:
            trained.state.delete()
    wait_for_all(trained.strategy)


@dataclass(frozen=True)
class Trained:
    """Result of a training.

    Attributes:
        model: The classifier.
        checkpoint: Checkpoint that it started from.
        record: Record of the model so far.
        strategy: Devices that it was trained on.
        state: Saved state, which may be deleted; None if none was saved.
    """

    model: Any
    checkpoint: Checkpoint
    record: ModelRecord
    strategy: tf.distribute.Strategy
    state: TrainingState | None


def train(config: TrainerConfig, data: "Data") -> Trained:
    """Build a model and fit it.

    Raises:
        Refused: The checkpoint or TF_CONFIG cannot be used.
        FloatingPointError: The loss is not a number.
        MemoryError: A step does not fit in memory.
    """
    settings = config.training
    strategy = choose_strategy(settings)
    set_seeds(settings)
    PROGRESS.info("reading checkpoint %s", config.checkpoint)
    checkpoint = find_checkpoint(config.checkpoint)
    record = _new_record(config, data.labels, data.slices, settings.pooling_of(checkpoint))
    model = _build_model(checkpoint, len(data.labels.names), settings, config.windows, strategy)
    if settings.head_bias == "prior":
        model.output_dense.bias.assign(prior_bias(data.counts, settings.loss))
    if settings.warm_start and start_from(model, config, record) and config.start is not None:
        record = record.model_copy(update={"started_from": config.start.path.rsplit("/", 1)[-1]})
    state = _training_state(config, data, record, is_writer=is_chief(strategy))
    _fit(model, data, checkpoint, settings, strategy, state, config.soft_cut)
    return Trained(model, checkpoint, record, strategy, state)


class Data:
    """Labels and examples of the training.

    Attributes:
        fn_args: Arguments of `run_fn`.
        transform: Transform graph.
        labels: Label list.
        slices: Columns beside the text.
    """

    def __init__(self, fn_args: FnArgs, settings: TrainingSettings, windows: WindowSettings | None) -> None:
        self.fn_args = fn_args
        self.transform = tft.TFTransformOutput(fn_args.transform_graph_path)
        schema = read_schema(fn_args.schema_path)
        self.labels: LabelList = label_list(schema)
        self.slices = [feature.name for feature in schema.feature if feature.name not in FEATURES]
        self._settings, self._windows = settings, windows

    def at(self, fn_args: FnArgs, settings: TrainingSettings) -> "Data":
        """Return the same data for another training."""
        data = copy(self)
        data.fn_args, data._settings = fn_args, settings
        return data

    @cached_property
    def counts(self) -> LabelCounts:
        """Counts of the labels of the train split."""
        return count_labels(self.fn_args.train_files, len(self.labels.names))

    @property
    def files(self) -> list[str]:
        """Patterns of the files of both splits."""
        return [*self.fn_args.train_files, *self.fn_args.eval_files]

    @property
    def may_have_unknown(self) -> bool:
        """Whether an example may leave it open whether it has a label."""
        return UNKNOWN_LABELS in self.transform.raw_feature_spec()

    @property
    def may_be_soft(self) -> bool:
        """Whether labels may be a share of annotators instead of yes or no."""
        return SOFT_LABELS in self.transform.raw_feature_spec()

    def count_eval_labels(self) -> LabelCounts:
        """Count the labels of the eval split."""
        return count_labels(self.fn_args.eval_files, len(self.labels.names))

    def train(self, *, yield_ids: bool = False) -> tf.data.Dataset:
        """Return the shuffled batches of the train split, optionally with ids instead of labels."""
        return self._batches(self.fn_args.train_files, shuffle_seed=self._settings.seed, yield_ids=yield_ids)

    def evaluation(self) -> tf.data.Dataset:
        """Return the batches of the eval split."""
        return self._batches(self.fn_args.eval_files)

    def _batches(self, files: list[str], **options: Any) -> tf.data.Dataset:
        return length_grouped_batches(
            files,
            len(self.labels.names),
            self._settings.batch_size,
            pair=SEGMENT_IDS in self.transform.transformed_feature_spec(),
            sort_by_id=self._settings.deterministic,
            max_tokens=self._windows.max_tokens if self._windows else 0,
            **options,
        )


def _new_record(config: TrainerConfig, labels: LabelList, slices: list[str], pooling: Pooling) -> ModelRecord:
    """Return the record of the model before it is trained."""
    return ModelRecord(
        model_id="",
        labels=list(labels.names),
        thresholds=[],
        checkpoint=config.checkpoint,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        # TensorFlow's package is either tensorflow or tensorflow-cpu, so its version comes from the module.
        versions={"tensorflow": tf.__version__, **{package: version(package) for package in _PACKAGES}},
        retired=[label for label in labels.names if label in labels.retired],
        renamed=dict(labels.aliases),
        implies={label: list(implied) for label, implied in labels.implies.items()},
        slices=slices,
        checkpoint_fingerprint=config.checkpoint_fingerprint,
        pooling=pooling,
    )


def _build_model(
    checkpoint: Checkpoint,
    n_labels: int,
    settings: TrainingSettings,
    windows: WindowSettings | None,
    strategy: tf.distribute.Strategy,
) -> Any:
    # Pooled outputs that are computed once are worth float32: the head learns from what it will see in serving.
    is_encoded_once = settings.trainable == "head" and settings.precision == "auto"
    with strategy.scope(), use_precision("float32" if is_encoded_once else settings.precision):
        model = build_classifier(load_backbone(checkpoint), n_labels, settings.dropout, settings.pooling_of(checkpoint))
        if windows is not None:
            model = WindowedClassifier(model, windows, settings.batch_size)
    freeze(model, settings.trainable)
    return model


def _training_state(config: TrainerConfig, data: Data, record: ModelRecord, *, is_writer: bool) -> TrainingState | None:
    """Return where the state of this training is saved: the same for the same files, settings, labels and packages."""
    every = config.training.checkpoint_every
    if every is None or config.resume_dir is None:
        return None
    files = sorted(tf.io.gfile.glob(data.files))
    name = fingerprint(
        config=config.model_dump(mode="json", exclude={"resume_dir": True, "training": {"checkpoint_every"}}),
        files=[[file, tf.io.gfile.stat(file).length] for file in files],
        model=record.model_dump(mode="json", exclude={"created"}),
    )
    return TrainingState(f"{config.resume_dir}/{name}", every, is_writer=is_writer)


def _fit(
    model: Any,
    data: Data,
    checkpoint: Checkpoint,
    settings: TrainingSettings,
    strategy: tf.distribute.Strategy,
    state: TrainingState | None,
    soft_cut: float | None,
) -> None:
    log_dir = data.fn_args.model_run_dir
    counts = data.counts
    loss, eval_loss = _losses(data, counts, settings)
    run = partial(
        fit,
        settings=settings,
        n_examples=counts.examples,
        log_dir=log_dir,
        loss=loss,
        eval_loss=eval_loss,
        state=state,
        scorer=Scorer(
            data.labels.names, settings.thresholds, data.labels.retired_indices, data.labels.ancestor_indices, soft_cut
        ),
        notes=_notes(data, counts, checkpoint, settings),
    )
    is_windowed = isinstance(model, WindowedClassifier)
    if settings.trainable == "head":
        over_pooled = windowed_head_over_pooled if is_windowed else head_over_pooled
        with strategy.scope():
            run(*over_pooled(model, data.train(), data.evaluation(), settings, log_dir, soft=data.may_be_soft))
        return
    with optimize_training_for_cpu(
        model, lambda: occurring_token_ids(data.files, model.backbone.token_embedding.input_dim), xla=settings.xla
    ):
        run(
            model, data.train(), data.evaluation(),
            find_ids=lambda number: ids_of_batch(data.train(yield_ids=True), number),
            parts=Parts(model.count, settings.batch_size) if is_windowed else None,
        )  # fmt: skip


def _losses(data: Data, counts: LabelCounts, settings: TrainingSettings) -> tuple[keras.losses.Loss, keras.losses.Loss]:
    """Return the losses of the train and of the eval split: the same one, unless labels are unknown.

    Raises:
        Refused: All labels of a split are unknown.
    """
    retired = data.labels.retired_indices
    evaluation = data.count_eval_labels() if data.may_have_unknown else None
    if evaluation is None or not (counts.has_unknown or evaluation.has_unknown):
        loss = multi_hot_loss(retired, settings.loss, counts, settings.label_smoothing)
        return loss, loss
    per_example = [each.without(retired).known_per_example for each in (counts, evaluation)]
    for split, known in zip(("train", "eval"), per_example, strict=True):
        if not known:
            raise Refused(f"the {split} split has no example of which a label is known; label some of its rows")
    train_loss, eval_loss = (
        multi_hot_loss(retired, settings.loss, counts, settings.label_smoothing, known) for known in per_example
    )
    return train_loss, eval_loss


def _notes(data: Data, counts: LabelCounts, checkpoint: Checkpoint, settings: TrainingSettings) -> Notes:
    """Return what TensorBoard shows besides numbers: hyper-parameters, and texts of the eval split."""
    rows = decode_rows(data.evaluation(), checkpoint, _SAMPLE_TEXTS)
    facts: dict[str, str | int | float | bool] = {
        "checkpoint": checkpoint.source, "examples": counts.examples, "labels": len(data.labels.names)
    }  # fmt: skip
    return Notes(
        hyper_parameters=facts | hyper_parameters(settings),
        samples=Samples(
            [row.index for row in rows],
            [" / ".join(filter(None, (row.text, row.text_pair))) for row in rows],
        ),
    )


def _export(
    model: Any,
    data: Data,
    checkpoint: Checkpoint,
    record: ModelRecord,
    settings: TrainingSettings,
    soft_cut: float | None,
) -> None:
    """Calibrate a trained model, choose its thresholds, and write it with its record and reference predictions."""
    PROGRESS.info("choosing thresholds on the eval split")
    directory, retired = data.fn_args.serving_model_dir, data.labels.retired_indices
    probabilities, labels = predict(model, data.evaluation())
    labels = cut_soft_labels(labels, soft_cut)
    ancestors = data.labels.ancestor_indices
    decisions = decide(
        model, probabilities, labels, record.labels, settings, data.fn_args.model_run_dir, retired, ancestors
    )
    PROGRESS.info("exporting")
    thresholds = decisions.thresholds
    vocabulary = read_vocabulary(str(checkpoint.vocabulary), checkpoint.tokenization.special_tokens)
    export_classifier(
        model, data.transform, record.labels, thresholds, directory,
        retired=retired, ancestors=ancestors, vocabulary=vocabulary if settings.export.explain else (),
    )  # fmt: skip
    exported = {
        "model_id": content_id(checksums(directory)),
        "thresholds": [float(threshold) for threshold in thresholds],
        "calibration": decisions.calibration,
    }
    record.model_copy(update=exported).write(directory)
    reference = make_reference(
        model, data.transform, data.evaluation(), checkpoint, retired, thresholds=thresholds, ancestors=ancestors
    )
    reference.write(directory.rstrip("/").rpartition("/")[0])
