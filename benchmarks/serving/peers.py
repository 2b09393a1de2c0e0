"""The peers of `benchmarks.serve`: the same weights served by PyTorch, ONNX Runtime or OpenVINO.

It runs in an environment of its own (`benchmarks.peer`), in the repository's root:

    python -m benchmarks.serving.peers JOB.json

With the side "export" it writes the files that the other sides load. The last line of output of any other side is a
JSON object; a job with an `input` scores that file instead (`benchmarks.score`). Each side is what its documentation
recommends for BERT on a CPU: Transformers with scaled dot product attention, ONNX Runtime after its own optimizer for
transformers, OpenVINO with its hint for latency. Hugging Face's fast tokenizer comes before all of them.
"""

import csv
import json
import sys
from collections.abc import Callable
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving.measure import Predict, measure

_MAX_TOKENS = 512
_ROWS_PER_CHUNK = 10_000  # as many as `score` has in a shard
_ONNX, _OPTIMIZED, _INT8, _OPENVINO_INT8 = "model.onnx", "optimized.onnx", "int8.onnx", "openvino_int8.xml"

Logits = Callable[[Any, Any], Any]  # of token ids and attention mask, int64 [n, longest]


def main(job: dict[str, Any]) -> None:
    """Do what a job says."""
    if job["side"] == "export":
        _export(Path(job["model"]), job["texts"][:300])
    elif "input" in job:
        _score(_load(job), Path(job["input"]), Path(job["output"]), job["batch"])
    else:
        print(json.dumps(measure(partial(_load, job), job)))


def _load(job: dict[str, Any]) -> Predict:
    tokenize = _tokenizer(Path(job["model"]))
    logits = _SIDES[job["side"]](Path(job["model"]), job["threads"])

    def predict(texts: list[str]) -> Any:
        return 1 / (1 + np.exp(-np.asarray(logits(*tokenize(texts)), np.float32)))

    return predict


def _score(predict: Predict, source: Path, target: Path, batch: int) -> None:
    """Score the column `text` of a CSV file in chunks sorted by length, and write probabilities, a file a chunk."""
    target.mkdir()
    with source.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        for number in count():
            texts = [row["text"] for row in islice(rows, _ROWS_PER_CHUNK)]
            if not texts:
                return
            order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
            sorted_texts = [texts[index] for index in order]
            parts = [predict(sorted_texts[start : start + batch]) for start in range(0, len(texts), batch)]
            probabilities = np.empty((len(texts), parts[0].shape[1]), np.float32)
            probabilities[order] = np.concatenate(parts)
            np.save(target / f"{number}.npy", probabilities)


def _tokenizer(model: Path) -> Callable[[list[str]], tuple[Any, Any]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_truncation(_MAX_TOKENS)
    tokenizer.enable_padding()

    def tokenize(texts: list[str]) -> tuple[Any, Any]:
        encoded = tokenizer.encode_batch_fast(texts)
        return (
            np.array([each.ids for each in encoded], np.int64),
            np.array([each.attention_mask for each in encoded], np.int64),
        )

    return tokenize


def _torch_model(model: Path, attention: str = "sdpa") -> Any:
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(model, attn_implementation=attention).eval()


def _pytorch(model: Path, threads: int, *, bfloat16: bool = False, compiled: bool = False) -> Logits:
    import torch

    torch.set_num_threads(threads)
    network = _torch_model(model)
    if bfloat16:
        network = network.to(torch.bfloat16)
    if compiled:
        network = torch.compile(network, dynamic=True)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def infer(ids: Any, mask: Any) -> Any:
        outputs = network(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
        return outputs.logits.float().numpy()

    logits: Logits = infer
    return logits


def _onnx_runtime(model: Path, threads: int, *, file: str) -> Logits:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(model / file), options, providers=["CPUExecutionProvider"])
    return lambda ids, mask: session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


def _openvino(model: Path, threads: int, *, file: str = _ONNX, precision: str = "f32") -> Logits:
    import openvino

    options = {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads
    }  # fmt: skip
    compiled = openvino.Core().compile_model(str(model / file), "CPU", options)
    return lambda ids, mask: compiled({"input_ids": ids, "attention_mask": mask})[0]


_SIDES: dict[str, Callable[[Path, int], Logits]] = {
    "pytorch": _pytorch,
    "pytorch_bfloat16": partial(_pytorch, bfloat16=True),
    "pytorch_compiled": partial(_pytorch, compiled=True),
    "onnxruntime": partial(_onnx_runtime, file=_OPTIMIZED),
    "onnxruntime_int8": partial(_onnx_runtime, file=_INT8),
    "openvino": _openvino,
    "openvino_bfloat16": partial(_openvino, precision="bf16"),
    "openvino_int8": partial(_openvino, file=_OPENVINO_INT8),
}


def _export(model: Path, texts: list[str]) -> None:
    """Write the model for ONNX Runtime and OpenVINO, in float32 and int8; texts calibrate OpenVINO's."""
    import nncf
    import onnx
    import openvino
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer

    # ONNX Runtime's optimizer recognizes attention in what the older exporter makes of the eager form, and in no other.
    network, tokenize = _torch_model(model, attention="eager"), _tokenizer(model)
    inputs = tuple(torch.from_numpy(each) for each in tokenize(["two texts", "of two different lengths"]))
    names = ["input_ids", "attention_mask"]
    torch.onnx.export(
        network,
        inputs,
        str(model / _ONNX),
        input_names=names,
        output_names=["logits"],
        dynamic_axes={name: {0: "rows", 1: "tokens"} for name in names},
        opset_version=17,
        dynamo=False,
    )
    config = network.config
    optimized = optimizer.optimize_model(
        str(model / _ONNX), "bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size
    )
    print("fused by ONNX Runtime's optimizer:", optimized.get_fused_operator_statistics(), file=sys.stderr)
    optimized.save_model_to_file(str(model / _OPTIMIZED))
    quantize_dynamic(
        model / _OPTIMIZED,
        model / _INT8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},  # of outputs of ONNX Runtime's own operators
    )
    samples = nncf.Dataset([dict(zip(names, tokenize([text]), strict=True)) for text in texts])
    quantized = nncf.quantize(openvino.Core().read_model(model / _ONNX), samples, model_type=nncf.ModelType.TRANSFORMER)
    openvino.save_model(quantized, model / _OPENVINO_INT8, compress_to_fp16=False)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
