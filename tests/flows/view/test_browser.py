"""The pages in a real Chromium: no console error, no request elsewhere, keys, widths, colours."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.flows.view.conftest import HOSTILE

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
PAGES = (
    "/", "/problems?run=run", "/solutions?run=run&scores=prm", "/sql?statement=select+1+as+a",
    "/run?run=run", "/problem?run=run&id=p0", "/solution?run=run&id=t2",
    "/solution?run=run&id=hostile",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@contextlib.contextmanager
def serving(store: Any) -> Iterator[str]:
    """The address of `stepmill view` of a store, in its own process."""
    command = [sys.executable, "-m", "flows.cli", "view", "--root", store.url, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip().rstrip("/")
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def watched(browser: Any, base: str, **options: Any) -> Iterator[Any]:
    """A page that must ask no other host, and in which no script may complain."""
    page, faults = browser.new_page(**options), []
    page.on("console", lambda said: faults.append(said.text) if said.type != "log" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: (faults.append(dialog.message), dialog.dismiss()))
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    yield page
    page.close()
    assert not faults
    assert all(url.startswith((base, "data:,")) for url in asked)


def test_every_page_in_light_and_dark_wide_and_narrow(filled, browser):
    with serving(filled) as base:
        looks = ((1280, "light"), (400, "dark"))
        for width, scheme in looks:
            size = {"width": width, "height": 800}
            with watched(browser, base, viewport=size, color_scheme=scheme) as page:
                for path in PAGES:
                    page.goto(base + path)
                    assert page.evaluate("document.documentElement.scrollWidth") <= width, path
                    style = "getComputedStyle(document.documentElement).backgroundColor"
                    light = page.evaluate(style) == "rgb(255, 255, 255)"
                    assert light == (scheme == "light")
        with watched(browser, base) as page:
            page.goto(f"{base}/solution?run=run&id=hostile")
            shown = HOSTILE.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
            assert shown in page.inner_text(".steps")
            page.goto(f"{base}/solutions?run=run")
            page.fill("#where", "answer = '5'")
            page.keyboard.press("Tab")
            page.keyboard.type("answer: 4")
            with page.expect_navigation():
                page.keyboard.press("Enter")
            assert page.inner_text("tbody").startswith("t2")
            page.goto(f"{base}/run?run=run")
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.className") == "skip"


def test_a_tree_is_folded_played_and_read_by_keys(searched, browser):
    with serving(searched) as base, watched(browser, base) as page:
        page.goto(f"{base}/tree?run=run&id=p0")
        nodes = page.locator("[data-node]:visible")
        assert nodes.count() == 4
        nodes.first.focus()
        page.keyboard.press("Enter")
        assert nodes.count() == 2
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowRight")
        assert page.inner_text(".said").startswith("B")
        page.locator("input[type=range]").fill("1")
        assert nodes.count() == 2
        page.click("[data-play]")
        nodes.nth(3).wait_for()
