"""Meter of what a step takes: processor time and memory."""

import re
import resource
from pathlib import Path

from components.report.summary import StepCost

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"  # proc(5), clear_refs: reset the peak resident set size to the current one
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_USAGES = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


class Meter:
    """Meter that starts when it is constructed. Steps that run at once are measured together."""

    def __init__(self) -> None:
        self._cpu_s = _cpu_s()
        self._resets = _reset_peak()

    def cost(self) -> StepCost:
        """Return what was taken since the start."""
        return StepCost(cpu_s=round(_cpu_s() - self._cpu_s, 2), peak_memory_mb=_peak_mb() if self._resets else None)


def cost_of_process() -> StepCost:
    """Return what this process has taken since it began, with the processes that it started and waited for.

    The memory is that of the largest of these.
    """
    largest_kb = max(resource.getrusage(who).ru_maxrss for who in _USAGES)
    return StepCost(cpu_s=round(_cpu_s(), 2), peak_memory_mb=largest_kb // 1024)


def _cpu_s() -> float:
    usages = [resource.getrusage(who) for who in _USAGES]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _reset_peak() -> bool:
    try:
        (_PROCESS / "clear_refs").write_text(_RESET_PEAK)
    except OSError:  # not everywhere allowed
        return False
    return True


def _peak_mb() -> int | None:
    found = _PEAK.search((_PROCESS / "status").read_text())
    return None if found is None else int(found[1]) // 1024
