"""Construction of the pipeline, in the order in which the components meet the data."""

from typing import Any

from tfx.components.example_validator.component import ExampleValidator
from tfx.components.statistics_gen.component import StatisticsGen
from tfx.components.trainer.component import Trainer
from tfx.components.transform.component import Transform
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.proto.trainer_pb2 import EvalArgs, TrainArgs
from tfx.proto.transform_pb2 import SplitsConfig

from components.baseline.component import RegistryBaseline
from components.baseline.settings import BaselineSettings
from components.behaviour.component import BehaviouralTests
from components.blessing.component import Blessing
from components.blessing.settings import blessing_settings
from components.canary.component import Canary
from components.canary.infra_validator import infra_validator
from components.checkpoints.find import Checkpoint, find_checkpoint
from components.data_gate.component import DataGate
from components.data_gate.schema import complete_schema
from components.evaluation.component import MultiLabelEvaluator
from components.evaluation.eval_config import build_eval_config
from components.example_gen.component import TextExampleGen
from components.example_gen.parsing.label_changes import changes_of
from components.example_gen.sources.sources import has_spans
from components.preprocessing.settings import PreprocessingSettings, TokenizerSettings
from components.pusher.component import RegistryPusher
from components.report.component import Report
from components.schema_import.component import SchemaImport
from components.statistics_gen.options import statistics_options
from components.suspects.component import LabelSuspects
from components.suspects.settings import SuspectsConfig
from components.tracking.component import Tracking
from components.trainer.settings import TrainerConfig, hyper_parameters
from components.trainer.start import find_start
from components.training_log.component import TrainingRecord
from components.variants.component import Variants
from components.variants.settings import VariantsSettings
from pipeline.beam import beam_arguments
from pipeline.check import behavioural_tests, project_of_queries
from pipeline.config.configuration import Configuration
from pipeline.create_scoring import create_scoring_pipeline
from pipeline.locations import Locations, local_locations
from pipeline.work_dir import WorkDir
from schema.domains import string_domains
from schema.label_list import LabelList, label_list, read_schema
from serving.watch.component import ModelProfile


def create_pipeline(config: Configuration, locations: Locations | None = None) -> Pipeline:
    """Build the pipeline that every runner runs: training or, with `pipeline: score`, scoring.

    Args:
        config: The configuration. Its schema, checkpoint and behavioural tests are read now, by this process.
        locations: Locations of everything else, as the steps see them; None: those of this machine.

    Raises:
        Refused: The schema, the checkpoint, a gate or a behavioural test does not fit the configuration.
    """
    if config.pipeline == "score":
        return create_scoring_pipeline(config, locations or local_locations(config))
    schema = read_schema(config.schema_file)
    labels = label_list(schema)
    spans = has_spans(config.examples)
    checkpoint = find_checkpoint(config.checkpoint)
    fingerprint = checkpoint.fingerprint()
    locations = locations or local_locations(config)
    examples = config.examples.model_copy(update={"input_base": locations.input_base})

    # Rows become tf.Examples {id, text (or two), labels, slice columns}, split into train, eval and test.
    example_gen = TextExampleGen(
        settings=examples,
        label_changes=changes_of(labels, with_names=examples.has_unknown_labels),
        project=project_of_queries(config),
        registry=locations.registry,
    )
    # Statistics of the data, the schema it should follow, and how it differs from that.
    statistics_gen = StatisticsGen(
        examples=example_gen.outputs["examples"],
        stats_options=statistics_options(len(labels.names), by_span=spans and config.examples.spans.last != 1),
    )
    schema_import = SchemaImport(
        complete_schema(
            schema,
            config.data_gate,
            spans=spans,
            groups=config.examples.group is not None,
            unknown=examples.has_unknown_labels,
            soft=examples.has_soft_labels,
        )
    )
    example_validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema_import.outputs["schema"]
    )
    # Stops the run if the data may not be trained on.
    data_gate = DataGate(
        statistics=statistics_gen.outputs["statistics"],
        anomalies=example_validator.outputs["anomalies"],
        quarantine=example_gen.outputs["quarantine"],
        schema=schema_import.outputs["schema"],
        settings=config.data_gate,
        registry=locations.registry,
    )
    # Texts become token ids and label lists become multi-hot vectors, in one graph that serving shares.
    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema_import.outputs["schema"],
        preprocessing_fn="components.preprocessing.preprocessing.preprocessing_fn",
        # No step before the Evaluator reads the test split.
        splits_config=SplitsConfig(analyze=["train"], transform=["train", "eval"]),
        disable_statistics=True,
        custom_config=_transform_config(config, checkpoint, fingerprint, labels, locations),
    )
    transform.add_upstream_node(data_gate)
    # Labels that are likely to be wrong, for the report and for those who own them. They decide nothing.
    suspects = (
        [
            LabelSuspects(
                examples=example_gen.outputs["examples"],
                transform_graph=transform.outputs["transform_graph"],
                schema=schema_import.outputs["schema"],
                settings=SuspectsConfig(
                    search=config.suspects,
                    checkpoint=locations.checkpoint,
                    checkpoint_fingerprint=fingerprint,
                    soft_cut=config.examples.soft_cut,
                    windows=config.long_texts.windows,
                ),
            )
        ]
        if config.suspects
        else []
    )
    # If configured, a search for better hyperparameters, compared on eval.
    tuners = [_tuner(config, transform, schema_import, fingerprint, locations)] if config.training.tune else []
    # The encoder and its sigmoid head: gradients from train; early stopping and thresholds from eval.
    trainer = Trainer(
        run_fn="components.trainer.run.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema_import.outputs["schema"],
        hyperparameters=tuners[0].outputs["best_hyperparameters"] if tuners else None,
        train_args=TrainArgs(splits=["train"]),
        eval_args=EvalArgs(splits=["eval"]),
        custom_config=_trainer_config(config, fingerprint, locations),
    )
    # The last blessed and pushed model, which is evaluated beside the candidate on the same test split.
    baseline = RegistryBaseline(
        model=trainer.outputs["model"],
        examples=example_gen.outputs["examples"],
        registry=locations.registry,
        settings=BaselineSettings(broken=config.evaluation.broken_baseline),
    )
    evaluator = MultiLabelEvaluator(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        baseline_model=baseline.outputs["baseline"],
        schema=schema_import.outputs["schema"],
        eval_config=build_eval_config(labels, config.evaluation, string_domains(schema)),
    )
    # Predictions for texts whose labels are certain, and for edits of texts that must not change any label.
    behaviour = BehaviouralTests(
        model=trainer.outputs["model"],
        examples=example_gen.outputs["examples"],
        settings=behavioural_tests(config, labels),
    )
    # All gates: TFMA's thresholds and those that TFMA has no threshold for. What the Evaluator rejects stays rejected.
    blessing = Blessing(
        evaluation=evaluator.outputs["evaluation"],
        model_blessing=evaluator.outputs["blessing"],
        model=trainer.outputs["model"],
        baseline=baseline.outputs["baseline"],
        behaviour=behaviour.outputs["results"],
        settings=blessing_settings(config.evaluation, labels, string_domains(schema)),
    )
    # Trial of each model in a fresh process, and if configured in TensorFlow Serving, before it may be pushed.
    validators = (
        [infra_validator(trainer.outputs["model"], example_gen.outputs["examples"], config.infra_validator)]
        if config.infra_validator
        else []
    )
    canary = Canary(
        model=trainer.outputs["model"],
        baseline=baseline.outputs["baseline"],
        settings=config.canary,
        infra_blessing=validators[0].outputs["blessing"] if validators else None,
    )
    # Other forms of a blessed model, each with its own thresholds, gates and trial.
    variants = (
        [
            Variants(
                model=trainer.outputs["model"],
                examples=example_gen.outputs["examples"],
                transform_graph=transform.outputs["transform_graph"],
                schema=schema_import.outputs["schema"],
                evaluation=evaluator.outputs["evaluation"],
                model_blessing=blessing.outputs["blessing"],
                infra_blessing=canary.outputs["blessing"],
                settings=VariantsSettings(
                    training=config.training,
                    checkpoint=locations.checkpoint,
                    max_tokens=config.max_tokens,
                    gates=config.evaluation.gates,
                    canary=config.canary,
                ),
            )
        ]
        if config.training.export.variants
        else []
    )
    # A blessed model becomes a new version in the registry, complete or absent; unless another model has become live
    # while this run was in progress.
    pusher = RegistryPusher(
        model=trainer.outputs["model"],
        model_blessing=blessing.outputs["blessing"],
        push_destination=locations.registry,
        pipeline=config.name,
        infra_blessing=canary.outputs["blessing"],
        evaluation=evaluator.outputs["evaluation"],
        quarantine=example_gen.outputs["quarantine"],
        baseline=baseline.outputs["baseline"],
        variants=variants[0].outputs["variants"] if variants else None,
    )
    # report.html, model_card.md and summary.json.
    report = Report(
        quarantine=example_gen.outputs["quarantine"],
        data_verdict=data_gate.outputs["verdict"],
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        baseline=baseline.outputs["baseline"],
        evaluation=evaluator.outputs["evaluation"],
        behaviour=behaviour.outputs["results"],
        blessing=blessing.outputs["blessing"],
        canary=canary.outputs["blessing"],
        pushed_model=pusher.outputs["pushed_model"],
        suspects=suspects[0].outputs["suspects"] if suspects else None,
        tuner_results=tuners[0].outputs["tuner_results"] if tuners else None,
        variants=variants[0].outputs["variants"] if variants else None,
        settings=config.report,
        configuration=config,
        registry=locations.registry,
    )
    # Record of the data that a pushed model was trained on, which later runs compare theirs with. It comes after the
    # report, since on Kubeflow nothing starts after a failure.
    training_record = TrainingRecord(
        quarantine=example_gen.outputs["quarantine"],
        statistics=statistics_gen.outputs["statistics"],
        schema=schema_import.outputs["schema"],
        pushed_model=pusher.outputs["pushed_model"],
        registry=locations.registry,
    )
    training_record.add_upstream_node(report)
    # What the pushed version answers for its eval split, which `watch` compares later answers with. It comes after the
    # report for the same reason.
    profiles = (
        [
            ModelProfile(
                examples=example_gen.outputs["examples"],
                pushed_model=pusher.outputs["pushed_model"],
                settings=config.watch,
                registry=locations.registry,
            )
        ]
        if config.watch
        else []
    )
    for profile in profiles:
        profile.add_upstream_node(report)
    tracking = [_tracking(config, trainer, report, training_record)] if config.tracking.mlflow else []

    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=locations.pipeline_root,
        components=[
            example_gen, statistics_gen, schema_import, example_validator, data_gate, transform, *suspects, *tuners,
            trainer, baseline, evaluator, behaviour, blessing, *validators, canary, *variants,
            pusher, report,
            training_record, *profiles, *tracking,
        ],
        enable_cache=True,
        metadata_connection_config=sqlite_metadata_connection_config(str(WorkDir(config.work_dir).metadata)),
        beam_pipeline_args=beam_arguments(config, locations.code),
    )  # fmt: skip


def _tuner(
    config: Configuration, transform: Transform, schema_import: SchemaImport, fingerprint: str, locations: Locations
) -> BaseNode:
    """Return TFX's Tuner, whose import takes a second."""
    from tfx.components.tuner.component import Tuner

    assert config.training.tune is not None
    return Tuner(
        examples=transform.outputs["transformed_examples"],
        schema=schema_import.outputs["schema"],
        transform_graph=transform.outputs["transform_graph"],
        tuner_fn="components.trainer.search.tuner_fn",
        train_args=TrainArgs(splits=["train"]),
        eval_args=EvalArgs(splits=["eval"]),
        custom_config={
            **_trainer_config(config, fingerprint, locations, resumes=False),
            "tune": config.training.tune.model_dump(mode="json"),
            "registry": locations.registry,
        },
    )


def _tracking(config: Configuration, trainer: BaseNode, report: Report, last: TrainingRecord) -> Tracking:
    """Return the step that logs the run to a tracker when all is decided and recorded."""
    assert config.tracking.mlflow is not None
    facts = {key: getattr(config, key) for key in ("checkpoint", "max_tokens", "truncation")}
    windows = config.long_texts.windows
    facts |= {f"long_texts.windows.{key}": value for key, value in windows.model_dump().items()} if windows else {}
    tracking = Tracking(
        model=trainer.outputs["model"],
        model_run=trainer.outputs["model_run"],
        report=report.outputs["report"],
        settings=config.tracking.mlflow,
        pipeline=config.name,
        hyper_parameters=facts | hyper_parameters(config.training),
        texts=config.report.texts,
    )
    tracking.add_upstream_node(last)
    return tracking


def _transform_config(
    config: Configuration, checkpoint: Checkpoint, fingerprint: str, labels: LabelList, locations: Locations
) -> dict[str, Any]:
    """Return the `custom_config` of Transform, from which `preprocessing_fn` reads its settings."""
    tokenizer = TokenizerSettings(
        checkpoint=locations.checkpoint,
        lower_case=checkpoint.tokenization.lower_case,
        strip_accents=checkpoint.tokenization.strip_accents,
        max_tokens=config.max_text_tokens,
        truncation=config.truncation,
        special_tokens=checkpoint.tokenization.special_tokens,
    )
    retired = tuple(name for name in labels.names if name in labels.retired)
    settings = PreprocessingSettings(tokenizer=tokenizer, labels=labels.names, retired=retired)
    return {
        "preprocessing": settings.model_dump(mode="json"),
        # Not read, but part of the key of the cache: the files in the folder may have changed.
        "checkpoint_fingerprint": fingerprint,
    }


def _trainer_config(
    config: Configuration, fingerprint: str, locations: Locations, *, resumes: bool = True
) -> dict[str, Any]:
    """Return the `custom_config` of the Trainer, from which `run_fn` reads its settings."""
    training, starts_warm = config.training, config.training.warm_start and not locations.run_later
    # Other variants, or another search, are no reason to train again.
    export = training.export.model_copy(update={"variants": [], "variant_gates": []})
    settings = TrainerConfig(
        training=training.model_copy(update={"export": export, "tune": None}),
        checkpoint=locations.checkpoint,
        checkpoint_fingerprint=fingerprint,
        resume_dir=locations.resume_dir if resumes else None,
        start=find_start(locations.registry) if starts_warm else None,
        registry=locations.registry if locations.run_later else None,
        soft_cut=config.examples.soft_cut,
        windows=config.long_texts.windows,
    )
    return {"trainer": settings.model_dump(mode="json")}
