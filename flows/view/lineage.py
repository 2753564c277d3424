"""Where a model comes from, as a drawing: models, the sets that they learned from, and the runs.

What a thing was made from stands left of it. A model was made from the model that it began as and
from a training set, a set from the solutions of runs, which policies wrote.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

WIDTH, HEIGHT = 196, 40
_COLUMN, _LINE, _MARGIN = 262, 58, 8
_AROUND = 26
"""Room above and below for lines that go around what stands between their ends."""
_MAX_THINGS = 60

Kind = Literal["model", "base", "set", "run"]


@dataclass(slots=True)
class Thing:
    """A model, a set or a run, with its place."""

    kind: Kind
    name: str
    under: str = ""
    """What is said below its name."""
    sources: "list[tuple[Thing, str]]" = field(default_factory=list)
    """What it was made from, and in what way."""
    column: int = 0
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Lineage:
    """A laid-out drawing."""

    things: list[Thing]
    width: float
    height: float
    is_cut: bool
    """Whether there is more than is drawn."""

    @property
    def edges(self) -> list[tuple[Thing, Thing, str]]:
        """What is made from what: source, made thing, and in what way."""
        return [(source, thing, how) for thing in self.things for source, how in thing.sources]

    def path(self, source: Thing, made: Thing, how: str) -> str:
        """The line of an edge, as an SVG path: over other things to a model, else below them."""
        x1, y1 = source.x + WIDTH, source.y + HEIGHT / 2
        x2, y2 = made.x, made.y + HEIGHT / 2
        if x2 - x1 < _COLUMN:
            return f"M{x1} {y1} C{x1 + 34} {y1} {x2 - 34} {y2} {x2} {y2}"
        middle = _MARGIN if how == "began as" else self.height - _MARGIN
        bend = round((middle - (y1 + y2) / 8) / 0.75, 1)  # the middle of a cubic curve
        return f"M{x1} {y1} C{x1 + 50} {bend} {x2 - 50} {bend} {x2} {y2}"


def draw_lineage(
    model_id: str,
    models: Mapping[str, Mapping[str, Any]],
    sets: Mapping[str, Mapping[str, Any]],
    figures: Mapping[str, str],
) -> Lineage:
    """Find and lay out what a model was made from, as far as the store knows.

    Args:
        model_id: the model.
        models: of the store, by id.
        sets: of the store, by name; `runs` are those whose solutions each was made from.
        figures: by model, what is said below it.
    """
    things: dict[tuple[Kind, str], Thing] = {}
    waiting: list[Thing] = []
    is_cut = False

    def thing(kind: Kind, name: str) -> Thing | None:
        nonlocal is_cut
        if (kind, name) in things:
            return things[kind, name]
        if len(things) >= _MAX_THINGS:
            is_cut = True
            return None
        made = things[kind, name] = Thing(kind, name, _under(kind, name, models, sets, figures))
        waiting.append(made)
        return made

    thing("model", model_id)
    while waiting:
        each = waiting.pop(0)
        for kind, name, how in _made_from(each, models, sets):
            source = thing(kind, name)
            if source is not None and source is not each:
                each.sources.append((source, how))
    _place(list(things.values()))
    return Lineage(
        things=list(things.values()),
        width=2 * _MARGIN + WIDTH + max(each.x for each in things.values()),
        height=_MARGIN + _AROUND + HEIGHT + max(each.y for each in things.values()),
        is_cut=is_cut,
    )


def parent_of(base: str | None, models: Mapping[str, Any]) -> str | None:
    """The id of the model of the store that a model began as; None if it was another."""
    if base is None:
        return None
    name = PurePosixPath(base).name
    return name if name in models else None


def _made_from(
    thing: Thing, models: Mapping[str, Mapping[str, Any]], sets: Mapping[str, Mapping[str, Any]]
) -> list[tuple[Kind, str, str]]:
    if thing.kind == "model" and (model := models.get(thing.name)):
        found: list[tuple[Kind, str, str]] = []
        if model["base"] is not None:
            parent = parent_of(model["base"], models)
            found.append(("model", parent, "began as") if parent else
                         ("base", model["base"], "began as"))  # fmt: skip
        if model["training_set"] is not None:
            found.append(("set", model["training_set"], "learned from"))
        return found
    if thing.kind == "set" and (made := sets.get(thing.name)):
        writers = [name for name in str(made["policy"]).split(",") if name]
        runs: list[tuple[Kind, str, str]] = [("run", name, "solutions of") for name in made["runs"]]
        return [*runs, *(("model", name, "written by") for name in writers)]
    return []


def _under(
    kind: Kind,
    name: str,
    models: Mapping[str, Mapping[str, Any]],
    sets: Mapping[str, Mapping[str, Any]],
    figures: Mapping[str, str],
) -> str:
    if kind == "model":
        role = [str(models[name]["role"])] if name in models else []
        return ", ".join([*role, *filter(None, [figures.get(name)])])
    if kind == "set" and name in sets:
        return f"{sets[name]['kind']}, {sets[name]['num_rows']:,} rows"
    return {"base": "not of this store", "set": "", "run": "run"}[kind]


def _place(things: list[Thing]) -> None:
    """Set the places: each thing left of all that were made from it, by a bounded number of looks.

    A store that was made by hand may say that two things were made from each other.
    """
    for _ in things:
        moved = False
        for each in things:
            for source, _ in each.sources:
                if source.column <= each.column < len(things):
                    source.column, moved = each.column + 1, True
        if not moved:
            break
    columns = sorted({each.column for each in things}, reverse=True)
    lines: dict[int, int] = {}
    most = max(sum(each.column == column for each in things) for column in columns)
    for each in things:
        line = lines[each.column] = lines.get(each.column, -1) + 1
        num = sum(other.column == each.column for other in things)
        each.x = _MARGIN + _COLUMN * columns.index(each.column)
        each.y = _MARGIN + _AROUND + _LINE * (line + (most - num) / 2)
