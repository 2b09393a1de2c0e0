"""The report in headless Chromium: sorting, phones, print, contrast, and without its script."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from components.report.page import build_comparison, build_page, write_page
from tests.components.report.made_up import material
from tests.components.report.test_page import HOSTILE

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(_CHROMIUM is None, reason="no chromium here: apt-get install chromium")

LABELS = [f"label_number_{number}" for number in range(28)]
_LUMINANCE = """
(selector) => {
  const channel = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((each) => channel(Number(each) / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let element = document.querySelector(selector), background = element;
  while (getComputedStyle(background).backgroundColor === "rgba(0, 0, 0, 0)") background = background.parentElement;
  const pair = [getComputedStyle(element).color, getComputedStyle(background).backgroundColor].map(luminance);
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}
"""

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # The sandbox does not work for root, nor in most containers; the page is our own.
        yield playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    write_page(str(folder), material(LABELS, rows=1_000))
    return (folder / "report.html").as_uri()


@pytest.fixture
def complaints() -> list[str]:
    """Return a list that collects the page's console lines, errors, and requests for anything but itself."""
    return []


@pytest.fixture
def open_page(browser: Browser, report: str, complaints: list[str]) -> Iterator[Open]:
    pages = []

    def opened(address: str = report, **context: Any) -> Page:
        page = browser.new_page(**context)
        pages.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: complaints.append(request.url) if request.url.partition("#")[0] != address else None,
        )
        page.goto(address)
        return page

    yield opened
    for page in pages:
        page.close()


def column(page: Page, table: str, number: int) -> list[str]:
    return page.locator(f"{table} tbody tr > :nth-child({number})").all_inner_texts()


def test_opens_without_a_complaint(open_page: Open, complaints: list[str]) -> None:
    page = open_page(viewport={"width": 1280, "height": 900})
    assert page.locator("h1").inner_text() == "Not blessed"
    assert page.locator("#each summary").count() == len(LABELS)
    assert complaints == []


def test_the_first_screen_shows_decision_reasons_attention_and_the_trend(open_page: Open) -> None:
    for width, height, *more in ((1280, 800, "figcaption", "#gates tbody tr"), (390, 844)):
        page = open_page(viewport={"width": width, "height": height})
        for selector in ("h1", ".decision li", ".attention li", ".figures", *more):
            box = page.locator(selector).first.bounding_box()
            assert box is not None
            assert box["y"] + min(box["height"], 60) <= height, selector


def test_a_click_on_a_head_sorts_and_another_reverses(open_page: Open, complaints: list[str]) -> None:
    page = open_page()
    heads = page.locator("#labels-table thead th")
    names = [name.split("\n")[0] for name in heads.all_inner_texts()]
    f1, change = names.index("F1") + 1, names.index("change") + 1
    before = column(page, "#labels-table", 1)
    heads.nth(f1 - 1).locator("button").click()
    falling = [float(value) for value in column(page, "#labels-table", f1)]
    assert before == column(page, "#labels-table", 1)[::-1], "the worst come first at first"
    assert falling == sorted(falling, reverse=True)
    assert heads.nth(f1 - 1).get_attribute("aria-sort") == "descending"
    heads.nth(f1 - 1).locator("button").click()
    assert [float(value) for value in column(page, "#labels-table", f1)] == falling[::-1]
    for _ in range(2):
        heads.nth(change - 1).locator("button").click()
        assert column(page, "#labels-table", change)[-1] == "–", "cells without a number come last, either way"
    assert heads.nth(f1 - 1).get_attribute("aria-sort") is None
    heads.nth(0).locator("button").click()
    after = column(page, "#labels-table", 1)
    assert after == sorted(before)
    assert complaints == []


def test_a_box_filters_labels_and_a_link_opens_a_section(open_page: Open, complaints: list[str]) -> None:
    page = open_page()
    page.get_by_label("Filter labels").nth(0).fill("NUMBER_1")
    shown = page.locator("#labels-table tbody tr:visible")
    assert shown.count() == len([label for label in LABELS if "number_1" in label]) == 11
    assert page.locator("#labels output").inner_text() == "11 of 28"
    page.get_by_label("Filter labels").nth(1).fill("nothing")
    assert page.locator("#each details:visible").count() == 0
    link = shown.first.locator("a")
    section = page.locator(link.get_attribute("href") or "")
    link.click()
    assert section.locator("svg.chart").first.is_visible()
    assert section.locator("summary bdi").inner_text() == link.inner_text()
    assert complaints == []


def test_sorts_by_keyboard(open_page: Open) -> None:
    page = open_page()
    page.locator("#labels-table thead button").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.locator("#labels-table thead th").nth(1).get_attribute("aria-sort") == "descending"


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_wider_than_the_screen(open_page: Open, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 844})
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_keeps_a_label_s_name_visible_on_a_phone(open_page: Open) -> None:
    page = open_page(viewport={"width": 390, "height": 844})
    region, name = page.locator(".wide:has(#labels-table)"), page.locator("#labels-table tbody th").first
    assert name.bounding_box()["height"] < 60, "it is not broken into syllables"  # type: ignore[index]
    region.evaluate("(element) => { element.scrollLeft = 200; }")
    assert name.bounding_box()["x"] >= 0  # type: ignore[index]


def test_print_unfolds_sections_and_hides_navigation(open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    folded = page.locator("#label-1 > div")
    assert not folded.is_visible()
    page.get_by_label("print every section").check()
    page.emulate_media(media="print")
    assert folded.is_visible()
    assert not page.locator("nav").is_visible()
    page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    assert (tmp_path / "report.pdf").stat().st_size > 50_000


@pytest.mark.parametrize("short", [True, False], ids=["short", "whole"])
@pytest.mark.parametrize("n_labels", [3, 300])
def test_a_report_is_two_printed_pages(open_page: Open, tmp_path: Path, n_labels: int, short: bool) -> None:
    run = material([f"label_{number}" for number in range(n_labels)], rows=100)
    findings = [
        f"language=xx{number} falls behind: micro F1 0.300 on 900 examples, 0.620 overall" for number in range(9)
    ]
    summary = run.summary.model_copy(
        update={"reasons": run.summary.reasons * 9, "attention": findings, "gates": run.summary.gates * 9}
    )
    path = tmp_path / "report.html"
    path.write_text(build_page(replace(run, summary=summary), short=short))
    page = open_page(path.as_uri())
    assert _printed_pages(page) <= 2
    page.emulate_media(media="print")
    assert page.get_by_text("more, in the whole report").nth(0).is_visible()
    assert not page.locator("#each").is_visible()


def test_a_box_prints_every_section(open_page: Open) -> None:
    page = open_page()
    assert not page.locator(".brief").is_visible(), "on the screen"
    page.get_by_label("print every section").check()
    assert _printed_pages(page) > 10
    page.emulate_media(media="print")
    assert not page.locator(".brief").is_visible()
    assert page.locator("#each").is_visible()


def _printed_pages(page: Page) -> int:
    return len(re.findall(rb"/Type\s*/Page[^s]", page.pdf(format="A4")))


_LOOKS = [
    {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
]


@pytest.mark.parametrize("look", _LOOKS, ids=["desk in light", "phone in dark"])
@pytest.mark.parametrize("page_of", ["report", "short", "comparison"])
def test_axe_finds_no_serious_fault(open_page: Open, tmp_path: Path, look: dict[str, Any], page_of: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    run = material(LABELS[:9], rows=300)
    if page_of == "comparison":
        content = build_comparison(run, material(LABELS[:9], rows=200, pushed="/r/1", reasons=[]))
    else:
        content = build_page(run, short=page_of == "short")
    path = tmp_path / "page.html"
    path.write_text(content)
    page = open_page(path.as_uri(), **look)
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = axe.Axe().run(page).response["violations"]
    serious = [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_is_readable_without_its_script(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator("#labels-table tbody tr").count() == len(LABELS)
    assert page.locator("th button").count() == 0, "no button that would do nothing"
    page.locator("#label-1 summary").click()
    assert page.locator("#label-1 svg.chart").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_contrast_with_their_background(open_page: Open, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    for selector in ("body", "h1", ".soft", ".figures dt", "td.up", "td.down", "thead th", ".tag", "a"):
        # Level AA of WCAG 2.1.
        assert page.evaluate(_LUMINANCE, selector) >= 4.5, selector


def test_runs_no_hostile_text(open_page: Open, complaints: list[str], tmp_path: Path) -> None:
    text = " ".join(HOSTILE)
    write_page(str(tmp_path), material((text, "b", "c"), text=text, id_=text))
    page = open_page((tmp_path / "report.html").as_uri(), viewport={"width": 390, "height": 844})
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.locator("#labels-table thead button").first.click()
    assert page.evaluate("window.pwned") is None
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert complaints == []
