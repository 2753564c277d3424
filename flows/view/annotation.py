"""What people say about steps and grades, written as rows like any others.

A label is a row of `step_labels` with the method `human`, a grade a row of `verdicts` whose grader
is `human[NAME]`; both say who and when. The file of a form's marks gets its name by the commit
rule, so that of two people who write at the same time neither is lost; what was said last counts.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemas.rows import STEP_LABELS, VERDICTS, StepLabel, Verdict, now
from schemas.unit_names import UNITS_READ, LabelsName, SolutionsName, VerdictsName
from schemas.units import Stage, Unit, UnitPath, derive_id
from storage import Store
from storage.viewing import Snapshot

METHOD = "human"
_MARKS = {"right": True, "wrong": False, "none": None}
_GRADED_STAGES = (
    Stage.SAMPLING, Stage.IMPORTS, Stage.STEP_LABELS, Stage.REFINEMENTS, Stage.ERROR_PATHS,
)  # fmt: skip
_LABELLED_STAGES = (Stage.SAMPLING, Stage.IMPORTS)
_NAME = re.compile(r"[\w][\w .@+-]{0,59}")
_MAX_TRIES = 100


@dataclass(frozen=True, slots=True)
class Annotator:
    """Who writes, and what the forms of this viewer alone know."""

    name: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def __post_init__(self) -> None:
        """Check the name.

        Raises:
            ValueError: it cannot name an annotator.
        """
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"annotate {self.name!r}: expected a name of 1 to 60 letters, digits, spaces and "
                "'.', '@', '+', '-', '_', beginning with a letter or digit"
            )

    def may_write(self, token: str) -> bool:
        """Whether a form came from a page of this viewer."""
        return secrets.compare_digest(token.encode(), self.token.encode())


class Can(NamedTuple):
    """What can be said about a row."""

    label_steps: bool
    grade: bool


def can_mark(row: Mapping[str, Any]) -> Can:
    """What a person can say about a trajectory: files of other stages have no place for it."""
    whole = row["role"] is None and row["parent_id"] is None and row["status"] != "error"
    is_graded = row["stage"] in _GRADED_STAGES and row["status"] in ("finished", "truncated")
    return Can(row["stage"] in _LABELLED_STAGES and whole and bool(row["steps"]), is_graded)


def write_labels(
    snapshot: Snapshot, row: Mapping[str, Any], marks: Mapping[int, str], annotator: str
) -> int:
    """Write the marks of a solution's steps that differ from those that count; their number.

    Args:
        snapshot: the store.
        row: the solution.
        marks: by step, `right`, `wrong` or `none`.
        annotator: who says so.

    Raises:
        ValueError: a mark is none of these, the solution has no such step, or its steps cannot be
            marked.
    """
    if not can_mark(row).label_steps:
        raise ValueError(
            f"trajectory {row['trajectory_id']}: expected a sampled or imported solution, whose "
            f"steps can be marked, got a {row['role'] or 'row'} of the stage {row['stage']}"
        )
    key = {"run_id": row["run_id"], "trajectory_id": row["trajectory_id"]}
    there = {
        label["step_index"]: label["hard"]
        for label in snapshot.ask("labels_of_trajectory", **key)
        if label["method"] == METHOD
    }
    created_at = now()
    labels = []
    for step, mark in sorted(marks.items()):
        if mark not in _MARKS:
            raise ValueError(f"step {step}: expected {', '.join(_MARKS)}, got {mark!r}")
        if not 0 <= step < len(row["steps"]):
            raise ValueError(f"step {step}: expected one of {len(row['steps'])} steps")
        if _MARKS[mark] != there.get(step):
            labels.append(
                StepLabel(
                    trajectory_id=row["trajectory_id"],
                    step_index=step,
                    method=METHOD,
                    completer=annotator,
                    evidence="human",
                    hard=_MARKS[mark],
                    created_at=created_at,
                )
            )
    if labels:
        unit = SolutionsName.of(_unit_of(snapshot, row))
        _commit(snapshot.store, row["run_id"], STEP_LABELS.name, unit, labels)
    return len(labels)


def write_grade(snapshot: Snapshot, row: Mapping[str, Any], mark: str, annotator: str) -> None:
    """Write a verdict on a trajectory's answer, which counts until it is graded again.

    Raises:
        ValueError: the mark is neither `right` nor `wrong`, or the row cannot be graded.
    """
    if mark not in ("right", "wrong"):
        raise ValueError(f"grade: expected right or wrong, got {mark!r}")
    if not can_mark(row).grade:
        raise ValueError(
            f"trajectory {row['trajectory_id']}: expected a solution that ended, of a stage whose "
            f"rows are graded, got one of the stage {row['stage']} with status {row['status']}"
        )
    verdict = Verdict(
        trajectory_id=row["trajectory_id"],
        grader=f"{METHOD}[{annotator}]",
        answer=row["answer"],
        correct=_MARKS[mark],
        created_at=now(),
    )
    path = _unit_of(snapshot, row)
    place = UnitPath.parse(path)
    graded: Any = UNITS_READ[place.table, place.stage].of(path)
    _commit(snapshot.store, row["run_id"], VERDICTS.name, graded, [verdict])


def _unit_of(snapshot: Snapshot, row: Mapping[str, Any]) -> str:
    """The path of the unit that a row belongs to."""
    key = {"run_id": row["run_id"], "trajectory_id": row["trajectory_id"]}
    (found,) = snapshot.ask("place_of_trajectory", **key)
    path = found["filename"].removeprefix(f"{snapshot.store.url}/")
    return snapshot.store.unit_at(path, found["row_number"])


def _commit(store: Store, run_id: str, table: str, about: Any, rows: list[Any]) -> None:
    """Write rows under the first number that nobody has taken."""
    is_labels = table == STEP_LABELS.name
    stage = Stage.STEP_LABELS if is_labels else Stage.REGRADING
    kind = LabelsName if is_labels else VerdictsName
    number = 0
    for path in store.files(table, run_id=run_id, stage=stage, prefix=f"{about}-"):
        name = UnitPath.parse(path).unit
        if kind.pattern.fullmatch(name):
            number = max(number, _number(kind.parse(name), about) + 1)
    for _ in range(_MAX_TRIES):
        name = (
            LabelsName(about, number, METHOD)
            if is_labels
            else VerdictsName(about, number, derive_id(rows[0].grader))
        )
        unit = Unit(run_id=run_id, stage=stage, name=str(name), table=table)
        if not store.commit(unit, rows).was_there:
            return
        number += 1
    raise ValueError(f"{table} of {about}: {_MAX_TRIES} names were taken by others meanwhile")


def _number(name: LabelsName | VerdictsName, about: Any) -> int:
    """The number of what people and others said about a unit; -1 for what is of another kind."""
    if isinstance(name, LabelsName):
        is_same = name.solutions == about and name.labels_type == METHOD
        return name.part if is_same else -1
    return name.number if str(name.graded) == str(about) else -1
