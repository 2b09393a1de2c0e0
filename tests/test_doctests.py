"""Run the examples in docstrings."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_PACKAGES = ("cli", "components", "pipeline", "runners", "schema", "serving")
_MODULES = [
    ".".join(path.relative_to(_ROOT).with_suffix("").parts)
    for package in _PACKAGES
    for path in sorted((_ROOT / package).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", _MODULES)
def test_examples_in_docstrings_are_true(name: str) -> None:
    results = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert results.attempted
    assert not results.failed
