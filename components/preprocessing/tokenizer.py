"""BERT's tokenization in the graph, with the ids that BERT was pretrained with.

TensorFlow Text's own lower-casing folds by NFKC (an ellipsis becomes three dots), which no BERT saw in pretraining.
Here the text is normalised first, by the rules of `tokenization.py` in https://github.com/google-research/bert, and
TensorFlow Text only splits it and looks it up.
"""

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_text as tf_text

from components.checkpoints.vocabulary import BERT_TOKENS, SpecialTokens
from components.preprocessing import characters
from components.preprocessing.settings import LEAST_PAIR_TOKENS, Truncation
from components.preprocessing.truncation import cut, shared_budget

_LONGEST_WORD = 200  # characters; Google's max_input_chars_per_word
_LONGEST_WORD_BYTES = 4 * _LONGEST_WORD
_HAS_OVERLONG = rf"(?s).*[^ ]{{{_LONGEST_WORD + 1}}}.*"
_OVERLONG = rf"[^ ]{{{_LONGEST_WORD + 1},}}"

# ICU, behind tf.strings.lower, reads the host's locale: with LC_ALL=tr_TR a dotted capital I loses its dot, with lt_LT
# some letters gain one. Where accents are kept these are lowered beforehand; where they are not, the dot goes anyway.
_LOCALE_LETTERS = {"İ": "i\u0307", "Ì": "ì", "Í": "í", "Ĩ": "ĩ", "Į": "į"}


class BertTokenizer(tf.Module):  # type: ignore[misc]  # TensorFlow ships no types
    """Texts to token ids; the vocabulary lies in the graph, no file is needed where the graph runs.

    A text that spells a special token, "[MASK]", is text. Bytes that are not UTF-8 are dropped, as Google's are.

    Example:
        >>> tokenizer = BertTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "play", "##ing"], lower_case=True)
        >>> tokenizer(tf.constant(["Playing", ""]))
        <tf.RaggedTensor [[2, 4, 5, 3], [2, 3]]>
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        *,
        lower_case: bool,
        strip_accents: bool | None = None,
        max_tokens: int = 128,
        truncation: Truncation = "head",
        special_tokens: SpecialTokens = BERT_TOKENS,
    ) -> None:
        """Args: as `TokenizerSettings` says, but the vocabulary itself, as `read_vocabulary` gives it.

        Raises:
            ValueError: `max_tokens` leaves no room for a token, or a special token is missing.
            RuntimeError: TensorFlow Text does not take the vocabulary: see what `read_vocabulary` refuses.
        """
        super().__init__(name="bert_tokenizer")
        if max_tokens < 3:
            raise ValueError(f"max_tokens must be at least 3 ([CLS], a token, [SEP]), got {max_tokens}")
        self._lower_case = lower_case
        self._strip_accents = lower_case if strip_accents is None else strip_accents
        self._max_tokens = max_tokens
        self._truncation: Truncation = truncation
        self._first_id, self._last_id = vocabulary.index(special_tokens.first), vocabulary.index(special_tokens.last)
        self._stranger = characters.stranger(vocabulary)
        self._unassigned = characters.unassigned(vocabulary)
        self._wordpiece = tf_text.FastBertTokenizer(
            vocab=list(vocabulary),
            max_bytes_per_word=_LONGEST_WORD_BYTES,
            token_out_type=tf.int64,
            unknown_token=special_tokens.unknown,
            lower_case_nfd_strip_accents=False,
        )

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Tokenizes.

        Args:
            texts: string [n], UTF-8.

        Returns:
            int64 [n, None]: [CLS], the text's pieces, of which at most `max_tokens` - 2 stay, [SEP].
        """
        pieces, limit = self._pieces(texts), self._max_tokens - 2
        if self._truncation == "head":
            pieces = pieces[:, :limit]  # as `cut` does, in fewer operations
        else:
            pieces = cut(pieces, tf.minimum(pieces.row_lengths(), limit), self._truncation)
        n_rows = pieces.nrows()
        return tf.concat([_column(n_rows, self._first_id), pieces, _column(n_rows, self._last_id)], axis=1)

    def pair(self, texts: tf.Tensor, pairs: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Tokenizes two texts a row into one sequence, as google-research/bert's run_classifier.py does.

        A second text without pieces (it is blank) leaves its row a single text, [CLS] a [SEP]: that is Google's rule,
        and no BERT was pretrained on an empty second segment. Hugging Face would write [CLS] a [SEP] [SEP].

        Args:
            texts: string [n], UTF-8.
            pairs: string [n], UTF-8, the second texts.

        Returns:
            Token ids int64 [n, None]: [CLS] a [SEP] b [SEP], at most `max_tokens`, see `shared_budget`. Segment ids
            int64 [n, None] of the same row lengths: 0 up to and including the first [SEP], 1 after it.

        Raises:
            ValueError: `max_tokens` leaves no room for a token of each.
        """
        if self._max_tokens < LEAST_PAIR_TOKENS:
            raise ValueError(f"max_tokens must be at least {LEAST_PAIR_TOKENS} for pairs, got {self._max_tokens}")
        # Stacked, so that both go through the graph at once and arguments of different lengths are an error.
        pieces = self._pieces(tf.reshape(tf.stack([texts, pairs]), [-1]))
        n_rows = tf.size(texts)
        first, second = pieces[:n_rows], pieces[n_rows:]
        has_second = tf.minimum(second.row_lengths(), 1)
        budget = self._max_tokens - 2 - has_second  # a second text needs a [SEP] of its own
        kept_first, kept_second = shared_budget(budget, first.row_lengths(), second.row_lengths())
        starts, separators = _column(n_rows, self._first_id), _column(n_rows, self._last_id)
        ends = tf.RaggedTensor.from_tensor(separators, lengths=has_second)
        first, second = cut(first, kept_first, self._truncation), cut(second, kept_second, self._truncation)
        token_ids = tf.concat([starts, first, separators, second, ends], axis=1)
        lengths = tf.stack([kept_first + 2, kept_second + has_second], axis=1)
        segments = tf.tile(tf.constant([0, 1], tf.int64), [n_rows])
        return token_ids, token_ids.with_values(tf.repeat(segments, tf.reshape(lengths, [-1])))

    def _pieces(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Word pieces int64 [n, None] of whole texts."""
        return self._wordpiece.tokenize(self._normalize(texts))

    def _normalize(self, texts: tf.Tensor) -> tf.Tensor:
        """Texts of which the plain split and look-up give Google's ids."""
        texts = _well_formed(texts)
        texts = tf.strings.regex_replace(texts, self._unassigned, self._stranger)
        texts = tf.strings.regex_replace(texts, characters.SPACES, " ")
        texts = tf.strings.regex_replace(texts, characters.DROPPED, "")
        if self._lower_case:
            texts = _lower(texts, accents_stay=not self._strip_accents)
        if self._strip_accents:
            texts = tf.strings.regex_replace(tf_text.normalize_utf8(texts, "NFD"), characters.ACCENTS, "")
        return self._without_overlong_words(texts)

    def _without_overlong_words(self, texts: tf.Tensor) -> tf.Tensor:
        """Puts the stranger where a word is too long for Google's WordPiece; FastBertTokenizer counts bytes.

        A word ends at punctuation too, so that is spaced out first: in those rare batches only, for it is slow.
        """

        def replaced() -> tf.Tensor:
            spaced = tf.strings.regex_replace(texts, f"({characters.SINGLE})", r" \1 ")
            return tf.strings.regex_replace(spaced, _OVERLONG, self._stranger)

        has_overlong = tf.reduce_any(tf.strings.regex_full_match(texts, _HAS_OVERLONG))
        return tf.cond(has_overlong, replaced, lambda: texts)


def _column(n_rows: tf.Tensor, token_id: int) -> tf.Tensor:
    """int64 [n_rows, 1]."""
    return tf.fill([n_rows, 1], tf.constant(token_id, tf.int64))


def _well_formed(texts: tf.Tensor) -> tf.Tensor:
    """Drops what is not UTF-8, as bytes.decode("utf-8", "ignore") does. Seeing that all is well is quicker."""
    return tf.cond(
        tf.reduce_all(tf.strings.regex_full_match(texts, characters.WELL_FORMED)),
        lambda: texts,
        lambda: tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore"),
    )


def _lower(texts: tf.Tensor, *, accents_stay: bool) -> tf.Tensor:
    """str.lower(), the same under every locale of the host."""
    if accents_stay:
        for letter, lowered in _LOCALE_LETTERS.items():
            texts = tf.strings.regex_replace(texts, letter, lowered)
    ascii_lowered = tf.strings.lower(texts)  # before ICU can see an I, which is a dotless one's capital in tr_TR
    return tf.strings.lower(ascii_lowered, encoding="utf-8")
