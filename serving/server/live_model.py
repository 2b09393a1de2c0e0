"""The version that answers: the newest of a registry, exchanged without dropping a request."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from components.common.files import exists, is_remote
from components.registry import Version, check_saved_model, latest, versions
from schema.errors import Refused
from serving.server.batching import Batcher
from serving.server.signatures import Model

_LOG = logging.getLogger(__name__)
_FIRST_RETRY_S, _LAST_RETRY_S = 30.0, 600.0


class State(StrEnum):
    """State of a version, as in TensorFlow Serving's GetModelStatus."""

    LOADING = "LOADING"
    AVAILABLE = "AVAILABLE"
    UNLOADING = "UNLOADING"
    END = "END"


@dataclass(frozen=True)
class VersionStatus:
    """State of a version, and what is wrong with it; empty if nothing is."""

    state: State
    error: str = ""


@dataclass(frozen=True)
class Served:
    """A loaded version and its queue."""

    version: Version
    model: Model
    batcher: Batcher


@dataclass
class _Failure:
    """A version that cannot be served, and when to try it again, in seconds of the monotonic clock."""

    wait_s: float
    retry_at: float


def find_source(model: str) -> Callable[[], list[Version]]:
    """Return a function that lists the versions of a registry, oldest first, or the one of a model's directory.

    Raises:
        Refused: There is no such folder, or it has ONNX variants.
    """
    newest = latest(model)
    check_saved_model(newest.path if newest else model)
    if exists(f"{model.rstrip('/')}/saved_model.pb"):
        name = model.rstrip("/").rpartition("/")[2]
        number = int(name) if name.isascii() and name.isdigit() else 1
        return lambda: [Version(number=number, path=model)]
    if not is_remote(model) and not Path(model).is_dir():
        raise Refused(f"{model}: there is no such folder; give a registry, or the directory of a model")
    return lambda: versions(model)


class LiveModel:
    """The version that answers.

    Args:
        source: Lists the versions, oldest first; the last one is to be served.
        load: Loads a version, in a thread of its own.
        queue: Creates the queue of a loaded model.

    Attributes:
        served: The version that answers; None before the first is loaded.
        status: State of every version that was met.
        loads: Number of versions that were loaded.
        failures: Number of attempts to load a version that failed.
    """

    def __init__(
        self, source: Callable[[], list[Version]], load: Callable[[Version], Model], queue: Callable[[Model], Batcher]
    ) -> None:
        self._source, self._load, self._queue = source, load, queue
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load-model")
        self._failures: dict[int, _Failure] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self.served: Served | None = None
        self.status: dict[int, VersionStatus] = {}
        self.loads = self.failures = 0

    async def watch(self, poll_s: float) -> None:
        """Serve the newest version from now on; look for a newer one every `poll_s` seconds, for ever."""
        while True:
            try:
                await self.update()
            except Exception as error:  # a registry that cannot be read for a while is no reason to stop answering
                _LOG.error("cannot look for new versions: %s", error)
            await asyncio.sleep(poll_s)

    async def update(self) -> None:
        """Load the newest version unless it is served already; if it is broken, keep the one that is served.

        Without any that is served, an older version that can be loaded is better than none.
        """
        loop = asyncio.get_running_loop()
        known = await loop.run_in_executor(self._loader, self._source)
        for version in reversed(known):
            if self.served is not None and self.served.version.number == version.number:
                return
            failure = self._failures.get(version.number)
            if (failure is None or time.monotonic() >= failure.retry_at) and await self._try(version):
                return
            if self.served is not None:
                return

    async def close(self) -> None:
        """Answer what was accepted; nothing may be asked of it afterwards."""
        if self.served is not None:
            await self.served.batcher.drain()
        if self._retiring:
            await asyncio.wait(self._retiring)
        self._loader.shutdown(wait=False, cancel_futures=True)

    async def _try(self, version: Version) -> bool:
        self.status[version.number] = VersionStatus(State.LOADING)
        _LOG.info("version %d: loading %s", version.number, version.path)
        started = time.monotonic()
        try:
            model = await asyncio.get_running_loop().run_in_executor(self._loader, self._load_lasting, version)
        except Exception as error:
            self._note_failure(version, error)
            return False
        self._failures.pop(version.number, None)
        self.loads += 1
        self._exchange(Served(version, model, self._queue(model)))
        _LOG.info("version %d: answers, loaded in %.1f s", version.number, time.monotonic() - started)
        return True

    def _load_lasting(self, version: Version) -> Model:
        model = self._load(version)
        if self.served is None:
            gc.collect()  # nobody waits; what a later load leaves goes with the former version
        gc.freeze()  # Python would search TensorFlow's million objects, which stay, for garbage while requests wait
        return model

    def _note_failure(self, version: Version, error: Exception) -> None:
        former = self._failures.get(version.number)
        wait_s = _FIRST_RETRY_S if former is None else min(2 * former.wait_s, _LAST_RETRY_S)
        self._failures[version.number] = _Failure(wait_s, time.monotonic() + wait_s)
        self.failures += 1
        self.status[version.number] = VersionStatus(State.END, str(error))
        kept = (
            "no version answers" if self.served is None else f"version {self.served.version.number} goes on answering"
        )
        _LOG.error("version %d: cannot be served: %s; %s, next attempt in %.0f s", version.number, error, kept, wait_s)

    def _exchange(self, served: Served) -> None:
        """Let a version answer from the next request on, and free the former one after its last answer."""
        former, self.served = self.served, served
        self.status[served.version.number] = VersionStatus(State.AVAILABLE)
        if former is not None:
            self.status[former.version.number] = VersionStatus(State.UNLOADING)
            task = asyncio.get_running_loop().create_task(self._retire(former.version.number, former.batcher))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _retire(self, number: int, batcher: Batcher) -> None:
        await batcher.drain()
        if self.status[number].state is State.UNLOADING:  # it may have been loaded again meanwhile
            self.status[number] = VersionStatus(State.END)
        del batcher
        # In the thread of loads, as it takes a while.
        await asyncio.get_running_loop().run_in_executor(self._loader, _collect_frozen)
        _LOG.info("version %d: answered its last request", number)


def _collect_frozen() -> None:
    """Free what a retired version leaves: a loaded SavedModel has reference cycles."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
