"""Search for likely label errors in the train split of a run."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow_transform as tft

from components.checkpoints.find import find_checkpoint, load_backbone
from components.common.progress import PROGRESS
from components.preprocessing.settings import WindowSettings
from components.schema_import.schema_file import read_schema_file
from components.suspects.encoding import encode_split, read_texts
from components.suspects.folds import assign_folds
from components.suspects.out_of_fold import out_of_fold_probabilities
from components.suspects.ranking import Ranking, rank_suspects
from components.suspects.suspects import Suspect, SuspectCount, Suspects, write_table
from components.trainer.numerics import use_precision
from schema.errors import Refused
from schema.features import TEXT_PAIR
from schema.label_list import LabelList, label_list

MOST_CELLS = 1 << 30
"""Examples times labels above which the probabilities would take more than 4 GiB of memory."""


@dataclass(frozen=True)
class SuspectSource:
    """What a search reads of a run.

    Attributes:
        examples: URI of TextExampleGen's Examples.
        transform_graph: URI of Transform's TransformGraph.
        schema: URI of SchemaImport's Schema.
        checkpoint: Name or path of the pretrained BERT.
        soft_cut: Share of annotators from which on a label counts as given; None if labels are yes or no.
        windows: Windows that long texts are read in; None if they are truncated.
    """

    examples: str
    transform_graph: str
    schema: str
    checkpoint: str
    soft_cut: float | None = None
    windows: WindowSettings | None = None


def find_suspects(source: SuspectSource, *, folds: int, most: int, table: str) -> Suspects:
    """Find likely label errors, and write the table of all of them.

    Args:
        source: Artifacts of the run.
        folds: Number of folds.
        most: Number of suspects to return; the table has all.
        table: File to write, .csv or .parquet.

    Raises:
        Refused: There are fewer examples than folds, or too many for the memory.
    """
    labels = label_list(read_schema_file(source.schema))
    transform = tft.TFTransformOutput(source.transform_graph)
    split = f"{source.examples}/Split-train"
    PROGRESS.info("reading checkpoint %s", source.checkpoint)
    with tempfile.TemporaryDirectory() as folder, use_precision("float32"):
        backbone = load_backbone(find_checkpoint(source.checkpoint))
        train, evaluation = (
            encode_split(backbone, transform, each, folder, source.soft_cut, source.windows)
            for each in (split, f"{source.examples}/Split-eval")
        )
        n_examples = len(train.examples)
        _check_size(n_examples, len(labels.names), folds)
        fold_of = assign_folds(train.text_keys, train.groups, folds)
        probabilities = out_of_fold_probabilities(
            train.examples, evaluation.examples, fold_of, labels.retired_indices, folder
        )
    PROGRESS.info("comparing labels with out-of-fold probabilities")
    given = train.examples.labels
    ranking = rank_suspects(given, probabilities, set(labels.retired_indices))
    suspects = list(_suspects(ranking, given, labels, split))
    write_table(table, suspects, pairs=TEXT_PAIR in transform.raw_feature_spec())
    return Suspects(
        examples=n_examples,
        folds=folds,
        found=len(suspects),
        labels=_counts(ranking, given, labels),
        unjudged=[labels.names[column] for column in ranking.unjudged],
        worst=suspects[:most],
        file=table,
    )


def _check_size(examples: int, n_labels: int, folds: int) -> None:
    if examples < folds:
        raise Refused(f"the train split has {examples} examples, too few for {folds} folds; give fewer folds")
    if examples * n_labels > MOST_CELLS:
        raise Refused(
            f"{examples:,} examples x {n_labels:,} labels are too many: more than {MOST_CELLS:,} answers do not fit in"
            " memory; look for suspects in a run on a part of the data (examples.inputs, spans)"
        )


def _suspects(ranking: Ranking, given: np.ndarray, labels: LabelList, split: str) -> Iterator[Suspect]:
    texts = read_texts(split, set(ranking.rows.tolist()))
    for row, column, score in zip(
        ranking.rows.tolist(), ranking.columns.tolist(), ranking.scores.tolist(), strict=True
    ):
        text = texts[row]
        yield Suspect(
            id=text.id,
            text=text.text,
            text_pair=text.text_pair,
            label=labels.names[column],
            given=bool(given[row, column]),
            score=round(score, 6),
        )


def _counts(ranking: Ranking, given: np.ndarray, labels: LabelList) -> dict[str, SuspectCount]:
    is_given = given[ranking.rows, ranking.columns].astype(bool)
    n_labels = len(labels.names)
    wrong = np.bincount(ranking.columns[is_given], minlength=n_labels)
    missing = np.bincount(ranking.columns[~is_given], minlength=n_labels)
    return {
        name: SuspectCount(
            given=int((given[:, column] > 0).sum()), wrongly_given=int(wrong[column]), missing=int(missing[column])
        )
        for column, name in enumerate(labels.names)
        if name not in labels.retired
    }
