"""Critics that are no model: the built-in world's exact checker, step labels, fixed words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.critiques import CritiquesJob, FixedCriticConfig, LabelsCriticConfig
from schemas.rows import STEP_LABELS, Critique, Problem, StepLabel, Trajectory
from schemas.units import Unit
from tasks.critics.asking import ShownSolution
from tasks.critics.rows import CHECKER, FIXED, LABELS, critique_row
from tasks.critics.writing import write_review
from tasks.critiques.critic import inputs_of, scope_of
from tasks.engines.host import UnitContext
from tasks.world.problems import parse_question
from tasks.world.reviews import Review, StepReview, nod, review


@dataclass(frozen=True, slots=True)
class CheckerCritic:
    """The exact checker's review (see tasks.world.reviews)."""

    unit: Unit
    job: CritiquesJob

    async def critique(
        self, problem: Problem, solution: Trajectory, key: str | None
    ) -> list[Critique]:
        """One critique.

        Raises:
            ValueError: the problem is not of the built-in world.
        """
        steps = ShownSolution.of(solution).steps
        # A step may hold a line break, where a token has more than the end of its line.
        lines = "\n".join(step.replace("\n", " ") for step in steps)
        found = review(parse_question(problem.question), lines)
        if self.job.format.judges == "all":  # after the first error nothing can be right
            rest = (StepReview(_label(step), "wrong") for step in steps[len(found.lines) :])
            found = Review((*found.lines, *rest), found.verdict)
        text = write_review(found, steps, self.job.format)
        row = critique_row(
            text,
            problem,
            solution,
            format=self.job.format,
            scope=scope_of(self.unit),
            critic=CHECKER,
            engine=CHECKER,
        )
        return [row]


@dataclass(frozen=True, slots=True)
class LabelsCritic:
    """The step labels of a method in words."""

    unit: Unit
    job: CritiquesJob
    method: str
    labels: Mapping[str, Mapping[int, bool | None]]
    """By trajectory id and index of the step whether the solution is right after it."""

    async def critique(
        self, problem: Problem, solution: Trajectory, key: str | None
    ) -> list[Critique]:
        """One critique; none where the labels leave the first error open."""
        shown = ShownSolution.of(solution)
        labels = self.labels.get(solution.trajectory_id, {})
        hard = [labels.get(index) for index in range(shown.num_hidden, len(solution.steps))]
        judged = judged_steps(hard, with_all=self.job.format.judges == "all")
        if judged is None:
            return []
        lines = [
            StepReview(_label(step), "right" if is_right else "wrong")
            for step, is_right in zip(shown.steps, judged, strict=False)
        ]
        written = Review(tuple(lines), "right" if all(judged) else "wrong")
        row = critique_row(
            write_review(written, shown.steps, self.job.format),
            problem,
            solution,
            format=self.job.format,
            scope=scope_of(self.unit),
            critic=f"{LABELS}[{self.method}]",
            engine=LABELS,
        )
        return [row]


@dataclass(frozen=True, slots=True)
class FixedCritic:
    """The same words about every solution."""

    unit: Unit
    job: CritiquesJob
    text: str

    async def critique(
        self, problem: Problem, solution: Trajectory, key: str | None
    ) -> list[Critique]:
        """One critique."""
        row = critique_row(
            self.text,
            problem,
            solution,
            format=self.job.format,
            scope=scope_of(self.unit),
            critic=FIXED,
            engine=FIXED,
        )
        return [row]


def judged_steps(hard: Sequence[bool | None], *, with_all: bool) -> list[bool] | None:
    """The verdicts of a critique on the first steps of a solution, or on all.

    Args:
        hard: [num_steps] the label of each step, None for a step without.
        with_all: whether steps after the first wrong one are judged too: they are wrong.

    Returns:
        None if a step before the first wrong one, or any step where none is wrong, has no label.
    """
    num_right = next((i for i, label in enumerate(hard) if label is not True), len(hard))
    if num_right == len(hard):
        return [True] * num_right if hard else None
    if hard[num_right] is None:
        return None
    num_wrong = len(hard) - num_right if with_all else 1
    return [True] * num_right + [False] * num_wrong


async def make_checker_critic(unit: Unit, job: CritiquesJob, context: UnitContext) -> CheckerCritic:
    """The exact checker."""
    return CheckerCritic(unit, job)


async def make_labels_critic(unit: Unit, job: CritiquesJob, context: UnitContext) -> LabelsCritic:
    """The labels among the unit's inputs that are of the critic's method."""
    assert isinstance(job.critic, LabelsCriticConfig)
    method = job.critic.method
    labels: dict[str, dict[int, bool | None]] = {}
    for path in inputs_of(unit, STEP_LABELS.name):
        rows: list[StepLabel] = await context.read(path)
        for row in rows:
            if row.method == method:
                labels.setdefault(row.trajectory_id, {})[row.step_index] = row.hard
    return LabelsCritic(unit, job, method, labels)


async def make_fixed_critic(unit: Unit, job: CritiquesJob, context: UnitContext) -> FixedCritic:
    """The words of the critic's config."""
    assert isinstance(job.critic, FixedCriticConfig)
    return FixedCritic(unit, job, job.critic.text)


def _label(step: str) -> str:
    """What a line of a review about a step begins with; empty for a step of another world."""
    return nod(step).lines[0].label if step.strip() else ""
