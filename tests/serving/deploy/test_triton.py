"""The model repository for Triton: held to its proto, and run as its ensemble does, with ONNX Runtime and tokenizers.

What Triton's Python backend calls and passes was compared with python_backend (release of July 2026, README.md and
examples/add_sub/model.py), the layout with docs/user_guide/model_repository.md of server 2.73.0.
"""

import importlib.util
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from onnx import TensorProto, helper, save
from onnxruntime import InferenceSession
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace
from typer.testing import CliRunner

from cli.main import app
from components.registry import ModelRecord, Version, checksums, content_id, push, variant_path
from schema.errors import Refused
from serving.deploy.triton import IMAGE, describe

LABELS, THRESHOLDS = ["short", "long", "any"], [0.5, 0.75, 0.25]
TEXTS = ["a", "a b b", "", "a b a b"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Version]:
    """Registry with a version and its variant: a graph that tells texts apart by their number of tokens."""
    folder = tmp_path_factory.mktemp("triton")
    model = folder / "model"
    model.mkdir()
    (model / "saved_model.pb").write_bytes(b"")
    record = ModelRecord(
        model_id=content_id(checksums(str(model))), labels=LABELS, thresholds=THRESHOLDS, checkpoint="none",
        created="2026-01-01T00:00:00+00:00", versions={},
    )  # fmt: skip
    record.write(str(model))
    pushed = push(str(model), str(folder / "registry"), record)
    variant = Path(variant_path(str(folder / "registry"), "onnx", pushed.number))
    variant.mkdir(parents=True)
    tokenizer = Tokenizer(WordPiece({"[PAD]": 0, "[UNK]": 1, "a": 2, "b": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(12)
    tokenizer.save(str(variant / "tokenizer.json"))
    _write_graph(variant / "model.onnx")
    record.write(str(variant))
    return str(folder / "registry"), pushed


def _write_graph(path: Path) -> None:
    """Write a graph: probabilities of n tokens are n / 4, n / 4 and 1 - n / 8."""
    nodes = [
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["mask", "axis"], ["count"], keepdims=1),
        helper.make_node("MatMul", ["count", "slopes"], ["sloped"]),
        helper.make_node("Add", ["sloped", "offsets"], ["probabilities"]),
    ]
    constants = [
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("slopes", TensorProto.FLOAT, [1, 3], [0.25, 0.25, -0.125]),
        helper.make_tensor("offsets", TensorProto.FLOAT, [3], [0, 0, 1]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "longest"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3])]
    graph = helper.make_graph(nodes, "lengths", inputs, outputs, constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.fixture(scope="module")
def deployed(registry: tuple[str, Version], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("deployed")
    arguments = ["deploy", "--target", "triton", "--model", registry[0], "--name", "tickets", "--output", str(output)]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    return output


def _configurations(models: Path) -> dict[str, Any]:
    """Parse the configurations by Triton's own proto; the package itself imports a client that needs more."""
    found = importlib.util.find_spec("tritonclient")
    assert found is not None
    package = ModuleType("tritonclient.grpc")
    package.__path__ = [f"{folder}/grpc" for folder in found.submodule_search_locations or ()]
    sys.modules["tritonclient.grpc"] = package
    proto = importlib.import_module("tritonclient.grpc.model_config_pb2").ModelConfig
    paths = models.glob("*/config.pbtxt")
    return {path.parent.name: text_format.Parse(path.read_text(), proto()) for path in paths}


def test_configurations_are_triton_s_and_fit_each_other(deployed: Path, registry: tuple[str, Version]) -> None:
    models = deployed / "models"
    number = str(registry[1].number)
    found = _configurations(models)
    assert {each.name for each in found.values()} == set(found)
    assert {path.name for path in models.iterdir()} == set(found)
    assert all((models / name / number).is_dir() for name in found), "Triton wants a folder of the version in each"
    ensemble = found["tickets"]
    assert ensemble.platform == "ensemble"
    known = {each.name: each for each in ensemble.input}
    for step in ensemble.ensemble_scheduling.step:
        part = found[step.model_name]
        assert step.model_version == registry[1].number
        assert {each.name for each in part.input} == set(step.input_map)
        assert {each.name for each in part.output} == set(step.output_map)
        for each in part.input:
            passed = known[step.input_map[each.name]]
            assert (passed.data_type, list(passed.dims)) == (each.data_type, list(each.dims))
        known |= {step.output_map[each.name]: each for each in part.output}
    for each in ensemble.output:
        assert (known[each.name].data_type, list(known[each.name].dims)) == (each.data_type, list(each.dims))
    graph = InferenceSession(str(models / "tickets-encoder" / number / "model.onnx"))
    encoder = found["tickets-encoder"]
    assert {each.name for each in graph.get_inputs()} == {each.name for each in encoder.input}
    assert [each.name for each in graph.get_outputs()] == [each.name for each in encoder.output]
    assert encoder.backend == "onnxruntime"


@dataclass
class _Tensor:
    """Tensor of Triton's Python backend."""

    of: str
    values: Any

    def as_numpy(self) -> Any:
        return self.values


def _load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load a model of the Python backend as it does: by the name of its class, with `initialize` called once."""
    utilities = SimpleNamespace(
        Tensor=_Tensor,
        InferenceResponse=lambda output_tensors: {each.of: each.values for each in output_tensors},
        get_input_tensor_by_name=lambda request, name: _Tensor(name, request[name]),
    )
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", utilities)
    specification = importlib.util.spec_from_file_location("model_of_triton", folder / "model.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    model = module.TritonPythonModel()
    model.initialize({"model_repository": str(folder.parent), "model_version": folder.name})
    return model


def _column(texts: Sequence[str]) -> Any:
    return np.array([[text.encode()] for text in texts], object).reshape(-1, 1)


def test_the_ensemble_answers_with_probabilities_and_labels(
    deployed: Path, registry: tuple[str, Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    models, number = deployed / "models", str(registry[1].number)
    tokenizer, labels = (_load(models / f"tickets-{part}" / number, monkeypatch) for part in ("tokenizer", "labels"))
    requests = [{"texts": _column(TEXTS[:1])}, {"texts": _column(TEXTS[1:])}]
    encoded = tokenizer.execute(requests)
    assert [each["input_ids"].shape for each in encoded] == [(1, 12), (3, 12)], "one length, which the model reads"
    session = InferenceSession(str(models / "tickets-encoder" / number / "model.onnx"))
    probabilities = [session.run(["probabilities"], each)[0] for each in encoded]
    assert np.concatenate(probabilities).tolist() == [
        [0.25, 0.25, 0.875], [0.75, 0.75, 0.625], [0.0, 0.0, 1.0], [1.0, 1.0, 0.5],
    ]  # fmt: skip
    named = labels.execute([{"probabilities": each} for each in probabilities])
    assert [row.tolist() for each in named for row in each["labels"]] == [
        [b"any", b"", b""], [b"short", b"any", b""], [b"any", b"", b""], [b"short", b"long", b"any"],
    ]  # fmt: skip
    (broken,) = tokenizer.execute([{"texts": np.array([[b"a \xff"]], object)}])
    assert broken["attention_mask"].sum() == 2, "a text that is no UTF-8 is answered"


def test_the_image_has_the_tokenizers_that_wrote_the_file(deployed: Path) -> None:
    lines = (deployed / "Dockerfile").read_text().splitlines()
    assert f"FROM {IMAGE}" in lines
    assert f"RUN pip install --no-cache-dir tokenizers=={version('tokenizers')}" in lines
    labels = json.loads(next((deployed / "models" / "tickets-labels").glob("*/labels.json")).read_text())
    assert labels == {"labels": LABELS, "thresholds": THRESHOLDS}


def test_computes_on_a_gpu_if_asked(registry: tuple[str, Version], tmp_path: Path) -> None:
    arguments = ["deploy", "--target", "triton", "--model", registry[0], "--output", str(tmp_path), "--gpu"]
    assert CliRunner().invoke(app, [*arguments, "--cpus", "4"], catch_exceptions=False).exit_code == 0
    text = (tmp_path / "models" / "default-encoder" / "config.pbtxt").read_text()
    assert "KIND_GPU" in text
    assert 'string_value: "4"' in text


def test_refuses_a_version_without_the_variant(registry: tuple[str, Version], tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"has no variant int8, which Triton needs; configure training\.export\.variants"):
        describe(registry[0], name="tickets", variant="int8")
    with pytest.raises(Refused, match="push a model first"):
        describe(str(tmp_path), name="tickets", variant="onnx")
