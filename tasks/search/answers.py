"""The answers of one search's solutions: graded once each, and compared for strategies that vote.

A strategy learns which answers are equal, never which are right.
"""

import asyncio
from collections.abc import Sequence

from schemas.rows import Problem
from tasks.graders import Grade, Grader, grade_all


class Answers:
    """Grades of texts and numbers of answers, which hold for the whole search."""

    def __init__(self, grader: Grader, problem: Problem) -> None:
        """Nothing graded yet."""
        self._grader = grader
        self._problem = problem
        self._grades: dict[str, Grade] = {}
        self._class_of: dict[str, int] = {}
        self._first_answers: list[str] = []
        """[num_classes] the first answer of each class."""

    async def grade(self, texts: Sequence[str]) -> list[Grade]:
        """The grade of each text; equal texts are graded once."""
        unknown = [text for text in dict.fromkeys(texts) if text not in self._grades]
        grades = await grade_all(self._grader, unknown, self._problem)
        self._grades |= dict(zip(unknown, grades, strict=True))
        return [self._grades[text] for text in texts]

    async def classes(self, texts: Sequence[str | None]) -> list[int | None]:
        """The number of each text's answer: equal for equal answers, the same in every call.

        None for a text without an answer, and for None.
        """
        grades = iter(await self.grade([text for text in texts if text is not None]))
        answers = [None if text is None else next(grades).answer for text in texts]
        new = [a for a in dict.fromkeys(answers) if a is not None and a not in self._class_of]
        if new and self._first_answers:
            await asyncio.to_thread(self._number, new)  # comparing may take a second
        else:
            self._number(new)
        return [None if answer is None else self._class_of[answer] for answer in answers]

    def _number(self, answers: Sequence[str]) -> None:
        """Put each answer into the first class whose first answer it equals, or a new one."""
        for answer in answers:
            number = next(
                (
                    index
                    for index, first in enumerate(self._first_answers)
                    if self._grader.same(answer, first)
                ),
                len(self._first_answers),
            )
            if number == len(self._first_answers):
                self._first_answers.append(answer)
            self._class_of[answer] = number
