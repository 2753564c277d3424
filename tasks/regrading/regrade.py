"""Grade stored trajectories again: `verdicts` rows, and what they changed.

Reads one trajectories file, the problems, the earlier verdicts, and for rollouts the solutions that
they continue, as a rollout is judged by its whole text. Nothing is sampled and no row is touched.
Rows without a text to judge (status `error` or `pruned`) get no verdict; for cut texts the rule is
the one that holds when rows are made (`tasks.graders.verdicts`). A judge's verdicts are made from
its stored judgements, and an ensemble's from those of its members, which the rows keep.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.graders import EnsembleGraderConfig, GraderConfig, members_of
from schemas.judging import JudgeGraderConfig
from schemas.rows import (
    JUDGEMENTS,
    TRAJECTORIES,
    VERDICTS,
    Judgement,
    MemberVerdict,
    Problem,
    Trajectory,
    Verdict,
    now,
)
from schemas.units import Unit, derive_id
from storage import Store
from tasks.graders import Grade, Grader, extract_answer, grade_all, make_grader
from tasks.graders.base import UNGRADED
from tasks.graders.ensemble_grader import combine_grades, ensemble_name
from tasks.graders.judge_grader import combine_judgements
from tasks.graders.verdicts import apply_verdicts, kind_of, verdict
from tasks.regrading.judge import judge_name, own_settings
from tasks.thinking.thoughts import answer_text


@dataclass(frozen=True, slots=True)
class Change:
    """A verdict before and after."""

    grader_before: str
    before: bool | None
    grader: str
    after: bool | None


@dataclass(frozen=True, slots=True)
class _Member:
    """A grader, or a judge, whose grades are made of its judgements."""

    name: str
    grader: Grader | None
    judge: JudgeGraderConfig | None


class Regrader:
    """One grader over many files; problems and the grader's processes are loaded once."""

    def __init__(self, store: Store, config: GraderConfig) -> None:
        """A grader, or an ensemble.

        Raises:
            ModelUnusable: the model of a judge does not exist.
        """
        self._store = store
        self._config = config
        self._members = [_make_member(member) for member in members_of(config)]
        self._problems: dict[str, dict[str, Problem]] = {}
        names = [member.name for member in self._members]
        is_ensemble = isinstance(config, EnsembleGraderConfig)
        self.name = ensemble_name(config, names) if is_ensemble else names[0]
        """The value of the `grader` column."""
        self.grader_id = derive_id(self.name, _hash(config))
        """Differs where kind, version or options of the grader do."""

    def close(self) -> None:
        """End the grader's processes."""
        for member in self._members:
            if member.grader is not None:
                member.grader.close()

    def check_problems(self, path: str) -> None:
        """Refuse problems of which the grader can judge by none, before it overrules verdicts.

        Args:
            path: the file of the problems.

        Raises:
            ValueError: it can judge by none; why not by the first.
        """
        faults = []
        for member in self._members:
            for problem in self._problems_of(path).values():
                fault = None if member.grader is None else member.grader.check_gold(problem)
                if fault is None:
                    return
                faults.append(f"problem {problem.problem_id}: {fault}")
        if faults:
            raise ValueError(
                f"grader {self.name}: expected a problem that it can judge by, found none in "
                f"{path} ({faults[0]})"
            )

    async def judge(self, unit: Unit) -> list[Verdict]:
        """The verdicts on a unit's trajectories, in their order.

        The unit's inputs are the trajectories, the problems, files of trajectories that the first
        ones continue, the judgements of judges, and earlier verdicts.

        Raises:
            ValueError: a rollout's solution, or a judgement, is not among the inputs.
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
        grades = [
            self._read_judge(unit, rows, texts, member.name, member.judge)
            if member.judge is not None
            else await _grade(member.grader, rows, texts, problems)
            for member in self._members
        ]
        return [
            self._verdict(row, [of_member[index] for of_member in grades])
            for index, row in enumerate(rows)
        ]

    def _read_judge(
        self,
        unit: Unit,
        rows: Sequence[Trajectory],
        texts: Sequence[str],
        name: str,
        config: JudgeGraderConfig,
    ) -> list[Grade]:
        """What a judge's stored judgements come to, row by row."""
        said: dict[str, list[bool | None]] = {}
        for path in _of_table(unit.inputs, JUDGEMENTS.name):
            judgements: list[Judgement] = self._store.read(path)
            for each in judgements:
                if each.grader == name:
                    said.setdefault(each.trajectory_id, []).append(each.verdict)
        return [
            Grade(
                extract_answer(text),
                combine_judgements(said.get(row.trajectory_id, ()), config),
            )
            for row, text in zip(rows, texts, strict=True)
        ]

    def _problems_of(self, path: str) -> dict[str, Problem]:
        if path not in self._problems:
            problems: list[Problem] = self._store.read(path)
            self._problems[path] = {problem.problem_id: problem for problem in problems}
        return self._problems[path]

    def _verdict(self, row: Trajectory, grades: Sequence[Grade]) -> Verdict:
        """The row's verdict from the grade of each member."""
        counted = [verdict(grade, row.status, kind_of(row)) for grade in grades]
        whole, members = counted[0], None
        if isinstance(self._config, EnsembleGraderConfig):
            whole = combine_grades(counted, self._config.combine)
            members = tuple(
                MemberVerdict(grader=member.name, answer=grade.answer, correct=grade.correct)
                for member, grade in zip(self._members, counted, strict=True)
            )
        return Verdict(
            trajectory_id=row.trajectory_id,
            grader=self.name,
            answer=whole.answer,
            correct=whole.correct,
            created_at=now(),
            check_result=whole.check,
            members=members,
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


def _make_member(config: GraderConfig) -> _Member:
    if isinstance(config, JudgeGraderConfig):
        return _Member(judge_name(config), None, config)
    grader = make_grader(config)
    return _Member(grader.name, grader, None)


def _hash(config: GraderConfig) -> str:
    """The hash of a config, in which a judge's model is known by its content and not its place."""
    if isinstance(config, EnsembleGraderConfig):
        return derive_id(config.combine, *map(_hash, config.graders))
    if isinstance(config, JudgeGraderConfig):
        return own_settings(config)
    return config.config_hash()


async def _grade(
    grader: Grader | None,
    rows: Sequence[Trajectory],
    texts: Sequence[str],
    problems: Mapping[str, Problem],
) -> list[Grade]:
    """The grader's grade of each text, problem by problem."""
    assert grader is not None
    by_problem: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_problem.setdefault(row.problem_id, []).append(index)
    graded = await asyncio.gather(
        *(
            grade_all(grader, [texts[i] for i in indices], problems[problem_id])
            for problem_id, indices in by_problem.items()
        )
    )
    grades = [UNGRADED] * len(rows)
    for indices, found in zip(by_problem.values(), graded, strict=True):
        for index, grade in zip(indices, found, strict=True):
            grades[index] = grade
    return grades
