"""`summary.json`: what came of a run, for a program. Needs no TensorFlow.

Import from here, not from the modules below.
"""

from components.report.summary.measured import MeasuredStep, MeasuredSteps, merge_measured, with_measured
from components.report.summary.provenance import Provenance
from components.report.summary.summary import (
    DataSummary,
    DiskUse,
    LabelSummary,
    MetricsSummary,
    PartlyKnownLabel,
    Rows,
    StepCost,
    Summary,
    failed_summary,
    summarize_data,
    summarize_rows,
)

__all__ = [
    "DataSummary",
    "DiskUse",
    "LabelSummary",
    "MeasuredStep",
    "MeasuredSteps",
    "MetricsSummary",
    "PartlyKnownLabel",
    "Provenance",
    "Rows",
    "StepCost",
    "Summary",
    "failed_summary",
    "merge_measured",
    "summarize_data",
    "summarize_rows",
    "with_measured",
]
