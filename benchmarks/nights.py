r"""Measure the disk that nights of retraining take, and what a clean-up leaves of it.

    python -m benchmarks.nights --config configs/sample.yaml --set training.max_steps=2 --set evaluation.gates=[] \
        --set behaviour=null

Each night trains another model (another learning rate) and pushes it if it passes. Retention is off during the nights;
then `clean` keeps two runs and two models. A file with several links counts once; `links` is what they would take as
copies.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PARTS = ("artifacts", "registry", "runs", "metadata.sqlite", "tmp")


def main() -> None:
    """Run the nights, and print what each part of the folder takes after each of them, in MB."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--nights", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nights-") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        changes = [f"work_dir={folder}", f"registry={folder / 'registry'}", "retention.check_disk=false"]
        options = [word for change in [*changes, *arguments.set] for word in ("--set", change)]
        print(f"{'':12}" + "".join(f"{part:>18}" for part in (*_PARTS, "all", "links")))
        for night in range(1, arguments.nights + 1):
            off = ["retention.keep_runs=null", "retention.keep_models=null", f"training.learning_rate={night}e-5"]
            _command(
                "run", arguments.config, [*options, *(word for change in off for word in ("--set", change))], folder
            )
            _print(f"night {night}", folder)
        bounds = ["--keep-runs", "2", "--keep-models", "2", "--older-than", "0h"]
        _command("clean", arguments.config, [*options, *bounds], folder)
        _print("after clean", folder)
        print("left in TMPDIR:", *sorted(path.name for path in (folder / "tmp").iterdir()))


def _command(name: str, config: Path, options: list[str], folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline", name, "--config", str(config), *options], capture_output=True, text=True,
        check=False, env=os.environ | {"TMPDIR": str(folder / "tmp")},
    )  # fmt: skip
    if ended.returncode not in (0, 3):
        sys.exit(ended.stderr)


def _print(what: str, folder: Path) -> None:
    sizes = [_size(folder / part) for part in _PARTS]
    links = sum(status.st_size for status in _files(folder)) - sum(_by_inode(folder).values())
    print(f"{what:12}" + "".join(f"{size / 1e6:18.1f}" for size in (*sizes, _size(folder), links)))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(_by_inode(path).values())


def _by_inode(folder: Path) -> dict[int, int]:
    return {status.st_ino: status.st_size for status in _files(folder)}


def _files(folder: Path) -> Iterator[os.stat_result]:
    return (path.lstat() for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
