"""Try the whole matrix of faults, and write the table of docs/reliability.md: `make test-faults`."""

import argparse
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults import clean_cases, pair_cases, record_cases, registry_cases, run_cases
from tests.faults.injection import Server, compile_library
from tests.faults.run_server import RunServer
from tests.faults.table import PAGE, Row, group, read_rows, write_table

Part = Callable[[Path, Path | None], Iterator[Row]]

_NO_COMPILER = "no C compiler (cc): file operations are not made to fail\n"


def _commands(folder: Path, library: Path | None) -> Iterator[Row]:
    (folder / "output").mkdir()
    with Server(library, folder / "output") as server:
        if library is not None:
            yield from registry_cases.fault_rows(server, folder)
            yield from clean_cases.fault_rows(server, folder)
        yield from registry_cases.damage_rows(server, folder)
        yield from registry_cases.pair_rows(server, folder)
        yield from clean_cases.pair_rows(server, folder)
        yield from registry_cases.owner_rows(server, folder)
        yield registry_cases.clock_row(server, folder)
        yield registry_cases.memory_row(server, folder)
        yield from record_cases.record_rows(server, folder / "records")


def _runs(cases: Callable[[RunServer, Path], Iterator[Row]]) -> Part:
    """Return the part of cases that run the command line with everything imported."""

    def rows(folder: Path, library: Path | None) -> Iterator[Row]:
        (folder / "output").mkdir()
        with RunServer(library, folder / "output") as server:
            yield from cases(server, folder)

    return rows


def _machine(server: RunServer, folder: Path) -> Iterator[Row]:
    yield from run_cases.memory_rows(server, folder)
    yield from run_cases.small_disk_rows(server, folder)
    if server.injects:
        yield from run_cases.clock_rows(server, folder)


def _disk(server: RunServer, folder: Path) -> Iterator[Row]:
    if server.injects:
        yield from run_cases.disk_rows(server, folder)


# Part of the matrix, and which rows of the page are its own: by a search in `what`, a bar, and `fault`.
_PARTS: dict[str, tuple[Part, re.Pattern[str]]] = {
    "commands": (_commands, re.compile(rf"^(?!{run_cases.RUN}(before|during|after|with) |{pair_cases.WHAT})")),
    "pairs": (_runs(pair_cases.pair_rows), re.compile(rf"^{pair_cases.WHAT}")),
    "machine": (_runs(_machine), re.compile(rf"^{run_cases.WHAT}.*\|.*(MiB|clock|less free)")),
    "cache": (_runs(run_cases.cache_rows), re.compile(rf"^{run_cases.CACHE}")),
    "disk": (
        _runs(_disk),
        re.compile(rf"^{run_cases.RUN}(before|during|after) .*\|(after (?!SIG)|ENOSPC|EROFS|EACCES|EIO)"),
    ),
    "signals": (_runs(run_cases.signal_rows), re.compile(rf"^{run_cases.WHAT}.*\|(after )?SIG")),
}


def _part_of(row: Row) -> str:
    """Return the part that a row is of; empty if it is of none any more."""
    return next((name for name, (_, own) in _PARTS.items() if own.search(f"{row.what}|{row.fault}")), "")


def _try(parts: list[str], rows: list[Row]) -> None:
    """Try parts of the matrix, and append each row as soon as its case has ended."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        library = compile_library(Path(name))
        if library is None:
            sys.stdout.write(_NO_COMPILER)
        for part in parts:
            folder = Path(name) / part
            folder.mkdir()
            for row in _PARTS[part][0](folder, library):
                rows.append(row)
                if sys.stdout.isatty():
                    sys.stdout.write(f"\r{len(rows)} cases ")
                    sys.stdout.flush()


def _write(rows: list[Row], parts: list[str]) -> None:
    """Write the rows into the page, and keep its rows of other parts."""
    kept = [row for row in read_rows() if _part_of(row) in set(_PARTS) - set(parts)]
    order = list(_PARTS)
    write_table(sorted([*group(rows), *kept], key=lambda row: order.index(_part_of(row))))


def main() -> None:
    """Try everything, or some parts.

    The rows of the other parts stay in the page. If a case goes wrong, or the command is interrupted, so do those of
    the cases that it did not come to. It exits with status 1 if something damaged answers, or a next run does not get
    through.
    """
    parser = argparse.ArgumentParser(prog="make test-faults FAULTS=...", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(_PARTS)}; without any, all of them")
    parts = parser.parse_args().parts or list(_PARTS)
    if unknown := set(parts) - set(_PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    started = time.monotonic()
    rows: list[Row] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    try:
        _try(parts, rows)
    except BaseException:
        tried = {(row.what, row.fault) for row in rows}
        left = [row for row in read_rows() if _part_of(row) in parts and (row.what, row.fault) not in tried]
        _write([*left, *rows], parts)
        raise
    _write(rows, parts)
    untrue = registry_cases.untrue(rows)
    for row in untrue:
        sys.stdout.write(f"{row}\n")
    minutes = (time.monotonic() - started) / 60
    sys.stdout.write(f"{len(rows)} cases in {minutes:.0f} min, {len(untrue)} of them wrong: {PAGE}\n")
    sys.exit(bool(untrue))


if __name__ == "__main__":
    main()
