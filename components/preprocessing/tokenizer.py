"""BERT's tokenization in the graph, with the ids that BERT was pretrained with.

TensorFlow Text's own lower-casing folds by NFKC (an ellipsis becomes three dots), which no BERT saw in pretraining.
Here the text is normalised first, by the rules of `tokenization.py` in https://github.com/google-research/bert, and
TensorFlow Text only splits it and looks it up.
"""

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_text as tf_text

from components.preprocessing import characters
from schema.errors import Refused

PAD, UNKNOWN, FIRST, LAST = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")

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
    ) -> None:
        """Args: as `TokenizerSettings` says, but the vocabulary itself, as `read_vocabulary` gives it.

        Raises:
            ValueError: `max_tokens` leaves no room for a token, or a special token is missing.
            RuntimeError: TensorFlow Text does not take the vocabulary.
        """
        super().__init__(name="bert_tokenizer")
        if max_tokens < 3:
            raise ValueError(f"max_tokens must be at least 3 ([CLS], a token, [SEP]), got {max_tokens}")
        self._lower_case = lower_case
        self._strip_accents = lower_case if strip_accents is None else strip_accents
        self._max_pieces = max_tokens - 2
        self._first_id, self._last_id = vocabulary.index(FIRST), vocabulary.index(LAST)
        self._stranger = characters.stranger(vocabulary)
        self._unassigned = characters.unassigned(vocabulary)
        self._wordpiece = tf_text.FastBertTokenizer(
            vocab=list(vocabulary),
            max_bytes_per_word=_LONGEST_WORD_BYTES,
            token_out_type=tf.int64,
            unknown_token=UNKNOWN,
            lower_case_nfd_strip_accents=False,
        )

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Tokenizes.

        Args:
            texts: string [n], UTF-8.

        Returns:
            int64 [n, None]: [CLS], the text's first `max_tokens` - 2 pieces, [SEP].
        """
        pieces = self._wordpiece.tokenize(self._normalize(texts))[:, : self._max_pieces]
        edge = [pieces.nrows(), 1]
        first, last = (tf.fill(edge, tf.constant(token, tf.int64)) for token in (self._first_id, self._last_id))
        return tf.concat([first, pieces, last], axis=1)

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


def read_vocabulary(path: str) -> list[str]:
    """Reads a vocab.txt: one token a line, in the order of their ids.

    Args:
        path: anything that `tf.io.gfile` opens.

    Raises:
        Refused: no such file, not UTF-8, empty, a token given twice, or a special token missing.
    """
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            text = file.read().decode("utf-8-sig")
    except (tf.errors.OpError, OSError) as error:
        raise Refused(f"vocabulary {path} cannot be read: {getattr(error, 'message', error)}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"vocabulary {path} is not UTF-8 text (byte {error.start}); give the vocab.txt") from error
    # Not splitlines(): it also splits at characters that a multilingual vocabulary may hold.
    tokens = [line.strip() or line for line in text.rstrip("\r\n").split("\n")]
    _check_vocabulary(path, tokens)
    return tokens


def _check_vocabulary(path: str, tokens: list[str]) -> None:
    if tokens == [""]:
        raise Refused(f"vocabulary {path} is empty; give the vocab.txt of the checkpoint")
    seen: dict[str, int] = {}
    for number, token in enumerate(tokens, start=1):
        if token in seen:
            raise Refused(
                f"vocabulary {path} has {token!r} twice, in lines {seen[token]} and {number}; "
                "a line's number is its token's id, so restore the checkpoint's own file"
            )
        seen[token] = number
    missing = [token for token in SPECIAL_TOKENS if token not in seen]
    if missing:
        raise Refused(f"vocabulary {path} has no {' '.join(missing)}; a BERT checkpoint's vocab.txt has")
