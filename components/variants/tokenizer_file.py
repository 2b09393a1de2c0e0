"""tokenizer.json: BERT's tokenization for Hugging Face's tokenizers, with the ids of the exported graph.

Hugging Face's own BertNormalizer and BertPreTokenizer differ from the graph, and from Google's code, in the characters
that they drop, in the final sigma and in their Unicode tables. Here the steps of `components.preprocessing.tokenizer`
are written one by one, in the same classes of characters. Needs no TensorFlow.
"""

from collections.abc import Sequence

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

from components.checkpoints.vocabulary import SpecialTokens
from components.preprocessing import characters

TOKENIZER_FILE = "tokenizer.json"

# What str.lower() does at the end of a word, in Greek (Unicode's Final_Sigma). Characters that are both cased and
# ignorable count as ignorable, in Python and in ICU.
_CASED = r"[\p{Cased}&&\P{Case_Ignorable}]"
_FINAL_SIGMA = rf"{_CASED}\p{{Case_Ignorable}}*\KΣ(?!\p{{Case_Ignorable}}*{_CASED})"


def build_tokenizer(
    vocabulary: Sequence[str],
    special: SpecialTokens,
    *,
    lower_case: bool,
    strip_accents: bool | None,
    max_tokens: int,
) -> Tokenizer:
    """Build the tokenizer of single texts, which keeps the head of a long text and pads a batch to its longest.

    Args:
        vocabulary: Tokens in the order of their ids.
        special: Names of the special tokens; a text that spells one is text.
        lower_case: Whether texts are lower-cased.
        strip_accents: Whether accents are removed; None to follow `lower_case`.
        max_tokens: Longest sequence, [CLS] and [SEP] included.
    """
    ids = {token: index for index, token in enumerate(vocabulary)}
    model = WordPiece(ids, unk_token=special.unknown, max_input_chars_per_word=characters.LONGEST_WORD)
    tokenizer = Tokenizer(model)
    strip = lower_case if strip_accents is None else strip_accents
    tokenizer.normalizer = _normalizer(vocabulary, lower_case=lower_case, strip_accents=strip)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(" ", "removed"),
            pre_tokenizers.Split(Regex(characters.class_of(characters.is_single)), "isolated"),
        ]
    )
    first, last = special.first, special.last
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[first, "$A", last], special_tokens=[(first, ids[first]), (last, ids[last])]
    )
    tokenizer.enable_truncation(max_tokens)
    tokenizer.enable_padding(pad_id=ids[special.pad], pad_token=special.pad)
    return tokenizer


def _normalizer(vocabulary: Sequence[str], *, lower_case: bool, strip_accents: bool) -> normalizers.Normalizer:
    replace = normalizers.Replace
    steps: list[normalizers.Normalizer] = [
        replace(Regex(characters.unassigned_characters(vocabulary)), characters.unknown_character(vocabulary)),
        replace(Regex(characters.SPACES), " "),
        replace(Regex(characters.class_of(characters.is_dropped)), ""),
    ]
    if lower_case:
        steps += [replace(Regex(_FINAL_SIGMA), "ς"), normalizers.Lowercase()]
    if strip_accents:
        steps += [normalizers.NFD(), replace(Regex(characters.class_of(characters.is_accent)), "")]
    return normalizers.Sequence(steps)
