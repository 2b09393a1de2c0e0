"""Batching of requests, with a model that notes what it was called with."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from serving.request_log.rows import LogHeader
from serving.server.batching import Batcher
from serving.server.errors import RequestError, invalid
from serving.server.signatures import Array, Columns, Signature, TensorSpec

MERGED = Signature("merged", {"texts": TensorSpec("string", (-1,))}, {"sizes": TensorSpec("int64", (-1, 1))})
PADDED = Signature("padded", {"texts": TensorSpec("string", (-1,))}, {"ids": TensorSpec("int64", (-1, -1))})


class SlowModel:
    """Model that returns the length of each text, once it may; it refuses the text `bad`."""

    header = LogHeader(model="m", version=1, labels=(), thresholds=())
    signatures = {"merged": MERGED, "padded": PADDED}  # noqa: RUF012
    signature_defs: dict[str, Any] = {}  # noqa: RUF012
    count_pieces = None

    def __init__(self) -> None:
        self.calls: list[list[bytes]] = []
        self.may_answer = threading.Event()

    def call(self, signature: str, columns: Columns) -> dict[str, Array]:
        assert self.may_answer.wait(10)
        self.calls.append(list(columns["texts"]))
        if b"bad" in columns["texts"]:
            raise invalid("bad")
        sizes = np.array([[len(text)] for text in columns["texts"]], np.int64)
        return {"ids" if signature == "padded" else "sizes": sizes}


def run(requests: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(requests, 20))


def batcher(model: SlowModel, executor: ThreadPoolExecutor, max_rows: int = 100, max_wait_s: float = 0.0) -> Batcher:
    return Batcher(model, executor, workers=1, max_batch=4, max_rows=max_rows, max_wait_s=max_wait_s)


async def ask(queue: Batcher, signature: Signature, *texts: str) -> list[int]:
    outputs = await queue.answer(signature, {"texts": [text.encode() for text in texts]}, len(texts))
    return [int(row[0]) for row in next(iter(outputs.values()))]


def test_requests_that_wait_are_answered_together_each_with_its_own_rows() -> None:
    model = SlowModel()

    async def requests() -> None:
        with ThreadPoolExecutor(1) as executor:
            queue = batcher(model, executor)
            asked = [asyncio.create_task(ask(queue, MERGED, *["x" * size] * size)) for size in (1, 2, 1, 3)]
            await asyncio.sleep(0.01)
            model.may_answer.set()
            assert await asyncio.gather(*asked) == [[1], [2, 2], [1], [3, 3, 3]]
            assert await ask(queue, MERGED) == []

    run(requests())
    assert [len(call) for call in model.calls] == [1, 3, 3, 0]


def test_a_large_request_is_split_unless_its_rows_are_padded_to_each_other() -> None:
    model = SlowModel()
    model.may_answer.set()

    async def requests() -> None:
        with ThreadPoolExecutor(1) as executor:
            queue = batcher(model, executor)
            texts = ["x" * size for size in range(10)]
            assert await ask(queue, MERGED, *texts) == list(range(10))
            assert await ask(queue, PADDED, *texts) == list(range(10))

    run(requests())
    assert [len(call) for call in model.calls] == [4, 4, 2, 10]


def test_a_bad_request_fails_alone() -> None:
    model = SlowModel()

    async def requests() -> None:
        with ThreadPoolExecutor(1) as executor:
            queue = batcher(model, executor)
            asked = [asyncio.create_task(ask(queue, MERGED, text)) for text in ("a", "bb", "bad", "cccc")]
            await asyncio.sleep(0.01)
            model.may_answer.set()
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert [str(answer) for answer in answers] == ["[1]", "[2]", "bad", "[4]"]

    run(requests())


def test_requests_beyond_the_queue_are_refused_and_those_in_it_answered() -> None:
    model = SlowModel()

    async def requests() -> None:
        with ThreadPoolExecutor(1) as executor:
            queue = batcher(model, executor, max_rows=3)
            first = asyncio.create_task(ask(queue, MERGED, "a"))
            await asyncio.sleep(0.01)  # it is computed, and no longer waits
            asked = [asyncio.create_task(ask(queue, MERGED, "bb")) for _ in range(3)]
            await asyncio.sleep(0.01)
            with pytest.raises(RequestError, match="3 rows wait already") as busy:
                await ask(queue, MERGED, "c")
            with pytest.raises(RequestError, match="4 rows, more than the 3") as large:
                await ask(queue, MERGED, *"cccc")
            assert (busy.value.http_status, large.value.http_status) == (429, 413)
            model.may_answer.set()
            assert await asyncio.gather(first, *asked) == [[1], [2], [2], [2]]

    run(requests())


def test_a_cancelled_request_is_not_computed_and_draining_answers_the_rest() -> None:
    model = SlowModel()

    async def requests() -> None:
        with ThreadPoolExecutor(1) as executor:
            queue = batcher(model, executor, max_wait_s=60)
            gone = asyncio.create_task(ask(queue, MERGED, "gone"))
            kept = asyncio.create_task(ask(queue, MERGED, "kept"))
            await asyncio.sleep(0.01)
            gone.cancel()
            model.may_answer.set()
            await queue.drain()
            assert await kept == [4]
            assert queue.waiting_rows == 0

    run(requests())
    assert model.calls == [[b"kept"]]


def test_an_idle_server_waits_for_a_batch_to_fill() -> None:
    model = SlowModel()
    model.may_answer.set()

    async def requests() -> None:
        with ThreadPoolExecutor(1) as executor:
            queue = batcher(model, executor, max_wait_s=30)
            asked = [asyncio.create_task(ask(queue, MERGED, "a")) for _ in range(4)]
            assert await asyncio.gather(*asked) == [[1]] * 4

    run(requests())
    assert [len(call) for call in model.calls] == [4]


def test_the_next_call_waits_a_moment_for_clients_that_were_just_answered() -> None:
    model = SlowModel()

    async def requests() -> None:
        with ThreadPoolExecutor(1) as executor:
            queue = batcher(model, executor)

            async def client() -> None:
                for _ in range(3):
                    assert await ask(queue, MERGED, "a") == [1]

            asked = [asyncio.create_task(client()) for _ in range(4)]
            await asyncio.sleep(0.3)  # the first call takes so long, so 30 ms are waited for its one client
            model.may_answer.set()
            await asyncio.gather(*asked)

    run(requests())
    assert [len(call) for call in model.calls[:2]] == [1, 4], (
        "the first client asks again before the others are answered"
    )
