"""MkDocs hook: pages generated from the code, and links from the documentation to files of the repository.

`<!-- generated: NAME -->` in a page is replaced by what the code says of NAME, so these pages cannot go stale.
CONTRIBUTING.md and CHANGELOG.md become pages of the site. A link to any other file of the repository is checked and
becomes the file's name, since the site does not contain it.
"""

import logging
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from posixpath import normpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_LOG = logging.getLogger("mkdocs.hooks.site")
_ROOT = Path(__file__).parents[1]
# Files at the root of the repository that are pages of the site.
_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_GENERATED = re.compile(r"<!-- generated: (?P<name>[a-z-]+) -->")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files at the root of the repository that are pages of the site."""
    for name, page in _PAGES.items():
        text = (_ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_LINK.sub(_from_root, text)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what is generated, and check the links to files of the repository."""
    del config, files
    markdown = _GENERATED.sub(lambda found: _GENERATORS[found["name"]](), markdown)
    return _LINK.sub(lambda found: _resolve(found, page), markdown)


def _from_root(found: re.Match[str]) -> str:
    """Return a link of a file at the root as it is written in `docs/`."""
    target = found["target"]
    if "://" in target or target.startswith("#"):
        return found[0]
    if target.startswith("docs/"):
        return f"[{found['text']}]({target.removeprefix('docs/')})"
    return f"[{found['text']}]({_PAGES.get(target, f'../{target}')})"


def _resolve(found: re.Match[str], page: Page) -> str:
    target = found["target"].partition("#")[0]
    if not target.startswith("../"):
        return found[0]
    path = normpath(PurePosixPath("docs", page.file.src_uri).parent / target)
    if path in _PAGES:
        return f"[{found['text']}]({_PAGES[path]})"
    if not (_ROOT / path).exists():
        _LOG.warning("%s: the repository has no %s", page.file.src_uri, path)
    return f"`{path}`" if found["text"].strip("`") == path else f"{found['text']} (`{path}`)"


def _configuration() -> str:
    from pipeline.config.reference import reference

    return reference()


def _behaviour() -> str:
    from components.behaviour.settings import BehaviourTests
    from pipeline.config.reference import reference

    return reference(BehaviourTests, "Keys of the file")


def _command_line() -> str:
    """Return typer's own description of every command, without the title."""
    import typer
    from typer.cli import get_docs_for_click

    from cli.main import app

    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="bert-multilabel")
    return text.partition("\n")[2]


_GENERATORS: dict[str, Callable[[], str]] = {
    "behaviour": _behaviour,
    "command-line": _command_line,
    "configuration": _configuration,
}
