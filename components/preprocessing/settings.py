"""Settings of preprocessing, which travel to Transform's executor in `custom_config`."""

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from components.checkpoints.vocabulary import BERT_TOKENS, SpecialTokens
from components.common.settings import Settings

Truncation = Literal["head", "head_tail"]
WindowPool = Literal["max", "mean", "attention"]

# [CLS] a [SEP] b [SEP]: with fewer tokens, nothing of a second text would be left.
LEAST_PAIR_TOKENS = 5


class WindowSettings(Settings):
    """Windows that a long text is read in: overlapping stretches of it that share one prediction."""

    size: int = Field(128, ge=4, description="Tokens of a window, with [CLS] and [SEP]; max_tokens, if that is given.")
    stride: PositiveInt = Field(
        64, description="Word pieces from the beginning of a window to that of the next; at most size - 2."
    )
    most: int = Field(
        32, ge=2, description="Windows of a text; a text that needs more is truncated first, as `truncation` says."
    )
    pool: WindowPool = Field(
        "max",
        description="How the logits of a label in the windows become one. max: the highest; mean: their mean;"
        " attention: their mean by weights that are learned, for each label its own.",
    )

    @model_validator(mode="after")
    def _check_stride(self) -> Self:
        if self.stride > self.pieces:
            raise ValueError(
                f"the stride is {self.stride}, but a window of {self.size} tokens has {self.pieces} word pieces, so"
                f" that those between two windows would not be read; lower stride to {self.pieces} or less"
            )
        return self

    @property
    def pieces(self) -> int:
        """Word pieces of a window."""
        return self.size - 2

    @property
    def max_tokens(self) -> int:
        """Tokens of the longest text that the windows can hold, [CLS] and [SEP] included.

        Example:
            >>> WindowSettings(size=128, stride=64, most=32).max_tokens
            2112
        """
        return self.size + (self.most - 1) * self.stride


class LongTextSettings(Settings):
    """What is done with texts of more than `max_tokens` tokens, besides `truncation`."""

    windows: WindowSettings | None = Field(
        None, description="Read them in overlapping windows; null: truncate them to max_tokens."
    )


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
