"""Console on which data stays data: markup is not interpreted, and no control character reaches a terminal."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from schema.visible import visible, visible_json


class PlainConsole(Console):
    """Rich's console for texts of which any part may come from the data; everything that is shown goes through it.

    Rich interprets `[bold]` in strings, replaces `:smile:`, and passes escape sequences on to the terminal. A label
    may contain each of these.

    Args:
        options: Options of rich's console.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as rich's text. Cells of tables are strings, so that their width is that of what is shown."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render an object; rich's own control codes, which move the cursor, are kept."""
        for segment in super().render(renderable, options):
            text = segment.text if segment.control else visible(segment.text)
            yield segment if text == segment.text else Segment(text, segment.style)


def print_json(value: Mapping[str, Any]) -> None:
    """Print an object as one line of JSON on stdout."""
    sys.stdout.write(visible_json(json.dumps(value, ensure_ascii=False)) + "\n")
