"""Grade stored trajectories again: `verdicts` rows, and what they changed.

Reads one trajectories file, the problems, and the verdicts that were there before. Nothing is
sampled and no row is touched. Rows without a text to judge (status `error` or `pruned`) get no
verdict; a text cut at the token limit that marks no answer stays ungraded, never wrong.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.graders import GraderConfig
from schemas.rows import Problem, Trajectory, Verdict, now
from schemas.units import Unit, derive_id
from storage import Store
from tasks.graders import Grade, grade_all, make_grader
from tasks.graders.verdicts import apply_verdicts


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict before and after."""

    grader_before: str
    before: bool | None
    grader: str
    after: bool | None


class Regrader:
    """One grader over many files; gold answers and the grader's processes are loaded once."""

    def __init__(self, store: Store, config: GraderConfig) -> None:
        self._store = store
        self._grader = make_grader(config)
        self._golds: dict[str, dict[str, str]] = {}
        self.grader_id = derive_id(self._grader.name, config.config_hash())
        """Differs where kind, version or options of the grader do."""

    def close(self) -> None:
        """End the grader's processes."""
        self._grader.close()

    async def judge(self, unit: Unit) -> list[Verdict]:
        """The verdicts on a unit's trajectories, in their order.

        The unit's inputs are the trajectories, the problems and earlier verdicts.
        """
        golds = self._golds_of(unit.inputs[1])
        rows: list[Trajectory] = [
            row
            for row in self._store.read(unit.inputs[0])
            if row.status in ("finished", "truncated")
        ]
        by_gold: dict[str, list[int]] = {}
        for index, row in enumerate(rows):
            by_gold.setdefault(golds[row.problem_id], []).append(index)
        graded = await asyncio.gather(
            *(
                grade_all(self._grader, [rows[i].text for i in indices], gold)
                for gold, indices in by_gold.items()
            )
        )
        grade_of: dict[int, Grade] = {}
        for indices, grades in zip(by_gold.values(), graded, strict=True):
            grade_of |= dict(zip(indices, grades, strict=True))
        return [self._verdict(row, grade_of[index]) for index, row in enumerate(rows)]

    def _golds_of(self, path: str) -> dict[str, str]:
        if path not in self._golds:
            problems: list[Problem] = self._store.read(path)
            self._golds[path] = {problem.problem_id: problem.answer for problem in problems}
        return self._golds[path]

    def _verdict(self, row: Trajectory, grade: Grade) -> Verdict:
        is_cut_off = row.status == "truncated" and grade.answer is None
        return Verdict(
            trajectory_id=row.trajectory_id,
            grader=self._grader.name,
            answer=grade.answer,
            correct=None if is_cut_off else grade.correct,
            created_at=now(),
        )


def count_changes(store: Store, unit: Unit) -> Counter[Change]:
    """What a committed unit's verdicts say against those before them, changed or not."""
    earlier: list[Verdict] = [row for path in unit.inputs[2:] for row in store.read(path)]
    rows: Sequence[Trajectory] = apply_verdicts(store.read(unit.inputs[0]), earlier)
    verdicts: dict[str, Verdict] = {row.trajectory_id: row for row in store.read(unit.path)}
    return Counter(
        Change(row.grader, row.correct, verdict.grader, verdict.correct)
        for row in rows
        if (verdict := verdicts.get(row.trajectory_id)) is not None
    )
