"""Where the files of a set of problems lie in a run, found by the names of their units."""

import contextlib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

from schemas.rows import PROBLEMS, STEP_LABELS, STEP_SCORES, TRAJECTORIES, VERDICTS
from schemas.step_labels import type_of_method
from schemas.unit_names import (
    ErrorPathsName,
    LabelsName,
    ScoresName,
    SolutionsName,
    UnitName,
    VerdictsName,
)
from schemas.units import Stage, UnitPath
from storage import Store

Name = TypeVar("Name", bound=UnitName)

_MAX_RUNS = 1000
_MAX_NAMED = 5
_SOLUTIONS_STAGES = (Stage.SAMPLING, Stage.IMPORTS)
_SCORES_STAGES = (Stage.SCORING, Stage.IMPORTS)
_LABELS_STAGES = (Stage.STEP_LABELS, Stage.IMPORTS)


def problems_path(run_id: str, set_name: str) -> str:
    """The file of a set's problems."""
    path = UnitPath(table=PROBLEMS.name, run_id=run_id, stage=Stage.PROBLEMS, unit=set_name)
    return str(path)


def set_names(store: Store, run_id: str) -> list[str]:
    """The sets of problems of a run, in order; empty for a run that does not exist."""
    paths = store.files(PROBLEMS.name, run_id=run_id, stage=Stage.PROBLEMS)
    return [UnitPath.parse(path).unit for path in paths]


def look_for(root: str | Path, run_id: str | None, sets: Sequence[str]) -> None:
    """Look for a run and its sets before anything is written, so that a typo leaves nothing.

    Raises:
        StoreUnusable: the root is not a store.
        ValueError: no run is named, it does not exist, or it lacks a set; the message has the names
            that exist.
    """
    store = Store(root, create=False)
    there = [] if run_id is None else set_names(store, run_id)
    if not there:
        which = (
            "a run to work on, got none" if run_id is None else f"a run with problems, got {run_id}"
        )
        raise ValueError(f"expected {which}: {_known_runs(store, run_id)}")
    for name in sets:
        if name not in there:
            raise ValueError(f"run {run_id} has no set {name!r}: expected {', '.join(there)}")


def sampled_files(store: Store, run_id: str, set_name: str) -> list[str]:
    """The files of a set's solutions: those sampled in this run, then imported ones.

    Raises:
        ValueError: the set has no solutions.
    """
    names = named_files(store, SolutionsName, TRAJECTORIES.name, run_id, *_SOLUTIONS_STAGES)
    found = [path for path, name in names.items() if name.group.set_name == set_name]
    if not found:
        others = ", ".join(sorted({name.group.set_name for name in names.values()}))
        others = f"it has {others}" if others else "it has none; `run_state` lists the runs"
        raise ValueError(f"run {run_id} has no sampled solutions of the set {set_name!r}: {others}")
    return found


def rollout_files(store: Store, run_id: str, set_name: str) -> list[str]:
    """The files of a set's rollouts; empty if it was not labelled by rollouts."""
    return _labelling_files(store, TRAJECTORIES.name, run_id, set_name, Stage.STEP_LABELS)


def error_path_files(store: Store, run_id: str, set_name: str) -> dict[str, ErrorPathsName]:
    """The files of solutions of a set that were made wrong on purpose, and their names.

    Raises:
        ValueError: the set has none.
    """
    stage = Stage.ERROR_PATHS
    names = named_files(store, ErrorPathsName, TRAJECTORIES.name, run_id, stage)
    found = {path: name for path, name in names.items() if name.group.set_name == set_name}
    if not found:
        raise ValueError(
            f"run {run_id} has no error paths of the set {set_name!r}: run the flow error_paths "
            "first"
        )
    return found


def label_files(store: Store, run_id: str, set_name: str) -> list[str]:
    """The files of a set's step labels, those made here and imported ones; may be empty."""
    return _labelling_files(store, STEP_LABELS.name, run_id, set_name, *_LABELS_STAGES)


def label_files_for(store: Store, run_id: str, set_name: str, method: str | None) -> list[str]:
    """The files of a set's step labels that whoever reads those of one method depends on."""
    names = named_files(store, LabelsName, STEP_LABELS.name, run_id, *_LABELS_STAGES)
    return [p for p, n in names.items() if n.group.set_name == set_name and may_have(n, method)]


def may_have(name: LabelsName, method: str | None) -> bool:
    """Whether a file of step labels belongs to those among which a method's are looked for.

    These are the first labels of a set, imported ones, and later ones of the method's type: labels
    that are added for another purpose leave what was made from the others as it is. `method` is
    None for a reader that takes the only method there is.
    """
    return not name.labels_type or (
        method is not None and name.labels_type == type_of_method(method)
    )


def score_files(store: Store, run_id: str, sampled: Sequence[str], verifier: str) -> list[str]:
    """The files of one verifier's scores of the solutions in these files, imported ones included.

    Files that it failed to score are left out.

    Raises:
        ValueError: the verifier has scored none of them.
    """
    scores = named_files(store, ScoresName, STEP_SCORES.name, run_id, *_SCORES_STAGES)
    by_name = {name: path for path, name in scores.items()}
    names = [ScoresName.by(verifier, SolutionsName.of(path)) for path in sampled]
    found = [by_name[name] for name in names if name in by_name]
    if not found:
        solutions = ", ".join(str(name.solutions) for name in names)
        raise ValueError(
            f"run {run_id}: verifier {verifier} has scored none of {solutions}: "
            "run the scoring flow first"
        )
    return found


def verifiers_of(store: Store, run_id: str, sampled: Iterable[str]) -> list[str]:
    """The verifiers that scored any of these files' solutions, by id."""
    solutions = {SolutionsName.of(path) for path in sampled}
    scores = named_files(store, ScoresName, STEP_SCORES.name, run_id, *_SCORES_STAGES)
    one_of_each = {
        name.verifier_id: path for path, name in scores.items() if name.solutions in solutions
    }
    return sorted(store.read(path, (0, 1))[0].verifier for path in one_of_each.values())


def verdict_files(store: Store, run_id: str, graded: Iterable[str]) -> dict[str, list[str]]:
    """For each file of trajectories, the files of verdicts on it, in the order of their numbers."""
    found: dict[str, list[tuple[int, str]]] = {}
    names = named_files(store, VerdictsName, VERDICTS.name, run_id, Stage.REGRADING)
    for path, name in names.items():
        found.setdefault(str(name.graded), []).append((name.number, path))
    return {
        path: [verdicts for _, verdicts in sorted(found.get(UnitPath.parse(path).unit, []))]
        for path in graded
    }


def _labelling_files(
    store: Store, table: str, run_id: str, set_name: str, *stages: Stage
) -> list[str]:
    names = named_files(store, LabelsName, table, run_id, *stages)
    return [path for path, name in names.items() if name.group.set_name == set_name]


def named_files(
    store: Store, kind: type[Name], table: str, run_id: str, *stages: Stage
) -> dict[str, Name]:
    """The files of some stages with a name of this kind, in order; other files are ignored."""
    found = {}
    for stage in stages:
        for path in store.files(table, run_id=run_id, stage=stage):
            with contextlib.suppress(ValueError):
                found[path] = kind.of(path)
    return found


def _known_runs(store: Store, named: str | None) -> str:
    """The runs of a store, those like a mistyped name first."""
    from storage import connect
    from storage.queries import ask

    runs = [row["run_id"] for row in ask(connect(store.url), "newest_runs", num_runs=_MAX_RUNS)]
    near = get_close_matches(named or "", runs, n=3)
    names = ", ".join(list(dict.fromkeys([*near, *runs]))[:_MAX_NAMED])
    return f"{store.url} has {names}" if names else f"{store.url} has no runs"
