"""Where the steps find what the configuration names: on this machine, or in containers elsewhere."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Configuration
from pipeline.paths import WorkDir


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
    """

    pipeline_root: str
    registry: str
    input_base: str
    checkpoint: str
    resume_dir: str | None
    run_later: bool = False
    code: Path | None = None


def here(config: Configuration) -> Places:
    """On this machine everything is where the configuration says."""
    work_dir = WorkDir(config.work_dir)
    return Places(
        pipeline_root=str(work_dir.artifacts),
        registry=config.registry,
        input_base=config.examples.input_base,
        checkpoint=config.checkpoint,
        resume_dir=str(work_dir.resume),
        code=work_dir.code if config.beam.takes_code else None,
    )
