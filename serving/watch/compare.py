"""Comparison of the answers of a window with the profile of the version that gave them, and with the window before."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pyarrow as pa
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList as Statistics

from components.data_gate.verdict import Drift
from schema.features import LABELS, TEXT_LENGTH
from serving.request_log.reader import Window
from serving.watch.profile import read_profile, read_profile_rows
from serving.watch.result import BEFORE, TRAINING, Distance, WatchedModel, WatchResult
from serving.watch.rows import BLANK, CUT, LANGUAGE, SLICE, UNKNOWN_PIECES, Answered, answered
from serving.watch.settings import WatchSettings
from serving.watch.statistics import changed_most, drift_between, means, rates, statistics_of

_WORDS = {UNKNOWN_PIECES: "of a text's word pieces are unknown", BLANK: "of texts are blank", CUT: "of texts are cut"}


def compare(registry: str, settings: WatchSettings, end: datetime, folder: str) -> WatchResult:
    """Compare a window, and each model's answers in it.

    Args:
        registry: Registry of the versions, with their profiles.
        settings: Sources, windows and bounds.
        end: End of the window, with a time zone.
        folder: Folder for the reports of other tools.

    Raises:
        Refused: The log, scores or a profile cannot be read.
    """
    length = timedelta(hours=settings.window_hours)
    sources = (settings.log, settings.scores)
    now = answered(*sources, Window(end - length, end), settings.max_rows)
    before = {
        each.model_id: each for each in answered(*sources, Window(end - 2 * length, end - length), settings.max_rows)
    }
    return WatchResult(
        start=(end - length).isoformat(timespec="seconds"),
        end=end.isoformat(timespec="seconds"),
        models=[_compare_model(registry, settings, each, before.get(each.model_id), folder) for each in now],
    )


def _compare_model(
    registry: str, settings: WatchSettings, now: Answered, before: Answered | None, folder: str
) -> WatchedModel:
    statistics = statistics_of(now.rows)
    found = means(statistics)
    watched = WatchedModel(
        model_id=now.model_id,
        version=now.version,
        rows=now.count,
        rows_before=0 if before is None else before.count,
        label_rates=rates(statistics, LABELS),
        means={name: found[name] for name in (UNKNOWN_PIECES, BLANK, CUT, TEXT_LENGTH) if name in found},
    )
    if now.count < settings.min_rows:
        note = f"{now.count} rows are fewer than watch.min_rows ({settings.min_rows}): not judged"
        return watched.model_copy(update={"notes": [note]})
    distances: list[Distance] = []
    notes: list[str] = []
    profile = read_profile(registry, now.model_id)
    if profile is None:
        notes.append(
            "the version has no profile, so it is not compared with its training data: `bert-multilabel run` with"
            " watch in the configuration adds one"
        )
    else:
        distances += _distances(statistics, profile, TRAINING, settings)
    if before is None or before.count < settings.min_rows:
        notes.append("the window before has too few rows to be compared with")
    else:
        distances += _distances(statistics, statistics_of(before.rows), BEFORE, settings)
        if settings.evidently:
            _write_evidently(folder, now, before.rows, BEFORE)
    if settings.evidently:
        rows = read_profile_rows(registry, now.model_id)
        if rows is not None:
            _write_evidently(folder, now, rows, TRAINING)
        elif profile is not None:
            notes.append("no report of Evidently beside the training data: an earlier release made the profile")
    return watched.model_copy(update={"distances": distances, "notes": notes})


def _write_evidently(folder: str, now: Answered, reference: pa.Table, compared_with: str) -> None:
    from serving.watch.evidently_report import write_evidently

    model = f"version-{now.version}" if now.version is not None else now.model_id[:12]
    write_evidently(f"{folder}/evidently-{model}-{compared_with.replace(' ', '-')}.html", now.rows, reference)


def _distances(
    now: Statistics, reference: Statistics, compared_with: str, settings: WatchSettings
) -> Iterator[Distance]:
    for drift in drift_between(now, reference, settings):
        yield Distance(
            feature=drift.feature,
            compared_with=compared_with,
            measure=drift.measure,
            value=drift.value,
            bound=drift.bound,
            words=_words(drift, now, reference, compared_with),
        )
    means_now, means_before = means(now), means(reference)
    for name, bound in (
        (UNKNOWN_PIECES, settings.unknown_pieces), (BLANK, settings.empty_texts), (CUT, settings.cut_texts),
    ):  # fmt: skip
        if bound is not None and name in means_now and name in means_before:
            rise = means_now[name] - means_before[name]
            words = f"{means_now[name]:.1%} {_WORDS[name]}, {means_before[name]:.1%} in the {_name(compared_with)}"
            yield Distance(
                feature=name, compared_with=compared_with, measure="rise", value=rise, bound=bound, words=words
            )


def _words(drift: Drift, now: Statistics, reference: Statistics, compared_with: str) -> str:
    """Return what is behind a distance: the value whose share changed most, or the means."""
    other = _name(compared_with)
    if drift.feature in (LABELS, LANGUAGE) or drift.feature.startswith(SLICE):
        shares, before = rates(now, drift.feature), rates(reference, drift.feature)
        value = changed_most(shares, before)
        verb = {LABELS: "is given to", LANGUAGE: "is the language of"}.get(drift.feature, "is the value of")
        share, share_before = shares.get(value or "", 0), before.get(value or "", 0)
        return f"'{value}' {verb} {share:.1%} of texts, {share_before:.1%} in the {other}"
    unit = " characters" if drift.feature == TEXT_LENGTH else ""
    digits = ".0f" if drift.feature == TEXT_LENGTH else ".3f"
    mean, mean_before = means(now)[drift.feature], means(reference)[drift.feature]
    return f"the mean is {mean:{digits}}{unit}, {mean_before:{digits}} in the {other}"


def _name(compared_with: str) -> str:
    return "training data" if compared_with == TRAINING else compared_with
