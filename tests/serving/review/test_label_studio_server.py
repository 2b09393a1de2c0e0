"""A review in Label Studio itself: its server, its page in a browser, its REST API, and its exports.

`make test-label-studio` runs it: it installs label-studio 1.23.2 into an environment of its own and takes some minutes.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.review.candidates import Judge
from serving.review.label_studio import read_answers
from serving.review.review import write_review
from serving.review.sampling import Chosen
from tests.support.environments import python_of

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif("TEST_LABEL_STUDIO" not in os.environ, reason="make test-label-studio runs it")

_TOKEN, _USER, _PASSWORD = "0123456789abcdef" * 2 + "01234567", "annotator@example.com", "not-a-secret"
_LABELS = ("joy", "a/b [c] <i>d</i> & \"q\" 'p'", "two\nlines", "🙂", "x" * 300, "$text", "US$question")
_JUDGE = Judge("7", _LABELS, np.full(len(_LABELS), 0.5))


@dataclass(frozen=True)
class Server:
    """A running Label Studio."""

    url: str

    def call(self, method: str, path: str, content: Any = None) -> Any:
        """Send a request; return the answer, parsed where it is JSON."""
        body = None if content is None else json.dumps(content).encode()
        headers = {"Authorization": f"Token {_TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = answer.read()
            return json.loads(found) if "json" in answer.headers["Content-Type"] and "export" not in path else found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    python = python_of("label-studio-1.23.2", Path(__file__).with_name("label_studio_server.lock"))
    folder = tmp_path_factory.mktemp("label-studio")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "HOME": str(folder), "PATH": "/usr/bin:/bin", "LABEL_STUDIO_BASE_DATA_DIR": str(folder / "data"),
        "LATEST_VERSION_CHECK": "0", "COLLECT_ANALYTICS": "false", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": "",
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    }  # fmt: skip
    command = [str(python.with_name("label-studio")), "start", "--no-browser", "--internal-host", "127.0.0.1"]
    command += ["--port", str(port), "--username", _USER, "--password", _PASSWORD, "--user-token", _TOKEN]
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    running = Server(f"http://127.0.0.1:{port}")
    try:
        end = time.monotonic() + 1_500
        while True:
            assert process.poll() is None, (folder / "log.txt").read_text()[-2_000:]
            assert time.monotonic() < end, (folder / "log.txt").read_text()[-2_000:]
            try:
                running.call("GET", "/health")
                break
            except OSError:
                time.sleep(1)
        yield running
    finally:
        process.kill()
        process.wait()


def _chosen(row: str, asked: tuple[str, ...], given: tuple[str, ...]) -> Chosen:
    return Chosen(row, f"text of {row} <b> $question", None, _JUDGE, asked, given, dict.fromkeys(asked, 0.5))


def _annotate_in_the_browser(server: Server, project: int, task: int) -> dict[str, bool]:
    """Label a task as a person does, adding `joy` to the labels that the model gives; return the labels shown."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(180_000)
        page.goto(f"{server.url}/user/login/", wait_until="domcontentloaded")
        page.fill("input[name=email]", _USER)
        page.fill("input[name=password]", _PASSWORD)
        page.click("button[type=submit]", no_wait_after=True)
        page.wait_for_url(lambda url: "login" not in url, wait_until="commit")
        page.goto(f"{server.url}/projects/{project}/data?task={task}", wait_until="domcontentloaded")
        boxes = page.get_by_role("checkbox", name="joy")
        boxes.last.wait_for()
        choices = page.locator("label:has(input[type=checkbox])")
        # Each ends with the key that chooses it, and a line break is shown as a blank.
        shown = {
            re.sub(r"\[\d+]$", "", text): choices.nth(index).locator("input").is_checked()
            for index, text in enumerate(choices.all_inner_texts())
        }
        boxes.last.click()
        page.get_by_role("button", name=re.compile("Submit|Update")).click()
        page.get_by_text("Annotation saved successfully").wait_for()
        browser.close()
    return shown


def test_a_review_goes_through_label_studio_and_comes_back(server: Server, tmp_path: Path) -> None:
    write_review(
        str(tmp_path),
        [
            _chosen("r1", _LABELS[:3], (_LABELS[1],)),
            _chosen("r2", _LABELS[3:], (_LABELS[2], *_LABELS[4:])),
            _chosen("r3", ("joy",), ()),
            _chosen("r4", ("joy",), ()),
            _chosen("r5", ("joy",), ("joy",)),
        ],
    )
    configuration = (tmp_path / "labelling.xml").read_text()
    project = server.call("POST", "/api/projects", {"title": "review", "label_config": configuration})["id"]
    counts = server.call("POST", f"/api/projects/{project}/import", json.loads((tmp_path / "tasks.json").read_text()))
    assert (counts["task_count"], counts["prediction_count"]) == (5, 5)
    found = server.call("GET", f"/api/tasks?project={project}&fields=all")["tasks"]
    task_of = {task["data"]["row"]: task["id"] for task in found}

    answers: dict[str, list[str] | None] = {"r2": list(_LABELS[1:]), "r3": [], "r4": None}
    for row, choices in answers.items():
        value = {"from_name": "labels", "to_name": "text", "type": "choices", "value": {"choices": choices}}
        annotation = {"result": [value] if choices else [], "was_cancelled": choices is None, "lead_time": 3.0}
        server.call("POST", f"/api/tasks/{task_of[row]}/annotations", annotation)
    expected = {"r2": (_LABELS[3:], _LABELS[1:]), "r3": (("joy",), ())}
    if _CHROMIUM is not None:
        shown = _annotate_in_the_browser(server, project, task_of["r1"])
        assert shown == {label.replace("\n", " "): label == _LABELS[1] for label in _LABELS}
        expected["r1"] = (_LABELS[:3], ("joy", _LABELS[1]))

    for form, name in (("JSON", "json"), ("JSON_MIN", "min.json"), ("CSV", "csv")):
        content = server.call("GET", f"/api/projects/{project}/export?exportType={form}&download_all_tasks=true")
        (tmp_path / f"export.{name}").write_bytes(content)
        back = {each.row: each for each in read_answers(str(tmp_path / f"export.{name}"))}
        assert {row: (each.asked, tuple(sorted(each.given))) for row, each in back.items()} == {
            row: (asked, tuple(sorted(given))) for row, (asked, given) in expected.items()
        }, form
        assert back["r3"].text == "text of r3 <b> $question"
