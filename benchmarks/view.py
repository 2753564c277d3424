"""What the viewer's pages cost over a store of a million trajectories in a thousand files.

Starts `stepmill view` on it and asks for pages as a browser would: the first page, filtered ones
with their facets, words in all texts (one that every text has, one that none has), solutions of a
small and of a large run, and a search tree of 2,000 nodes, which Chromium draws if it is there.
Seconds are by the wall clock and of the server's processor time, which other work on the machine
hardly affects. Prints one JSON object on its last line.

    python -m benchmarks.view --files 1000 --rows 1000000
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq

from benchmarks.many_files import fill
from schemas.rows import Decision, RunEvent, Step, Trajectory
from schemas.units import Unit
from storage import Store

CHROMIUM = shutil.which("chromium")
_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_NODES = 2000
_BRANCH_STEPS = 8
_SEARCH = {"policy": "policy", "strategy": "beam", "budget": 4, "verifier": "prm"}


def add_tree(root: str) -> None:
    """Commit a search of one problem whose tree has 2,000 different steps, and a run's record."""
    rows = [
        Trajectory(
            trajectory_id=f"branch-{n}", problem_id="searched", sample_index=n, status="finished",
            steps=tuple(
                Step(text=f"branch {n}, step {k}\n", num_tokens=5, score=(n + k) % 10 / 10)
                for k in range(_BRANCH_STEPS)
            ),
            parent_id="branch-0" if n else None, branch_step=n % _BRANCH_STEPS if n else None,
            answer="4", correct=True, grader="exact", temperature=1.0, top_p=1.0, seed=n,
            prompt_tokens=1, cached_tokens=0, generated_tokens=40, engine="none",
            created_at=_TIME, **_SEARCH,
        )
        for n in range(_NODES // _BRANCH_STEPS)
    ]  # fmt: skip
    decision = Decision(
        problem_id="searched", set_name="eval", pick="best", is_main=True, status="decided",
        trajectory_id="branch-7", answer="4", correct=True, num_candidates=1, num_finished=1,
        num_rows=len(rows), prompt_tokens=1, cached_tokens=0, generated_tokens=1, scored_tokens=1,
        created_at=_TIME, **_SEARCH,
    )  # fmt: skip
    event = RunEvent(
        flow="sampling", state="completed", config="{}", config_hash="", code_version="",
        message=None, happened_at=_TIME,
    )  # fmt: skip
    store = Store(root)
    for table, stage, found in (
        ("trajectories", "search", rows), ("decisions", "search", [decision]),
        ("runs", "sampling", [event]),
    ):  # fmt: skip
        store.commit(Unit(run_id="benchmark", stage=stage, name="tree", table=table), found)


def measure(root: str) -> dict[str, object]:
    """Seconds of every page, by wall clock and of the server's processor time; its memory."""
    command = [sys.executable, "-m", "flows.cli", "view", "--root", root, "--port", "0"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        base = process.stdout.readline().strip().rstrip("/")
        found: dict[str, object] = {"address_s": round(time.perf_counter() - start, 2)}
        large = _solution_of(Store(root), "run-3")
        for name, path in (_pages() | {"solution_of_large_run": large}).items():
            began, spent = time.perf_counter(), _processor_s(process.pid)
            size = len(_get(f"{base}{path}"))
            found[name] = _since(process.pid, began, spent) | {"kilobytes": size // 1024}
            if name == "first_page":
                while b"data-live" in _get(f"{base}/"):
                    time.sleep(0.05)
                found["all_of_first_page"] = _since(process.pid, began, spent)
                _wait_idle(process.pid)  # what other pages need is made ready meanwhile
        if CHROMIUM is not None:
            found["drawn"] = draw_in_browser(f"{base}{_pages()['tree']}")
        status = Path(f"/proc/{process.pid}/status").read_text()
        (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        found["peak_mb"] = int(peak) // 1024
        return found
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def draw_in_browser(address: str) -> dict[str, float]:
    """Seconds that Chromium takes with the page of a tree, by its own clock.

    `drawn_s` is from the last byte of the page until it is parsed, laid out and its script has run;
    `painted_s` until the first picture; `round_s` to show the tree as it was a round earlier.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address, wait_until="load")
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
        found = page.evaluate(_MARKS)
        chromium.close()
    return {name: round(value / 1000, 3) for name, value in found.items()}


_MARKS = """() => {
  const tree = document.querySelector("svg[role=tree]");
  tree.getBoundingClientRect();
  const [load] = performance.getEntriesByType("navigation");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  const slider = document.querySelector("[data-tree] input");
  const start = performance.now();
  slider.value = Number(slider.max) - 1;
  slider.dispatchEvent(new Event("input"));
  tree.getBoundingClientRect();
  return {
    drawn_s: load.loadEventEnd - load.responseEnd,
    painted_s: paint.startTime - load.responseEnd,
    round_s: performance.now() - start,
  };
}"""


def _pages() -> dict[str, str]:
    run = "role is null"  # of every run
    return {
        "first_page": "/",
        "filtered_page": f"/solutions?where={quote(run + ' and not is_right')}",
        "filtered_again": f"/solutions?where={quote(run + ' and generated_tokens > 60')}",
        "by_length": f"/solutions?order=longest&where={quote(run)}",
        "words": f"/solutions?text=crates&where={quote(run)}",
        "words_of_none": f"/solutions?text=zebra&where={quote(run)}",
        "words_counted": f"/solutions?text=crates&counted=1&where={quote(run)}",
        "solution": "/solution?run=benchmark&id=branch-7",
        "tree": "/tree?run=benchmark&id=searched",
    }


def _solution_of(store: Store, run_id: str) -> str:
    """The page of a solution of a run."""
    path = next(p for p in sorted(store.files_root.files()) if f"run_id={run_id}/" in p)
    found = pq.read_table(store.root / path, columns=["trajectory_id"])
    return f"/solution?run={run_id}&id={found['trajectory_id'][0].as_py()}"


def _get(address: str) -> bytes:
    with urllib.request.urlopen(address) as answer:
        return answer.read()


def _since(pid: int, began: float, spent: float) -> dict[str, float]:
    """Seconds since then, by the wall clock and of a process's processor time."""
    return {
        "wall_s": round(time.perf_counter() - began, 2),
        "processor_s": round(_processor_s(pid) - spent, 2),
    }


def _wait_idle(pid: int) -> None:
    """Wait until a process has used no processor time for a while."""
    spent = -1.0
    while (now := _processor_s(pid)) != spent:
        spent = now
        time.sleep(1)


def _processor_s(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--root", help="A store that an earlier measurement left; else a new one.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stepmill-view-") as folder:
        if arguments.root is None:
            fill(folder, arguments.files, arguments.rows)
            add_tree(folder)
        found = measure(arguments.root or folder)
    print(json.dumps({"rows": arguments.rows, "files": arguments.files, **found}))


if __name__ == "__main__":
    main()
