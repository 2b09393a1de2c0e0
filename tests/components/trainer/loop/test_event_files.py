"""Texts in TensorBoard's event files, rendered by TensorBoard."""

import re
from html import unescape

import numpy as np
import pytest
from tensorboard.plugin_util import markdown_to_safe_html

from components.trainer.loop.event_files import Samples, samples_table


@pytest.mark.parametrize(
    "text",
    [
        "**bold** and _it_ `code`",
        "<b>bold</b> <script>alert(1)</script> &lt;i&gt;",
        "[link](http://example.com) ![image](x.png) <http://example.com>",
        "# title",
        "1. first",
        "- item + item",
        "a|b \\| c \\",
        "R&D 100% ~x~ $y$",
    ],
)
def test_tensorboard_shows_texts_and_labels_as_they_are(text: str) -> None:
    """TensorBoard 2.20 renders texts by `tensorboard.plugin_util.markdown_to_safe_html`."""
    table = samples_table(Samples([0], [text]), [text], np.ones((1, 1)), np.full((1, 1), 0.75), np.full(1, 0.5))
    cells = re.findall(r"<td>(.*?)</td>", markdown_to_safe_html(table), re.DOTALL)
    assert [unescape(cell) for cell in cells] == [text, text, f"{text} 0.75"]
