"""Benchmark of `serve` under load: concurrent clients, with an exchange of versions in the middle.

    python -m benchmarks.serve_load [--model DIR] [--second DIR] [--clients 200] [--seconds 120]

The model is that of `benchmarks.serve`, which is trained if its folder lacks it, or the directory of a version. Each
client sends one text of GoEmotions after the other over its own connection, by the Open Inference Protocol, which names
the version in its answers; every answer is compared with that version's own probabilities to 1e-5. After half of the
time the second model is pushed (without --second, a copy of the first with another id). Server and clients share the
machine.

Before and after, the model is called directly, without a server, in batches of several sizes; the best of them is what
the server is held against: `ratio` is of texts per second, which the clients' share of the machine lowers, `cpu_ratio`
of the processor time of a text, direct by served. The last line printed is a JSON object with both, answers, errors,
wrong answers, p50 and p99 in ms, answers by version, processor time, and the server's memory in MiB: before the load,
its maximum, and at the end.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import uvloop
from numpy.typing import NDArray

from benchmarks.goemotions import GOEMOTIONS, missing, read_rows
from benchmarks.serve import prepare
from benchmarks.serving.model import write_record
from components.registry import ModelRecord, checksums, content_id, push

_TOLERANCE = 1e-5
_BATCHES = (64, 128, 256, 1024)
_TEXTS = 1024
_HEAD = "POST /v2/models/default/infer HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n"
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class _Direct:
    """Throughput of the model without a server.

    Attributes:
        texts_per_s: Texts per second, by size of the batches.
        cpu_ms: Processor time of a text, in ms, by size of the batches.
    """

    texts_per_s: dict[int, float]
    cpu_ms: dict[int, float]


@dataclass
class _Load:
    """What the clients found."""

    expected: dict[int, NDArray[np.float32]]
    texts: list[str]
    latencies: list[float] = field(default_factory=list)
    by_version: dict[int, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    wrong: int = 0
    largest_difference: float = 0.0

    def compare(self, index: int, content: dict[str, Any]) -> None:
        """Compare the answer to a text with the probabilities of the version that it names."""
        version = int(content["model_version"])
        self.by_version[version] = self.by_version.get(version, 0) + 1
        expected = self.expected.get(version)
        found = np.array(content["outputs"][0]["data"], np.float32)
        difference = float("inf") if expected is None else float(np.abs(found - expected[index]).max())
        self.largest_difference = max(self.largest_difference, difference)
        self.wrong += difference > _TOLERANCE


def main() -> None:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="directory of a version")
    parser.add_argument("--second", type=Path, help="directory of the version that is pushed in the middle")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--goemotions", type=Path, default=GOEMOTIONS)
    parser.add_argument("--folder", type=Path, default=Path("build/serve"), help="folder of the model without --model")
    parser.add_argument("--steps", type=int, default=600, help="training steps, if the model does not exist")
    parser.add_argument("--serve", nargs=argparse.REMAINDER, default=[], help="further options of serve")
    arguments = parser.parse_args()
    if message := missing(arguments.goemotions):
        print(json.dumps({"skipped": message}))
        return
    if arguments.model is None:
        prepare(arguments.folder, arguments.goemotions, arguments.steps, None)
        arguments.model = write_record(arguments.folder, arguments.goemotions)
    texts = [row[0] for row in read_rows(arguments.goemotions / "dev.tsv", _TEXTS)]
    with tempfile.TemporaryDirectory() as folder:
        models = _two_models(Path(folder), arguments.model, arguments.second)
        print(json.dumps(_measure(Path(folder), models, texts, arguments)))


def _measure(folder: Path, models: list[Path], texts: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    registry = str(folder / "registry")
    answers, before = zip(*(_direct(model, texts) for model in models), strict=True)
    first = push(str(models[0]), registry, ModelRecord.read(str(models[0]))).number
    load = _Load({first: answers[0]}, texts)
    command = [sys.executable, "-m", "pipeline", "serve", "--model", registry, "--port", "0", "--grpc-port", "0"]
    server = subprocess.Popen([*command, "--poll-s", "1", *arguments.serve], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().split()[0]
        found = uvloop.run(_load_for(load, url, server.pid, registry, models[1], answers[1], arguments))
    finally:
        server.terminate()
        stopped = server.wait(60)
    direct = [*before, _direct(models[1], texts)[1]]
    rates, cpu_ms = (
        {size: statistics.mean(getattr(each, name)[size] for each in direct) for size in _BATCHES}
        for name in ("texts_per_s", "cpu_ms")
    )
    rate = len(load.latencies) / arguments.seconds
    p50, p99 = np.percentile(load.latencies, [50, 99])
    return {
        "clients": arguments.clients, "seconds": arguments.seconds, "answers": len(load.latencies),
        "errors": len(load.errors), "first_errors": load.errors[:3], "wrong": load.wrong,
        "largest_difference": load.largest_difference, "by_version": load.by_version, "exit_status": stopped,
        "texts_per_s": round(rate, 1), "direct_texts_per_s": {size: round(each, 1) for size, each in rates.items()},
        "ratio": round(rate / max(rates.values()), 3), "cpu_ratio": round(min(cpu_ms.values()) / found["cpu_ms"], 3),
        "direct_cpu_ms": {size: round(each, 3) for size, each in cpu_ms.items()},
        "p50_ms": round(p50), "p99_ms": round(p99), **found,
    }  # fmt: skip


async def _load_for(
    load: _Load, url: str, pid: int, registry: str, second: Path, answers: NDArray[np.float32], options: Any
) -> dict[str, Any]:
    """Run the clients; return memory of the server, and processor time of a text at the server and at the clients."""
    host, port = url.removeprefix("http://").split(":")
    while not await _is_ready(host, int(port)):
        await asyncio.sleep(0.2)
    server = psutil.Process(pid)
    memory, started = {"before": _memory_mib(pid)}, (sum(server.cpu_times()[:2]), time.process_time())
    end = time.monotonic() + options.seconds
    numbers = count()
    clients = [asyncio.create_task(_client(load, host, int(port), numbers, end)) for _ in range(options.clients)]
    peak, pushed = 0, False
    while time.monotonic() < end:
        peak = max(peak, _memory_mib(pid))
        if not pushed and time.monotonic() > end - options.seconds / 2:
            record = ModelRecord.read(str(second))
            # The answers of the new version must be known before the first of them arrives.
            version = await asyncio.to_thread(push, str(second), registry, record)
            load.expected[version.number] = answers
            pushed = True
        await asyncio.sleep(0.5)
    await asyncio.gather(*clients)
    spent = sum(server.cpu_times()[:2]) - started[0], time.process_time() - started[1]
    at_server, at_clients = (round(1e3 * each / max(len(load.latencies), 1), 3) for each in spent)
    memory |= {"maximum": max(peak, _memory_mib(pid)), "end": _memory_mib(pid)}
    return {"cpu_ms": at_server, "clients_cpu_ms": at_clients, "memory_mib": memory}


async def _is_ready(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.startswith(b"HTTP/1.1 200")


async def _client(load: _Load, host: str, port: int, numbers: "count[int]", end: float) -> None:
    """Ask until the end. A client library would take more of the machine than the server's side of it."""
    reader, writer = await asyncio.open_connection(host, port)
    while time.monotonic() < end:
        index = next(numbers) % len(load.texts)
        tensor = {"name": "texts", "shape": [1], "datatype": "BYTES", "data": [load.texts[index]]}
        body = json.dumps({"inputs": [tensor], "outputs": [{"name": "probabilities"}]}).encode()
        started = time.monotonic()
        try:
            writer.write(_HEAD.format(host=host, length=len(body)).encode() + body)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            content = json.loads(await reader.readexactly(int(length[1]) if length else 0))
        except (OSError, EOFError, ValueError) as error:
            load.errors.append(repr(error))
            reader, writer = await asyncio.open_connection(host, port)
            continue
        if not head.startswith(b"HTTP/1.1 200"):
            load.errors.append(f"{head[:20]!r}: {content}")
            continue
        load.latencies.append(1e3 * (time.monotonic() - started))
        load.compare(index, content)
    writer.close()


def _direct(model: Path, texts: list[str]) -> tuple[NDArray[np.float32], _Direct]:
    """Return a model's probabilities of the texts, and its throughput, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "texts.json").write_text(json.dumps(texts))
        subprocess.run([sys.executable, "-c", _DIRECT, str(model), folder, json.dumps(_BATCHES)], check=True)
        rates = json.loads(Path(folder, "rates.json").read_text())
        by_size = {int(size): each for size, each in rates.items()}
        direct = _Direct({size: each[0] for size, each in by_size.items()}, {n: each[1] for n, each in by_size.items()})
        return np.load(f"{folder}/probabilities.npy"), direct


_DIRECT = """
import json, sys, time
import numpy as np, tensorflow as tf, tensorflow_text
model_dir, folder, sizes = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
model = tf.saved_model.load(model_dir)
texts = json.load(open(f"{folder}/texts.json"))
def run(size):
    return [
        model.signatures["serve_text"](texts=tf.constant(texts[start : start + size]))["probabilities"].numpy()
        for start in range(0, len(texts), size)
    ]
np.save(f"{folder}/probabilities.npy", np.concatenate(run(64)))
rates = {}
for size in sizes:
    run(size)
    started, cpu, rounds = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - started < 4:
        run(size)
        rounds += 1
    n = rounds * len(texts)
    rates[size] = n / (time.perf_counter() - started), 1e3 * (time.process_time() - cpu) / n
json.dump(rates, open(f"{folder}/rates.json", "w"))
"""


def _two_models(folder: Path, first: Path, second: Path | None) -> list[Path]:
    """Copy both models, and give each the record of an export that was not pushed yet."""
    models = [folder / "first", folder / "second"]
    for model, source in zip(models, (first, second or first), strict=True):
        shutil.copytree(source, model)
        if model.name == "second":
            (model / "assets.extra").mkdir(exist_ok=True)
            (model / "assets.extra/second").touch()
        record = ModelRecord.read(str(model))
        update: dict[str, Any] = {"model_id": content_id(checksums(str(model))), "files": {}, "blessed_by": {}}
        ModelRecord.model_validate(record.model_dump() | update).write(str(model))
    return models


def _memory_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


if __name__ == "__main__":
    main()
