"""Server of `tests.faults.injection.Server`: a process for each command, in which file operations may fail.

push MODEL REGISTRY [PIPELINE] | rollback REGISTRY | remove REGISTRY | hold WORK_DIR SECONDS | cli ARGUMENT ...
| later SECONDS COMMAND ARGUMENT ...
"""

import ctypes
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml_metadata import metadata_store

from cli import history, label_list, main, quarantine, versions
from components import registry
from components.registry import ModelRecord
from pipeline import check, report, retention
from pipeline.errors import errors_in_one_line
from pipeline.work_dir import WorkDir
from runners import table

_IMPORTED = (
    metadata_store,
    history,
    label_list,
    quarantine,
    versions,
    check,
    report,
    retention,
    table,
)  # once, before the processes are forked


def _command(name: str, arguments: Sequence[str]) -> None:
    match name:
        case "push":
            registry.push(arguments[0], arguments[1], ModelRecord.read(arguments[0]), *arguments[2:])
        case "rollback":
            registry.rollback(arguments[0])
        case "remove":
            registry.remove_versions(arguments[0], 1, datetime.max.replace(tzinfo=UTC))
        case "hold":
            with WorkDir(arguments[0]).locked("small"):
                time.sleep(float(arguments[1]))
        case "later":
            time.sleep(float(arguments[0]))
            _command(arguments[1], arguments[2:])
        case "cli":
            sys.argv[1:] = arguments
            main.main()


def _run(command: Sequence[str]) -> int:
    try:
        with errors_in_one_line():
            _command(command[0], command[1:])
    except SystemExit as ended:
        return int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _in_child(case: dict[str, Any], number: int, folder: Path) -> None:
    """Run a command with its output in files, and end this process."""
    for descriptor in (1, 2):
        file = os.open(folder / f"{number}.{descriptor}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
    if case["memory_mb"]:
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
        limit = pages * resource.getpagesize() + case["memory_mb"] * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    library = ctypes.CDLL(None)
    armed = case["under"] and hasattr(library, "fault_arm")
    if armed:
        library.fault_arm(case["under"].encode(), ctypes.c_long(case["at"]), case["fault"])
    status = _run(case["commands"][number])
    operations = library.fault_count() if armed else 0
    (folder / f"{number}.count").write_text(str(operations))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _serve(folder: Path) -> None:
    for line in sys.stdin:
        case = json.loads(line)
        children = []
        for number in range(len(case["commands"])):
            (folder / f"{number}.count").write_text("0")
            pid = os.fork()
            if pid == 0:
                _in_child(case, number, folder)
            children.append(pid)
        statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        ended = [
            {
                "status": status,
                "said": (folder / f"{number}.2").read_text(encoding="utf-8", errors="replace"),
                "shown": (folder / f"{number}.1").read_text(encoding="utf-8", errors="replace"),
                "operations": int((folder / f"{number}.count").read_text(encoding="utf-8") or 0),
            }
            for number, status in enumerate(statuses)
        ]
        sys.stdout.write(json.dumps(ended) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
