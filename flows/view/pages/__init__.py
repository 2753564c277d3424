"""The viewer's pages by name: a module each, with a template of its name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flows.view.pages import (
    annotations,
    compare,
    model,
    models,
    problem,
    problems,
    results,
    rounds,
    run,
    runs,
    solution,
    solutions,
    statement,
    training_set,
    tree,
)
from flows.view.site import View


@dataclass(frozen=True)
class Page:
    """A page: its name, which is also its path, and what fills its template."""

    name: str
    build: Callable[[View], Mapping[str, Any]]

    @property
    def template(self) -> str:
        """The file in `templates/`."""
        return f"{self.name}.html"


PAGES = {
    page.name: page
    for page in (
        Page("runs", runs.build),
        Page("run", run.build),
        Page("results", results.build),
        Page("compare", compare.build),
        Page("problems", problems.build),
        Page("problem", problem.build),
        Page("solutions", solutions.build),
        Page("solution", solution.build),
        Page("tree", tree.build),
        Page("models", models.build),
        Page("model", model.build),
        Page("training-set", training_set.build),
        Page("rounds", rounds.build),
        Page("annotations", annotations.build),
        Page("sql", statement.build),
    )
}
