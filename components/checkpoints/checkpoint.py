"""Description of a pretrained BERT on disk, the same for every format. Needs no TensorFlow."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from components.checkpoints.architecture import Architecture
from components.checkpoints.pooling import Pooling
from components.checkpoints.vocabulary import BERT_TOKENS, SpecialTokens


@dataclass(frozen=True)
class Tokenization:
    """How texts become tokens.

    Attributes:
        lower_case: Whether text is lower-cased, as it was for pretraining.
        strip_accents: Whether accents are removed; None to follow `lower_case`, which is BERT's own rule.
        special_tokens: Names of the special tokens in the vocabulary.
    """

    lower_case: bool
    strip_accents: bool | None
    special_tokens: SpecialTokens = BERT_TOKENS


@dataclass(frozen=True)
class Checkpoint:
    """Pretrained BERT on disk.

    Attributes:
        source: Source as the configuration names it.
        format: Key of its format in `components.checkpoints.find.FORMATS`.
        folder: Folder of its files.
        weights: Files of the variables; of Google's, the .index file is the first.
        settings: Files of its size, its tokenization and its pooling.
        vocabulary: A vocab.txt, or a tokenizer.json with the vocabulary in it.
        architecture: Its size.
        tokenization: How texts become its tokens.
        sha256: Expected SHA-256 of the only file of weights; None if it is not pinned.
        pooling: How it was trained to make one vector of a text.
    """

    source: str
    format: str
    folder: Path
    weights: tuple[Path, ...]
    settings: tuple[Path, ...]
    vocabulary: Path
    architecture: Architecture
    tokenization: Tokenization
    sha256: str | None = None
    pooling: Pooling = "cls"

    def fingerprint(self) -> str:
        """Return the SHA-256 of all that a run depends on: weights, configuration and vocabulary."""
        digest = hashlib.sha256()
        for path in (*self.settings, *self.weights, self.vocabulary):
            digest.update(sha256_of(path).encode())
        return digest.hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
