"""Pictures of the viewer's pages for the documentation, drawn by Chromium.

Starts `stepmill view` on a store, finds a row of each kind in it, and writes a picture of each page
1,280 pixels wide, of one page 400 wide and of one in dark, with few colours so that they are small.

    python -m benchmarks.view_pictures --root STORE --to docs/images/view
"""

import argparse
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.view.links import path_link
from flows.view.pages.tree import searches_of
from storage import connect, query
from storage.queries import ask

_HEIGHT = 800
_NUM_COLOURS = 160
_RUNS = """
select run_id from runs group by run_id
order by run_id in (select run_id from step_labels) desc, count(*) desc limit 1
"""
_LABELLED = """
select run_id, trajectory_id, problem_id
from step_labels as l
inner join trajectories as t using (run_id, trajectory_id)
where l.stage = 'step_labels' and t.role is null and run_id = ?
    and (? or trajectory_id in (select trajectory_id from critiques))
group by all
having count(*) filter (not hard) > 0 and count(*) filter (hard) > 0
order by count(*) desc, trajectory_id limit 1
"""
_TREES = ("beam", "dvts", "mcts", "rebase", "lookahead")
_SEARCHED = """
select run_id, problem_id from decisions where strategy in ('beam', 'dvts', 'mcts', 'rebase')
group by all order by count(distinct (strategy, budget)) desc, problem_id limit 1
"""
_LOOP = """
select run_id from metrics where arm is not null and starts_with(bin, 'round=')
group by run_id order by count(distinct bin) desc, run_id limit 1
"""
_MODEL = (
    "select model_id, training_set from models where run_id = ? order by created_at desc limit 1"
)


def pages_of(root: str) -> Iterator[tuple[str, str]]:
    """A page of each kind with its name, as far as the store has rows for it."""
    with connect(root) as connection:

        def first(statement: str, *values: Any) -> tuple | None:
            found = connection.execute(statement, list(values)).fetchall()
            return found[0] if found else None

        yield "runs", path_link("runs")
        run = first(_RUNS)
        if run is None:
            return
        (run_id,) = run
        yield "run", path_link("run", run=run_id)
        yield "results", path_link("results", run=run_id)
        yield "problems", path_link("problems", run=run_id, order="hardest")
        verifier = first("select verifier from step_scores where run_id = ? limit 1", run_id)
        yield "solutions", path_link("solutions", run=run_id, scores=(verifier or [""])[0])
        for other, *_ in query(connection, "select run_id from runs group by all").fetchall():
            if other != run_id and ask(connection, "shared_strategies", first=run_id, second=other):
                yield "compare", path_link("compare", run=run_id, **{"with": other})
                break
        if labelled := first(_LABELLED, run_id, True):
            yield "solution", path_link("solution", run=run_id, id=labelled[1])
            yield "problem", path_link("problem", run=run_id, id=labelled[2])
        if searched := first(_SEARCHED):
            key = {"run_id": searched[0], "problem_id": searched[1]}
            names = [
                name
                for name, each in searches_of(
                    ask(connection, "decisions_of_problem", **key)
                ).items()
                if each["strategy"].split("[")[0] in _TREES
            ]
            tree = {"run": searched[0], "id": searched[1], "search": names[0]}
            yield "tree", path_link("tree", **tree)
            yield "searches", path_link("problem", run=searched[0], id=searched[1])
            if len(names) > 1:
                yield "trees", path_link("tree", **tree, **{"with": names[-1]})
        yield "models", path_link("models")
        if loop := first(_LOOP):
            yield "rounds", path_link("rounds", run=loop[0])
            if model := first(_MODEL, loop[0]):
                yield "model", path_link("model", id=model[0])
                yield "training-set", path_link("training-set", name=model[1])
        statement = "select strategy, budget, value, ci_low, ci_high from curves where bin = 'all'"
        yield "sql", path_link("sql", statement=f"{statement} and metric = 'accuracy' limit 10")


def draw(root: str, folder: Path) -> list[Path]:
    """Write the pictures of a store's pages into a folder."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "flows.cli", "view", "--root", root, "--port", "0"]
    process = subprocess.Popen([*command, "--annotate", "Ada"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    written = []
    try:
        base = process.stdout.readline().strip().rstrip("/")
        looks = [(name, path, 1280, "light") for name, path in pages_of(root)]
        looks += [
            (f"{name}-{'narrow' if width == 400 else 'dark'}", path, width, scheme)
            for name, path, *_ in looks
            for width, scheme in ((400, "light"), (1280, "dark"))
            if name == ("solution" if width == 400 else "problem")
        ]
        with sync_playwright() as started:
            chromium = started.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            for name, path, width, scheme in looks:
                size: Any = {"width": width, "height": _HEIGHT}
                page = chromium.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
                page.goto(f"{base}{path}")
                written.append(_keep(page.screenshot(), folder / f"{name}.png"))
                page.close()
            chromium.close()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
    return written


def _keep(data: bytes, path: Path) -> Path:
    """Write a picture with few colours."""
    from PIL import Image

    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.quantize(_NUM_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def main() -> None:
    """Draw, and print the pictures with their sizes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--root", required=True)
    parser.add_argument("--to", type=Path, default=Path("docs/images/view"))
    arguments = parser.parse_args()
    for path in draw(arguments.root, arguments.to):
        print(f"{path}: {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
