"""The planted-subsequence policy: a heterogeneous solver in closed form.

A question is x in {1..10}^5; a hidden map f takes it to the gold f(x) in {11..30}^5. A solution is
H symbols of {1..30}, one per line, and succeeds if it contains the gold as an ordered subsequence.
A policy of skill gamma writes the next gold symbol with probability gamma, else one of the 29
others; the policy here is an equal mixture of skills, each whole solution written with one
(arXiv:2502.12118, section 7). Once the gold is complete every symbol is equally likely.

As an autoregressive policy the mixture draws each symbol from the average over the skills'
posterior given the symbols so far, which gives whole solutions exactly the mixture's
distribution, and continues any prefix exactly.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

from schemas.engines import NUM_PLANTED_GOLD, PlantedConfig
from schemas.errors import RequestRejected
from schemas.rows import Problem
from schemas.units import derive_id, derive_seed
from tasks.engines.analytic_engine import AnalyticEngine

NUM_SYMBOLS = 30
NUM_GOLD = NUM_PLANTED_GOLD
IMAGE = (23, 14, 30, 11, 19, 26, 17, 12, 28, 21)
"""f(1), ..., f(10): fixed, and not part of any question."""
_QUESTION = re.compile(r"Map (\d+(?: \d+)*)\.")


@dataclass(frozen=True, slots=True)
class PlantedState:
    """The state that determines the next symbol."""

    gold: tuple[int, ...]
    num_symbols: int = 0
    num_hits: int = 0
    """Gold symbols written, in order."""
    num_misses: int = 0
    """Other symbols written before the gold was complete."""


class PlantedEngine(AnalyticEngine[PlantedState]):
    """The mixture policy, and a verifier that knows its success probability."""

    def __init__(self, config: PlantedConfig) -> None:
        """An engine named after its skills and horizon."""
        skills = ",".join(f"{gamma:g}" for gamma in config.gammas)
        super().__init__(
            name="planted",
            model_id=f"planted[{skills}]x{config.horizon}",
            vocabulary=[f"{symbol}\n" for symbol in range(1, NUM_SYMBOLS + 1)],
            verifier_noise=config.verifier_noise,
        )
        self._config = config

    def begin(self, prompt: str) -> PlantedState:
        """The state before the first symbol of the last question in the prompt."""
        found = _QUESTION.findall(prompt)
        if not found:
            raise RequestRejected(f"planted: expected 'Map 3 7 1 9 2.' in the prompt: {prompt!r}")
        inputs = [int(word) for word in found[-1].split()]
        if not all(1 <= x <= len(IMAGE) for x in inputs):
            raise RequestRejected(f"planted: expected inputs in 1..{len(IMAGE)}, got {inputs}")
        return PlantedState(gold=tuple(IMAGE[x - 1] for x in inputs))

    def advance(self, state: PlantedState, token_id: int) -> PlantedState:
        """The state after one more symbol."""
        is_complete = state.num_hits == len(state.gold)
        is_hit = not is_complete and token_id + 1 == state.gold[state.num_hits]
        return PlantedState(
            gold=state.gold,
            num_symbols=state.num_symbols + 1,
            num_hits=state.num_hits + is_hit,
            num_misses=state.num_misses + (not is_complete and not is_hit),
        )

    def next_steps(self, state: PlantedState) -> Mapping[int, float]:
        """Probability of each symbol under the posterior mixture of skills."""
        if state.num_symbols >= self._config.horizon:
            return {}
        if state.num_hits == len(state.gold):
            return dict.fromkeys(range(NUM_SYMBOLS), 1 / NUM_SYMBOLS)
        skills = self._config.gammas
        p_skills = _posterior(state.num_hits, state.num_misses, skills)
        p_hit = sum(p * gamma for p, gamma in zip(p_skills, skills, strict=True))
        p_next = dict.fromkeys(range(NUM_SYMBOLS), (1 - p_hit) / (NUM_SYMBOLS - 1))
        p_next[state.gold[state.num_hits] - 1] = p_hit
        return p_next

    def value(self, state: PlantedState) -> float:
        """The probability that the rest of the solution completes the gold."""
        return _p_complete(
            state.num_hits, state.num_misses, state.num_symbols, len(state.gold), self._config
        )


def planted_problems(num: int, seed: int, *, split: str = "train") -> list[Problem]:
    """`num` different questions with their gold strings.

    Raises:
        ValueError: `num` is larger than the number of different questions.
    """
    num_questions = len(IMAGE) ** NUM_GOLD
    if num > num_questions:
        raise ValueError(f"expected at most {num_questions} planted problems, got {num}")
    rng = random.Random(derive_seed("planted_problems", seed))
    problems = []
    for row, code in enumerate(rng.sample(range(num_questions), num)):
        inputs = [code // 10**place % 10 + 1 for place in range(NUM_GOLD)]
        question = f"Map {' '.join(map(str, inputs))}."
        problems.append(
            Problem(
                problem_id=derive_id("planted", seed, row, question),
                source="planted",
                split=split,
                question=question,
                answer=" ".join(str(IMAGE[x - 1]) for x in inputs),
            )
        )
    return problems


def p_success(prefix: Sequence[int], gold: Sequence[int], config: PlantedConfig) -> float:
    """The exact probability that a solution that begins with `prefix` contains the gold.

    Raises:
        ValueError: the prefix is longer than a solution.
    """
    if len(prefix) > config.horizon:
        raise ValueError(f"expected at most {config.horizon} symbols, got {len(prefix)}")
    num_hits = num_misses = 0
    for symbol in prefix:
        if num_hits == len(gold):
            break
        if symbol == gold[num_hits]:
            num_hits += 1
        else:
            num_misses += 1
    return _p_complete(num_hits, num_misses, len(prefix), len(gold), config)


def p_hitting_times(config: PlantedConfig, num_gold: int = NUM_GOLD) -> list[float]:
    """[horizon] the probability that the gold is complete exactly at symbol 1, 2, ..., H.

    The hitting time under one skill is negative binomial; the mixture averages them.
    """
    return [
        sum(
            comb(time - 1, num_gold - 1) * gamma**num_gold * (1 - gamma) ** (time - num_gold)
            for gamma in config.gammas
        )
        / len(config.gammas)
        if time >= num_gold
        else 0.0
        for time in range(1, config.horizon + 1)
    ]


def _posterior(num_hits: int, num_misses: int, skills: Sequence[float]) -> list[float]:
    """[num_skills] probability of each skill given the symbols so far."""
    weights = [gamma**num_hits * (1 - gamma) ** num_misses for gamma in skills]
    total = sum(weights)
    return [weight / total for weight in weights]


def _p_complete(
    num_hits: int, num_misses: int, num_symbols: int, num_gold: int, config: PlantedConfig
) -> float:
    """The probability of at least the missing hits among the symbols left."""
    num_left = config.horizon - num_symbols
    num_needed = num_gold - num_hits
    p_skills = _posterior(num_hits, num_misses, config.gammas)
    return sum(
        p_skill
        * sum(
            comb(num_left, k) * gamma**k * (1 - gamma) ** (num_left - k)
            for k in range(num_needed, num_left + 1)
        )
        for p_skill, gamma in zip(p_skills, config.gammas, strict=True)
    )
