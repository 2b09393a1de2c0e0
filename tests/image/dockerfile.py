"""Reader of a Dockerfile and its .dockerignore, for the part of their language that this repository uses.

Everything else is refused, so that nothing is interpreted differently than by a container engine.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_KNOWN = frozenset({"ARG", "COPY", "ENTRYPOINT", "ENV", "FROM", "RUN", "USER", "WORKDIR"})
_FROM = re.compile(r"(?P<base>\S+)(?:\s+AS\s+(?P<name>[a-z0-9_.-]+))?", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_PAIR = re.compile(r"(\w+)=(\S*)")


class UnknownInstructionError(Exception):
    """An instruction that this reader does not support; a container engine may well support it."""


@dataclass(frozen=True)
class Instruction:
    """An instruction of a stage.

    Attributes:
        name: The name in capitals.
        value: The rest on one line, with variables as written.
        line: Its first line in the file.
    """

    name: str
    value: str
    line: int


@dataclass
class Stage:
    """A stage: everything from one FROM to the next.

    Attributes:
        base: An image or an earlier stage, with variables as written.
        name: The name after AS, or the position of the stage.
        instructions: The instructions, in order.
    """

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True)
class Dockerfile:
    """A parsed Dockerfile.

    Attributes:
        arguments: Build arguments before the first FROM, with their defaults.
        stages: The stages, in order; the last one is built without --target.
    """

    arguments: dict[str, str]
    stages: list[Stage]

    def stage(self, name: str | None) -> Stage:
        return next(stage for stage in reversed(self.stages) if name in (None, stage.name))


def parse(text: str) -> Dockerfile:
    """Parse a Dockerfile.

    Raises:
        UnknownInstructionError: It has an instruction that is not supported.
    """
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for instruction in _instructions(text):
        if instruction.name not in _KNOWN or "<<" in instruction.value:
            raise UnknownInstructionError(f"line {instruction.line}: {instruction.name} {instruction.value}")
        if instruction.name == "FROM":
            parts = _FROM.fullmatch(instruction.value)
            if parts is None:
                raise UnknownInstructionError(f"line {instruction.line}: FROM {instruction.value}")
            stages.append(Stage(parts["base"], parts["name"] or str(len(stages))))
        elif stages:
            stages[-1].instructions.append(instruction)
        else:
            arguments |= pairs(instruction.value)
    return Dockerfile(arguments, stages)


def _instructions(text: str) -> Iterator[Instruction]:
    """Yield the instructions, without comments and with continued lines joined."""
    first, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        first = first or number
        parts.append(line.removesuffix("\\").strip())
        if line.endswith("\\"):
            continue
        name, _, value = " ".join(parts).partition(" ")
        yield Instruction(name.upper(), value.strip(), first)
        first, parts = 0, []


def substitute(value: str, variables: Mapping[str, str]) -> str:
    """Replace `$NAME` and `${NAME}` by their values; a name that is not set is empty, as in a container engine."""
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], ""), value)


def pairs(value: str) -> dict[str, str]:
    """Parse one or more NAME=VALUE without quotes.

    Raises:
        UnknownInstructionError: The value has another form.
    """
    found = dict(_PAIR.findall(value))
    if " ".join(f"{name}={given}" for name, given in found.items()) != " ".join(value.split()) or '"' in value:
        raise UnknownInstructionError(f"not NAME=VALUE: {value}")
    return found


@dataclass(frozen=True)
class Copy:
    """A COPY instruction.

    Attributes:
        sources: Paths or patterns in the context, or in `stage`.
        target: The target; a folder if it ends in a slash.
        stage: The stage that is copied from, or None for the context.
    """

    sources: list[str]
    target: str
    stage: str | None


def parse_copy(value: str) -> Copy:
    """Parse the value of COPY.

    Raises:
        UnknownInstructionError: It has a flag other than --from.
    """
    words = value.split()
    flags = [word for word in words if word.startswith("--")]
    if any(not flag.startswith("--from=") for flag in flags) or len(words) - len(flags) < 2:
        raise UnknownInstructionError(f"COPY {value}")
    *sources, target = [word for word in words if not word.startswith("--")]
    return Copy(sources, target, flags[0].removeprefix("--from=") if flags else None)


def parse_command(value: str) -> list[str]:
    """Return the command of RUN or ENTRYPOINT: a JSON list, or a line for the shell."""
    return json.loads(value) if value.startswith("[") else ["/bin/sh", "-c", value]


def context(folder: Path, ignore: str) -> list[Path]:
    """Return the files, relative to `folder`, that a .dockerignore includes; the last pattern that matches decides."""
    rules = [
        (line.startswith("!"), _pattern(line.removeprefix("!")))
        for line in map(str.strip, ignore.splitlines())
        if line and not line.startswith("#")
    ]
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return sorted(path for path in files if _passes(path, rules))


def _passes(path: Path, rules: list[tuple[bool, re.Pattern[str]]]) -> bool:
    """Return whether a path is included. A pattern that matches a folder matches its contents."""
    names = [str(path), *(str(parent) for parent in path.parents if parent.name)]
    passes = True
    for wanted, pattern in rules:
        if any(pattern.fullmatch(name) for name in names):
            passes = wanted
    return passes


def _pattern(text: str) -> re.Pattern[str]:
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", text.strip("/"))
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))
