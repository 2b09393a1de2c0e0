"""Vocabulary of a checkpoint, and its special tokens. Needs no TensorFlow for a local file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from schema.errors import Refused

_LONGEST_TOKEN_BYTES = 256  # FastBertTokenizer's limit, without the ## of a word piece


class SpecialTokens(NamedTuple):
    """Names of a checkpoint's special tokens in its vocabulary; nearly every checkpoint has BERT's own."""

    pad: str = "[PAD]"
    unknown: str = "[UNK]"
    first: str = "[CLS]"
    last: str = "[SEP]"


BERT_TOKENS = SpecialTokens()


def read_vocabulary(path: str, special_tokens: SpecialTokens = BERT_TOKENS) -> list[str]:
    """Read the tokens of a vocabulary, in the order of their ids.

    Args:
        path: A vocab.txt with one token a line, or, with the suffix .json, Hugging Face's tokenizer.json, which holds
            the same; any path that `tf.io.gfile` opens.
        special_tokens: Tokens that the vocabulary must have.

    Raises:
        Refused: The file does not exist, is not UTF-8 or is empty; a token occurs twice or cannot be looked up by
            TensorFlow Text; or a special token is missing.
    """
    text = _read(path)
    if path.endswith(".json"):
        tokens = _parse_json(path, text)
    else:
        # Not splitlines(), which also splits at characters that a multilingual vocabulary may have.
        tokens = [line.strip() or line for line in text.rstrip("\r\n").split("\n")]
    _check_tokens(path, tokens, special_tokens)
    return tokens


def _read(path: str) -> str:
    try:
        return _read_bytes(path).decode("utf-8-sig")
    except OSError as error:
        raise Refused(f"vocabulary {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"vocabulary {path} is not UTF-8 text (byte {error.start}); give the vocab.txt") from error


def _read_bytes(path: str) -> bytes:
    if "://" not in path:
        return Path(path).read_bytes()
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            content: bytes = file.read()
    except tf.errors.OpError as error:
        raise OSError(error.message) from error
    return content


def _parse_json(path: str, text: str) -> list[str]:
    try:
        ids: dict[str, int] = json.loads(text)["model"]["vocab"]
        tokens = sorted(ids, key=lambda token: ids[token])
    except (ValueError, LookupError, TypeError) as error:
        raise Refused(f"vocabulary {path} has no WordPiece vocabulary; give the checkpoint's vocab.txt") from error
    for expected, token in enumerate(tokens):
        if ids[token] != expected:
            raise Refused(
                f"vocabulary {path}: {token!r} has the id {ids[token]} where {expected} is expected; "
                "restore the checkpoint's own file"
            )
    return tokens


def _check_tokens(path: str, tokens: Sequence[str], special_tokens: Sequence[str]) -> None:
    if list(tokens) in ([], [""]):
        raise Refused(f"vocabulary {path} is empty; give the vocab.txt of the checkpoint")
    lines: dict[str, int] = {}
    for line, token in enumerate(tokens, start=1):
        if token in lines:
            raise Refused(
                f"vocabulary {path} has {token!r} twice, in lines {lines[token]} and {line}; "
                "a line's number is its token's id, so restore the checkpoint's own file"
            )
        lines[token] = line
        _check_token(path, line, token)
    missing = [token for token in special_tokens if token not in lines]
    if missing:
        raise Refused(f"vocabulary {path} has no {' '.join(missing)}; restore the checkpoint's own file")


def _check_token(path: str, line: int, token: str) -> None:
    """Refuse a token on which FastBertTokenizer would fail with a RuntimeError."""
    n_bytes = len(token.removeprefix("##").encode())
    if n_bytes > _LONGEST_TOKEN_BYTES:
        problem = f"a token of {n_bytes} bytes ({token[:20]!r}...), more than {_LONGEST_TOKEN_BYTES}"
    elif "\0" in token:
        problem = f"a NUL byte ({token[:20]!r})"
    else:
        return
    raise Refused(f"vocabulary {path}, line {line}: {problem}; is it the checkpoint's own vocab.txt?")
