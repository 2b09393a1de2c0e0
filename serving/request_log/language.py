"""Language of texts, for the request log and for what answers are compared with.

py3langid knows 139 languages, weighs 5 MB and takes some ten microseconds a text, so that it may look at every logged
text. It is often wrong about a few words; what it says of many texts, and how that changes, is what counts here.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

_LEAST_LETTERS = 20
_MOST_CHARACTERS = 1_000
_LEAST_PROBABILITY = 0.5


def languages_of(texts: Sequence[str]) -> list[str | None]:
    """Return the language of each text as its ISO 639-1 code; None for one that is too short, or that may be several.

    Example:
        >>> languages_of(["Where is my order? I have been waiting for two weeks.", "ok"])
        ['en', None]
    """
    return [_language_of(text[:_MOST_CHARACTERS]) for text in texts]


def _language_of(text: str) -> str | None:
    # A letter of Chinese or Japanese is worth several of an alphabet, as its UTF-8 is longer.
    if sum(len(character.encode("utf-8", "replace")) for character in text if character.isalpha()) < _LEAST_LETTERS:
        return None
    language, probability = _identifier().classify(text)
    return str(language) if probability >= _LEAST_PROBABILITY else None


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
