"""Whether there is anything to train on that was not trained on before. Needs no TFX."""

from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.sources import Sources, has_dates
from components.example_gen.sources.spans import SpanVersion, describe_spans
from components.training_log import log as data_log


def why_nothing_is_new(settings: ExamplesSettings, registry: str, sources: Sources) -> str | None:
    """Why there is nothing to train on that was not trained on before; None if there is, or if nothing has spans."""
    trained = data_log.last(registry)
    if not sources.spans or trained is None or trained.newest < sources.newest:
        return None
    spans = describe_spans(sources.spans[-1:], dates=has_dates(settings))
    without = f"; {left_out(settings, sources)}" if sources.incomplete else ""
    return f"no span is newer than {spans}, which was trained on {trained.when}{without}"


def left_out(settings: ExamplesSettings, sources: Sources) -> str:
    """Names the incomplete spans, of which there are some."""
    spans = [SpanVersion(span, None) for span in sources.incomplete]
    return f"left out, as not every input has files of them: {describe_spans(spans, dates=has_dates(settings))}"
