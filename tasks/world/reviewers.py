"""Simulated reviewers, and students who try again: the tutoring that the shipped policy has seen.

A reviewer is a student too: their review is the exact annotator's on the problem as they read it.
Some read everything right, most overlook slips, and some just nod. With a key, a reviewer sees
more. A student who tries again is the same person with the same misconceptions: they follow the
note on the event that it names and do the rest as before, or start afresh.
"""

import random
from dataclasses import dataclass, replace

from tasks.world.problems import WorldProblem
from tasks.world.reviews import Review, find_note, nod, review
from tasks.world.students import Student, attempt, draw_student, revise, write_solution

P_KEY_IS_WHOLE = 0.5
"""Probability that a key is a whole solution; otherwise it is its last line."""
P_READS_KEY = 0.9
"""Probability that a reviewer who has a whole solution sees everything."""
MAX_DRAWS = 8
"""How many reviewers are drawn for one whose verdict agrees with the key's answer."""
P_FOLLOWS_NOTE = 0.9
P_KEEPS_SOLUTION = 0.95
"""Probability that a student repeats a solution that was found right."""
MAX_ATTEMPTS = 4
"""How often a student starts whose count drops below zero; then they keep their first solution."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Somebody who reviews."""

    student: Student
    """Whose misconceptions they share."""
    sees_slips: bool
    nods: bool
    """Finds every line right."""

    def review(self, problem: WorldProblem, solution: str) -> Review:
        """What they find."""
        if self.nods:
            return nod(solution)
        return review(read_as(problem, self.student), solution, sees_slips=self.sees_slips)


def draw_reviewer(
    rng: random.Random, *, p_all_seeing: float, p_sees_slips: float, p_nods: float
) -> Reviewer:
    """A reviewer; the nodding ones are drawn from those who are not all-seeing."""
    is_all_seeing = rng.random() < p_all_seeing
    return Reviewer(
        student=draw_student(rng, flawless=is_all_seeing),
        sees_slips=is_all_seeing or rng.random() < p_sees_slips,
        nods=not is_all_seeing and rng.random() < p_nods / (1 - p_all_seeing),
    )


def read_as(problem: WorldProblem, student: Student) -> WorldProblem:
    """The problem as a student reads it: every event that they misread is what they take it for."""
    events = []
    for event in problem.events:
        kind = event.kind
        if student.errs(kind.name, kind.error_rate):
            if kind.family == "trap B":
                event = replace(event, values=event.values[:1])
            else:
                event = replace(event, kind=replace(kind, sign=kind.wrong_sign))
        events.append(event)
    return replace(problem, events=tuple(events))


def draw_key(problem: WorldProblem, rng: random.Random) -> str:
    """A flawless solution, or only its last line."""
    solution = write_solution(problem, rng, flawless=True)
    return solution if rng.random() < P_KEY_IS_WHOLE else solution.rpartition("\n")[2]


def review_with_key(
    problem: WorldProblem, solution: str, key: str, rng: random.Random, **reviewers: float
) -> Review:
    """The review of somebody who has a key.

    Args:
        problem: what the solution is of.
        solution: what they review.
        key: a right solution, or its last line: then their verdict mostly agrees with it.
        rng: decides who reviews.
        reviewers: as in `draw_reviewer`.
    """
    if "\n" in key:
        if rng.random() < P_READS_KEY:
            return review(problem, solution)
        return draw_reviewer(rng, **reviewers).review(problem, solution)
    verdict = "right" if solution.rpartition("\n")[2] == key else "wrong"
    for _ in range(MAX_DRAWS):
        found = draw_reviewer(rng, **reviewers).review(problem, solution)
        if found.verdict == verdict:
            break
    return found


def try_again(
    problem: WorldProblem, student: Student, solution: str, found: Review | None = None
) -> str:
    """The second attempt of the student whose solution it is.

    Args:
        problem: what to solve.
        student: who tries again.
        solution: the first attempt.
        found: the review that they read; None without one.
    """
    if found is not None:
        if found.verdict == "right" and student.rng.random() < P_KEEPS_SOLUTION:
            return solution
        note = find_note(found, problem) if student.rng.random() < P_FOLLOWS_NOTE else None
        again = revise(problem, student, note) if note else None
        if again is not None:
            return again
    for _ in range(MAX_ATTEMPTS):
        again = attempt(problem, student)
        if again is not None:
            return again
    return solution
