"""Problems: a table with a filter in SQL, facets and a histogram of how often they are solved."""

from collections.abc import Mapping
from typing import Any

from flows.view.listing import Listing, Order, literal
from flows.view.pages.solutions import list_page
from flows.view.site import View

LISTING = Listing(
    view="problem_outcomes",
    columns=(
        "run_id",
        "problem_id",
        "split",
        "level",
        "subject",
        "question",
        "answer",
        "num_solutions",
        "num_counted",
        "num_right",
        "solve_rate",
    ),
    key=("run_id", "problem_id"),
    orders={
        "id": Order("by id"),
        "hardest": Order("hardest first", "solve_rate"),
        "easiest": Order("easiest first", "solve_rate", falls=True),
        "most": Order("most solutions first", "num_solutions", falls=True),
    },
    facets=("level", "split", "subject", "source", "run_id"),
    measures=("solve_rate", "num_solutions"),
    text="question",
)


def build(view: View) -> Mapping[str, Any]:
    """The page of a filter."""
    run_id = view.get("run")
    if view.site.is_static:
        return _first(view, run_id, view.site.num_problems or 0)
    default = f"run_id = {literal(run_id)}" if run_id else ""
    return list_page(view, LISTING, "", default=default)


def _first(view: View, run_id: str, num_rows: int) -> Mapping[str, Any]:
    """The first problems of a run, for a page without filters."""
    ask = view.snapshot.ask
    return {
        "rows": ask("first_problems_of_run", run_id=run_id, num_rows=num_rows),
        "total": ask("num_problems_of_run", run_id=run_id)[0]["num"],
    }
