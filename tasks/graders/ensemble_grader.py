"""Several graders whose verdicts are combined, with what each of them said."""

from collections.abc import Sequence
from typing import Literal

from schemas.graders import EnsembleGraderConfig
from schemas.rows import Problem
from tasks.graders.base import Grade, Grader, Incomparable

Combine = Literal["first", "majority", "all", "any"]


class EnsembleGrader(Incomparable):
    """Judges a text by every member, and combines what they say."""

    def __init__(self, config: EnsembleGraderConfig, members: Sequence[Grader]) -> None:
        self.name = ensemble_name(config, [member.name for member in members])
        self._combine: Combine = config.combine
        self._members = tuple(members)

    def grade(self, text: str, problem: Problem) -> Grade:
        """The combined grade."""
        return combine_grades(self.grades(text, problem), self._combine)

    def grades(self, text: str, problem: Problem) -> list[Grade]:
        """The grade of each member, in order."""
        return [member.grade(text, problem) for member in self._members]

    def check_gold(self, problem: Problem) -> str | None:
        """Say why no member can judge by this problem; None if any can."""
        faults = [member.check_gold(problem) for member in self._members]
        return None if None in faults else "; ".join(filter(None, faults))

    def close(self) -> None:
        """End what the members started."""
        for member in self._members:
            member.close()


def ensemble_name(config: EnsembleGraderConfig, members: Sequence[str]) -> str:
    """The value of the `grader` column: the rule, and the members in order."""
    return f"ensemble-1+{config.combine}({','.join(members)})"


def combine_grades(grades: Sequence[Grade], rule: Combine) -> Grade:
    """The verdict of all members by a rule; the answer is the first that one of them found.

    Args:
        grades: of one text, in the order of the members.
        rule: see `EnsembleGraderConfig.combine`.
    """
    answer = next((grade.answer for grade in grades if grade.answer is not None), None)
    said = [grade.correct for grade in grades]
    decided = [verdict for verdict in said if verdict is not None]
    if rule == "first":
        return Grade(answer, decided[0] if decided else None)
    if rule == "majority":
        lead = 2 * sum(decided) - len(decided)
        return Grade(answer, None if lead == 0 else lead > 0)
    deciding = rule == "any"  # the verdict that one member alone can give
    if deciding in decided:
        return Grade(answer, deciding)
    return Grade(answer, None if len(decided) < len(said) else not deciding)
