"""The documentation as a site: links and anchors hold, generated pages are filled in."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a broken link, a missing anchor or a page that is not in the navigation fails."""
    folder = tmp_path_factory.mktemp("site")
    ended = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)],
        cwd=_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return folder


def test_reference_pages_are_generated(site: Path) -> None:
    assert "layer_decay" in (site / "configuration.html").read_text(encoding="utf-8")
    assert "bert-multilabel models rollback" in (site / "command-line.html").read_text(encoding="utf-8")
    assert "pass_rate" in (site / "behaviour.html").read_text(encoding="utf-8")
    for page in site.glob("*.html"):
        assert "generated: " not in page.read_text(encoding="utf-8"), page


def test_root_files_are_pages(site: Path) -> None:
    assert "Recipes" in (site / "contributing.html").read_text(encoding="utf-8")
    assert (site / "changelog.html").is_file()


def test_readme_links_to_existing_files() -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", (_ROOT / "README.md").read_text(encoding="utf-8"))
    assert targets
    for target in targets:
        if "://" not in target:
            assert (_ROOT / target.partition("#")[0]).exists(), target


def test_files_named_in_the_documentation_exist() -> None:
    folders = "benchmarks|cli|components|configs|data|docs|examples|image|pipeline|runners|schema|scripts|tests"
    pages = [*(_ROOT / "docs").glob("*.md"), *(_ROOT.glob("*.md"))]
    for page in pages:
        for path in re.findall(rf"`((?:{folders})/[\w./-]+)`", page.read_text(encoding="utf-8")):
            assert "NAME" in path or (_ROOT / path).exists(), f"{page.name}: {path}"
