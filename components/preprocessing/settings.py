"""Settings of preprocessing, which travel to Transform's executor in `custom_config`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from components.checkpoints.vocabulary import BERT_TOKENS, SpecialTokens
from components.common.settings import Settings

Truncation = Literal["head", "head_tail"]

# [CLS] a [SEP] b [SEP]: with fewer tokens, nothing of a second text would be left.
LEAST_PAIR_TOKENS = 5


class TokenizerSettings(Settings):
    """How texts become token ids. Copy all of it from the checkpoint.

    Attributes:
        vocabulary: Path of the checkpoint's vocab.txt, one token a line, whose number (from 0) is its id, or of its
            tokenizer.json. The process that builds the graph, Transform's executor, must be able to read it.
        checkpoint: Source of the checkpoint that has the vocabulary, to be given instead of its path. The process that
            builds the graph finds it with `find_checkpoint`, and may have it at another path than this process.
        lower_case: Whether the checkpoint is uncased.
        strip_accents: Whether accents are removed; None to follow `lower_case`, as BERT does.
        max_tokens: Longest sequence, [CLS] and [SEP] included. Longer sequences are truncated.
        truncation: Pieces to keep of a text that is truncated: the first ones, or (head_tail) the first quarter and the
            rest from the end.
        special_tokens: Names of the special tokens in the vocabulary.
    """

    vocabulary: str | None = None
    checkpoint: str | None = None
    lower_case: bool
    strip_accents: bool | None = None
    max_tokens: int = Field(default=128, ge=3)
    truncation: Truncation = "head"
    special_tokens: SpecialTokens = BERT_TOKENS

    @model_validator(mode="after")
    def _check_vocabulary(self) -> Self:
        if (self.vocabulary is None) == (self.checkpoint is None):
            raise ValueError("give either a vocabulary or a checkpoint")
        return self


class PreprocessingSettings(Settings):
    """Settings of `preprocessing_fn`, under "preprocessing" in its custom_config.

    Attributes:
        tokenizer: How texts become token ids.
        labels: All labels, in the order of the multi-hot vector.
        retired: Labels whose element is always 0.
    """

    tokenizer: TokenizerSettings
    labels: tuple[str, ...] = Field(min_length=1)
    retired: tuple[str, ...] = ()
