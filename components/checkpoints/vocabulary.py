"""Reading a checkpoint's vocabulary: needs no TensorFlow for a local file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from schema.errors import Refused

_LONGEST_TOKEN_BYTES = 256  # FastBertTokenizer's, not counting a piece's ##


class SpecialTokens(NamedTuple):
    """Names of a checkpoint's special tokens in its vocabulary; nearly every checkpoint has BERT's own."""

    pad: str = "[PAD]"
    unknown: str = "[UNK]"
    first: str = "[CLS]"
    last: str = "[SEP]"


BERT_TOKENS = SpecialTokens()


def read_vocabulary(path: str, special_tokens: SpecialTokens = BERT_TOKENS) -> list[str]:
    """Reads the tokens in the order of their ids.

    Args:
        path: a vocab.txt, one token a line, or (told by the suffix) Hugging Face's tokenizer.json, which holds the
            same; anything that `tf.io.gfile` opens.
        special_tokens: those that must be in it.

    Raises:
        Refused: no such file, not UTF-8, empty, a token given twice or not one that TensorFlow Text can look up, or a
            special token missing.
    """
    text = _read(path)
    if path.endswith(".json"):
        tokens = _tokens_of_json(path, text)
    else:
        # Not splitlines(): it also splits at characters that a multilingual vocabulary may hold.
        tokens = [line.strip() or line for line in text.rstrip("\r\n").split("\n")]
    _check_vocabulary(path, tokens, special_tokens)
    return tokens


def _read(path: str) -> str:
    try:
        return _bytes(path).decode("utf-8-sig")
    except OSError as error:
        raise Refused(f"vocabulary {path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"vocabulary {path} is not UTF-8 text (byte {error.start}); give the vocab.txt") from error


def _bytes(path: str) -> bytes:
    if "://" not in path:
        return Path(path).read_bytes()
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            content: bytes = file.read()
    except tf.errors.OpError as error:
        raise OSError(error.message) from error
    return content


def _tokens_of_json(path: str, text: str) -> list[str]:
    try:
        ids: dict[str, int] = json.loads(text)["model"]["vocab"]
        tokens = sorted(ids, key=lambda token: ids[token])
    except (ValueError, LookupError, TypeError) as error:
        raise Refused(f"vocabulary {path} has no WordPiece vocabulary; give the checkpoint's vocab.txt") from error
    for expected, token in enumerate(tokens):
        if ids[token] != expected:
            raise Refused(
                f"vocabulary {path}: {token!r} has the id {ids[token]} where {expected} is due; "
                "restore the checkpoint's own file"
            )
    return tokens


def _check_vocabulary(path: str, tokens: Sequence[str], special_tokens: Sequence[str]) -> None:
    if list(tokens) in ([], [""]):
        raise Refused(f"vocabulary {path} is empty; give the vocab.txt of the checkpoint")
    seen: dict[str, int] = {}
    for number, token in enumerate(tokens, start=1):
        if token in seen:
            raise Refused(
                f"vocabulary {path} has {token!r} twice, in lines {seen[token]} and {number}; "
                "a line's number is its token's id, so restore the checkpoint's own file"
            )
        seen[token] = number
        _check_token(path, number, token)
    missing = [token for token in special_tokens if token not in seen]
    if missing:
        raise Refused(f"vocabulary {path} has no {' '.join(missing)}; a BERT checkpoint's vocab.txt has")


def _check_token(path: str, number: int, token: str) -> None:
    """Refuses what FastBertTokenizer would end in a RuntimeError over."""
    n_bytes = len(token.removeprefix("##").encode())
    if n_bytes > _LONGEST_TOKEN_BYTES:
        wrong = f"a token of {n_bytes} bytes ({token[:20]!r}...), more than {_LONGEST_TOKEN_BYTES}"
    elif "\0" in token:
        wrong = f"a NUL byte ({token[:20]!r})"
    else:
        return
    raise Refused(f"vocabulary {path}, line {number}: {wrong}; is it the checkpoint's own vocab.txt?")
