"""Benchmark of `serve` under load: concurrent clients, with an exchange of versions in the middle.

    python -m benchmarks.serve_load --model DIR [--second DIR] [--clients 200] [--seconds 120] [--texts FILE]

DIR is the directory of a version. Each client sends one text after the other over its own connection, by the Open
Inference Protocol, which names the version in its answers; every answer is compared with that version's own
probabilities to 1e-5. After half of the time the second model is pushed (without --second, a copy of the first with
another id). Direct throughput, the model called with batches of 64 without a server, is measured before and after.
Server and clients share the machine.

The last line printed is a JSON object: answers, errors, wrong answers, texts/s, p50 and p99 in ms, `ratio` to the
direct throughput, answers by version, and the server's memory in MiB: before the load, its maximum, and at the end.
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

import aiohttp
import numpy as np
from numpy.typing import NDArray

from benchmarks.goemotions import read_rows
from components.registry import ModelRecord, checksums, content_id, push

_TOLERANCE = 1e-5
_BATCH = 64
_WORDS = "my order refund late where is the thanks for broken please help again love it never not good very".split()  # noqa: SIM905
_TEXTS = 1024


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


def main() -> None:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="directory of a version")
    parser.add_argument("--second", type=Path, help="directory of the version that is pushed in the middle")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--texts", type=Path, help="file with one text per line; made-up texts without")
    parser.add_argument("--serve", nargs=argparse.REMAINDER, default=[], help="further options of serve")
    arguments = parser.parse_args()
    texts = _read_texts(arguments.texts)
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
        memory = asyncio.run(_load_for(load, url, server.pid, registry, models[1], answers[1], arguments))
    finally:
        server.terminate()
        stopped = server.wait(60)
    _, after = _direct(models[1], texts)
    direct = statistics.mean([*before, after])
    rate = len(load.latencies) / arguments.seconds
    p50, p99 = np.percentile(load.latencies, [50, 99])
    return {
        "clients": arguments.clients, "seconds": arguments.seconds, "answers": len(load.latencies),
        "errors": len(load.errors), "first_errors": load.errors[:3], "wrong": load.wrong,
        "largest_difference": load.largest_difference, "by_version": load.by_version, "exit_status": stopped,
        "texts_per_s": round(rate, 1), "direct_texts_per_s": round(direct, 1), "ratio": round(rate / direct, 3),
        "p50_ms": round(p50), "p99_ms": round(p99), "memory_mib": memory,
    }  # fmt: skip


async def _load_for(
    load: _Load, url: str, pid: int, registry: str, second: Path, answers: NDArray[np.float32], options: Any
) -> dict[str, int]:
    """Run the clients; return the server's memory in MiB."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector) as session:
        while True:
            async with session.get("/readyz") as answer:
                if answer.status == 200:
                    break
            await asyncio.sleep(0.2)
        memory = {"before": _memory_mib(pid)}
        end = time.monotonic() + options.seconds
        numbers = count()
        clients = [asyncio.create_task(_client(load, session, numbers, end)) for _ in range(options.clients)]
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
        return memory | {"maximum": max(peak, _memory_mib(pid)), "end": _memory_mib(pid)}


async def _client(load: _Load, session: aiohttp.ClientSession, numbers: "count[int]", end: float) -> None:
    while time.monotonic() < end:
        index = next(numbers) % len(load.texts)
        tensor = {"name": "texts", "shape": [1], "datatype": "BYTES", "data": [load.texts[index]]}
        body = {"inputs": [tensor], "outputs": [{"name": "probabilities"}]}
        started = time.monotonic()
        try:
            async with session.post("/v2/models/default/infer", json=body) as answer:
                content = await answer.json()
            if answer.status != 200:
                load.errors.append(f"{answer.status}: {content}")
                continue
        except (aiohttp.ClientError, TimeoutError) as error:
            load.errors.append(repr(error))
            continue
        load.latencies.append(1e3 * (time.monotonic() - started))
        version = int(content["model_version"])
        load.by_version[version] = load.by_version.get(version, 0) + 1
        expected = load.expected.get(version)
        found = np.array(content["outputs"][0]["data"], np.float32)
        difference = float("inf") if expected is None else float(np.abs(found - expected[index]).max())
        load.largest_difference = max(load.largest_difference, difference)
        load.wrong += difference > _TOLERANCE


def _direct(model: Path, texts: list[str]) -> tuple[NDArray[np.float32], float]:
    """Return a model's probabilities of the texts, and the texts/s in batches of 64, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "texts.json").write_text(json.dumps(texts))
        subprocess.run([sys.executable, "-c", _DIRECT, str(model), folder, str(_BATCH)], check=True)
        return np.load(f"{folder}/probabilities.npy"), float(Path(folder, "rate").read_text())


_DIRECT = """
import json, sys, time
import numpy as np, tensorflow as tf, tensorflow_text
model_dir, folder, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
model = tf.saved_model.load(model_dir)
texts = json.load(open(f"{folder}/texts.json"))
def run():
    return [
        model.signatures["serve_text"](texts=tf.constant(texts[start : start + batch]))["probabilities"].numpy()
        for start in range(0, len(texts), batch)
    ]
run()
started = time.perf_counter()
rounds = 0
while time.perf_counter() - started < 10:
    answers = run()
    rounds += 1
open(f"{folder}/rate", "w").write(str(rounds * len(texts) / (time.perf_counter() - started)))
np.save(f"{folder}/probabilities.npy", np.concatenate(answers))
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


def _read_texts(path: Path | None) -> list[str]:
    if path is not None:
        return [row[0] for row in read_rows(path, _TEXTS)]
    draw = np.random.default_rng(0)
    return [" ".join(draw.choice(_WORDS, draw.integers(4, 30))) for _ in range(_TEXTS)]


def _memory_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


if __name__ == "__main__":
    main()
