"""Grade stored trajectories again: `verdicts` rows, and what they changed.

Reads one trajectories file, the problems, the earlier verdicts, and for rollouts the solutions that
they continue, as a rollout is judged by its whole text. Nothing is sampled and no row is touched.
Rows without a text to judge (status `error` or `pruned`) get no verdict; for cut texts the rule is
the one that holds when rows are made (`tasks.graders.verdicts`).
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.graders import GraderConfig
from schemas.rows import TRAJECTORIES, VERDICTS, Problem, Trajectory, Verdict, now
from schemas.units import Unit, derive_id
from storage import Store
from tasks.graders import Grade, grade_all, make_grader
from tasks.graders.verdicts import apply_verdicts, kind_of, verdict
from tasks.thinking.thoughts import answer_text


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict before and after."""

    grader_before: str
    before: bool | None
    grader: str
    after: bool | None


class Regrader:
    """One grader over many files; problems and the grader's processes are loaded once."""

    def __init__(self, store: Store, config: GraderConfig) -> None:
        self._store = store
        self._grader = make_grader(config)
        self._problems: dict[str, dict[str, Problem]] = {}
        self.grader_id = derive_id(self._grader.name, config.config_hash())
        """Differs where kind, version or options of the grader do."""

    def close(self) -> None:
        """End the grader's processes."""
        self._grader.close()

    async def judge(self, unit: Unit) -> list[Verdict]:
        """The verdicts on a unit's trajectories, in their order.

        The unit's inputs are the trajectories, the problems, files of trajectories that the first
        ones continue, and earlier verdicts.

        Raises:
            ValueError: a rollout's solution is not among the inputs.
        """
        problems = self._problems_of(unit.inputs[1])
        before: dict[str, Trajectory] = {
            row.trajectory_id: row
            for path in _of_table(unit.inputs[1:], TRAJECTORIES.name)
            for row in self._store.read(path)
        }
        rows: list[Trajectory] = [
            row
            for row in self._store.read(unit.inputs[0])
            if row.status in ("finished", "truncated")
        ]
        texts = [answer_text(row, before) for row in rows]
        by_problem: dict[str, list[int]] = {}
        for index, row in enumerate(rows):
            by_problem.setdefault(row.problem_id, []).append(index)
        graded = await asyncio.gather(
            *(
                grade_all(self._grader, [texts[i] for i in indices], problems[problem_id])
                for problem_id, indices in by_problem.items()
            )
        )
        grade_of: dict[int, Grade] = {}
        for indices, grades in zip(by_problem.values(), graded, strict=True):
            grade_of |= dict(zip(indices, grades, strict=True))
        return [self._verdict(row, grade_of[index]) for index, row in enumerate(rows)]

    def _problems_of(self, path: str) -> dict[str, Problem]:
        if path not in self._problems:
            problems: list[Problem] = self._store.read(path)
            self._problems[path] = {problem.problem_id: problem for problem in problems}
        return self._problems[path]

    def _verdict(self, row: Trajectory, grade: Grade) -> Verdict:
        counted = verdict(grade, row.status, kind_of(row))
        return Verdict(
            trajectory_id=row.trajectory_id,
            grader=self._grader.name,
            answer=counted.answer,
            correct=counted.correct,
            created_at=now(),
            check_result=counted.check,
        )


def count_changes(store: Store, unit: Unit) -> Counter[Change]:
    """What a committed unit's verdicts say against those before them, changed or not."""
    paths = _of_table(unit.inputs, VERDICTS.name)
    earlier: list[Verdict] = [row for path in paths for row in store.read(path)]
    rows: Sequence[Trajectory] = apply_verdicts(store.read(unit.inputs[0]), earlier)
    verdicts: dict[str, Verdict] = {row.trajectory_id: row for row in store.read(unit.path)}
    return Counter(
        Change(row.grader, row.correct, later.grader, later.correct)
        for row in rows
        if (later := verdicts.get(row.trajectory_id)) is not None
    )


def _of_table(paths: Sequence[str], table: str) -> list[str]:
    """The paths that are files of a table."""
    return [path for path in paths if path.startswith(f"{table}/")]
