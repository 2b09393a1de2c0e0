"""Where the steps find what the configuration names: on this machine, or in containers elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from components.checkpoints.find import is_path
from components.checkpoints.handle import is_handle
from components.common.files import is_remote, scheme_of
from pipeline.config.configuration import Configuration
from pipeline.paths import WorkDir
from schema.errors import Refused

# What the steps open files with is TensorFlow; s3:// it left to TensorFlow I/O, which has no release for this one.
_OPENED = ("gs", "file", "ram")


@dataclass(frozen=True)
class Places:
    """What `create_pipeline` writes into the steps' parameters.

    Attributes:
        pipeline_root: Where artifacts go; empty: whatever runs the pipeline has a place of its own.
        registry: The push destination.
        input_base: Of the examples.
        checkpoint: As `find_checkpoint` takes it.
        resume_dir: Where interrupted trainings are kept; None keeps none.
        run_later: Whether the pipeline is compiled now and run later, maybe often, so that nothing which a run may
            change is looked up now.
        code: This project's own, packed, for Beam's workers elsewhere; None: they have it installed.

    Raises:
        Refused: A path has a scheme that the steps cannot open. (Artifacts: each runner knows what it can take there.)
    """

    pipeline_root: str
    registry: str
    input_base: str
    checkpoint: str
    resume_dir: str | None
    run_later: bool = False
    code: Path | None = None

    def __post_init__(self) -> None:
        for key, path in (("registry", self.registry), ("input_base", self.input_base)):
            if is_remote(path) and scheme_of(path) not in _OPENED:
                raise Refused(
                    f"{key} {path}: TensorFlow opens no {scheme_of(path)}://, of the object stores gs:// alone; mount"
                    " the bucket as a folder or volume, and give that path (docs/paths.md)"
                )
        if is_remote(self.checkpoint) and not is_handle(self.checkpoint):
            raise Refused(
                f"checkpoint {self.checkpoint}: is read from a disk; give a folder, or an hf:// or kaggle:// handle"
            )


def here(config: Configuration) -> Places:
    """On this machine everything is where the configuration says.

    Raises:
        Refused: Something lies where this machine cannot read or write it.
    """
    for key in ("work_dir", "schema_file", "behaviour"):
        path = getattr(config, key)
        if path is not None and is_remote(path):
            raise Refused(f"{key} {path}: must be on a local disk or a mounted one (docs/paths.md)")
    work_dir = WorkDir(config.work_dir)
    return Places(
        pipeline_root=str(work_dir.artifacts),
        registry=config.registry,
        input_base=config.examples.input_base,
        checkpoint=config.checkpoint,
        resume_dir=str(work_dir.resume),
        code=work_dir.code if config.beam.takes_code else None,
    )


def in_containers(
    config: Configuration, *, pipeline_root: str, registry: str, place: Callable[[str, str], str]
) -> Places:
    """In containers that run later.

    Args:
        config: The configuration.
        pipeline_root: Where artifacts go.
        registry: The push destination.
        place: Of a key, and what the configuration has there, where containers find it; asked of what they need alone.

    Raises:
        Refused: What `place` refuses; or a path has a scheme that the steps cannot open.
    """
    resumes = config.training.checkpoint_every is not None
    work_dir = place("work_dir", config.work_dir) if resumes else None
    local = is_path(config.checkpoint)
    return Places(
        pipeline_root=pipeline_root,
        registry=registry,
        input_base=place("input_base", config.examples.input_base),
        checkpoint=place("checkpoint", config.checkpoint) if local else config.checkpoint,
        resume_dir=f"{work_dir.rstrip('/')}/resume" if work_dir else None,
        run_later=True,
    )
