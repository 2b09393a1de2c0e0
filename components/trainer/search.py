"""The Tuner's `tuner_fn`: a search by KerasTuner, whose trials are trainings as the Trainer runs them.

A trial of a share s of the resource makes s times the steps of a full training, its learning rate scheduled over these.
Everything that is known of a search is in a folder of the registry, which is there on every runner:

    .tuning/<fingerprint>/found.json      that the search is complete, and when it was
    .tuning/<fingerprint>/search/...      KerasTuner's files, a few kB for each trial

The fingerprint is of what decides which values are best. A search that was killed goes on after its last complete
trial, and one that is complete is used again by later runs on other data.
"""

import gc
import tempfile
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import attr
import keras
import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import TrialStatus
from keras_tuner.errors import FailedTrialError
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from components.common.files import escape_glob, list_files, make_folder, read_bytes, remove_folder, write_whole
from components.common.progress import PROGRESS
from components.common.record import Record
from components.trainer.loop.history import History
from components.trainer.loop.plan import Plan
from components.trainer.loop.resume import fingerprint
from components.trainer.run import Data, train
from components.trainer.settings import TrainerConfig, TrainingSettings, with_values
from components.trainer.tuning.settings import Interval, TuneSettings, tuned_values
from components.trainer.tuning.trials import RESOURCE
from schema.errors import Refused

_FOLDER = ".tuning"
_PROJECT = "search"
_FACTOR = 3
_MOST_ROUNDS = 3
_MOST_FAILURES = 3


class Found(Record):
    """Mark of a complete search.

    Attributes:
        when: Time of its end.
        trials: Limit of trials that it was given, if any.
        budget: Limit of time that it was given, if any.
    """

    FILE: ClassVar[str] = "found.json"

    when: datetime
    trials: int | None
    budget: str | None


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Return the search for TFX's Tuner to run.

    Raises:
        Refused: The checkpoint cannot be used.
    """
    config = TrainerConfig.model_validate(fn_args.custom_config["trainer"])
    tune = TuneSettings.model_validate(fn_args.custom_config["tune"])
    data = Data(fn_args, config.training, config.windows)
    store = _Store.of(fn_args.custom_config["registry"], config, tune, data)
    oracle = _Oracle(tune, config.training, store.is_complete(tune))
    return TunerFnResult(tuner=_Search(oracle, tune, config, data, store), fit_kwargs={"verbose": 0})


class _Store:
    """Folder of a search, with a local copy, in which KerasTuner works.

    Attributes:
        local: The local copy.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._copy = tempfile.TemporaryDirectory(prefix="tuning-")
        self.local = self._copy.name

    @classmethod
    def of(cls, registry: str, config: TrainerConfig, tune: TuneSettings, data: Data) -> "_Store":
        """Return the store of the search for the same training, space and, unless told otherwise, labels."""
        name = fingerprint(
            training=config.training.model_dump(mode="json", exclude={"checkpoint_every", "export", "tune"}),
            checkpoint=config.checkpoint_fingerprint,
            windows=config.windows and config.windows.model_dump(mode="json"),
            tune=tune.model_dump(mode="json", include={"over", "objective"}),
            labels=None if tune.retune == "never" else list(data.labels.names),
        )
        return cls(f"{registry.rstrip('/')}/{_FOLDER}/{name}")

    def is_complete(self, tune: TuneSettings) -> bool:
        """Return whether the search was completed within the same limits; fetch what is known of it.

        What is too old is removed.
        """
        try:
            found = Found.read(self._folder)
        except FileNotFoundError:
            found = None
        if found and tune.valid_for is not None and datetime.now(UTC) - found.when > tune.valid_for:
            PROGRESS.info("the values found at %s are older than asked for: searching again", found.when)
            remove_folder(self._folder)
            found = None
        project = f"{escape_glob(self._folder)}/{_PROJECT}"
        for path in [*list_files(f"{project}/*"), *list_files(f"{project}/*/*")]:
            copy = Path(self.local, path.removeprefix(f"{self._folder}/"))
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(read_bytes(path))
        return found is not None and (found.trials, found.budget) == (tune.trials, tune.budget)

    def save(self) -> None:
        """Write KerasTuner's files. Its own state comes last, so that it never names a trial that is not there."""
        files = sorted(Path(self.local, _PROJECT).rglob("*.json"), key=lambda path: len(path.parts), reverse=True)
        for file in files:
            target = f"{self._folder}/{file.relative_to(self.local).as_posix()}"
            make_folder(target.rpartition("/")[0])
            write_whole(target, file.read_bytes())

    def complete(self, tune: TuneSettings) -> None:
        """Mark the search as complete."""
        self.save()
        Found(when=datetime.now(UTC), trials=tune.trials, budget=tune.budget).write(self._folder)


class _Oracle(keras_tuner.oracles.HyperbandOracle):  # type: ignore[misc]  # KerasTuner ships no types
    """Hyperband within a number of trials or seconds, which tries the values of the configuration first.

    Args:
        tune: The search.
        settings: Values of the configuration.
        is_complete: Whether no trial is left to run.

    Attributes:
        is_complete: As above.
    """

    def __init__(self, tune: TuneSettings, settings: TrainingSettings, is_complete: bool) -> None:
        space = keras_tuner.HyperParameters()
        for name, values in tune.over.items():
            if isinstance(values, Interval):
                space.Float(name, values.low, values.high, sampling=values.scale)
            else:
                space.Choice(name, [float(value) for value in values] if _has_fractions(values) else values)
        measure = "loss" if tune.objective == "loss" else "macro_f1"
        super().__init__(
            objective=keras_tuner.Objective(measure, "min" if measure == "loss" else "max"),
            max_epochs=_FACTOR ** (_rounds(tune.trials) - 1),
            factor=_FACTOR,
            hyperband_iterations=None,
            seed=settings.seed,
            hyperparameters=space,
            max_consecutive_failed_trials=_MOST_FAILURES,
        )
        self._tune, self.is_complete = tune, is_complete
        own = settings.model_dump() | {"learning_rate": settings.peak_learning_rate}
        self._own = {name: own[name] for name in tune.over}

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the values of the next trial, or that there is none."""
        if self.is_complete or self._is_out_of_budget():
            return {"status": "STOPPED"}
        populated: dict[str, Any] = super().populate_space(trial_id)
        return populated

    def _random_values(self) -> dict[str, Any] | None:
        if not self.start_order:
            return dict(self._own)
        values: dict[str, Any] | None = super()._random_values()
        return values

    def _is_out_of_budget(self) -> bool:
        if self._tune.seconds is None:
            return self._tune.trials is not None and len(self.trials) >= self._tune.trials
        measured = [trial.metrics for trial in self.trials.values() if trial.metrics.exists("seconds")]
        spent = sum(float(metrics.get_best_value("seconds")) for metrics in measured)
        return spent >= self._tune.seconds

    def get_best_trials(self, num_trials: int | None = 1) -> list[Any]:
        """Return the complete trials, those of the largest resource first and among these the best first."""
        complete = [trial for trial in self.trials.values() if trial.status == TrialStatus.COMPLETED]
        sign = 1 if self.objective.direction == "min" else -1
        return sorted(complete, key=lambda each: (-each.hyperparameters.values[RESOURCE], sign * each.score))[
            :num_trials
        ]


class _Search(BaseTuner):  # type: ignore[misc]
    """Search whose trials are trainings."""

    def __init__(self, oracle: _Oracle, tune: TuneSettings, config: TrainerConfig, data: Data, store: _Store) -> None:
        self._tune, self._config, self._data, self._store = tune, config, data, store
        with redirect_stdout(StringIO()):  # KerasTuner prints what it reads
            super().__init__(oracle=oracle, directory=store.local, project_name=_PROJECT)

    def run_trial(self, trial: Any, **_: Any) -> dict[str, float]:
        """Train with the values of a trial and return the measures on the eval split.

        Raises:
            FailedTrialError: The loss is not a number, or a step does not fit in memory.
        """
        values, started = trial.hyperparameters.values, time.perf_counter()
        settings = with_values(self._config.training, tuned_values(values))
        share = values[RESOURCE] / self.oracle.max_epochs
        if share < 1:
            steps = Plan.of(settings, self._data.counts.examples).steps
            settings = settings.model_copy(update={"max_steps": max(1, round(steps * share))})
        PROGRESS.info("trial %d, %.0f %% of the steps: %s", len(self.oracle.trials), 100 * share, _shown(values))
        with tempfile.TemporaryDirectory(prefix="trial-") as folder:
            fn_args = attr.evolve(self._data.fn_args, model_run_dir=folder)
            try:
                train(self._config.model_copy(update={"training": settings}), self._data.at(fn_args, settings))
            except (FloatingPointError, MemoryError) as error:
                PROGRESS.info("the trial failed: %s", error)
                raise FailedTrialError(str(error)) from error
            finally:
                keras.backend.clear_session()
                gc.collect()
            history = History.read(folder)
        best = (history.best_epoch or 1) - 1
        measures = {"loss": history.val_loss[best], "macro_f1": history.val_macro_f1[best]}
        PROGRESS.info("eval loss %.4f, macro F1 %.3f", measures["loss"], measures["macro_f1"])
        return {**measures, "seconds": time.perf_counter() - started}

    def on_trial_end(self, trial: Any) -> None:
        """Save the trial.

        Raises:
            Refused: Too many trials in a row have failed.
        """
        try:
            super().on_trial_end(trial)
        except RuntimeError:  # of KerasTuner, with the tracebacks of all of them
            raise Refused(
                f"training.tune: {_MOST_FAILURES} trials in a row failed, the last one with: {trial.message}; leave "
                "out of training.tune.over what cannot work"
            ) from None
        self._store.save()

    def _try_run_and_update_trial(self, trial: Any, *arguments: Any, **options: Any) -> None:
        """Run a trial. KerasTuner's own method takes every error for one of the trial's values, and goes on."""
        try:
            self._run_and_update_trial(trial, *arguments, **options)
            trial.status = TrialStatus.COMPLETED
        except FailedTrialError as error:
            trial.status, trial.message = TrialStatus.FAILED, str(error)

    def on_search_end(self) -> None:
        """Mark the search as complete.

        Raises:
            Refused: No trial is complete.
        """
        best = self.oracle.get_best_trials(1)
        if not best:
            raise Refused(
                "training.tune: no trial is complete; allow more trials or time, or values with which a training fits"
            )
        if not self.oracle.is_complete:
            self._store.complete(self._tune)
        PROGRESS.info("best of %d trials: %s", len(self.oracle.trials), _shown(best[0].hyperparameters.values))

    def search_space_summary(self, extended: bool = False) -> None:
        """Print nothing: TFX calls this for the terminal, which is the run's."""

    def results_summary(self, num_trials: int = 10) -> None:
        """Print nothing, as above."""


def _rounds(trials: int | None) -> int:
    """Return the number of rounds of successive halving such that one bracket fits in a number of trials.

    The brackets of KerasTuner's HyperbandOracle have 1, 3 + 1 and 9 + 3 + 1 trials.
    """
    if trials is None:
        return _MOST_ROUNDS
    return 3 if trials >= 13 else 2 if trials >= 4 else 1


def _has_fractions(values: Any) -> bool:
    return any(isinstance(value, float) for value in values)


def _shown(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in tuned_values(values).items())
