"""Model repository for NVIDIA's Triton, from the ONNX variant of a registry's live version.

Triton gets the ONNX graph, because its releases no longer have a TensorFlow backend (server 2.73.0, build.py builds
none; the last commit of triton-inference-server/tensorflow_backend is of February 2025), and that one had no operations
of TensorFlow Text. Three models and an ensemble of them: the tokenizer and the labels in Triton's Python backend, the
encoder in ONNX Runtime's. All carry the number of the registry's version, which Triton's answers name.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.common.files import exists, read_bytes
from components.registry import ModelRecord, latest, variant_path
from schema.errors import Refused
from serving.deploy.manifests import check_name

IMAGE = "nvcr.io/nvidia/tritonserver:26.07-py3"
GRAPH, TOKENIZER = "model.onnx", "tokenizer.json"
_TEMPLATES = Path(__file__).parent / "templates" / "triton"
_MAX_BATCH = 64
_TOKENIZERS = "0.23.3"


@dataclass(frozen=True)
class TritonModel:
    """What the templates get.

    Attributes:
        name: Name of the ensemble; the others are named after it.
        image: Image of Triton.
        version: Version of the registry.
        labels: Label of each output.
        thresholds: Threshold of each label.
        tokenizers: Release of `tokenizers` that reads the tokenizer.
        cpus: Threads of a call of the encoder.
        gpu: Whether the encoder runs on a GPU.
        max_batch: Most texts per call.
    """

    name: str
    image: str
    version: int
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    tokenizers: str
    cpus: int
    gpu: bool = False
    max_batch: int = _MAX_BATCH


def describe(
    registry: str, *, name: str, variant: str, image: str | None = None, cpus: int = 2, gpu: bool = False
) -> tuple[TritonModel, str]:
    """Return what Triton needs to know of the live version's ONNX variant, and the folder of the variant.

    Args:
        registry: The registry, local or remote.
        name: Name of the model.
        variant: Name of the variant: onnx or int8.
        image: Image of Triton; None for the release that this was written for.
        cpus: Threads of a call of the encoder.
        gpu: Whether the encoder runs on a GPU.

    Raises:
        Refused: The registry has no live version, or that has no such variant.
    """
    check_name(name)
    version = latest(registry)
    if version is None:
        raise Refused(f"{registry}: has no version; push a model first")
    folder = variant_path(registry, variant, version.number)
    if not exists(f"{folder}/{GRAPH}"):
        raise Refused(
            f"{registry}: version {version.number} has no variant {variant}, which Triton needs; configure"
            f" training.export.variants: [{variant}] and train, or see in summary.json why it was left out"
        )
    record = ModelRecord.read(folder)
    model = TritonModel(
        name=name,
        image=image or IMAGE,
        version=version.number,
        labels=tuple(record.labels),
        thresholds=tuple(record.thresholds),
        tokenizers=_TOKENIZERS,
        cpus=cpus,
        gpu=gpu,
    )
    return model, folder


def render(model: TritonModel, folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a repository and of the image that serves it: path and content.

    Args:
        model: The model.
        folder: Folder of the variant.
    """
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    labels = json.dumps({"labels": model.labels, "thresholds": model.thresholds})
    of_version: dict[str, dict[str, bytes]] = {
        # An ensemble has no files; the folder of its version must be there.
        "": {".version": b""},
        "-tokenizer": {
            "model.py": (_TEMPLATES / "tokenizer.py").read_bytes(),
            TOKENIZER: read_bytes(f"{folder}/{TOKENIZER}"),
        },
        "-encoder": {GRAPH: read_bytes(f"{folder}/{GRAPH}")},
        "-labels": {"model.py": (_TEMPLATES / "labels.py").read_bytes(), "labels.json": labels.encode()},
    }
    for suffix, files in of_version.items():
        folder = f"models/{model.name}{suffix}"
        configuration = templates.get_template(f"{suffix.lstrip('-') or 'model'}.pbtxt.j2").render(d=model)
        yield f"{folder}/config.pbtxt", configuration.encode()
        for file, content in files.items():
            yield f"{folder}/{model.version}/{file}", content
    yield "Dockerfile", templates.get_template("Dockerfile.j2").render(d=model).encode()
