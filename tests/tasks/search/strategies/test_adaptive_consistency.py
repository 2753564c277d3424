import random
from collections import Counter, defaultdict
from fractions import Fraction
from math import comb

import pytest

from schemas.errors import RequestRejected
from schemas.search.strategies import AdaptiveConsistencyConfig
from tasks.search.strategies.adaptive_consistency import num_needed, p_leader


def p_by_integration(first: int, second: int) -> float:
    """The share of the integral of x^first (1-x)^second over [0, 1] that lies above one half."""

    def integral(low: Fraction) -> Fraction:
        return sum(
            (
                Fraction((-1) ** j * comb(second, j), first + j + 1) * (1 - low ** (first + j + 1))
                for j in range(second + 1)
            ),
            Fraction(0),
        )

    return float(integral(Fraction(1, 2)) / integral(Fraction(0)))


def test_the_probability_is_the_integral_of_the_posterior():
    for first in range(12):
        for second in range(first + 1):
            assert p_leader(first, second) == pytest.approx(p_by_integration(first, second))
    assert [p_leader(n, 0) for n in (0, 3, 4)] == [0.5, 0.9375, 0.96875]
    assert p_leader(7, 7) == 0.5
    assert p_leader(9000, 8500) > 0.999


def stops_after(answers: list[int | None], bound: float) -> int:
    """The paper's rule: after each solution, the two most common answers are compared."""
    votes: Counter[int] = Counter()
    for drawn, answer in enumerate(answers, 1):
        votes.update([] if answer is None else [answer])
        (first, second, *_) = [*(count for _, count in votes.most_common(2)), 0, 0]
        if p_leader(first, second) >= bound:
            return drawn
    return len(answers)


@pytest.mark.parametrize("bound", [0.6, 0.8, 0.95, 0.99])
def test_rounds_stop_after_as_many_solutions_as_one_at_a_time(table_engine, find_one, bound):
    """The policy deals a known sequence of answers, some of which are none."""
    rng = random.Random(bound)
    for _ in range(25):
        answers = rng.choices([1, 2, 3, None], [5, rng.randint(1, 5), 1, 1], k=16)
        texts = [
            f"Answer: {a}{' ' * i}" if a else f"I give up{' ' * i}" for i, a in enumerate(answers)
        ]
        engine = table_engine({"": dict.fromkeys(texts, 1 / 16)})
        found = find_one(AdaptiveConsistencyConfig(bound=bound), engine, budget=16)
        assert [text.strip() for text in found.texts] == [
            text.strip() for text in texts[: stops_after(answers, bound)]
        ]
        assert engine.num_drawn / 2 == len(found.rows) == found.main_decision().num_candidates


def expected_calls(p: list[float], num: int, bound: float) -> tuple[float, float]:
    """Expected solutions, and the chance that the first answer wins, by summing over all counts."""
    level = {(0,) * len(p): 1.0}
    calls = wins = 0.0
    for drawn in range(1, num + 1):
        after: dict[tuple[int, ...], float] = defaultdict(float)
        for counts, chance in level.items():
            for answer, share in enumerate(p):
                grown = tuple(n + (i == answer) for i, n in enumerate(counts))
                after[grown] += chance * share
        level = {}
        for counts, chance in after.items():
            first, second = sorted(counts, reverse=True)[:2]
            if drawn == num or p_leader(first, second) >= bound:
                calls += chance * drawn
                leaders = [i for i, n in enumerate(counts) if n == first]
                wins += chance / len(leaders) if 0 in leaders else 0.0
            else:
                level[counts] = chance
    return calls, wins


def test_calls_and_success_are_those_of_all_sequences(
    table_engine, find, make_problem, assert_rate
):
    p = [0.6, 0.3, 0.1]
    table = {"": {"Answer: 4": p[0], "Answer: 1": p[1], "Answer: 2": p[2]}}
    calls, wins = expected_calls(p, 12, 0.95)
    problems = [make_problem(f"p{number}") for number in range(400)]
    engine = table_engine(table, is_dealt=False)
    found = find(AdaptiveConsistencyConfig(), engine, problems, budget=12)
    drawn = [len(one.ends) for one in found]
    mean = sum(drawn) / len(drawn)
    deviation = (sum((n - mean) ** 2 for n in drawn) / len(drawn)) ** 0.5
    assert abs(mean - calls) <= 4 * deviation / len(drawn) ** 0.5
    assert 8 < calls < 11
    assert_rate([bool(one.main_decision().correct) for one in found], wins)


def test_no_more_are_drawn_than_could_reach_the_bound():
    assert num_needed([], 0.95) == 4
    assert num_needed([3], 0.95) == 1
    assert num_needed([3, 2], 0.95) == next(
        more for more in range(1, 20) if p_leader(3 + more, 2) >= 0.95
    )


def test_a_window_of_equal_answers_stops(table_engine, find_one):
    texts = [f"Answer: {a}{' ' * i}" for i, a in enumerate([1, 4, 1, 4, 4, 4, 2, 2, 2])]
    engine = table_engine({"": dict.fromkeys(texts, 1 / 9)})
    found = find_one(AdaptiveConsistencyConfig(rule="unanimous", window=3), engine, budget=9)
    assert [text.strip()[-1] for text in found.texts] == list("141444")
    assert found.main_decision().answer == "4"
    short = find_one(AdaptiveConsistencyConfig(rule="unanimous", window=4), engine, budget=6)
    assert len(short.ends) == 6


def test_a_refused_solution_counts_and_does_not_vote(table_engine, find_one):
    class Refusing(table_engine):
        async def generate(self, request):
            raise RequestRejected("no")

    found = find_one(AdaptiveConsistencyConfig(), Refusing({}), budget=7)
    assert [row.status for row in found.rows] == ["error"] * 7
    assert found.main_decision().status == "error"
