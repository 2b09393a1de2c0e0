"""ONNX graph of a classifier, from token ids to probabilities. Needs no TensorFlow.

It is built node by node, in operators of the standard alone, because exporters do not fit: Keras' own needs tf2onnx,
whose last release knows no opset above 18, and both would write the graph of training. In this one, queries, keys and
values are one product, and with the pooling cls, the last layer is computed for [CLS] alone, whose output is all that
the head reads.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from components.checkpoints.architecture import Activation, Architecture

OPSET = 23
INPUTS = ("input_ids", "attention_mask")
"""Inputs of the graph, int64 [n, longest] each: token ids, and 1 where there is one."""
OUTPUT = "probabilities"
"""Output of the graph, float32 [n, n_labels]."""

_IR_VERSION = 11  # that of onnx 1.18, the first with this opset
_MASKED_SCORE = -3e4  # as in components.trainer.serving_classifier
_SCORES = "scores"

_ACTIVATIONS: dict[Activation, tuple[str, dict[str, str]]] = {
    "gelu": ("Gelu", {}),
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "relu": ("Relu", {}),
    "tanh": ("Tanh", {}),
}

Array = NDArray[np.generic]


def build_graph(
    architecture: Architecture, weights: Mapping[str, Array], retired: Sequence[int] = (), pooling: str = "cls"
) -> onnx.ModelProto:
    """Build the graph of a classifier; `finish_graph` adds what depends on its thresholds.

    Args:
        architecture: Size of the encoder.
        weights: The encoder's variables, float32, by the names of `bert_shapes`; `head/kernel`, `head/bias` and, for
            the pooling attention, `pool/query`.
        retired: Columns of retired labels, whose probability is always 0.
        pooling: How one vector is made of the outputs of a text's tokens: cls, BERT's pooler; mean, max or attention.
    """
    builder = _Builder(weights)
    tokens = _embed(builder, architecture)
    is_token = builder.node("Cast", INPUTS[1], to=TensorProto.FLOAT)
    masked = builder.node("Mul", builder.node("Sub", builder.constant(1.0), is_token), builder.constant(_MASKED_SCORE))
    mask = builder.node("Unsqueeze", masked, builder.integers(1, 2))  # [n, 1, 1, longest]
    for index in range(architecture.layers):
        only_first = pooling == "cls" and index == architecture.layers - 1
        tokens = _layer(builder, architecture, f"encoder/layer_{index}", tokens, mask, only_first=only_first)
    if pooling == "cls":
        first = builder.node("Squeeze", tokens, builder.integers(1))
        pooled = builder.activation(architecture.pooler_activation, builder.dense("pooler/dense", first))
    else:
        pooled = _pool(builder, pooling, tokens, is_token, masked)
    kernel, bias = np.asarray(weights["head/kernel"]), np.asarray(weights["head/bias"])
    probabilities = builder.node("Sigmoid", builder.affine("head", pooled, kernel, bias))
    if retired:
        is_kept = np.ones(len(bias), np.float32)
        is_kept[list(retired)] = 0.0
        probabilities = builder.node("Mul", probabilities, builder.store("is_kept", is_kept))
    return builder.model(probabilities, len(bias))


def finish_graph(
    model: onnx.ModelProto, thresholds: NDArray[np.float32], ancestors: Mapping[int, Sequence[int]]
) -> onnx.ModelProto:
    """Make the probabilities of a graph obey the implications of labels, as `decision_scores.obey_implications` does.

    Args:
        model: Result of `build_graph`, or of its quantization; it is left as it is.
        thresholds: float32 [n_labels], chosen for its probabilities.
        ancestors: Columns of the labels that a label implies, directly or through others, by its column; if it is
            empty, nothing is added.
    """
    finished = onnx.ModelProto()
    finished.CopyFrom(model)
    if not ancestors:
        return finished
    graph = finished.graph
    for node in graph.node:
        node.output[:] = ["own_probabilities" if name == OUTPUT else name for name in node.output]
    builder = _Builder({}, prefix="implied")
    obeying = _obey(builder, "own_probabilities", thresholds, ancestors)
    graph.node.extend([*builder.nodes, helper.make_node("Identity", [obeying], [OUTPUT])])
    graph.initializer.extend(builder.initializers)
    return finished


class _Builder:
    """Nodes of a graph, and the tensors that are stored with it.

    Args:
        weights: Variables by name.
        prefix: Start of the names of nodes' outputs.
    """

    def __init__(self, weights: Mapping[str, Array], prefix: str = "node") -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._weights, self._prefix = weights, prefix

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output and return that output's name."""
        return self.split(operator, *inputs, outputs=1, **attributes)[0]

    def split(self, operator: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """Add a node and return the names of its outputs."""
        names = [f"{self._prefix}_{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names

    def store(self, name: str, value: Array) -> str:
        """Store a tensor, once, and return its name."""
        if all(each.name != name for each in self.initializers):
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name: str) -> str:
        return self.store(name, self._weights[name])

    def constant(self, value: float) -> str:
        return self.store(f"{self._prefix}_{value!r}", np.array(value, np.float32))

    def integers(self, *values: int) -> str:
        name = "_".join(map(str, values)).replace("-", "minus")
        return self.store(f"{self._prefix}_int_{name}", np.array(values, np.int64))

    def affine(self, name: str, inputs: str, kernel: Array, bias: Array) -> str:
        product = self.node("MatMul", inputs, self.store(f"{name}/kernel", kernel))
        return self.node("Add", product, self.store(f"{name}/bias", bias))

    def dense(self, *names: str) -> str:
        """Add the product with the kernels of layers, side by side, and their biases; the last name is the input."""
        *layers, inputs = names
        kernels = [np.asarray(self._weights[f"{layer}/kernel"]) for layer in layers]
        biases = [np.asarray(self._weights[f"{layer}/bias"]) for layer in layers]
        return self.affine("+".join(layers), inputs, np.concatenate(kernels, axis=1), np.concatenate(biases))

    def norm(self, name: str, inputs: str, epsilon: float) -> str:
        gamma, beta = self.weight(f"{name}/gamma"), self.weight(f"{name}/beta")
        return self.node("LayerNormalization", inputs, gamma, beta, axis=-1, epsilon=epsilon)

    def activation(self, activation: Activation, inputs: str) -> str:
        operator, attributes = _ACTIVATIONS[activation]
        return self.node(operator, inputs, **attributes)

    def model(self, output: str, n_labels: int) -> onnx.ModelProto:
        nodes = [*self.nodes, helper.make_node("Identity", [output], [OUTPUT])]
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "longest"]) for name in INPUTS]
        outputs = [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", n_labels])]
        graph = helper.make_graph(nodes, "classifier", inputs, outputs, self.initializers)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="bert-multilabel")


def _embed(builder: _Builder, architecture: Architecture) -> str:
    """Add the embeddings of token ids, float32 [n, longest, hidden]."""
    weights, name = builder._weights, "embeddings"
    # A single text is all of segment 0, whose embedding is zero in a DistilBERT.
    segment = np.asarray(weights[f"{name}/token_type_embeddings"])[0]
    positions = np.asarray(weights[f"{name}/position_embeddings"]) + segment
    longest = builder.node("Shape", INPUTS[0], start=1, end=2)
    positions_of = builder.node("Slice", builder.store("positions", positions), builder.integers(0), longest)
    words = builder.node("Gather", builder.weight(f"{name}/word_embeddings"), INPUTS[0])
    tokens = builder.norm(f"{name}/LayerNorm", builder.node("Add", words, positions_of), architecture.epsilon)
    if architecture.embedding_width != architecture.hidden:
        tokens = builder.dense("embeddings_project", tokens)
    return tokens


def _layer(
    builder: _Builder, architecture: Architecture, name: str, tokens: str, mask: str, *, only_first: bool
) -> str:
    """Add an encoder layer, float32 [n, longest, hidden], or for the first token of each text, [n, 1, hidden]."""
    attention, epsilon = f"{name}/attention", architecture.epsilon
    parts = [f"{attention}/self/{part}" for part in ("query", "key", "value")]
    if only_first:
        kept = builder.node("Slice", tokens, builder.integers(0), builder.integers(1), builder.integers(1))
        query = builder.dense(parts[0], kept)
        key, value = builder.split("Split", builder.dense(*parts[1:], tokens), axis=-1, num_outputs=2, outputs=2)
    else:
        kept = tokens
        packed = builder.dense(*parts, tokens)
        query, key, value = builder.split("Split", packed, axis=-1, num_outputs=3, outputs=3)
    mixed = _attend(builder, architecture, query, key, value, mask)
    attended = builder.node("Add", builder.dense(f"{attention}/output/dense", mixed), kept)
    attended = builder.norm(f"{attention}/output/LayerNorm", attended, epsilon)
    inner = builder.activation(architecture.activation, builder.dense(f"{name}/intermediate/dense", attended))
    return builder.norm(
        f"{name}/output/LayerNorm", builder.node("Add", builder.dense(f"{name}/output/dense", inner), attended), epsilon
    )


def _attend(builder: _Builder, architecture: Architecture, query: str, key: str, value: str, mask: str) -> str:
    """Add attention (Vaswani et al., 2017, section 3.2.1), float32 [n, length of the query, hidden]."""
    size = architecture.hidden // architecture.heads
    by_head = builder.integers(0, 0, architecture.heads, size)

    def split(values: str, *order: int) -> str:
        return builder.node("Transpose", builder.node("Reshape", values, by_head), perm=order)

    scores = builder.node("MatMul", split(query, 0, 2, 1, 3), split(key, 0, 2, 3, 1))
    scores = builder.node("Add", builder.node("Mul", scores, builder.constant(size**-0.5)), mask)
    mixed = builder.node("MatMul", builder.node("Softmax", scores, axis=-1), split(value, 0, 2, 1, 3))
    return builder.node(
        "Reshape", builder.node("Transpose", mixed, perm=(0, 2, 1, 3)), builder.integers(0, 0, architecture.hidden)
    )


def _pool(builder: _Builder, pooling: str, tokens: str, is_token: str, masked: str) -> str:
    """Add the pooling of the outputs of all tokens, float32 [n, hidden].

    Args:
        builder: The graph.
        pooling: mean, max or attention.
        tokens: Outputs of the last layer.
        is_token: [n, longest], 1 for tokens and 0 for padding.
        masked: [n, longest], 0 for tokens and a low number for padding.
    """
    if pooling == "max":
        unmasked = builder.node("Add", tokens, builder.node("Unsqueeze", masked, builder.integers(2)))
        return builder.node("ReduceMax", unmasked, builder.integers(1), keepdims=0)
    if pooling == "mean":
        shares = builder.node("Div", is_token, builder.node("ReduceSum", is_token, builder.integers(1), keepdims=1))
    else:
        scores = builder.node(
            "ReduceSum", builder.node("Mul", tokens, builder.weight("pool/query")), builder.integers(2), keepdims=0
        )
        shares = builder.node("Softmax", builder.node("Add", scores, masked), axis=-1)
    weighted = builder.node("MatMul", builder.node("Unsqueeze", shares, builder.integers(1)), tokens)
    return builder.node("Squeeze", weighted, builder.integers(1))


def _obey(
    builder: _Builder, probabilities: str, thresholds: NDArray[np.float32], ancestors: Mapping[int, Sequence[int]]
) -> str:
    """Add `components.trainer.decision_scores.obey_implications`, float32 [n, n_labels]."""
    limits = np.asarray(thresholds, np.float32)
    columns = np.repeat(np.arange(len(limits))[:, np.newaxis], 1 + max(map(len, ancestors.values())), axis=1)
    for column, above in ancestors.items():
        columns[column, 1 : 1 + len(above)] = above
    node, constant = builder.node, builder.constant
    limit = builder.store("thresholds", limits)
    rest = builder.store("rest", 1.0 - limits)
    is_given = node("Greater", probabilities, limit)
    below = node("Div", node("Mul", constant(0.5), probabilities), limit)
    beyond = node("Div", node("Mul", constant(0.5), node("Sub", probabilities, limit)), rest)
    beyond = node(
        "Max", node("Add", constant(0.5), beyond), constant(float(np.nextafter(np.float32(0.5), np.float32(1))))
    )
    own = node("Where", is_given, beyond, node("Min", below, constant(0.5)))
    gathered = node("Gather", own, builder.store("columns", columns), axis=1)
    least = node("ReduceMin", gathered, builder.integers(2), keepdims=0)
    twice = node("Mul", constant(2.0), least)
    lowered_below = node("Min", node("Mul", twice, limit), limit)
    lowered_above = node("Add", limit, node("Mul", node("Sub", twice, constant(1.0)), rest))
    smallest = builder.store("smallest_above", np.nextafter(limits, np.float32(2)))
    lowered_above = node("Min", node("Max", lowered_above, smallest), probabilities)
    lowered = node("Where", node("Greater", least, constant(0.5)), lowered_above, lowered_below)
    return node("Where", node("Less", least, own), lowered, probabilities)
