"""BERT's tokenization in the graph, with the ids of BERT's pretraining.

TensorFlow Text's own lower-casing applies NFKC (an ellipsis becomes three dots), which no BERT saw in pretraining. Here
the text is normalised first, by the rules of `tokenization.py` in https://github.com/google-research/bert, and
TensorFlow Text only splits it and looks up its pieces.
"""

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_text as tf_text

from components.checkpoints.vocabulary import BERT_TOKENS, SpecialTokens
from components.preprocessing import characters
from components.preprocessing.settings import LEAST_PAIR_TOKENS, Truncation
from components.preprocessing.truncation import share_budget, truncate

_LONGEST_WORD_BYTES = 4 * characters.LONGEST_WORD
_HAS_OVERLONG = rf"(?s).*[^ ]{{{characters.LONGEST_WORD + 1}}}.*"
_OVERLONG = rf"[^ ]{{{characters.LONGEST_WORD + 1},}}"

# ICU, which tf.strings.lower uses, follows the host's locale: with LC_ALL=tr_TR a dotted capital I loses its dot, with
# lt_LT some letters gain one. If accents are kept, these letters are lower-cased before; if not, the dot is removed
# anyway.
_LOCALE_LETTERS = {"İ": "i\u0307", "Ì": "ì", "Í": "í", "Ĩ": "ĩ", "Į": "į"}


class BertTokenizer(tf.Module):  # type: ignore[misc]  # TensorFlow ships no types
    """Tokenizer from texts to token ids, with its vocabulary in the graph: where it runs, it needs no file.

    A text that spells a special token, such as "[MASK]", is text. Bytes that are not UTF-8 are dropped, as in Google's
    code.

    Args:
        vocabulary: Tokens in the order of their ids, see `read_vocabulary`.
        lower_case: Whether texts are lower-cased.
        strip_accents: Whether accents are removed; None to follow `lower_case`.
        max_tokens: Longest sequence, [CLS] and [SEP] included.
        truncation: Pieces to keep of a longer text, see `truncate`.
        special_tokens: Names of the special tokens in the vocabulary.

    Raises:
        ValueError: `max_tokens` leaves no room for a token, or a special token is missing.
        RuntimeError: TensorFlow Text does not accept the vocabulary. `read_vocabulary` refuses such vocabularies.

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
        super().__init__(name="bert_tokenizer")
        if max_tokens < 3:
            raise ValueError(f"max_tokens must be at least 3 ([CLS], a token, [SEP]), got {max_tokens}")
        self._lower_case = lower_case
        self._strip_accents = lower_case if strip_accents is None else strip_accents
        self._max_tokens = max_tokens
        self._truncation: Truncation = truncation
        self._first_id, self._last_id = vocabulary.index(special_tokens.first), vocabulary.index(special_tokens.last)
        self._unknown_character = characters.unknown_character(vocabulary)
        self._unassigned = characters.unassigned_characters(vocabulary)
        self._wordpiece = tf_text.FastBertTokenizer(
            vocab=list(vocabulary),
            max_bytes_per_word=_LONGEST_WORD_BYTES,
            token_out_type=tf.int64,
            unknown_token=special_tokens.unknown,
            lower_case_nfd_strip_accents=False,
        )

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Tokenize single texts.

        Args:
            texts: Texts in UTF-8, string [n].

        Returns:
            Token ids, int64 [n, None]: [CLS], at most `max_tokens` - 2 pieces of the text, [SEP].
        """
        pieces, limit = self._pieces(texts), self._max_tokens - 2
        if self._truncation == "head":
            pieces = pieces[:, :limit]  # as `truncate` does, in fewer operations
        else:
            pieces = truncate(pieces, tf.minimum(pieces.row_lengths(), limit), self._truncation)
        n_rows = pieces.nrows()
        return tf.concat([_column(n_rows, self._first_id), pieces, _column(n_rows, self._last_id)], axis=1)

    def pair(self, texts: tf.Tensor, pairs: tf.Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Tokenize pairs of texts into one sequence each, as google-research/bert's run_classifier.py does.

        A row whose second text has no pieces, because it is blank, becomes a single text, [CLS] a [SEP]. That is
        Google's rule, and no BERT was pretrained on an empty second segment. Hugging Face would write
        [CLS] a [SEP] [SEP].

        Args:
            texts: First texts in UTF-8, string [n].
            pairs: Second texts in UTF-8, string [n].

        Returns:
            Token ids, int64 [n, None]: [CLS] a [SEP] b [SEP], at most `max_tokens`, see `share_budget`. Segment ids,
            int64 [n, None] of the same row lengths: 0 up to and including the first [SEP], 1 after it.

        Raises:
            ValueError: `max_tokens` leaves no room for a token of each text.
        """
        if self._max_tokens < LEAST_PAIR_TOKENS:
            raise ValueError(f"max_tokens must be at least {LEAST_PAIR_TOKENS} for pairs, got {self._max_tokens}")
        # Stacked, so that both pass the graph at once, and arguments of different lengths are an error.
        pieces = self._pieces(tf.reshape(tf.stack([texts, pairs]), [-1]))
        n_rows = tf.size(texts)
        first, second = pieces[:n_rows], pieces[n_rows:]
        has_second = tf.minimum(second.row_lengths(), 1)
        budget = self._max_tokens - 2 - has_second  # a second text needs a [SEP] of its own
        kept_first, kept_second = share_budget(budget, first.row_lengths(), second.row_lengths())
        starts, separators = _column(n_rows, self._first_id), _column(n_rows, self._last_id)
        ends = tf.RaggedTensor.from_tensor(separators, lengths=has_second)
        first = truncate(first, kept_first, self._truncation)
        second = truncate(second, kept_second, self._truncation)
        token_ids = tf.concat([starts, first, separators, second, ends], axis=1)
        lengths = tf.stack([kept_first + 2, kept_second + has_second], axis=1)
        segments = tf.tile(tf.constant([0, 1], tf.int64), [n_rows])
        return token_ids, token_ids.with_values(tf.repeat(segments, tf.reshape(lengths, [-1])))

    def _pieces(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Return the word pieces of whole texts, int64 [n, None]."""
        return self._wordpiece.tokenize(self._normalize(texts))

    def _normalize(self, texts: tf.Tensor) -> tf.Tensor:
        """Return texts that give Google's ids when they are split and looked up."""
        texts = _drop_malformed(texts)
        texts = tf.strings.regex_replace(texts, self._unassigned, self._unknown_character)
        texts = tf.strings.regex_replace(texts, characters.SPACES, " ")
        texts = tf.strings.regex_replace(texts, characters.DROPPED, "")
        if self._lower_case:
            texts = _lower(texts, keep_accents=not self._strip_accents)
        if self._strip_accents:
            texts = tf.strings.regex_replace(tf_text.normalize_utf8(texts, "NFD"), characters.ACCENTS, "")
        return self._replace_overlong_words(texts)

    def _replace_overlong_words(self, texts: tf.Tensor) -> tf.Tensor:
        """Replace words that are too long for Google's WordPiece; FastBertTokenizer counts bytes, Google characters.

        Words end at punctuation as well, so spaces are put around it first. That is slow, and done only in the rare
        batches that need it.
        """

        def replaced() -> tf.Tensor:
            spaced = tf.strings.regex_replace(texts, f"({characters.SINGLE})", r" \1 ")
            return tf.strings.regex_replace(spaced, _OVERLONG, self._unknown_character)

        has_overlong = tf.reduce_any(tf.strings.regex_full_match(texts, _HAS_OVERLONG))
        return tf.cond(has_overlong, replaced, lambda: texts)


def _column(n_rows: tf.Tensor, token_id: int) -> tf.Tensor:
    """Return a column of one token id, int64 [n_rows, 1]."""
    return tf.fill([n_rows, 1], tf.constant(token_id, tf.int64))


def _drop_malformed(texts: tf.Tensor) -> tf.Tensor:
    """Drop bytes that are not UTF-8, as bytes.decode("utf-8", "ignore") does, after a quick check for any."""
    return tf.cond(
        tf.reduce_all(tf.strings.regex_full_match(texts, characters.WELL_FORMED)),
        lambda: texts,
        lambda: tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore"),
    )


def _lower(texts: tf.Tensor, *, keep_accents: bool) -> tf.Tensor:
    """Lower-case texts as str.lower() does, whatever the locale of the host."""
    if keep_accents:
        for letter, lowered in _LOCALE_LETTERS.items():
            texts = tf.strings.regex_replace(texts, letter, lowered)
    ascii_lowered = tf.strings.lower(texts)  # before ICU sees an I, which it would make a dotless i in tr_TR
    return tf.strings.lower(ascii_lowered, encoding="utf-8")
