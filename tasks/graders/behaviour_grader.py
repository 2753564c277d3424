"""Programs by unit tests, with votes: programs that behave alike have the same answer.

The answer of a program is a digest of what it does on the inputs of the tests: what its functions
return and change of their arguments, call by call, or what it prints. What the tests expect is not
in it. AlphaCode (arXiv:2203.07814, section 4.5) clusters programs in this way.

Deviation: its inputs are written by a model, these are the tests' own, so that no further program
is run; and it takes one program of each of the largest clusters, where a vote takes the largest.
"""

from collections.abc import Sequence
from typing import ClassVar

from schemas.rows import Problem
from tasks.graders.base import Grade, number_by_key
from tasks.graders.program_grader import ProgramGrader

_MARK = "behaviour "


class BehaviourGrader(ProgramGrader):
    """A `ProgramGrader` whose answers can be compared.

    A program that does not end by itself, or of which no call returns, has no answer: it is wrong
    and votes for nothing.
    """

    comparable: ClassVar[bool] = True
    kind: ClassVar[str] = "behaviour"

    def grade(self, text: str, problem: Problem) -> Grade:
        """See `ProgramGrader`; the answer is the digest."""
        _, result, behaviour = self.run(text, problem)
        return Grade(behaviour and _MARK + behaviour, self.decide(result), result)

    def same(self, a: str, b: str) -> bool | None:
        """Whether two programs behave alike."""
        return a == b

    def classes(self, answers: Sequence[str | None]) -> list[int | None]:
        """Number answers by their digest; None stays None.

        Raises:
            ValueError: an answer is a program, as the grader `program` leaves them.
        """
        odd = [answer for answer in answers if answer and not answer.startswith(_MARK)]
        if odd:
            raise ValueError(
                "expected solutions graded by their behaviour, got one whose answer is the text "
                f"{odd[0][:40]!r}: grade them first by stepmill regrade --grader behaviour"
            )
        return number_by_key(answers)
