"""Limits on memory that are too low for TensorFlow are found before it is loaded."""

import resource
from pathlib import Path

import pytest

from components.common import memory
from components.common.memory import TooLittleMemory, check_memory

_MB = 1 << 20


def _limited(monkeypatch: pytest.MonkeyPatch, limits: dict[int, int], cgroups: Path = Path("/nowhere")) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda number: (limits.get(number, resource.RLIM_INFINITY), -1))
    monkeypatch.setattr(memory, "_CGROUPS", cgroups)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            {resource.RLIMIT_AS: 1_400 * _MB},
            "this process may take 1,400 MiB of address space (ulimit -v), and loading TensorFlow and TFX alone takes",
        ),
        ({resource.RLIMIT_DATA: 100 * _MB}, "this process may take 100 MiB of data (ulimit -d), and"),
    ],
)
def test_refuses_a_limit_below_what_tensorflow_takes(
    monkeypatch: pytest.MonkeyPatch, limits: dict[int, int], message: str
) -> None:
    _limited(monkeypatch, limits)
    with pytest.raises(TooLittleMemory) as refused:
        check_memory()
    assert str(refused.value).startswith(message)


def test_takes_limits_that_are_high_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    _limited(monkeypatch, {resource.RLIMIT_AS: 4_000 * _MB, resource.RLIMIT_DATA: 1_000 * _MB})
    check_memory()


@pytest.mark.parametrize(
    ("groups", "file", "content", "refused"),
    [
        ("0::/pods/one", "pods/one/memory.max", f"{512 * _MB}\n", True),
        ("0::/pods/one", "pods/memory.max", f"{512 * _MB}\n", True),
        ("0::/pods/one", "memory.max", "max\n", False),
        ("5:cpu:/x\n4:memory:/docker/1", "memory/memory.limit_in_bytes", f"{512 * _MB}\n", True),
        ("4:memory:/docker/1", "memory/docker/1/memory.limit_in_bytes", "9223372036854771712\n", False),
    ],
)
def test_reads_the_limits_of_control_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, file: str, content: str, refused: bool
) -> None:
    _limited(monkeypatch, {}, tmp_path)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(content)
    monkeypatch.setattr(memory, "_OF_PROCESS", tmp_path / "cgroup")
    (tmp_path / "cgroup").write_text(groups + "\n")
    if not refused:
        check_memory()
        return
    with pytest.raises(TooLittleMemory, match="may take 512 MiB of memory"):
        check_memory()
