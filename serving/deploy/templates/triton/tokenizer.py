"""Texts to token ids, by Triton's Python backend and Hugging Face's tokenizers."""

from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from tokenizers import Tokenizer

# Lengths are padded to a multiple of it, so that more requests have the same and are computed together; never beyond
# what the model reads.
_MULTIPLE = 16


class TritonPythonModel:
    """Model that Triton loads by this name."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the tokenizer beside this file."""
        folder = Path(args["model_repository"]) / args["model_version"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.longest = (self.tokenizer.truncation or {}).get("max_length")
        self.tokenizer.enable_padding(**{**(self.tokenizer.padding or {}), "pad_to_multiple_of": _MULTIPLE})

    def execute(self, requests: list[Any]) -> list[Any]:
        """Return a response for each request; the texts of all requests are tokenized at once."""
        columns = [pb_utils.get_input_tensor_by_name(request, "texts").as_numpy().ravel() for request in requests]
        texts = [text.decode("utf-8", "replace") for column in columns for text in column]
        encoded = self.tokenizer.encode_batch_fast(texts)
        responses, start = [], 0
        for column in columns:
            rows = encoded[start : start + len(column)]
            start += len(column)
            outputs = [
                pb_utils.Tensor(name, self.matrix([getattr(row, part) for row in rows]))
                for name, part in (("input_ids", "ids"), ("attention_mask", "attention_mask"))
            ]
            responses.append(pb_utils.InferenceResponse(output_tensors=outputs))
        return responses

    def matrix(self, rows: list[list[int]]) -> Any:
        """Return rows of one length as int64 [n, length]."""
        return np.array(rows, np.int64).reshape(len(rows), -1)[:, : self.longest]
