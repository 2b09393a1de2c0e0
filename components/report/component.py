"""Report: the last step, which writes summary.json for programs and shows it to people."""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import (
    InfraBlessing,
    Model,
    ModelBlessing,
    ModelEvaluation,
    ModelRun,
    PushedModel,
    TunerResults,
)

from components.behaviour.artifacts import BehaviourResults
from components.common.settings import Settings
from components.data_gate.artifacts import DataVerdict
from components.example_gen.artifacts import Quarantine
from components.report.artifacts import RunReport
from components.report.executor import Executor
from components.report.settings import ReportSettings
from components.suspects.artifacts import SuspectedLabels
from components.variants.artifacts import ModelVariants


class ReportSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `Report`."""

    PARAMETERS: ClassVar = {
        "settings": ExecutionParameter(type=str),
        "configuration": ExecutionParameter(type=str),
        "chosen": ExecutionParameter(type=str),
        "registry": ExecutionParameter(type=str),
        # Known only when a run starts, so that the runner adds it where the local launcher does not know better.
        "provenance": ExecutionParameter(type=str, optional=True),
    }
    INPUTS: ClassVar = {
        "quarantine": ChannelParameter(type=Quarantine),
        "data_verdict": ChannelParameter(type=DataVerdict),
        "model": ChannelParameter(type=Model),
        "model_run": ChannelParameter(type=ModelRun),
        "baseline": ChannelParameter(type=Model),
        "evaluation": ChannelParameter(type=ModelEvaluation),
        "behaviour": ChannelParameter(type=BehaviourResults),
        "blessing": ChannelParameter(type=ModelBlessing),
        "canary": ChannelParameter(type=InfraBlessing),
        "pushed_model": ChannelParameter(type=PushedModel),
        "suspects": ChannelParameter(type=SuspectedLabels, optional=True),
        "tuner_results": ChannelParameter(type=TunerResults, optional=True),
        "variants": ChannelParameter(type=ModelVariants, optional=True),
    }
    OUTPUTS: ClassVar = {"report": ChannelParameter(type=RunReport)}


class Report(base_component.BaseComponent):  # type: ignore[misc]
    """Writes the summary of a completed run, report.html and model_card.md.

    Args:
        quarantine: Output of TextExampleGen.
        data_verdict: Output of DataGate.
        model: The candidate.
        model_run: Output of the Trainer, with its losses.
        baseline: Output of RegistryBaseline.
        evaluation: Output of MultiLabelEvaluator.
        behaviour: Output of BehaviouralTests.
        blessing: Output of Blessing.
        canary: Output of Canary.
        pushed_model: Output of RegistryPusher.
        suspects: Output of LabelSuspects; None if nothing searches for label errors.
        tuner_results: Output of the Tuner; None if there is none.
        settings: What to show.
        configuration: The whole configuration, which the report shows.
        registry: The push destination, whose versions' results the report shows beside this run's.
        variants: Output of Variants; None if the configuration asks for none.
    """

    SPEC_CLASS = ReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        quarantine: types.BaseChannel,
        data_verdict: types.BaseChannel,
        model: types.BaseChannel,
        model_run: types.BaseChannel,
        baseline: types.BaseChannel,
        evaluation: types.BaseChannel,
        behaviour: types.BaseChannel,
        blessing: types.BaseChannel,
        canary: types.BaseChannel,
        pushed_model: types.BaseChannel,
        suspects: types.BaseChannel | None,
        tuner_results: types.BaseChannel | None = None,
        settings: ReportSettings,
        configuration: Settings,
        registry: str,
        variants: types.BaseChannel | None = None,
    ) -> None:
        super().__init__(
            spec=ReportSpec(
                quarantine=quarantine,
                data_verdict=data_verdict,
                model=model,
                model_run=model_run,
                baseline=baseline,
                evaluation=evaluation,
                behaviour=behaviour,
                blessing=blessing,
                canary=canary,
                pushed_model=pushed_model,
                suspects=suspects,
                tuner_results=tuner_results,
                variants=variants,
                settings=settings.model_dump_json(),
                configuration=configuration.model_dump_json(),
                chosen=configuration.model_dump_json(exclude_defaults=True),
                registry=registry,
                report=types.Channel(type=RunReport),
            )
        )
