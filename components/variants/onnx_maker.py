"""Variants onnx and int8: an ONNX file with its tokenizer and a client, which need no TensorFlow.

model.onnx       the graph, from token ids to probabilities
tokenizer.json   from texts to token ids, for Hugging Face's tokenizers
model.json       labels, thresholds and the rest of the record
client.py        from texts to labels, with onnxruntime and tokenizers alone
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic

from components.canary.trial import Form
from components.checkpoints.backbone import variables_by_name
from components.variants import client
from components.variants.making import Predict, Probabilities, Source, in_batches
from components.variants.onnx_graph import build_graph, finish_graph
from components.variants.tokenizer_file import TOKENIZER_FILE, build_tokenizer

_PROBE = Path(__file__).with_name("onnx_probe.py")
_TOLERANCE = 1e-4


class OnnxMaker:
    """Maker of the variants; see `components.variants.making.Maker`.

    Args:
        source: The full model.
        quantized: Whether matrices and word embeddings become int8, and what they multiply is quantized as it comes.
    """

    form = Form(probe=_PROBE, signatures=("serve_text",), timed="serve_text", tolerance=_TOLERANCE)

    def __init__(self, source: Source, *, quantized: bool) -> None:
        self.equals_full = not quantized
        self._source = source
        retired = source.labels.retired_indices
        weights = _weights(source.model)
        self._graph = build_graph(source.checkpoint.architecture, weights, retired, source.record.pooling)
        if quantized:
            self._graph = _quantize(self._graph)

    def predict_unfinished(self) -> Predict:
        """Return the function that thresholds are chosen for."""
        with tempfile.TemporaryDirectory() as folder:
            self._write(Path(folder), self._graph)
            n_labels = len(self._source.record.labels)
            self._source.record.model_copy(update={"thresholds": [0.5] * n_labels}).write(folder)
            return self.load(Path(folder))

    def write(self, folder: Path, thresholds: NDArray[np.float32]) -> None:
        """Write the files, without the record, into a folder, which must not exist."""
        folder.mkdir()
        self._write(folder, finish_graph(self._graph, thresholds, self._source.labels.ancestor_indices))

    def load(self, folder: Path) -> Predict:
        """Load the variant, with its record, and return its client as a function."""
        classifier = client.Classifier(folder)

        def predict(texts: Sequence[str], pairs: Sequence[str]) -> Probabilities:
            assert not pairs
            probabilities: Probabilities = classifier.probabilities(texts)
            return probabilities

        return in_batches(predict)

    def _write(self, folder: Path, graph: onnx.ModelProto) -> None:
        source = self._source
        onnx.save(graph, folder / client.MODEL_FILE)
        build_tokenizer(
            source.vocabulary,
            source.checkpoint.tokenization.special_tokens,
            lower_case=source.checkpoint.tokenization.lower_case,
            strip_accents=source.checkpoint.tokenization.strip_accents,
            max_tokens=source.settings.max_tokens,
        ).save(str(folder / TOKENIZER_FILE))
        shutil.copyfile(client.__file__, folder / Path(client.__file__).name)


def _weights(model: Any) -> dict[str, NDArray[np.generic]]:
    """Return the weights of a classifier by the names and in the shapes that `build_graph` takes."""
    variables = variables_by_name(model.backbone) | {
        "head/kernel": model.output_dense.kernel,
        "head/bias": model.output_dense.bias,
    }
    variables |= {f"pool/{each.name}": each for layer in model.layers if layer.name == "pool" for each in layer.weights}
    return {name: _two_dimensional(name, np.asarray(variable)) for name, variable in variables.items()}


def _two_dimensional(name: str, value: NDArray[np.generic]) -> NDArray[np.generic]:
    """Join the axes of attention heads and their sizes, which KerasHub has in place of one."""
    if name.endswith("/bias"):
        return value.reshape(-1)
    if name.endswith("attention/output/dense/kernel"):
        return value.reshape(-1, value.shape[-1])
    return value.reshape(len(value), -1) if name.endswith("/kernel") else value


def _quantize(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph with its matrices in int8, a scale for each output of each, and its word embeddings as well."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "quantized.onnx")
        quantize_dynamic(
            graph,
            path,
            op_types_to_quantize=["MatMul", "Gather"],
            weight_type=QuantType.QInt8,
            per_channel=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        return onnx.load(path)
