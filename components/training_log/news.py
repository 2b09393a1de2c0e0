"""The question whether a run has anything new to train on. Needs no TFX."""

from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.sources import Sources, has_dates
from components.example_gen.sources.spans import SpanVersion, describe_spans
from components.training_log.log import last_entry


def why_nothing_is_new(settings: ExamplesSettings, registry: str, sources: Sources) -> str | None:
    """Return why there is nothing to train on that was not trained on before.

    Args:
        settings: Settings of the inputs.
        registry: The push destination, which has the training log.
        sources: The inputs found now.

    Returns:
        One sentence; None if there is something new, or if inputs have no spans.
    """
    entry = last_entry(registry)
    if not sources.spans or entry is None or entry.newest < sources.newest:
        return None
    spans = describe_spans(sources.spans[-1:], dates=has_dates(settings))
    without = f"; {left_out(settings, sources)}" if sources.incomplete else ""
    return f"no span is newer than {spans}, which was trained on {entry.when}{without}"


def left_out(settings: ExamplesSettings, sources: Sources) -> str:
    """Return a clause that names the incomplete spans, which must exist."""
    spans = [SpanVersion(span, None) for span in sources.incomplete]
    return f"left out, as not every input has files of them: {describe_spans(spans, dates=has_dates(settings))}"
