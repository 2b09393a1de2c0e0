"""What preprocessing can be told, as it travels to Transform's executor in `custom_config`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from components.checkpoints.vocabulary import BERT_TOKENS, SpecialTokens
from components.common.settings import Settings

Truncation = Literal["head", "head_tail"]

# [CLS] a [SEP] b [SEP]: with fewer max_tokens a second text would be cut to nothing.
LEAST_PAIR_TOKENS = 5


class TokenizerSettings(Settings):
    """How text becomes token ids. All of it belongs to the checkpoint: copy it from there.

    Attributes:
        vocabulary: path of the checkpoint's vocab.txt, one token a line, the line's number (from 0) its id, or of its
            tokenizer.json. Whoever builds the graph (Transform's executor) must be able to read it there.
        checkpoint: in the place of that, the checkpoint that has it, as `find_checkpoint` takes it: found by whoever
            builds the graph, who may have it in another place than who configured it.
        lower_case: whether the checkpoint is an uncased one.
        strip_accents: whether accents are removed. None does as BERT does: exactly when `lower_case`.
        max_tokens: the longest sequence, [CLS] and [SEP] counted; longer ones are cut.
        truncation: which pieces stay of a text that is cut: the first ones, or (head_tail) the first quarter and the
            rest from its end.
        special_tokens: their names in the vocabulary.
    """

    vocabulary: str | None = None
    checkpoint: str | None = None
    lower_case: bool
    strip_accents: bool | None = None
    max_tokens: int = Field(default=128, ge=3)
    truncation: Truncation = "head"
    special_tokens: SpecialTokens = BERT_TOKENS

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.vocabulary is None) == (self.checkpoint is None):
            raise ValueError("give either a vocabulary or a checkpoint")
        return self


class PreprocessingSettings(Settings):
    """What `preprocessing_fn` finds under "preprocessing" in its custom_config.

    Attributes:
        tokenizer: how text becomes token ids.
        labels: every label, in the order of the multi-hot's columns.
        retired: those of them whose column stays 0.
    """

    tokenizer: TokenizerSettings
    labels: tuple[str, ...] = Field(min_length=1)
    retired: tuple[str, ...] = ()
