"""The file that `compile` writes."""

from collections.abc import Callable, Sequence
from pathlib import Path

from components.common.files import write_whole
from schema.errors import Refused


def write_output(output: Path, suffixes: Sequence[str], reader: str, build: Callable[[], str]) -> None:
    """Write what a runner compiles; a file of that name is replaced.

    Args:
        output: The file.
        suffixes: Suffixes that the file may have, the usual one first.
        reader: Who reads the file and in which format, for the message.
        build: Compiles the pipeline; called only after the file's name was checked, since it takes seconds.

    Raises:
        Refused: The file has another suffix, its folder does not exist, or it cannot be written.
    """
    if output.suffix not in suffixes:
        raise Refused(f"--output {output}: {reader}; let the name end in {suffixes[0]}")
    if not output.parent.is_dir():
        raise Refused(f"--output {output}: there is no folder {output.parent}; make it")
    content = build().encode()
    try:
        write_whole(str(output), content)
    except OSError as error:
        raise Refused(f"--output {output}: cannot be written: {error.strerror}") from None
