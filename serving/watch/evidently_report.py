"""Evidently's drift report of the rows that `watch` compares, for teams that read such reports; it decides nothing.

Needs the package evidently (the extra `evidently`).
"""

import os
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.common.files import write_whole
from schema.errors import Refused
from schema.features import LABELS
from serving.watch.rows import BLANK, CUT

_PACKAGE = "evidently"
_GIVEN = "given "
# Evidently 0.7 writes names and values into its page as they are, where `</script>` would end its script.
_NO_MARKUP = str.maketrans("<>&", "‹›＆")


def check_evidently() -> None:
    """Refuse to go on without the package.

    Raises:
        Refused: It is not installed.
    """
    if find_spec(_PACKAGE) is None:
        raise Refused("watch.evidently: the package is not installed; pip install 'bert-multilabel[evidently]'")


def write_evidently(path: str, now: pa.Table, reference: pa.Table) -> None:
    """Write the drift report of a window as HTML, which needs no network.

    Args:
        path: File to write.
        now: Rows of the window, a table of `serving.watch.rows`.
        reference: Rows that they are compared with.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    labels = sorted(
        {label for rows in (now, reference) for label in rows[LABELS].combine_chunks().flatten().to_pylist()}
    )
    tables = [_flat(now, labels), _flat(reference, labels)]
    names = [name for name in tables[0].column_names if all(_has_values(table, name) for table in tables)]
    numbers = [name for name in names if pa.types.is_floating(tables[0].schema.field(name).type)]
    definition = DataDefinition(
        numerical_columns=numbers, categorical_columns=[name for name in names if name not in numbers]
    )
    current, past = (
        Dataset.from_pandas(table.select(names).to_pandas(), data_definition=definition) for table in tables
    )
    snapshot = Report([DataDriftPreset()]).run(current_data=current, reference_data=past)
    write_whole(path, snapshot.get_html_str(as_iframe=False).encode())


def _flat(rows: pa.Table, labels: Sequence[str]) -> pa.Table:
    """Return rows with a column of yes and no for each of some labels, and numbers as float."""
    columns: dict[str, pa.Array] = {}
    for name in rows.column_names:
        column = rows[name].combine_chunks()
        if name == LABELS:
            columns |= {f"{_GIVEN}{_shown(label)}": _is_given(column, label) for label in labels}
        elif name in (BLANK, CUT):
            columns[name] = pc.if_else(pc.equal(column, 1), "yes", "no")
        elif pa.types.is_integer(column.type):
            columns[name] = column.cast(pa.float64())
        elif pa.types.is_string(column.type):
            columns[_shown(name)] = pa.array([None if each is None else _shown(each) for each in column.to_pylist()])
        else:
            columns[_shown(name)] = column
    return pa.table(columns)


def _shown(text: str) -> str:
    return text.translate(_NO_MARKUP)


def _is_given(labels: pa.ListArray, label: str) -> pa.Array:
    """Return yes or no for each row."""
    is_label = np.asarray(pc.equal(labels.flatten(), label).to_numpy(zero_copy_only=False), bool)
    values = np.full(len(labels), "no", object)
    values[labels.value_parent_indices().to_numpy()[is_label]] = "yes"
    return pa.array(values, pa.string())


def _has_values(table: pa.Table, name: str) -> bool:
    return name in table.column_names and table[name].null_count < table.num_rows
