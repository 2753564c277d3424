"""A run's pages as plain files, which a browser opens from disk or any web server.

Every link is relative, and no script fetches anything. From the page of the run on, each page that
another one leads to is written, if it is about the run: its results, rounds, models and sets, and
the chosen problems with their solutions and search trees. A link to anything else is left out, and
its words stay. Filters, comparisons and SQL need the viewer.
"""

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flows.view.app import make_error, make_page
from flows.view.pages import PAGES
from flows.view.site import NotThere, Site, View, static_text
from schemas.units import derive_id
from storage.viewing import LiveCatalog, Snapshot

_ASSETS = ("view.css", "view.js")
_OF_RUN = ("run", "results", "rounds", "problems", "models", "annotations")
"""Pages of one run."""
_ROWS_PER_PROBLEM = 200

Key = tuple[str, tuple[tuple[str, str], ...]]
"""A page and its query."""


@dataclass
class Bundle:
    """Which pages there are, and which are still to be written."""

    run_id: str
    problem_ids: frozenset[str]
    trajectory_ids: frozenset[str]
    files: dict[Key, str] = field(default_factory=dict)
    waiting: list[Key] = field(default_factory=list)

    def link(self, page: str, /, **query: object) -> str | None:
        """The file of a page, which is written later if it is not yet; None if it is left out."""
        given = {name: str(value) for name, value in query.items() if value not in (None, "")}
        if page in _OF_RUN:
            given.setdefault("run", self.run_id)
        if not self._has(page, given):
            return None
        key = (page, tuple(sorted(given.items())))
        if key not in self.files:
            self.files[key] = self._file(page, given)
            self.waiting.append(key)
        return self.files[key]

    def _has(self, page: str, query: Mapping[str, str]) -> bool:
        if page in ("model", "training-set"):
            return "from" not in query
        if query.get("run") != self.run_id:
            return False
        if page in ("problem", "tree"):
            return query.get("id") in self.problem_ids and "with" not in query
        if page == "solution":
            return query.get("id") in self.trajectory_ids
        return page in _OF_RUN and "where" not in query

    def _file(self, page: str, query: Mapping[str, str]) -> str:
        if page in _OF_RUN and len(query) == 1:
            return "index.html" if page == "run" else f"{page}.html"
        return f"{page}-{derive_id(*sorted(query.items()))}.html"


def write_bundle(root: str, folder: Path, run_id: str, num_problems: int) -> int:
    """Write a run's pages into a new folder; their number.

    The folder is made beside its place and renamed when it is whole.

    Args:
        root: the store.
        folder: the new folder.
        run_id: the run.
        num_problems: how many problems are shown, the first by id.

    Raises:
        ValueError: the folder exists, or the store has no such run.
        StoreUnusable: the root is not a store.
    """
    folder = folder.expanduser().absolute()
    if folder.exists() or folder.is_symlink():
        raise ValueError(f"--export {folder}: expected a new folder, this one exists")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    beside.mkdir()
    try:
        num_pages = LiveCatalog(root).answer(
            lambda snapshot: _write(snapshot, beside, run_id, num_problems)
        )
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return num_pages


def _write(snapshot: Snapshot, folder: Path, run_id: str, num_problems: int) -> int:
    problems = snapshot.ask("first_problems_of_run", run_id=run_id, num_rows=num_problems)
    problem_ids = [row["problem_id"] for row in problems]
    rows = snapshot.ask(
        "rows_of_problems",
        run_id=run_id,
        problem_ids=problem_ids,
        per_problem=_ROWS_PER_PROBLEM,
    )
    bundle = Bundle(run_id, frozenset(problem_ids), frozenset(row["trajectory_id"] for row in rows))
    site = Site(f"run {run_id}", is_static=True, num_problems=num_problems)
    for name in _ASSETS:
        (folder / name).write_text(static_text(name), encoding="utf-8")
    bundle.link("run")
    while bundle.waiting:
        name, query = key = bundle.waiting.pop()
        try:
            text = make_page(PAGES[name], View(site, snapshot, dict(query)), bundle.link)
        except NotThere as error:
            if name == "run":
                raise
            text = make_error(site, str(error), bundle.link)
        (folder / bundle.files[key]).write_text(text, encoding="utf-8")
    return len(bundle.files)
