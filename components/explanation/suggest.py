"""Drafts of behavioural tests from explanations: a label by its decisive words alone, and a text without them."""

from collections.abc import Sequence

import yaml

from components.behaviour.settings import BehaviourTests
from components.explanation.explanation import Explanation, Word

_HEADER = """\
# Draft of behavioural tests, from the words that labels hang on in {count}. A draft asks the model for what it
# does already: keep a case only if a person would give the label too, and correct it where the model is wrong.
# A label that hangs on a word that says nothing about it, such as a name, is a case for `not_given`.
"""


def suggest_tests(explanations: Sequence[Explanation]) -> str:
    """Return a file of behavioural tests as YAML, see docs/behaviour.md.

    Args:
        explanations: Explanations of labels that were given. Those without a word that adds something are left out.
    """
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for each in explanations:
        decisive = each.decisive()
        if not decisive:
            continue
        kept = {(word.second, word.span) for word in decisive}
        alone, without = _case(each, _joined(decisive)), _case(each, _removed(each, kept))
        for kind, case in (("given", alone), ("not_given", without)):
            cases = groups.setdefault((each.label, kind), [])
            if case not in cases and any(text.strip() for text in case.values()):
                cases.append(case)
    content = {
        "texts": [
            {
                "name": f"{label} by its words alone" if kind == "given" else f"{label} without its words",
                "pass_rate": 0.8,
                kind: [label],
                "cases": [case if len(case) > 1 else case["text"] for case in cases],
            }
            for (label, kind), cases in groups.items()
            if cases
        ]
    }
    BehaviourTests.model_validate(content)
    count = f"{len(explanations)} text{'s' if len(explanations) != 1 else ''}"
    return _HEADER.format(count=count) + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120)


def _case(explanation: Explanation, texts: tuple[str, str]) -> dict[str, str]:
    # Braces would stand for slots.
    first, second = (text.replace("{", "{{").replace("}", "}}") for text in texts)
    return {"text": first} | ({} if explanation.text_pair is None else {"text_pair": second})


def _joined(words: Sequence[Word]) -> tuple[str, str]:
    first, second = (" ".join(word.text for word in words if word.second == is_second) for is_second in (False, True))
    return first, second


def _removed(explanation: Explanation, spans: set[tuple[bool, tuple[int, int] | None]]) -> tuple[str, str]:
    """Return both texts without some words."""

    def remove(text: str, is_second: bool) -> str:
        removed = sorted((span for second, span in spans if second == is_second and span is not None), reverse=True)
        for start, end in removed:
            text = text[:start] + text[end:]
        return " ".join(text.split())

    return remove(explanation.text, False), remove(explanation.text_pair or "", True)
