"""The pages in a real Chromium: no console error, no request elsewhere, keys, widths, colours."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from flows.view.bundle import write_bundle
from storage import Store
from tests.flows.view.conftest import HOSTILE, fill_searched

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
PAGES = (
    "/", "/run?run=run&with=other", "/results?run=run", "/compare?run=run&with=other",
    "/problems?run=run", "/problem?run=run&id=p0", "/problem?run=tree&id=p0",
    "/solutions?run=run&scores=prm", "/solution?run=run&id=t2", "/solution?run=run&id=hostile",
    "/tree?run=tree&id=p0", "/models", "/model?id=second", "/training-set?name=rest-1",
    "/rounds?run=loop", "/annotations?run=run", "/sql?statement=select+1+as+a",
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


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, Any]]:
    """The viewer that the tests share, once the first of them has started it."""
    found: dict[str, Any] = {}
    yield found
    if found:
        found["process"].terminate()
        found["process"].wait()
        found["process"].stdout.close()


@pytest.fixture
def base(running, filled, tmp_path_factory, unit_of, make_problem, make_trajectory) -> str:
    """The address of `stepmill view --annotate`, over every kind of row."""
    if not running:
        root = tmp_path_factory.mktemp("browser") / "store"
        shutil.copytree(filled.root, root)
        fill_searched(Store(root), unit_of, make_problem, make_trajectory, "tree", ("beam", "dvts"))
        command = [sys.executable, "-m", "flows.cli", "view", "--root", str(root), "--port", "0"]
        command += ["--annotate", "Ada L."]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running |= {"process": process, "root": root}
        assert process.stdout is not None
        running["base"] = process.stdout.readline().strip().rstrip("/")
    return running["base"]


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
    assert asked
    assert all(url.startswith((base, "data:,")) for url in asked)


def test_every_page_in_light_and_dark_wide_and_narrow(base, browser):
    looks = ((1280, "light"), (400, "dark"))
    for width, scheme in looks:
        size = {"width": width, "height": 800}
        with watched(browser, base, viewport=size, color_scheme=scheme) as page:
            for path in PAGES:
                page.goto(base + path)
                assert page.locator("h1").count() == 1, path
                assert page.evaluate("document.documentElement.scrollWidth") <= width, path
                style = "getComputedStyle(document.documentElement).backgroundColor"
                light = page.evaluate(style) == "rgb(255, 255, 255)"
                assert light == (scheme == "light")


def test_filters_and_hostile_texts(base, browser):
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


def test_a_curve_is_hidden_and_shown_and_runs_are_compared(base, browser):
    with watched(browser, base) as page:
        page.goto(f"{base}/rounds?run=loop")
        curve, key = page.locator("[data-series='1']").first, page.locator("[data-key]").first
        key.focus()
        page.keyboard.press("Enter")
        assert not curve.is_visible()
        page.keyboard.press("Enter")
        assert curve.is_visible()
        page.goto(f"{base}/run?run=run")
        page.select_option("select[name=with]", "other")
        with page.expect_navigation():
            page.click("text=compare >> nth=-1")
        assert "temperature" in page.inner_text("main")
        with page.expect_navigation():
            page.click("text=problem by problem")
        assert "as often in both: 0" in page.inner_text("main")


def test_a_tree_is_folded_played_and_read_by_keys(base, browser):
    with watched(browser, base) as page:
        page.goto(f"{base}/tree?run=tree&id=p0")
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
        page.select_option("select[name=with]", index=2)
        with page.expect_navigation():
            page.click("text=show")
        trees = page.locator("[data-tree]")
        assert trees.count() == 2
        left, right = (trees.nth(n).bounding_box() for n in (0, 1))
        assert left["x"] + left["width"] <= right["x"]
        trees.nth(1).locator("[data-node] circle").first.click()
        assert trees.nth(1).locator("[data-node]:visible").count() == 2
        assert trees.nth(0).locator("[data-node]:visible").count() == 4


def test_a_step_is_marked_by_keyboard(base, running, browser):
    with watched(browser, base) as page:
        page.goto(f"{base}/solution?run=run&id=t0")
        page.focus("input[name=step-1][value=none]")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Tab")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.is_checked("input[name=step-1][value=wrong]")
        assert "step 1 by human" in page.inner_text("main")
        (path,) = running["root"].rglob("*-human.parquet")
        rows = Store(running["root"]).read(path.relative_to(running["root"]).as_posix())
        assert [(r.trajectory_id, r.step_index, r.hard, r.completer) for r in rows] == [
            ("t0", 1, False, "Ada L.")
        ]


def test_a_bundle_opens_from_disk_and_asks_for_nothing_else(base, running, browser, tmp_path):
    write_bundle(str(running["root"]), tmp_path / "bundle", "tree", 1)
    start = f"file://{tmp_path}/bundle/"
    with watched(browser, start) as page:
        page.goto(f"{start}index.html")
        assert page.evaluate("getComputedStyle(document.body).margin") == "0px"
        page.click("nav >> text=Problems")
        page.click("tbody a >> nth=0")
        page.click("text=beam")
        nodes = page.locator("[data-node]:visible")
        assert nodes.count() == 4
        nodes.first.locator("circle").click()
        assert nodes.count() == 2
        page.go_back()
        page.click("tbody a >> text=4")
        assert "B" in page.inner_text(".steps")
