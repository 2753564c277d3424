"""A policy that writes small programs line by line, whose chance of passing the tests is exact.

A problem asks for a function that adds K to its argument. The policy writes `def add(x):`, K lines
and `return x`. A right line adds one, in one of three ways; a wrong one, also in three, leaves a
number below one, from which no further line leads back, since the tests call the function with
numbers of at least K. So with n lines left a program passes with probability `p_right`^n as long as
all lines are right, and never after a wrong one: a Markov chain as in `markov_engine`, judged by
running it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.engines import LinesConfig
from schemas.errors import RequestRejected
from schemas.rows import Problem
from schemas.units import derive_id, derive_seed
from tasks.engines.analytic_engine import AnalyticEngine

RIGHT_LINES = ("    x += 1\n", "    x = x + 1\n", "    x -= -1\n")
WRONG_LINES = ("    x = 0\n", "    x = x - x\n", "    x %= 1\n")
_BEGIN, _END = "def add(x):\n", "    return x"
_QUESTION = re.compile(r"Program \d+\. Write a Python function add\(x\)")


@dataclass(frozen=True, slots=True)
class LinesState:
    """How many lines there are, and whether all of them are right."""

    num_lines: int = 0
    is_right: bool = True


class LinesEngine(AnalyticEngine[LinesState]):
    """The policy of right and wrong lines, and a verifier that knows its chance to pass."""

    def __init__(self, config: LinesConfig) -> None:
        """An engine named after its chain."""
        super().__init__(
            name="lines",
            model_id=f"lines[{config.p_right:g}]x{config.num_lines}",
            vocabulary=[_BEGIN, *RIGHT_LINES, *WRONG_LINES, _END],
            verifier_noise=config.verifier_noise,
        )
        self._config = config

    def begin(self, prompt: str) -> LinesState:
        """The state before the first line."""
        if _QUESTION.search(prompt) is None:
            raise RequestRejected(f"lines: expected 'Program 17. Write a ...', got {prompt!r}")
        return LinesState()

    def advance(self, state: LinesState, token_id: int) -> LinesState:
        """The state after one more line."""
        is_wrong = token_id > len(RIGHT_LINES) and token_id <= len(RIGHT_LINES + WRONG_LINES)
        return LinesState(state.num_lines + 1, state.is_right and not is_wrong)

    def next_steps(self, state: LinesState) -> Mapping[int, float]:
        """Probability of each line that may come next."""
        last = 1 + len(RIGHT_LINES + WRONG_LINES)
        if state.num_lines == 0:
            return {0: 1.0}
        if state.num_lines > self._config.num_lines:
            return {last: 1.0} if state.num_lines == self._config.num_lines + 1 else {}
        p_right = self._config.p_right
        right = {1 + i: p_right / len(RIGHT_LINES) for i in range(len(RIGHT_LINES))}
        first = 1 + len(RIGHT_LINES)
        wrong = {first + i: (1 - p_right) / len(WRONG_LINES) for i in range(len(WRONG_LINES))}
        return right | wrong

    def value(self, state: LinesState) -> float:
        """The probability that the program passes."""
        num_left = self._config.num_lines - max(0, state.num_lines - 1)
        return self._config.p_right ** max(0, num_left) if state.is_right else 0.0


def lines_problems(num: int, config: LinesConfig, *, split: str = "train") -> list[Problem]:
    """`num` problems for programs of this length, each with two tests and a solution."""
    tests = [f"assert add({n}) == {n + config.num_lines}" for n in (config.num_lines, 100)]
    return [
        Problem(
            problem_id=derive_id("lines", row, config.num_lines),
            source="lines",
            split=split,
            question=f"Program {derive_seed('lines', row)}. Write a Python function add(x) that "
            f"returns x + {config.num_lines}.",
            answer="",
            solution=f"def add(x):\n    return x + {config.num_lines}",
            check=json.dumps(tests),
        )
        for row in range(num)
    ]
