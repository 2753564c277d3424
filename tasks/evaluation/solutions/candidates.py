"""The candidates of a problem in the form that the statistics use, built from stored rows.

Each row is either a candidate for the answer or excluded, by the rule `outcome` in
`tasks/graders/verdicts.py`:

* graded rows (`correct` is true or false) are candidates;
* a truncated row without an answer is a candidate that is not right and casts no vote. The share
  of truncated rows, and the accuracy among finished rows alone, are reported in addition to the
  curves;
* every other ungraded row (`correct` is null: the grader could not decide), a pruned branch and
  a row with status `error` are excluded and counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from schemas.rows import Problem, Status, StepScores, Trajectory
from tasks.graders.verdicts import outcome


class AnswerClasses(Protocol):
    """The part of a grader that the evaluation needs."""

    comparable: ClassVar[bool]

    def classes(self, answers: Sequence[str | None]) -> list[int | None]:
        """The class of each answer: equal answers have the same class; None for no answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """All rows drawn for one problem, in the order drawn; the lists are parallel."""

    problem_id: str
    level: int | None = None
    subject: str | None = None
    classes: tuple[int | None, ...]
    """[num_drawn] equivalence class of the answer; None without an answer."""
    correct: tuple[bool | None, ...]
    """[num_drawn] None for an ungraded row."""
    status: tuple[Status, ...]
    logprobs: tuple[float | None, ...]
    """[num_drawn] summed log probability of the generated tokens."""
    num_tokens: tuple[int, ...]
    """[num_drawn] number of generated tokens."""
    scores: tuple[tuple[float, ...] | None, ...]
    """[num_drawn] scores by one verifier, one per step or one in all; None without scores."""
    scored_tokens: tuple[int, ...]
    """[num_drawn] tokens that the verifier read, and wrote; 0 if it knew an equal text."""
    text_ids: tuple[int, ...] | None = None
    """[num_drawn] a number per row, the same for equal texts; None if all texts differ."""
    num_steps: tuple[int, ...] | None = None
    """[num_drawn] number of steps; None if they are not known."""
    has_votes: bool = True
    """Whether answers can be compared; if not, they cannot be voted on."""

    def __post_init__(self) -> None:
        """Check that the lists are parallel.

        Raises:
            ValueError: a list differs in length from `classes`.
        """
        for name in ("correct", "status", "logprobs", "num_tokens", "scores", "scored_tokens"):
            if len(getattr(self, name)) != self.num_drawn:
                raise ValueError(
                    f"problem {self.problem_id}: expected {self.num_drawn} {name}, "
                    f"got {len(getattr(self, name))}"
                )

    @property
    def num_drawn(self) -> int:
        """The number of rows drawn for the problem, excluded ones included: the budget spent."""
        return len(self.classes)

    def usable(self) -> list[int]:
        """Indices of the rows that are candidates under the rule at the top of this file."""
        return [index for index, is_right in enumerate(self.outcomes()) if is_right is not None]

    def outcomes(self) -> list[bool | None]:
        """[num_drawn] whether each row counts as right, as not right, or not at all (None)."""
        rows = zip(self.status, self.classes, self.correct, strict=True)
        return [
            outcome(status, has_answer=answer is not None, correct=correct)
            for status, answer, correct in rows
        ]


def num_reached(candidates: Sequence[Candidates]) -> int:
    """The largest budget to measure: at least half of the problems with rows have that many.

    A problem with fewer is measured on all that it has. So the same problems stand behind every
    budget, and one row that is missing does not end the curves.
    """
    drawn = sorted(problem.num_drawn for problem in candidates if problem.num_drawn)
    return drawn[len(drawn) // 2] if drawn else 0


def measured_budgets(candidates: Sequence[Candidates], budgets: Sequence[int]) -> tuple[int, ...]:
    """The budgets that were reached, in order, and the largest one even if it is not among them.

    So a curve ends where the solutions end: with 8 of each problem, N = 1, 4 and 8.
    """
    reached = num_reached(candidates)
    return tuple(sorted({k for k in (*budgets, reached) if 0 < k <= reached}))


def build_candidates(
    problems: Sequence[Problem],
    trajectories: Sequence[Trajectory],
    scores: Sequence[StepScores],
    grader: AnswerClasses,
) -> list[Candidates]:
    """One `Candidates` per problem, in the order of the problems.

    Args:
        problems: one row per problem.
        trajectories: whole solutions of these problems by one policy, in any order.
        scores: one verifier's scores of these trajectories; may be empty.
        grader: decides which answers are equal.

    Raises:
        ValueError: a row appears twice, a trajectory's problem is missing, the scores are by more
            than one verifier, or a trajectory has neither one score nor one per step.
    """
    by_problem = drawn_rows(problems, trajectories)
    by_trajectory = _index_scores(scores)
    return [_gather(p, by_problem[p.problem_id], by_trajectory, grader) for p in problems]


def drawn_rows(
    problems: Sequence[Problem], trajectories: Sequence[Trajectory]
) -> dict[str, list[Trajectory]]:
    """The rows of each problem in the order drawn, problems in the given order.

    Raises:
        ValueError: a row appears twice, or a trajectory's problem is missing.
    """
    by_problem: dict[str, list[Trajectory]] = {problem.problem_id: [] for problem in problems}
    if len(by_problem) < len(problems):
        raise ValueError(f"expected distinct problems, got {len(problems) - len(by_problem)} twice")
    seen: set[str] = set()
    for trajectory in trajectories:
        if trajectory.trajectory_id in seen:
            raise ValueError(f"trajectory {trajectory.trajectory_id}: expected once, got it twice")
        if trajectory.problem_id not in by_problem:
            raise ValueError(
                f"trajectory {trajectory.trajectory_id}: its problem {trajectory.problem_id} "
                f"is not among the {len(problems)} given"
            )
        seen.add(trajectory.trajectory_id)
        by_problem[trajectory.problem_id].append(trajectory)
    for rows in by_problem.values():
        rows.sort(key=lambda row: (row.sample_index, row.trajectory_id))
    return by_problem


def _index_scores(scores: Sequence[StepScores]) -> dict[str, StepScores]:
    verifiers = sorted({row.verifier for row in scores})
    if len(verifiers) > 1:
        raise ValueError(f"expected the scores of one verifier, got {', '.join(verifiers)}")
    indexed = {row.trajectory_id: row for row in scores}
    if len(indexed) < len(scores):
        raise ValueError(f"expected distinct score rows, got {len(scores) - len(indexed)} twice")
    return indexed


def _gather(
    problem: Problem,
    rows: Sequence[Trajectory],
    by_trajectory: dict[str, StepScores],
    grader: AnswerClasses,
) -> Candidates:
    scored = [by_trajectory.get(row.trajectory_id) for row in rows]
    return Candidates(
        problem_id=problem.problem_id,
        level=problem.level,
        subject=problem.subject,
        classes=tuple(grader.classes([row.answer for row in rows])),
        correct=tuple(row.correct for row in rows),
        status=tuple(row.status for row in rows),
        logprobs=tuple(row.logprob for row in rows),
        num_tokens=tuple(row.generated_tokens for row in rows),
        scores=tuple(_step_scores(row, score) for row, score in zip(rows, scored, strict=True)),
        scored_tokens=tuple(
            0 if score is None else score.scored_tokens + (score.generated_tokens or 0)
            for score in scored
        ),
        text_ids=_number_texts(rows),
        num_steps=tuple(len(row.steps) for row in rows),
        has_votes=grader.comparable,
    )


def _number_texts(rows: Sequence[Trajectory]) -> tuple[int, ...]:
    numbers: dict[str, int] = {}
    return tuple(numbers.setdefault(row.text, len(numbers)) for row in rows)


def _step_scores(row: Trajectory, score: StepScores | None) -> tuple[float, ...] | None:
    """The scores of a row; None if it was not scored or could not be."""
    if score is None or score.error is not None:
        return None
    if len(score.scores) not in (1, len(row.steps)):
        raise ValueError(
            f"trajectory {row.trajectory_id}: expected {len(row.steps)} step scores or one of the "
            f"whole, got {len(score.scores)}"
        )
    return score.scores or None
