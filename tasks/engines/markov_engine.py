"""A solver that walks a chain of right and wrong steps: the exact oracle of step labels.

A question names a walk; a solution is K lines `Step 3: ok 4` or `Step 3: off 4`, each with a
random digit that only makes texts differ, and the line `Answer: 7`. After a right step the next is
right with probability `p_right`, after a wrong one with `p_recover`. The answer is right exactly
when step K is; wrong answers are spread evenly over three values. With `p_recover` 0 the first
error is fatal and the value of a prefix never rises along a solution; above 0 it may rise again,
with known probabilities.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.engines import MarkovConfig
from schemas.errors import RequestRejected
from schemas.rows import Problem
from schemas.units import derive_id, derive_seed
from tasks.engines.analytic_engine import AnalyticEngine
from tasks.steps.segmentation import step_body

_NUM_DIGITS = 10
_NUM_WRONG_ANSWERS = 3
_QUESTION = re.compile(r"Walk (\d+)\.")
_STEP = re.compile(r"Step \d+: (ok|off) \d")


@dataclass(frozen=True, slots=True)
class MarkovState:
    """The state that determines the next line."""

    gold: int
    num_lines: int = 0
    is_right: bool = True


class MarkovEngine(AnalyticEngine[MarkovState]):
    """The chain policy, and a verifier that knows its success probability."""

    def __init__(self, config: MarkovConfig) -> None:
        """An engine named after its chain."""
        super().__init__(
            name="markov",
            model_id=f"markov[{config.p_right:g},{config.p_recover:g}]x{config.num_steps}",
            vocabulary=[
                *(
                    f"Step {number}: {word} {digit}\n"
                    for number in range(1, config.num_steps + 1)
                    for word in ("ok", "off")
                    for digit in range(_NUM_DIGITS)
                ),
                *(f"Answer: {answer}" for answer in range(_NUM_DIGITS)),
            ],
            verifier_noise=config.verifier_noise,
        )
        self._config = config

    def begin(self, prompt: str) -> MarkovState:
        """The state before the first step of the last question in the prompt."""
        found = _QUESTION.findall(prompt)
        if not found:
            raise RequestRejected(f"markov: expected 'Walk 17.' in the prompt: {prompt!r}")
        return MarkovState(gold=_gold(int(found[-1])))

    def advance(self, state: MarkovState, token_id: int) -> MarkovState:
        """The state after one more line."""
        if state.num_lines == self._config.num_steps:
            first_answer = len(self._vocabulary) - _NUM_DIGITS
            is_right = token_id - first_answer == state.gold
        else:
            is_right = token_id % (2 * _NUM_DIGITS) < _NUM_DIGITS
        return MarkovState(gold=state.gold, num_lines=state.num_lines + 1, is_right=is_right)

    def next_steps(self, state: MarkovState) -> Mapping[int, float]:
        """Probability of each line that may come next."""
        num_steps = self._config.num_steps
        if state.num_lines > num_steps:
            return {}
        first = state.num_lines * 2 * _NUM_DIGITS
        if state.num_lines == num_steps:
            if state.is_right:
                return {first + state.gold: 1.0}
            wrong = ((state.gold + i) % _NUM_DIGITS for i in range(1, _NUM_WRONG_ANSWERS + 1))
            return {first + answer: 1 / _NUM_WRONG_ANSWERS for answer in sorted(wrong)}
        p_right = self._config.p_right if state.is_right else self._config.p_recover
        p_words = (p_right, 1 - p_right)
        return {
            first + word * _NUM_DIGITS + digit: p / _NUM_DIGITS
            for word, p in enumerate(p_words)
            if p > 0
            for digit in range(_NUM_DIGITS)
        }

    def value(self, state: MarkovState) -> float:
        """The probability that the walk ends right."""
        return p_right_answer(state.num_lines, state.is_right, self._config)


def markov_problems(num: int, seed: int, *, split: str = "train") -> list[Problem]:
    """`num` different walks with their answers, a digit each."""
    first = derive_seed("markov_problems", seed)
    return [
        Problem(
            problem_id=derive_id("markov", seed, row),
            source="markov",
            split=split,
            question=f"Walk {first + row}.",
            answer=str(_gold(first + row)),
        )
        for row in range(num)
    ]


def p_right_answer(num_done: int, is_right: bool, config: MarkovConfig) -> float:
    """The exact probability of a right answer after `num_done` lines, the last one right or not.

    With r = p_right - p_recover and the fixed point s = p_recover / (1 - r), the probability
    after n more steps is s + r^n (now - s), where `now` is 1 or 0.
    """
    num_left = max(config.num_steps - num_done, 0)
    ratio = config.p_right - config.p_recover
    fixed_point = config.p_recover / (1 - ratio)
    return fixed_point + ratio**num_left * (float(is_right) - fixed_point)


def check_walk(question: str, steps: Sequence[str]) -> list[bool]:
    """[num_steps] whether each line is right by its text; the exact checker of this world.

    Raises:
        ValueError: the question is not a walk, or a line is neither a step nor an answer.
    """
    found = _QUESTION.search(question)
    if found is None:
        raise ValueError(f"expected 'Walk 17.', got {question!r}")
    right_answer = f"Answer: {_gold(int(found[1]))}"
    verdicts = []
    for index, step in enumerate(steps):
        body = step_body(step)
        if step_match := _STEP.fullmatch(body):
            verdicts.append(step_match[1] == "ok")
        elif body.startswith("Answer: "):
            verdicts.append(body == right_answer)
        else:
            raise ValueError(f"line {index}: expected a step or an answer, got {step!r}")
    return verdicts


def _gold(walk: int) -> int:
    return derive_seed("walk", walk) % _NUM_DIGITS
