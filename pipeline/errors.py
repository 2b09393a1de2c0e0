"""Errors that end a run: what they mean for its outcome, and how a process ends with them in one line on stderr."""

import errno
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from components.common.memory import TooLittleMemory
from components.common.outcome import EXIT_STATUS, Outcome, Untried
from schema.errors import Refused
from schema.visible import in_one_line

_INTERRUPTED, _TERMINATED = 130, 143  # as a shell reports SIGINT and SIGTERM
_MOST_CHARACTERS, _MOST_SHOWN = 400, 2_000
# What glibc's dynamic loader says (elf/dl-load.c), and the system's words for ENOMEM.
_NO_MEMORY_FOR_LIBRARY = ("failed to map segment from shared object", "annot allocate memory")
# Errors that come from the machine, not from this code: what to do about each.
_REMEDIES = {
    errno.ENOSPC: "free some disk space, then run again",
    errno.EDQUOT: "free some of your quota, then run again",
    errno.EROFS: "make the file system writable, or choose another folder",
    errno.EACCES: "give this user the permission, or choose another folder",
    errno.EPERM: "give this user the permission, or choose another folder",
    errno.EIO: "the disk or the network file system fails; look at the system's log",
    errno.ESTALE: "the network file system has changed underneath; mount it again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "the machine has too many files open",
    errno.ENOMEM: "free some memory, then run again",
    errno.ENOTDIR: "a part of this path is a file; name a folder",
    errno.EISDIR: "it is a folder; name a file",
    errno.ELOOP: "it is a circle of symbolic links; name a file or a folder",
    errno.ENAMETOOLONG: "choose a shorter path",
}


class StepFailed(Exception):  # noqa: N818 - it reads as what happened
    """Failure of a component that the user cannot fix in the data or the configuration.

    Attributes:
        step: Name of the component.
    """

    def __init__(self, step: str, cause: Exception) -> None:
        of_machine = _describe_machine_error(cause)
        super().__init__(f"{step} failed: {of_machine or f'{type(cause).__name__}: {_last_line(str(cause))}'}")
        self.step = step


class Terminated(BaseException):
    """SIGTERM, as services and clusters send it to end a process in good order."""


def outcome_of(error: BaseException) -> Outcome:
    """Return the outcome of a run that an error has ended.

    Example:
        >>> outcome_of(Refused("rows.csv: no such file")), outcome_of(StepFailed("Trainer", MemoryError()))
        ('refused', 'failed')
    """
    if isinstance(error, Untried):
        return "untried"
    return "refused" if isinstance(error, Refused) else "failed"


def describe(error: BaseException) -> str:
    """Return what ended a run, in one line.

    Example:
        >>> describe(OSError(errno.ENOSPC, "No space left on device", "runs/log.txt"))
        'runs/log.txt: No space left on device; free some disk space, then run again'
    """
    if isinstance(error, KeyboardInterrupt | Terminated):
        how = "terminated by SIGTERM" if isinstance(error, Terminated) else "interrupted"
        return f"{how}; finished steps are kept, and the next run continues from there"
    if isinstance(error, Refused | StepFailed | Untried):
        return str(error)
    if _is_out_of_memory(error):
        is_limit = isinstance(error, TooLittleMemory)
        return str(error) if is_limit else "out of memory; free some, raise the limit, or use a larger machine"
    return _describe_machine_error(error) or " ".join(f"{type(error).__name__}: {error}".split())


@contextmanager
def termination_raised() -> Iterator[None]:
    """Raise `Terminated` in the block at the first SIGTERM, and ignore further ones while the block tells of it.

    Does nothing in a thread other than the main one, which alone receives signals.
    """

    def raise_terminated(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    try:
        previous = signal.signal(signal.SIGTERM, raise_terminated)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn what ends a command into one line on stderr and the exit status of its kind.

    That is a refusal, a failed step, an interruption, or an error of the machine, such as a full disk. Any other error
    is a bug, and passes.

    Raises:
        SystemExit: The block raised such an error.
    """
    try:
        yield
    except (Refused, StepFailed, Untried) as error:
        _exit(describe(error), EXIT_STATUS[outcome_of(error)])
    except KeyboardInterrupt as error:
        _exit(describe(error), _INTERRUPTED)
    except Terminated as error:
        _exit(describe(error), _TERMINATED)
    except (MemoryError, ImportError) as error:
        if not _is_out_of_memory(error):
            raise
        _exit(describe(error), EXIT_STATUS["failed"])
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        _exit(describe(error), EXIT_STATUS["failed"])


def _exit(message: str, status: int) -> None:
    from rich.text import Text

    from pipeline.console import PlainConsole

    line = in_one_line(message)
    if len(line) > _MOST_SHOWN:  # it quotes a key or a name of that length; what to do is at its end
        line = f"{line[: _MOST_SHOWN // 2]} ... {line[-_MOST_SHOWN // 2 :]}"
    PlainConsole(stderr=True, soft_wrap=True).print(Text(f"error: {line}"))
    sys.exit(status)


def _is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory was lacking, also for a library that was being loaded."""
    if isinstance(error, ImportError):
        return any(words in str(error) for words in _NO_MEMORY_FOR_LIBRARY)
    return isinstance(error, MemoryError)


def _describe_machine_error(error: BaseException) -> str:
    """Return the file, the error and what to do, of an error that comes from the machine; otherwise ""."""
    if not isinstance(error, OSError) or error.errno not in _REMEDIES:
        return ""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror}; {_REMEDIES[error.errno]}"


def _last_line(message: str) -> str:
    """Return the line that states the error: TensorFlow and Beam put tracebacks into messages, the error last."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if not line.startswith("[[")), "no message")
    # Some messages quote a whole row of the data, which the log may hold, but not a screen or a webhook.
    return last if len(last) <= _MOST_CHARACTERS else f"{last[:_MOST_CHARACTERS]}... (the log has the rest)"
