"""Refusal of encoders that this project does not train, with the reason."""

from schema.errors import Refused

_BPE = "its tokenizer is byte-level BPE"
_SENTENCEPIECE = "its tokenizer is SentencePiece"
# By the beginning of Transformers' model_type and of KerasHub's class names, in lower case without underscores and
# dashes; the longest one counts.
_REASONS = {
    "roberta": _BPE,
    "longformer": _BPE,
    "modernbert": "its tokenizer is BPE and its positions are rotary",
    "xlmroberta": _SENTENCEPIECE,
    "camembert": _SENTENCEPIECE,
    "xlnet": _SENTENCEPIECE,
    "fnet": _SENTENCEPIECE,
    "albert": f"{_SENTENCEPIECE} and its layers share their weights",
    "deberta": "its tokenizer is BPE or SentencePiece and its attention reads relative positions",
    "mpnet": "its attention reads relative positions",
    "roformer": "its positions are rotary",
    "nomicbert": "its positions are rotary",
    "megatronbert": "it normalizes before its layers",
    "mobilebert": "its layers have bottlenecks",
    "squeezebert": "its layers are convolutions",
    "convbert": "its layers have convolutions",
    "funnel": "its layers shorten the text",
    "bigbird": "its attention is sparse",
    "t5": "it generates text",
    "bart": "it generates text",
    "gpt": "it generates text",
    "llama": "it generates text",
    "gemma": "it generates text",
    "mistral": "it generates text",
    "qwen": "it generates text",
}


def unsupported(source: str, what: str, name: str) -> Refused:
    """Return the refusal of a checkpoint of another model.

    Args:
        source: Source as the user named it.
        what: What the checkpoint's configuration says.
        name: Name of the model in it.

    Example:
        >>> str(unsupported("x", "config.json has model_type 'roberta'", "roberta")).split("; ")[0]
        "checkpoint x: config.json has model_type 'roberta': its tokenizer is byte-level BPE"
    """
    key = "".join(each for each in name.lower() if each.isalnum())
    known = max((each for each in _REASONS if key.startswith(each)), key=len, default=None)
    reason = "" if known is None else f": {_REASONS[known]}"
    return Refused(
        f"checkpoint {source}: {what}{reason}; only BERT, DistilBERT and ELECTRA are supported, whose tokenizer is"
        " WordPiece"
    )
