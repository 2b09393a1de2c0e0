"""What every interface of the server does with a request: find the model, let it answer, count and log it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from grpc import StatusCode

from serving.request_log.rows import LoggedAnswer
from serving.request_log.slices import Slices, parse_slices
from serving.request_log.writer import RequestLog
from serving.server.errors import RequestError, invalid
from serving.server.live_model import LiveModel, Served
from serving.server.metrics import Metrics
from serving.server.signatures import Array, Columns, Signature

DEFAULT_SIGNATURE = "serving_default"
TEXT_SIGNATURE = "serve_text"
_PROBABILITIES, _TEXTS, _PAIRS, _EXAMPLES = "probabilities", "texts", "text_pairs", "examples"

ExampleReader = Callable[[Sequence[bytes], Sequence[str]], tuple[list[bytes], list[bytes] | None, Slices]]


@dataclass(frozen=True)
class Origin:
    """Where a request came from.

    Attributes:
        api: Interface: rest, grpc, v2 or page.
        request_id: Id that the client gave it; None if it gave none.
        arrived: When it arrived, in seconds of the monotonic clock.
        slices: The header that names its slices; None if there was none.
    """

    api: str
    request_id: str | None
    arrived: float
    slices: str | None = None


class Service:
    """The model under its name.

    Args:
        name: Name that it is served under.
        live: The version that answers.
        metrics: Counters.
        log: The request log; None if there is none.
        read_examples: Returns the texts of serialized tf.Examples, and their slice columns, for the log.
    """

    def __init__(
        self, name: str, live: LiveModel, metrics: Metrics, log: RequestLog | None, read_examples: ExampleReader
    ) -> None:
        self.name, self.live, self.metrics = name, live, metrics
        self._log, self._read_examples = log, read_examples
        self.is_stopping = False

    @property
    def is_ready(self) -> bool:
        """True if a version answers and the server is not about to stop."""
        return self.live.served is not None and not self.is_stopping

    def find(self, name: str, version: int | None = None, label: str | None = None) -> Served:
        """Return the version that a request asks for; None for the one that answers.

        Raises:
            RequestError: It is not served. Messages are those of TensorFlow Serving 2.19.1: core/basic_manager.cc line
                136, core/manager.h line 150, model_servers/server_core.cc lines 808 and 854.
        """
        if not name:
            raise invalid("ModelSpec has no name specified.")
        if label:
            raise invalid(f"Unrecognized servable version label: {label}")
        served = self.live.served
        if name == self.name and served is not None and version in (None, served.version.number):
            return served
        wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        code = StatusCode.UNAVAILABLE if name == self.name and served is None else StatusCode.NOT_FOUND
        raise RequestError(code, f"Servable not found for request: {wanted}")

    async def predict(
        self, served: Served, signature: Signature, columns: Columns, origin: Origin, only: Sequence[str] = ()
    ) -> Mapping[str, Array]:
        """Return the outputs of a signature.

        Args:
            served: The version that `find` returned; nothing may be awaited in between, or it may be gone.
            signature: One of its signatures.
            columns: Strings by input.
            origin: Where the request came from.
            only: Names of the outputs to return; empty for all.

        Raises:
            RequestError: Inputs or outputs do not fit the signature, the queue is full, or the model refuses the input.
        """
        _check(signature, columns, only)
        rows = len(next(iter(columns.values())))
        outputs = await served.batcher.answer(signature, columns, rows)
        if self._log is not None and rows and _PROBABILITIES in outputs:
            self._log_answer(served, columns, outputs[_PROBABILITIES], origin)
        return {name: outputs[name] for name in only} if only else outputs

    @contextmanager
    def counted(self, origin: Origin) -> Iterator[None]:
        """Count a request with the code that it ends with."""
        code = StatusCode.INTERNAL
        try:
            yield
            code = StatusCode.OK
        except RequestError as error:
            code = error.code
            raise
        finally:
            self.metrics.request(origin.api, code.name, time.monotonic() - origin.arrived)

    def _log_answer(self, served: Served, columns: Columns, probabilities: Array, origin: Origin) -> None:
        assert self._log is not None
        if not self._log.takes():
            return
        names = served.model.header.slices if self._log.keeps_slices else ()
        texts, pairs, slices = (
            (columns[_TEXTS], columns.get(_PAIRS), {})
            if _TEXTS in columns
            else self._read_examples(columns[_EXAMPLES], names)
        )
        self._log.offer(
            LoggedAnswer(
                header=served.model.header,
                time=time.time(),
                api=origin.api,
                request_id=origin.request_id,
                latency_ms=1e3 * (time.monotonic() - origin.arrived),
                texts=texts,
                pairs=pairs,
                probabilities=probabilities,
                count_pieces=served.model.count_pieces,
                slices={**slices, **parse_slices(origin.slices, names, len(texts))},
            )
        )


def _check(signature: Signature, columns: Columns, only: Sequence[str]) -> None:
    """Check inputs and outputs as servables/tensorflow/predict_util.cc of TensorFlow Serving 2.19.1 does."""
    sent, needed = set(columns), set(signature.inputs)
    if sent != needed:
        raise invalid(
            f"input size does not match signature: {len(sent)}!={len(needed)} len({{{','.join(sorted(sent))}}}) !="
            f" len({{{','.join(sorted(needed))}}}). Sent extra: {{{','.join(sorted(sent - needed))}}}. Missing but"
            f" required: {{{','.join(sorted(needed - sent))}}}."
        )
    sizes = {name: len(values) for name, values in columns.items()}
    if len(set(sizes.values())) > 1:
        raise invalid(f"the inputs have different numbers of rows: {sizes}")
    for name in only:
        if name not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {name} Outputs expected to be in the set"
                f" {{{','.join(sorted(signature.outputs))}}}."
            )
        if only.count(name) > 1:
            raise invalid(f"duplicate output tensor alias: {name}")
