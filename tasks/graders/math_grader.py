"""Mathematical answers: exact fractions if they suffice, otherwise Math-Verify.

Plain numbers, words and equal spellings are decided here in microseconds (`normal_form`);
everything else goes to Math-Verify in a separate process (`math_process`), which starts only then.
Equality is symmetric, but not always transitive, because parts of an answer may be left out:
`x = 5` equals `5`, `y = 5` equals `5`, and `x = 5` does not equal `y = 5`.

A verdict is None, never False, if a limit was hit or the gold answer is not mathematics. An answer
that is not mathematics is wrong; an answer spelled like the gold answer is right, however a parser
reads both.
"""

import heapq
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.metadata import version
from operator import itemgetter
from typing import ClassVar

from schemas.graders import MathGraderConfig
from schemas.rows import Problem
from tasks.graders.base import Grade, refuse_check
from tasks.graders.comparison import Comparer
from tasks.graders.extraction import extract_answer, name_marks
from tasks.graders.math_process import MathPool
from tasks.graders.normal_form import Kind, NormalForm, normal_form

_RULES = 2
"""Counts up when the same text may get another verdict; regrading shows what changed."""
_FORM_CACHE_SIZE = 8192


class MathGrader:
    """Judges the answer a text marks by its value."""

    comparable: ClassVar[bool] = True

    def __init__(self, config: MathGraderConfig) -> None:
        self._config = config
        self.name = _name(config)
        self._pool = MathPool(
            num_processes=config.num_processes,
            timeout_s=config.timeout_s,
            memory_mb=config.memory_mb,
        )
        self._form = lru_cache(_FORM_CACHE_SIZE)(self._make_form)
        ask = lru_cache(config.cache_size)(self._pool.ask)
        self._comparer = Comparer(self._form, ask)

    def grade(self, text: str, problem: Problem) -> Grade:
        """Judge the answer a text marks against the gold answer; a check grades nothing."""
        answer = extract_answer(
            text, last_number=self._config.last_number, marks=self._config.marks
        )
        if problem.check is not None:
            return Grade(answer, None)
        if answer is None:
            return Grade(None, False)
        comparison = self._comparer.compare(self._form(problem.answer), self._form(answer))
        is_gold_parsed = comparison.parsed[0]
        if comparison.equal is False and not is_gold_parsed:
            return Grade(answer, None)
        return Grade(answer, comparison.equal)

    def same(self, a: str, b: str) -> bool | None:
        """Compare two answers; None if a limit was hit or either is too long."""
        return self._comparer.compare(self._form(a), self._form(b)).equal

    def check_gold(self, problem: Problem) -> str | None:
        """Say why answers cannot be judged against this gold answer, or None; refuse a check."""
        if problem.check is not None:
            return refuse_check(problem)
        gold = problem.answer
        form = self._form(gold)
        if not form.latex:
            return f"expected a gold answer, got {gold!r}"
        if form.kind is Kind.OVERLONG:
            return (
                f"expected a gold answer of at most {self._config.max_answer_chars} characters, "
                f"got {len(gold)}"
            )
        if form.kind is not Kind.EXPRESSION:
            return None
        comparison = self._comparer.check(form)
        if comparison.equal is None:
            return f"gold answer {gold!r} takes more than {self._config.timeout_s} s to evaluate"
        if not comparison.parsed[0]:
            return f"expected a gold answer that parses as mathematics, got {gold!r}"
        return None

    def classes(self, answers: Sequence[str | None]) -> list[int | None]:
        """Number the equivalence classes; a pair that hit a limit counts as different."""
        numbers: list[int | None] = []
        class_of_key: dict[object, int] = {}
        numeric: list[tuple[int, NormalForm]] = []  # first members that are plain numbers
        others: list[tuple[int, NormalForm]] = []
        for answer in answers:
            if answer is None:
                numbers.append(None)
                continue
            form = self._form(answer)
            key = (form.kind, form.key)
            if key not in class_of_key:
                # Plain numbers with unequal keys are unequal, so they meet only the others.
                every = heapq.merge(numeric, others, key=itemgetter(0))
                found = self._find_class(form, others if form.is_plain_number else every)
                if found is None:
                    found = len(numeric) + len(others)
                    (numeric if form.is_plain_number else others).append((found, form))
                class_of_key[key] = found
            numbers.append(class_of_key[key])
        return numbers

    def close(self) -> None:
        """End the Math-Verify processes."""
        self._pool.close()

    def _make_form(self, answer: str) -> NormalForm:
        return normal_form(
            answer,
            drop_percent=self._config.percent == "ignored",
            max_chars=self._config.max_answer_chars,
        )

    def _find_class(
        self, form: NormalForm, members: Iterable[tuple[int, NormalForm]]
    ) -> int | None:
        # Checked alone first, so that an answer that cannot be evaluated reaches its limit once,
        # rather than once for every other answer.
        if not self._is_cheap(form):
            return None
        for number, member in members:
            if self._is_cheap(member) and self._comparer.compare(form, member).equal:
                return number
        return None

    def _is_cheap(self, form: NormalForm) -> bool:
        if form.kind is not Kind.EXPRESSION:
            return form.kind is not Kind.OVERLONG
        comparison = self._comparer.check(form)
        return comparison.equal is not None and comparison.parsed[0]


def _name(config: MathGraderConfig) -> str:
    name = f"math-verify-{version('math-verify')}+rules-{_RULES}"
    if config.percent == "ignored":
        name += "+percent-ignored"
    if config.last_number:
        name += "+last-number"
    return name + name_marks(config.marks)
