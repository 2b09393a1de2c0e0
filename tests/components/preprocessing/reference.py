"""Two references for token ids: Google's rules in plain Python, and Hugging Face's Rust tokenizer.

Where they differ, Google's rules are right. Hugging Face drops unassigned and private-use characters, lower-cases a
final sigma like any other, and has Unicode tables of its own.
"""

import unicodedata
from collections.abc import Sequence

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing

_LONGEST_WORD = 200
_CHINESE = [
    range(0x4E00, 0xA000),
    range(0x3400, 0x4DC0),
    range(0x20000, 0x2A6E0),
    range(0x2A700, 0x2B740),
    range(0x2B740, 0x2B820),
    range(0x2B820, 0x2CEB0),
    range(0xF900, 0xFB00),
    range(0x2F800, 0x2FA20),
]


class GoogleTokenizer:
    """Tokenizer by the rules of google-research/bert's tokenization.py, one text at a time."""

    def __init__(self, vocabulary: Sequence[str], *, lower_case: bool, strip_accents: bool | None = None) -> None:
        self._ids = {token: index for index, token in enumerate(vocabulary)}
        self._lower_case = lower_case
        self._strip_accents = lower_case if strip_accents is None else strip_accents

    def ids(self, text: str) -> list[int]:
        spaced = "".join(_cleaned(character) for character in text)
        pieces = [piece for word in spaced.split() for part in self._parts(word) for piece in self._pieces(part)]
        return [self._ids[token] for token in ["[CLS]", *pieces, "[SEP]"]]

    def _parts(self, word: str) -> list[str]:
        if self._lower_case:
            word = word.lower()
        if self._strip_accents:
            word = "".join(c for c in unicodedata.normalize("NFD", word) if unicodedata.category(c) != "Mn")
        return "".join(f" {c} " if _is_punctuation(c) else c for c in word).split()

    def _pieces(self, word: str) -> list[str]:
        """Split a word greedily: take the longest token that the rest begins with, until nothing is left."""
        if len(word) > _LONGEST_WORD:
            return ["[UNK]"]
        pieces: list[str] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(len(word), start, -1):
                if mark + word[start:end] in self._ids:
                    pieces.append(mark + word[start:end])
                    start = end
                    break
            else:
                return ["[UNK]"]
        return pieces


def _cleaned(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\t\n\r" or category == "Zs":
        return " "
    if character in "\0\ufffd" or category in ("Cc", "Cf"):
        return ""
    return f" {character} " if any(ord(character) in block for block in _CHINESE) else character


def _is_punctuation(character: str) -> bool:
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return unicodedata.category(character).startswith("P")


def google_pair(
    first: Sequence[int], second: Sequence[int], max_tokens: int, truncation: str = "head"
) -> tuple[list[int], list[int]]:
    """Return token ids and segment ids of a pair by the rules of run_classifier.py.

    A pair whose second text has no pieces is a single text: `convert_single_example` tests `if tokens_b`.

    Args:
        first: Ids of the first text, [CLS] ... [SEP].
        second: Ids of the second text, [CLS] ... [SEP].
        max_tokens: Longest sequence.
        truncation: Pieces to keep of a longer text.
    """
    a, b = list(first[1:-1]), list(second[1:-1])
    budget = max_tokens - (3 if b else 2)
    kept_a, kept_b = truncated_lengths(len(a), len(b), budget)
    token_ids = [first[0], *kept_pieces(a, kept_a, truncation), first[-1]]
    segment_ids = [0] * len(token_ids)
    if b:
        token_ids += [*kept_pieces(b, kept_b, truncation), second[-1]]
        segment_ids += [1] * (kept_b + 1)
    return token_ids, segment_ids


def truncated_lengths(a: int, b: int, budget: int) -> tuple[int, int]:
    """Return the lengths that `_truncate_seq_pair` keeps, by the loop as Google wrote it."""
    while a + b > budget:
        if a > b:
            a -= 1
        else:
            b -= 1
    return a, b


def kept_pieces(pieces: Sequence[int], kept: int, truncation: str) -> list[int]:
    """Return the pieces that are kept of a text."""
    if truncation == "head" or kept >= len(pieces):
        return list(pieces[:kept])
    head = -(-kept // 4)
    return [*pieces[:head], *pieces[len(pieces) - (kept - head) :]]


def hugging_face(vocabulary: Sequence[str], *, lower_case: bool, strip_accents: bool | None = None) -> Tokenizer:
    """Return Hugging Face's BERT tokenizer, whose `encode_batch` returns encodings with `.ids`."""
    ids = {token: index for index, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=_LONGEST_WORD))
    tokenizer.normalizer = BertNormalizer(lowercase=lower_case, strip_accents=strip_accents)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.encode_special_tokens = True
    return tokenizer
