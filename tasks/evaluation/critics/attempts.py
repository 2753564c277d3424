"""Solutions with their critiques and second attempts, joined from stored rows.

A batch is a unit of critiques with the second attempts that followed it, among them retries without
a critique, which are the control of every critic of that unit. Outcomes are those of the newest
verdicts, by the rule `outcome` of `tasks/graders/verdicts.py`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.rows import Critique, Trajectory
from tasks.critics.asking import ShownSolution
from tasks.graders.verdicts import outcome


class CriticKey(NamedTuple):
    """Whose critiques are measured together."""

    policy: str
    """The model that wrote the solutions."""
    critic: str
    arm: str
    """What the critic was told, with its temperature unless it is 0, and the actor unless it is the
    policy."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The critiques of one unit, and the second attempts that followed them."""

    critiques: Sequence[Critique]
    attempts: Sequence[Trajectory]
    """With their newest verdicts."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A second attempt that ended."""

    is_right: bool | None
    is_copy: bool
    """Whether it repeats the first attempt."""
    num_tokens: int


@dataclass(slots=True)
class CritiquedSolution:
    """A solution, what one critic says about it, and what came after it."""

    row: Trajectory
    before: bool | None
    """Whether it is right; None if it does not count."""
    critiques: list[Critique] = field(default_factory=list)
    refined: list[Attempt] = field(default_factory=list)
    """Attempts with a critique."""
    retried: list[Attempt] = field(default_factory=list)
    """Attempts without one."""


def join_attempts(
    solutions: Mapping[str, Trajectory], batches: Iterable[Batch]
) -> dict[CriticKey, list[CritiquedSolution]]:
    """The critiqued solutions of each critic and actor, in the order of the critiques.

    Args:
        solutions: by id, with their newest verdicts; critiques of others are left out.
        batches: in any order.
    """
    found: dict[CriticKey, dict[str, CritiquedSolution]] = {}
    for batch in batches:
        for actor, attempts in _by_actor(batch.attempts).items():
            refined, retried = _by_subject(attempts, solutions)
            controlled: set[tuple[CriticKey, str]] = set()
            for critique in batch.critiques:
                row = solutions.get(critique.trajectory_id)
                if row is None:
                    continue
                arm = _arm(critique, None if actor == row.policy else actor)
                key, name = CriticKey(row.policy, critique.critic, arm), row.trajectory_id
                held = found.setdefault(key, {})
                solution = held.setdefault(name, CritiquedSolution(row, is_right(row)))
                solution.critiques.append(critique)
                solution.refined += refined.get(critique.critique_id, [])
                if (key, name) not in controlled:  # another critique has the same control
                    controlled.add((key, name))
                    solution.retried += retried.get(name, [])
    return {key: list(held.values()) for key, held in found.items()}


def is_right(row: Trajectory) -> bool | None:
    """Whether a row is right; None if it does not count."""
    return outcome(row.status, has_answer=row.answer is not None, correct=row.correct)


def shown_text(row: Trajectory) -> str:
    """A row's text behind its thought, a line per step, without the white space around them."""
    return "\n".join(step.strip() for step in ShownSolution.of(row).steps)


def _by_actor(attempts: Sequence[Trajectory]) -> dict[str | None, list[Trajectory]]:
    """The attempts of each actor; of none where nobody tried again."""
    found: dict[str | None, list[Trajectory]] = {}
    for attempt in attempts:
        found.setdefault(attempt.policy, []).append(attempt)
    return found or {None: []}


def _by_subject(
    attempts: Sequence[Trajectory], solutions: Mapping[str, Trajectory]
) -> tuple[dict[str, list[Attempt]], dict[str, list[Attempt]]]:
    """Attempts with a critique by its id, and those without one by their solution's."""
    refined: dict[str, list[Attempt]] = {}
    retried: dict[str, list[Attempt]] = {}
    for row, first in _with_first(attempts, solutions):
        attempt = Attempt(is_right(row), shown_text(row) == first, row.generated_tokens)
        if row.critique_id is not None:
            refined.setdefault(row.critique_id, []).append(attempt)
        else:
            retried.setdefault(row.parent_id or "", []).append(attempt)
    return refined, retried


def _with_first(
    attempts: Sequence[Trajectory], solutions: Mapping[str, Trajectory]
) -> Iterator[tuple[Trajectory, str]]:
    """Attempts that ended, each with the text of the solution that it follows."""
    texts: dict[str, str] = {}
    for row in attempts:
        first = solutions.get(row.parent_id or "")
        if first is not None and row.status in ("finished", "truncated"):
            name = first.trajectory_id
            if name not in texts:
                texts[name] = shown_text(first)
            yield row, texts[name]


def _arm(critique: Critique, other_actor: str | None) -> str:
    heat = f",t={critique.temperature:g}" if critique.temperature else ""
    actor = "" if other_actor is None else f",actor={other_actor}"
    return f"{critique.told}{heat}{actor}"
