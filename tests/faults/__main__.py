"""Try the whole matrix of faults, and write the table of docs/reliability.md: `make test-faults`."""

import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults import clean_cases, record_cases, registry_cases, run_cases
from tests.faults.injection import Server, compile_library
from tests.faults.table import PAGE, Row, group, read_rows, write_table

_SAMPLED = 4  # every so many steps of a run, of the errors that are like a full disk


def _rows(folder: Path, *, runs: bool, quick: bool) -> Iterator[Row]:
    library = compile_library(folder)
    if quick:
        yield from _quick_rows(folder, library)
    if runs:
        yield from _run_rows(folder / "runs", library)


def _quick_rows(folder: Path, library: Path | None) -> Iterator[Row]:
    (folder / "output").mkdir()
    with Server(library, folder / "output") as server:
        if library is None:
            sys.stdout.write("no C compiler (cc): file operations are not made to fail\n")
        else:
            yield from registry_cases.fault_rows(server, folder)
            yield from clean_cases.fault_rows(server, folder)
        yield from registry_cases.damage_rows(server, folder)
        yield from registry_cases.pair_rows(server, folder)
        yield from clean_cases.pair_rows(server, folder)
        yield from registry_cases.owner_rows(server, folder)
        yield registry_cases.clock_row(server, folder)
        yield registry_cases.memory_row(server, folder)
        yield from record_cases.record_rows(server, folder / "records")


def _run_rows(folder: Path, library: Path | None) -> Iterator[Row]:
    yield run_cases.memory_row(folder)
    yield from run_cases.small_disk_rows(folder)
    yield from run_cases.cache_rows(folder)
    if library is not None:
        yield from run_cases.clock_rows(folder, library)
        for fault in ("EROFS", "EACCES", "EIO"):
            yield from run_cases.disk_rows(folder, library, fault, every=_SAMPLED)
        yield from run_cases.disk_rows(folder, library, "ENOSPC")
    yield from run_cases.signal_rows(folder)


def _is_run(row: Row) -> bool:
    return row.what.startswith(run_cases.RUN)


def main() -> None:
    """Try everything; exit with status 1 if something damaged answers, or a next run does not get through.

    With `--quick`, without whole runs, and with `--runs`, without all else; the other rows of the page are kept.
    """
    runs, quick = "--quick" not in sys.argv[1:], "--runs" not in sys.argv[1:]
    started = time.monotonic()
    rows: list[Row] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    try:
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            for row in _rows(Path(folder), runs=runs, quick=quick):
                rows.append(row)
                if sys.stdout.isatty():
                    sys.stdout.write(f"\r{len(rows)} cases ")
                    sys.stdout.flush()
    except BaseException:  # a wrong case, or an interruption: what was tried replaces its rows, and the others are kept
        tried = {(row.what, row.fault) for row in rows}
        write_table(
            sorted([*(row for row in read_rows() if (row.what, row.fault) not in tried), *group(rows)], key=_is_run)
        )
        raise
    grouped = group(rows)
    kept = [row for row in read_rows() if _is_run(row) != runs]
    grouped = grouped if runs and quick else [*grouped, *kept] if quick else [*kept, *grouped]
    write_table(grouped)
    untrue = registry_cases.untrue(rows)
    for row in untrue:
        sys.stdout.write(f"{row}\n")
    minutes = (time.monotonic() - started) / 60
    sys.stdout.write(f"{len(rows)} cases in {minutes:.0f} min, {len(untrue)} of them wrong: {PAGE}\n")
    sys.exit(bool(untrue))


if __name__ == "__main__":
    main()
