"""Explanations of the most confident mistakes, if the model was exported with the signature `explain`."""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from components.common.progress import PROGRESS
from components.common.saved_model import read_signatures
from components.evaluation.insights.insights import Insights, Mistake
from components.evaluation.insights.tally import TEXT_CHARACTERS
from components.explanation.explanation import SIGNATURE, explain
from components.explanation.segments import segments

_MOST_OF_A_LIST = 3
_AT_ONCE = 8
_SECONDS = 60.0

# Label and mistake, of which the same example may be several.
_Case = tuple[str, Mistake]


def explain_mistakes(folder: str, model_dir: str, seconds: float = _SECONDS) -> None:
    """Add explanations of the most confident mistakes of each label to insights.json.

    Up to three of each label and kind are explained, the first of each list before the second, until the time is up.
    Texts that insights keep only the beginning of are left out.

    Args:
        folder: Folder of insights.json, which is not there if the test split has no examples.
        model_dir: The exported model. Without the signature `explain`, nothing is done.
        seconds: Time after which no further mistake is explained.
    """
    if SIGNATURE not in read_signatures(model_dir):
        return
    try:
        insights = Insights.read(folder)
    except FileNotFoundError:
        return
    _add_explanations(insights, model_dir, seconds).write(folder)


def _add_explanations(insights: Insights, model_dir: str, seconds: float) -> Insights:
    signature = tf.saved_model.load(model_dir).signatures[SIGNATURE]
    end = time.monotonic() + seconds
    cases = list(_cases(insights))
    found: dict[int, Mistake] = {}
    for start in range(0, len(cases), _AT_ONCE):
        if time.monotonic() > end:
            break
        some = cases[start : start + _AT_ONCE]
        found |= {id(mistake): each for (_, mistake), each in zip(some, _explain(signature, some), strict=True)}
    PROGRESS.info("%d of %d of the most confident mistakes explained", len(found), len(cases))
    return insights.model_copy(
        update={
            "mistakes": {
                label: mistakes.model_copy(
                    update={
                        "wrongly_given": [found.get(id(each), each) for each in mistakes.wrongly_given],
                        "missed": [found.get(id(each), each) for each in mistakes.missed],
                    }
                )
                for label, mistakes in insights.mistakes.items()
            }
        }
    )


def _cases(insights: Insights) -> Iterator[_Case]:
    lists = [
        [(label, each) for each in kind[:_MOST_OF_A_LIST] if _is_whole(each)]
        for label, mistakes in insights.mistakes.items()
        for kind in (mistakes.wrongly_given, mistakes.missed)
    ]
    for cases in itertools.zip_longest(*lists):
        yield from (case for case in cases if case is not None)


def _is_whole(mistake: Mistake) -> bool:
    return all(len(text) < TEXT_CHARACTERS for text in (mistake.text, mistake.text_pair or ""))


def _explain(signature: Any, cases: Sequence[_Case]) -> Iterator[Mistake]:
    _, inputs = signature.structured_input_signature
    has_pairs = "text_pairs" in inputs
    mistakes = [mistake for _, mistake in cases]
    explanations = explain(
        signature,
        [mistake.text for mistake in mistakes],
        [mistake.text_pair or "" for mistake in mistakes] if has_pairs else (),
        [label for label, _ in cases],
    )
    for mistake, explanation in zip(mistakes, explanations, strict=True):
        why_pair = segments(explanation, second=True) if has_pairs else []
        yield mistake.model_copy(update={"why": segments(explanation), "why_pair": why_pair})
