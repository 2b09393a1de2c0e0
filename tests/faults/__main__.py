"""Try the whole matrix of faults, and write the table of docs/reliability.md: `make test-faults`."""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults import record_cases, registry_cases, run_cases
from tests.faults.injection import Server, compile_library
from tests.faults.table import PAGE, Row, group, read_rows, write_table


def _rows(folder: Path, *, runs: bool) -> Iterator[Row]:
    library = compile_library(folder)
    (folder / "output").mkdir()
    with Server(library, folder / "output") as server:
        if library is None:
            sys.stdout.write("no C compiler (cc): file operations are not made to fail\n")
        else:
            yield from registry_cases.fault_rows(server, folder)
        yield from registry_cases.damage_rows(server, folder)
        yield from registry_cases.pair_rows(server, folder)
        yield registry_cases.clock_row(server, folder)
        yield registry_cases.memory_row(server, folder)
        yield from record_cases.record_rows(server, folder / "records")
    if runs:
        yield from run_cases.signal_rows(folder / "runs")
        if library is not None:
            yield from run_cases.full_disk_rows(folder / "runs", library)


def main() -> None:
    """Try everything; exit with status 1 if something damaged answers, or a next run does not get through.

    With `--quick`, without whole runs, whose rows of the page are kept.
    """
    runs = "--quick" not in sys.argv[1:]
    started = time.monotonic()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        for row in _rows(Path(folder), runs=runs):
            rows.append(row)
            if sys.stdout.isatty():
                sys.stdout.write(f"\r{len(rows)} cases ")
                sys.stdout.flush()
    grouped = group(rows)
    if not runs:
        grouped += [row for row in read_rows() if row.what.startswith(run_cases.WHAT)]
    write_table(grouped)
    untrue = registry_cases.untrue(rows)
    for row in untrue:
        sys.stdout.write(f"{row}\n")
    minutes = (time.monotonic() - started) / 60
    sys.stdout.write(f"{len(rows)} cases in {minutes:.0f} min, {len(untrue)} of them wrong: {PAGE}\n")
    sys.exit(bool(untrue))


if __name__ == "__main__":
    main()
