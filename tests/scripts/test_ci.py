"""`.ci/run` installs what some tests need and, where that fails, runs the others and says what is skipped."""

import shutil
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PROGRAMS = ("bash", "dirname", "timeout")


class Checkout:
    """Checkout whose programs are stand-ins that note their calls.

    Args:
        folder: Folder to write it to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._bin, self._calls = folder, folder / "bin", folder / "calls"
        (folder / ".ci").mkdir()
        shutil.copy(_ROOT / ".ci" / "run", folder / ".ci")
        self._bin.mkdir()
        for name in _PROGRAMS:
            (self._bin / name).symlink_to(str(shutil.which(name)))
        self.add("id", "echo 1000")
        self.add("make")
        self.add("scripts/flink.sh")

    def add(self, program: str, script: str = "") -> None:
        """Add a program, for the PATH unless its name has a folder."""
        path = self._folder / program if "/" in program else self._bin / program
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/bash\necho {program} $* >>{self._calls}\n{script}\n")
        path.chmod(0o755)

    def run(self) -> tuple[int, list[str], list[str]]:
        """Run `.ci/run`; return its exit status, the calls but those of `id`, and its messages."""
        ended = subprocess.run(
            ["/bin/bash", str(self._folder / ".ci" / "run")],
            env={"PATH": str(self._bin)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        calls = [line for line in self._calls.read_text().splitlines() if not line.startswith("id ")]
        return ended.returncode, calls, ended.stderr.splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_runs_the_tests_after_the_download_of_flink(checkout: Checkout) -> None:
    for program in ("chromium", "java", "mvn"):
        checkout.add(program)
    assert checkout.run() == (0, ["make setup", "scripts/flink.sh fetch", "make test"], [])


def test_installs_as_root_what_is_missing(checkout: Checkout) -> None:
    checkout.add("id", "echo 0")
    checkout.add("apt-get")
    status, calls, messages = checkout.run()
    assert (status, messages) == (0, [])
    installed = [call.rpartition(" --no-install-recommends ")[2] for call in calls if " install " in call]
    assert installed == ["chromium", "openjdk-17-jre-headless maven"]


def test_runs_the_tests_without_what_cannot_be_installed(checkout: Checkout) -> None:
    checkout.add("scripts/flink.sh", "echo 'flink: java is missing' >&2; exit 1")
    status, calls, messages = checkout.run()
    assert (status, calls[-1]) == (0, "make test")
    assert messages == [
        "ci: chromium could not be installed; the report's browser tests will be skipped",
        "ci: Java and Maven could not be installed; the tests on a Flink cluster will be skipped",
        "flink: java is missing",
        "ci: Flink could not be downloaded in 300 s; the tests on a Flink cluster will be skipped",
    ]


def test_fails_if_the_tests_fail(checkout: Checkout) -> None:
    checkout.add("make", '[ "$1" = setup ] || exit 2')
    assert checkout.run()[0] == 2
