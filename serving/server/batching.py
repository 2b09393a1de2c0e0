"""Batching: rows of concurrent requests to one signature are answered by one call of the model."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from grpc import StatusCode

from serving.server.errors import RequestError
from serving.server.signatures import Array, Columns, Model, Signature, concatenate

BatchObserver = Callable[[str, int, float], None]
"""Called after each call of the model with the signature, the number of rows and the seconds it took."""


_RETURN_SHARE = 0.1


@dataclass(frozen=True)
class _Returning:
    """Clients that a call has answered, and that may ask again.

    Attributes:
        rows: Rows that wait when all of them have done so.
        until: Time until which they are waited for, in seconds of the monotonic clock.
    """

    rows: int = 0
    until: float = 0.0


@dataclass(eq=False)
class _Piece:
    """Rows of one request that are answered by one call of the model."""

    columns: Columns
    rows: int
    arrived: float
    answer: "asyncio.Future[dict[str, Array]]" = field(repr=False)


class Batcher:
    """Queue of one model. Its methods are called in the event loop, the model in the threads of an executor.

    A free worker takes the oldest waiting request, and those of the same signature behind it, up to `max_batch` rows.
    So batches are small while the server is idle, and fill while it is busy. A larger request takes several calls.

    After a call, the next one waits for the clients that were answered to ask again, for at most a tenth of the time
    that the call took. Without that, clients that ask one question after the other would fall into two groups, of
    which one waits while the other is answered, and batches would be half as large.

    Args:
        model: The model.
        executor: Threads to call it in.
        workers: Number of calls at the same time.
        max_batch: Most rows per call.
        max_rows: Most rows that may wait.
        max_wait_s: Time that a call which is not full waits for further requests, in seconds.
        observe: Called after each call of the model.
    """

    def __init__(
        self,
        model: Model,
        executor: Executor,
        *,
        workers: int,
        max_batch: int,
        max_rows: int,
        max_wait_s: float = 0.0,
        observe: BatchObserver = lambda *_: None,
    ) -> None:
        self._model, self._executor, self._workers = model, executor, workers
        self._max_batch, self._max_rows, self._max_wait_s = max_batch, max_rows, max_wait_s
        self._observe = observe
        self._queues: dict[str, deque[_Piece]] = {name: deque() for name in model.signatures}
        self._running: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._returning = _Returning()
        self.waiting_rows = 0

    async def answer(self, signature: Signature, columns: Columns, rows: int) -> dict[str, Array]:
        """Return the model's outputs for the rows of a request, in their order.

        Raises:
            RequestError: The queue is full, or the model refuses the input.
        """
        if rows > self._max_rows:
            message = f"the request has {rows} rows, more than the {self._max_rows} that may wait; send fewer at a time"
            raise RequestError(StatusCode.RESOURCE_EXHAUSTED, message, too_large=True)
        if self.waiting_rows + rows > self._max_rows:
            raise RequestError(StatusCode.RESOURCE_EXHAUSTED, f"{self.waiting_rows} rows wait already; try again later")
        step = self._max_batch if signature.merges else max(rows, 1)
        loop, now = asyncio.get_running_loop(), time.monotonic()
        pieces = []
        for start in range(0, max(rows, 1), step):
            part = {name: values[start : start + step] for name, values in columns.items()}
            pieces.append(_Piece(part, min(step, rows - start), now, loop.create_future()))
        self._queues[signature.name].extend(pieces)
        self.waiting_rows += rows
        self._start_batches()
        try:
            if len(pieces) == 1:
                return await pieces[0].answer
            return concatenate(await asyncio.gather(*(piece.answer for piece in pieces)))
        except BaseException:  # also of a client that is gone: what has not been computed need not be
            for piece in pieces:
                piece.answer.cancel()
            raise

    async def drain(self) -> None:
        """Wait until everything that was accepted has been answered."""
        while self._running or any(self._queues.values()):
            self._start_batches(at_once=True)
            await asyncio.wait(self._running)

    def _start_batches(self, *, at_once: bool = False) -> None:
        while len(self._running) < self._workers:
            name = self._next_signature()
            if name is None or (not at_once and self._waits_for_more(name)):
                return
            pieces = self._take(name)
            task = asyncio.get_running_loop().create_task(self._answer(name, pieces))
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._start_batches()

    def _next_signature(self) -> str | None:
        """Return the signature whose oldest request waits longest; None if nothing waits."""
        waiting = [(queue[0].arrived, name) for name, queue in self._queues.items() if queue]
        return min(waiting)[1] if waiting else None

    def _waits_for_more(self, name: str) -> bool:
        """Return whether a call is better put off; set a timer then."""
        queue = self._queues[name]
        rows = sum(piece.rows for piece in queue)
        until = queue[0].arrived + self._max_wait_s
        if rows < self._returning.rows:
            until = max(until, self._returning.until)
        left = until - time.monotonic()
        if left <= 0 or rows >= self._max_batch:
            return False
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(left, self._wake)
        return True

    def _wake(self) -> None:
        self._timer = None
        self._start_batches()

    def _take(self, name: str) -> list[_Piece]:
        """Take pieces for one call from a queue, the oldest first."""
        queue, merges = self._queues[name], self._model.signatures[name].merges
        pieces: list[_Piece] = []
        rows = 0
        while queue and (not pieces or (merges and rows + queue[0].rows <= self._max_batch)):
            piece = queue.popleft()
            self.waiting_rows -= piece.rows
            if not piece.answer.done():  # cancelled
                pieces.append(piece)
                rows += piece.rows
        return pieces

    async def _answer(self, name: str, pieces: list[_Piece]) -> None:
        if not pieces:
            return
        try:
            outputs = await self._call(name, pieces)
        except Exception as error:
            if len(pieces) == 1:
                _fail(pieces[0], error)
                return
            # One of the requests may be at fault; the others must not fail with it.
            for piece in pieces:
                await self._answer(name, [piece])
            return
        start = 0
        for piece in pieces:
            if not piece.answer.done():
                rows = slice(start, start + piece.rows)
                piece.answer.set_result({output: values[rows] for output, values in outputs.items()})
            start += piece.rows

    async def _call(self, name: str, pieces: list[_Piece]) -> dict[str, Array]:
        columns = {
            column: [value for piece in pieces for value in piece.columns[column]] for column in pieces[0].columns
        }
        started = time.monotonic()
        outputs = await asyncio.get_running_loop().run_in_executor(self._executor, self._model.call, name, columns)
        ended, rows = time.monotonic(), sum(piece.rows for piece in pieces)
        self._returning = _Returning(self.waiting_rows + rows, ended + _RETURN_SHARE * (ended - started))
        self._observe(name, rows, ended - started)
        return outputs


def _fail(piece: _Piece, error: Exception) -> None:
    if not piece.answer.done():
        piece.answer.set_exception(error)
