"""Tokenization of a Google or Hugging Face checkpoint, read from its files. Needs no TensorFlow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.checkpoints.checkpoint import Tokenization
from components.checkpoints.config_files import read_json_if_exists
from components.checkpoints.vocabulary import SpecialTokens, read_vocabulary
from schema.errors import Refused

TOKENIZER_CONFIG_FILE = "tokenizer_config.json"
TOKENIZER_FILE = "tokenizer.json"
SPECIAL_TOKENS_FILE = "special_tokens_map.json"

# Transformers' classes that tokenize as BERT does, and so do their subclasses: DistilBertTokenizer, for example.
_BERT_LIKE = tuple(f"{family}Tokenizer{fast}" for family in ("Bert", "Electra") for fast in ("", "Fast"))
# Transformers' classes for a tokenizer that its tokenizer.json describes completely.
_GENERIC = ("PreTrainedTokenizerFast", "TokenizersBackend")
# A vocabulary is cased if a larger share of its words has capitals: none of bert-base-uncased's have, about a third of
# bert-base-cased's. The share is not 0, because Chinese BERT, which is uncased, has tokens such as <S>.
_CASED_SHARE = 0.01


def read_tokenization(folder: Path, vocabulary: Path) -> Tokenization:
    """Read how a checkpoint tokenizes, from tokenizer_config.json, then tokenizer.json, then the vocabulary.

    Google's folders have neither of the files and do not say whether they are cased: run_classifier.py has the option
    --do_lower_case for it. Where the vocabulary misleads, put a tokenizer_config.json beside it, such as
    {"do_lower_case": true}.

    Args:
        folder: Folder of the checkpoint.
        vocabulary: Path of its vocabulary.

    Raises:
        Refused: The checkpoint splits texts by other rules than BERT's.
    """
    config = read_json_if_exists(folder / SPECIAL_TOKENS_FILE) | read_json_if_exists(folder / TOKENIZER_CONFIG_FILE)
    tokenizer = read_json_if_exists(folder / TOKENIZER_FILE)
    _refuse_other_rules(folder, config, tokenizer)
    normalizer = _normalizer(tokenizer)
    special_tokens = SpecialTokens(*(
        _token(config.get(key), default)
        for key, default in zip(("pad_token", "unk_token", "cls_token", "sep_token"), SpecialTokens(), strict=True)
    ))  # fmt: skip
    lower_case = config.get("do_lower_case", normalizer.get("lowercase"))
    if lower_case is None:
        lower_case = not is_cased(read_vocabulary(str(vocabulary), special_tokens))
    strip_accents = config.get("strip_accents", normalizer.get("strip_accents"))
    return Tokenization(bool(lower_case), None if strip_accents is None else bool(strip_accents), special_tokens)


def tokenizer_files(folder: Path) -> tuple[Path, ...]:
    """Return the existing files, apart from the vocabulary, that `read_tokenization` reads."""
    files = (folder / name for name in (TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, SPECIAL_TOKENS_FILE))
    return tuple(path for path in files if path.is_file())


def is_cased(vocabulary: Sequence[str]) -> bool:
    """Return whether a vocabulary is of a cased model, judged by its share of words with capitals.

    Example:
        >>> is_cased(["the", "##ing", "[UNK]"])
        False
        >>> is_cased(["the", "The", "##ING"])
        True
    """
    words = [token.removeprefix("##") for token in vocabulary]
    words = [word for word in words if word.isalpha()]
    return sum(word != word.lower() for word in words) > _CASED_SHARE * len(words)


def _refuse_other_rules(folder: Path, config: dict[str, Any], tokenizer: dict[str, Any]) -> None:
    path = folder / TOKENIZER_CONFIG_FILE
    name = config.get("tokenizer_class")
    if name and name not in _GENERIC and not name.endswith(_BERT_LIKE):
        raise Refused(f"{path}: tokenizer_class is {name}; only checkpoints that tokenize as BERT does can be used")
    chinese = config.get("tokenize_chinese_chars", _normalizer(tokenizer).get("handle_chinese_chars", True))
    basic = config.get("do_basic_tokenize", True)
    for key, value in (("tokenize_chinese_chars", chinese), ("do_basic_tokenize", basic)):
        if value is False:
            raise Refused(f"{path}: {key} is false; only checkpoints that tokenize as BERT does can be used")
    model = tokenizer.get("model") or {}
    if tokenizer and (
        model.get("type", "WordPiece") != "WordPiece" or model.get("continuing_subword_prefix", "##") != "##"
    ):
        raise Refused(
            f"{folder / TOKENIZER_FILE}: its model is {model.get('type')} with prefix "
            f"{model.get('continuing_subword_prefix')!r}; only BERT's WordPiece with '##' can be used"
        )


def _normalizer(tokenizer: dict[str, Any]) -> dict[str, Any]:
    normalizer = tokenizer.get("normalizer") or {}
    return normalizer if normalizer.get("type") == "BertNormalizer" else {}


def _token(value: Any, default: str) -> str:
    """Return the name of a special token, which is a string or the content of an object."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else default
