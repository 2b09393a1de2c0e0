"""Cases about two commands at once, of which one loads a model: real ones, on a project that a real run has filled."""

import json
import os
import shutil
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from itertools import combinations_with_replacement, product
from pathlib import Path

from components.registry import ModelRecord, check_registry, checksums, content_id, find_model, latest, push
from tests.faults.run_cases import QUICK
from tests.faults.run_server import Run, RunServer
from tests.faults.table import Row, normalize, tried
from tests.support.small_project import make_project

_COMMANDS = ("run", "score", "serve", "watch", "review", "suspects", "clean")
_OTHERS = ("rollback", "check", "predict")
_NOT_BLESSED = 3  # of a run whose model was compared with a version that was rolled back meanwhile
_LISTENS_WITHIN_S = 120

WHAT = "real commands: "
"""Beginning of what these rows are about."""


class Setting:
    """Project after a run, with a second version in the registry and scored rows; `restore` puts it back as it was."""

    def __init__(self, server: RunServer, folder: Path) -> None:
        self.server = server
        self.project = make_project(folder / "pairs", rows=200)
        self._whole = folder / "pairs.whole"
        self.project.configure(
            watch={"scores": "scored", "min_rows": 10}, retention={"keep_runs": None, "keep_models": None}
        )
        self.succeed(*self.command("run"))
        self._push_another()
        self.succeed(*self.command("score", output="scored/before"))
        with self.project.data.open("a") as file:  # otherwise every step of a run would come from the cache
            file.write("new,money refund,refund,chat\n")
        shutil.copytree(self.project.folder, self._whole)

    def command(self, name: str, output: str = "scored/now") -> list[str]:
        """Return the command line of a command on this project."""
        folder, registry = self.project.folder, str(self.project.registry)
        configuration = ["--config", str(self.project.configuration)]
        match name:
            case "run":
                return ["run", *configuration, *(word for change in QUICK for word in ("--set", change))]
            case "predict":
                return ["predict", "--model", registry, "--text", "my refund"]
            case "score":
                fields = ["--fields", "text,labels,probabilities"]
                return [
                    "score", "--model", registry, "--input", str(self.project.data), "--output", str(folder / output),
                    *fields,
                ]  # fmt: skip
            case "serve":
                log = ["--request-log", str(folder / "requests"), "--log-texts"]
                return ["serve", "--model", registry, "--port", "0", "--grpc-port", "0", "--poll-s", "0.2", *log]
            case "review":
                return ["review", "sample", "--scores", str(folder / "scored" / "before"), "--output",
                        str(folder / "review"), "--band", "9"]  # fmt: skip
            case "suspects":
                return ["suspects", "--run", str(folder / "work"), "--folds", "2"]
            case "clean":
                return ["clean", *configuration, "--keep-runs", "1", "--keep-models", "1", "--older-than", "0h"]
            case "rollback":
                return ["models", "rollback", "--registry", registry]
            case _:
                return [name, *configuration]

    def succeed(self, *arguments: str) -> None:
        """Run a command alone."""
        run = self.server.start(arguments)
        status = run.wait()
        assert status == 0, (arguments, run.last_words())

    def restore(self) -> None:
        """Put the project back as it was."""
        shutil.rmtree(self.project.folder)
        shutil.copytree(self._whole, self.project.folder)

    def served(self) -> str:
        """Return what answers, and whether it is whole."""
        base = str(self.project.registry)
        broken = [finding for finding in check_registry(base) if finding.broken]
        newest, before = latest(base), latest(str(self._whole / "registry"))
        assert newest is not None
        assert before is not None
        which = "old" if newest.number == before.number else "new"
        return f"BROKEN: {broken[0].where} {broken[0].what}" if broken else f"the {which} version, whole"

    def _push_another(self) -> None:
        """Push what counts as another model: the same with one file more."""
        model = self.project.folder / "another"
        shutil.copytree(find_model(str(self.project.registry)), model)
        record = ModelRecord.read(str(model))
        (model / "assets" / "note.txt").write_text("another")
        record = record.model_copy(update={"model_id": content_id(checksums(str(model)))})
        blessed_by = record.blessed_by.model_copy(update={"model_id": record.model_id})
        push(str(model), str(self.project.registry), record.model_copy(update={"blessed_by": blessed_by}))
        shutil.rmtree(model)


def pair_rows(server: RunServer, folder: Path) -> Iterator[Row]:
    """Run two commands on one project at once."""
    setting = Setting(server, folder)
    pairs = [*combinations_with_replacement(_COMMANDS, 2), *product(_COMMANDS, _OTHERS)]
    for one, other in pairs:
        setting.restore()
        yield tried(f"{WHAT}{one} and {other}", "at once", partial(_pair_row, setting, one, other))


def _pair_row(setting: Setting, one: str, other: str) -> Row:
    runs = {f"{number} {name}": setting.server.start(setting.command(name)) for number, name in enumerate((one, other))}
    statuses: dict[str, int] = {}
    try:
        for key, run in sorted(runs.items(), key=lambda item: item[0].endswith("serve")):  # it ends when it is told to
            if key.endswith("serve"):
                _check_answers(run)
                os.kill(run.pid, signal.SIGTERM)
            statuses[key] = run.wait()
    finally:
        for key in set(runs) - set(statuses):
            os.kill(runs[key].pid, signal.SIGKILL)
            runs[key].wait()
    words = [line for run in runs.values() for line in run.last_words()]
    assert "Traceback" not in "\n".join(words), (one, other, words)
    said = [line for line in words if line.startswith("error: ")]
    served = setting.served()
    told = " ".join(normalize(line, setting.project.folder).partition(" (process ")[0] for line in said[:1])
    for key in runs:  # afterwards, each of them gets through alone
        name = key.split()[1]
        allowed = (0, _NOT_BLESSED) if name == "run" and other == "rollback" else (0, 2)
        assert statuses[key] in allowed, (one, other, statuses, said)
        if name != "serve" and statuses[key]:
            setting.succeed(*setting.command(name))
    status = " and ".join(str(statuses[key]) for key in sorted(runs))
    return Row(f"{WHAT}{one} and {other}", "at once", served, told, status, "succeeds")


def _check_answers(run: Run) -> None:
    """Wait until a server listens, and ask it."""
    address = next(line.split()[0] for line in run.lines() if line.startswith("http://"))
    body = json.dumps({"signature_name": "serve_text", "inputs": {"texts": ["my refund"]}}).encode()
    until = time.monotonic() + _LISTENS_WITHIN_S
    while (outputs := _ask(f"{address}/v1/models/default:predict", body)) is None:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert outputs


def _ask(url: str, body: bytes) -> object:
    """Return the outputs of a model; None while it is being loaded."""
    try:
        with urllib.request.urlopen(url, body, timeout=30) as answer:
            return json.load(answer)["outputs"]
    except urllib.error.HTTPError as error:
        if error.code not in (404, 503):
            raise
        return None
