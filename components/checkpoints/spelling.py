"""How a Google or Hugging Face checkpoint wants its texts written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.checkpoints.checkpoint import Spelling, read_json
from components.checkpoints.vocabulary import SpecialTokens, read_vocabulary
from schema.errors import Refused

TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENIZER = "tokenizer.json"
SPECIAL_TOKENS = "special_tokens_map.json"

# What Transformers calls a tokenizer that is told by its tokenizer.json alone.
_GENERIC = ("PreTrainedTokenizerFast", "TokenizersBackend")
# A vocabulary is cased if more of its words than this have capitals: of bert-base-uncased's none have, of
# bert-base-cased's about a third. Not "any": Chinese BERT, which is uncased, has tokens such as <S>.
_CASED_SHARE = 0.01


def read_spelling(folder: Path, vocabulary: Path) -> Spelling:
    """Follows tokenizer_config.json, then tokenizer.json; what neither tells, the vocabulary does.

    Google's folders have neither and do not say whether they are cased: run_classifier.py is told by --do_lower_case. A
    tokenizer_config.json beside them, {"do_lower_case": true}, settles it where the vocabulary misleads.

    Raises:
        Refused: It splits texts by other rules than BERT's.
    """
    told = _optional(folder / SPECIAL_TOKENS) | _optional(folder / TOKENIZER_CONFIG)
    tokenizer = _optional(folder / TOKENIZER)
    _refuse_other_rules(folder, told, tokenizer)
    normalizer = _normalizer(tokenizer)
    special_tokens = SpecialTokens(*(
        _content(told.get(key), default)
        for key, default in zip(("pad_token", "unk_token", "cls_token", "sep_token"), SpecialTokens(), strict=True)
    ))  # fmt: skip
    lower_case = told.get("do_lower_case", normalizer.get("lowercase"))
    if lower_case is None:
        lower_case = not is_cased(read_vocabulary(str(vocabulary), special_tokens))
    strip_accents = told.get("strip_accents", normalizer.get("strip_accents"))
    return Spelling(bool(lower_case), None if strip_accents is None else bool(strip_accents), special_tokens)


def settings_files(folder: Path) -> tuple[Path, ...]:
    """Those of the files that `read_spelling` reads which are there."""
    files = (folder / name for name in (TOKENIZER_CONFIG, TOKENIZER, SPECIAL_TOKENS))
    return tuple(path for path in files if path.is_file())


def is_cased(vocabulary: Sequence[str]) -> bool:
    words = [token.removeprefix("##") for token in vocabulary]
    words = [word for word in words if word.isalpha()]
    return sum(word != word.lower() for word in words) > _CASED_SHARE * len(words)


def _refuse_other_rules(folder: Path, told: dict[str, Any], tokenizer: dict[str, Any]) -> None:
    file = folder / TOKENIZER_CONFIG
    name = told.get("tokenizer_class")
    if name and name not in _GENERIC and not name.endswith(("BertTokenizer", "BertTokenizerFast")):
        raise Refused(f"{file}: tokenizer_class is {name}; only checkpoints that tokenize as BERT does can be used")
    normalizer = _normalizer(tokenizer)
    chinese = told.get("tokenize_chinese_chars", normalizer.get("handle_chinese_chars", True))
    for key, value in (("tokenize_chinese_chars", chinese), ("do_basic_tokenize", told.get("do_basic_tokenize", True))):
        if value is False:
            raise Refused(f"{file}: {key} is false; only checkpoints that tokenize as BERT does can be used")
    model = tokenizer.get("model") or {}
    if tokenizer and (
        model.get("type", "WordPiece") != "WordPiece" or model.get("continuing_subword_prefix", "##") != "##"
    ):
        raise Refused(
            f"{folder / TOKENIZER}: its model is {model.get('type')} with prefix "
            f"{model.get('continuing_subword_prefix')!r}; only BERT's WordPiece with '##' can be used"
        )


def _normalizer(tokenizer: dict[str, Any]) -> dict[str, Any]:
    normalizer = tokenizer.get("normalizer") or {}
    return normalizer if normalizer.get("type") == "BertNormalizer" else {}


def _content(token: Any, default: str) -> str:
    """A special token is a string, or an object that has it as its content."""
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else default


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}
