"""Locations of what the configuration names, as the steps see them: on this machine or in containers elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from components.checkpoints.find import is_handle, is_path
from components.common.files import is_remote, url_scheme
from pipeline.config.configuration import Configuration
from pipeline.work_dir import WorkDir
from schema.errors import Refused

# Steps open files through TensorFlow. It cannot open s3:// in this release: that needs TensorFlow I/O, which has no
# release for it.
_SUPPORTED_SCHEMES = ("gs", "file", "ram")


@dataclass(frozen=True)
class Locations:
    """Paths and addresses that `create_pipeline` writes into the parameters of the steps.

    Attributes:
        pipeline_root: Root of the artifacts; empty: the default of whatever runs the pipeline.
        registry: Push destination.
        input_base: Base of the examples' patterns.
        checkpoint: Checkpoint, as `find_checkpoint` takes it.
        resume_dir: Folder of interrupted trainings; None: none are kept.
        run_later: True if the pipeline is compiled now and run later, possibly many times, so that nothing that a run
            may change is looked up now.
        scoring_output: Folder of the scores; empty for the training pipeline.
        code: Zip of this project's code for Beam workers on other machines; None: they have the project installed.

    Raises:
        Refused: A path has a scheme that the steps cannot open. (Each runner checks the pipeline root itself.)
    """

    pipeline_root: str
    registry: str
    input_base: str
    checkpoint: str
    resume_dir: str | None
    run_later: bool = False
    scoring_output: str = ""
    code: Path | None = None

    def __post_init__(self) -> None:
        paths = (("registry", self.registry), ("input_base", self.input_base), ("scoring.output", self.scoring_output))
        for key, path in paths:
            if is_remote(path) and url_scheme(path) not in _SUPPORTED_SCHEMES:
                raise Refused(
                    f"{key} {path}: TensorFlow cannot open {url_scheme(path)}://; of the object stores it opens gs://"
                    " only; mount the bucket as a folder or volume and give that path (docs/paths.md)"
                )
        if is_remote(self.checkpoint) and not is_handle(self.checkpoint):
            raise Refused(
                f"checkpoint {self.checkpoint}: must be on a disk; give a folder, or an hf:// or kaggle:// handle"
            )


def local_locations(config: Configuration) -> Locations:
    """Return the locations of a run on this machine, which are those of the configuration.

    Raises:
        Refused: A path is where this machine cannot read or write it.
    """
    for key in ("work_dir", "schema_file", "behaviour"):
        path = getattr(config, key)
        if path is not None and is_remote(path):
            raise Refused(f"{key} {path}: must be on a local disk or a mounted one (docs/paths.md)")
    work_dir = WorkDir(config.work_dir)
    scoring = config.scoring if config.pipeline == "score" else None
    return Locations(
        pipeline_root=str(work_dir.artifacts),
        registry=config.registry,
        input_base=config.examples.input_base if scoring is None else scoring.input_base,
        scoring_output="" if scoring is None else scoring.output,
        checkpoint=config.checkpoint,
        resume_dir=str(work_dir.resume),
        code=work_dir.code if config.beam.takes_code else None,
    )


def container_locations(
    config: Configuration, *, pipeline_root: str, registry: str, locate: Callable[[str, str], str]
) -> Locations:
    """Return the locations of a pipeline that is compiled now and run later, in containers.

    Args:
        config: The configuration.
        pipeline_root: Root of the artifacts.
        registry: Push destination, as containers see it.
        locate: Function of a configuration key and its value that returns the path or address for containers. Called
            only for the keys that containers need.

    Raises:
        Refused: `locate` refuses a path, or a path has a scheme that the steps cannot open.
    """
    if config.pipeline == "score":
        assert config.scoring is not None
        has_files = bool(config.scoring.input_base)
        return Locations(
            pipeline_root=pipeline_root,
            registry=registry,
            input_base=locate("scoring_input_base", config.scoring.input_base) if has_files else "",
            checkpoint="",
            resume_dir=None,
            run_later=True,
            scoring_output=locate("scoring_output", config.scoring.output),
        )
    resumes = config.training.checkpoint_every is not None
    work_dir = locate("work_dir", config.work_dir) if resumes else None
    is_local_checkpoint = is_path(config.checkpoint)
    return Locations(
        pipeline_root=pipeline_root,
        registry=registry,
        input_base=locate("input_base", config.examples.input_base),
        checkpoint=locate("checkpoint", config.checkpoint) if is_local_checkpoint else config.checkpoint,
        resume_dir=f"{work_dir.rstrip('/')}/resume" if work_dir else None,
        run_later=True,
    )
