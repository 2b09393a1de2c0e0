"""Two references for token ids: Google's rules, stated anew, and Hugging Face's Rust tokenizer.

Where they differ Google's count. Hugging Face drops unassigned and private-use characters, lowers a final sigma as any
other, and has Unicode tables of its own.
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
    """The rules of google-research/bert's tokenization.py, one text at a time."""

    def __init__(self, vocabulary: Sequence[str], *, lower_case: bool, strip_accents: bool | None = None) -> None:
        self._ids = {token: number for number, token in enumerate(vocabulary)}
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
        """Greedy: the longest token that the rest starts with, again and again."""
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
    """Token ids and segment ids of a pair by the rules of run_classifier.py, from the ids [CLS] ... [SEP] of each text.

    With a second text that has no pieces it is a single one: `convert_single_example` asks `if tokens_b`.
    """
    a, b = list(first[1:-1]), list(second[1:-1])
    room = max_tokens - (3 if b else 2)
    kept_a, kept_b = truncated_lengths(len(a), len(b), room)
    token_ids = [first[0], *kept_pieces(a, kept_a, truncation), first[-1]]
    segment_ids = [0] * len(token_ids)
    if b:
        token_ids += [*kept_pieces(b, kept_b, truncation), second[-1]]
        segment_ids += [1] * (kept_b + 1)
    return token_ids, segment_ids


def truncated_lengths(a: int, b: int, room: int) -> tuple[int, int]:
    """`_truncate_seq_pair`, in lengths: the loop as Google wrote it."""
    while a + b > room:
        if a > b:
            a -= 1
        else:
            b -= 1
    return a, b


def kept_pieces(pieces: Sequence[int], kept: int, truncation: str) -> list[int]:
    """The pieces that stay of a text, one way or the other."""
    if truncation == "head" or kept >= len(pieces):
        return list(pieces[:kept])
    head = -(-kept // 4)
    return [*pieces[:head], *pieces[len(pieces) - (kept - head) :]]


def hugging_face(vocabulary: Sequence[str], *, lower_case: bool, strip_accents: bool | None = None) -> Tokenizer:
    """Hugging Face's BERT tokenizer; its `encode_batch` answers encodings with `.ids`."""
    ids = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=_LONGEST_WORD))
    tokenizer.normalizer = BertNormalizer(lowercase=lower_case, strip_accents=strip_accents)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.encode_special_tokens = True
    return tokenizer
