import random
from collections import Counter, defaultdict
from itertools import product
from math import log

import pytest

from schemas.search import ScoreConfig
from schemas.search.strategies import ParticleFilteringConfig
from tasks.search.strategies.particle_filtering import resample

WEIGHTS = [0.5, 0.0, 2.0, 1.1, 0.4]
SHARES = [weight / 4 for weight in WEIGHTS]


class Fixed(random.Random):
    """Gives one number."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def random(self) -> float:
        return self.value


@pytest.mark.parametrize("num", [1, 3, 7, 20])
def test_systematic_resampling_draws_each_its_whole_part_and_once_more_at_most(num):
    """The mean over an even grid of starts is the integral, up to the width of a cell."""
    cells = 2000
    starts = [(cell + 0.5) / cells for cell in range(cells)]
    drawn = [resample(WEIGHTS, num, Fixed(start), "systematic") for start in starts]
    for index, share in enumerate(SHARES):
        counts = [copies[index] for copies in drawn]
        assert set(counts) <= {int(num * share), int(num * share) + 1}
        assert sum(counts) / cells == pytest.approx(num * share, abs=2 / cells)
    assert all(sum(copies) == num for copies in drawn)


def test_multinomial_resampling_has_the_mean_and_variance_of_independent_draws():
    rng, num, times = random.Random(0), 6, 20000
    drawn = [resample(WEIGHTS, num, rng, "multinomial") for _ in range(times)]
    for index, share in enumerate(SHARES):
        counts = [copies[index] for copies in drawn]
        mean = sum(counts) / times
        variance = sum((count - mean) ** 2 for count in counts) / times
        assert mean == pytest.approx(num * share, abs=0.06)
        assert variance == pytest.approx(num * share * (1 - share), abs=0.06)


@pytest.mark.parametrize("how", ["multinomial", "systematic"])
def test_nothing_of_weight_zero_is_drawn_even_at_the_ends(how):
    for value in (0.0, 1 - 2**-53):
        assert resample([0.0, 1.0, 0.0], 3, Fixed(value), how) == [0, 3, 0]
    with pytest.raises(ValueError, match="sum above 0"):
        resample([0.0, 0.0], 2, random.Random(0), how)
    with pytest.raises(ValueError, match="sum above 0"):
        resample([], 2, random.Random(0), how)


P_FIRST = {"a\n": 0.5, "b\n": 0.3, "c\n": 0.2}
P_LAST = {"a\n": 0.2, "b\n": 0.6, "c\n": 0.9}
"""The chance of `Answer: 4` after each; otherwise `Answer: 1`."""
SCORES = {"a\n": 0.3, "b\n": 0.5, "c\n": 0.8}


def world(table_engine):
    table = {"": P_FIRST}
    table |= {step: {"Answer: 4": p, "Answer: 1": 1 - p} for step, p in P_LAST.items()}
    scores = SCORES | {step + end: 0.5 for step in P_LAST for end in ("Answer: 4", "Answer: 1")}
    return table_engine(table, scores, is_dealt=False)


def p_texts(temperature: float) -> dict[tuple[str, str], float]:
    """The chance of each pair of final texts of two particles, in their order: all ways to step,
    to be drawn by the odds of the scores, and to end."""
    odds = {step: (score / (1 - score)) ** (1 / temperature) for step, score in SCORES.items()}
    chances: dict[tuple[str, str], float] = defaultdict(float)
    for pair in product(P_FIRST, repeat=2):
        p_pair = P_FIRST[pair[0]] * P_FIRST[pair[1]]
        total = odds[pair[0]] + odds[pair[1]]
        for drawn in product(pair, repeat=2):
            p_drawn = odds[drawn[0]] * odds[drawn[1]] / total**2
            for ends in product((True, False), repeat=2):
                p_ends = 1.0
                for step, is_right in zip(drawn, ends, strict=True):
                    p_ends *= P_LAST[step] if is_right else 1 - P_LAST[step]
                texts = [
                    s + ("Answer: 4" if e else "Answer: 1")
                    for s, e in zip(drawn, ends, strict=True)
                ]
                one, other = sorted(texts)
                chances[one, other] += p_pair * p_drawn * p_ends
    return chances


@pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
def test_two_particles_end_as_often_as_all_ways_together(
    table_engine, find, make_problem, assert_rate, temperature
):
    problems = [make_problem(f"p{number}") for number in range(1500)]
    strategy = ParticleFilteringConfig(weight_temperature=temperature)
    engine = world(table_engine)
    found = find(strategy, engine, problems, budget=2, verifier=engine)
    pairs = [tuple(sorted(one.texts)) for one in found]
    chances = p_texts(temperature)
    assert sum(chances.values()) == pytest.approx(1)
    assert set(pairs) <= set(chances)
    for pair, p in chances.items():
        assert_rate([each == pair for each in pairs], p)


@pytest.mark.parametrize("resampling", ["multinomial", "systematic"])
def test_many_particles_follow_the_policy_times_the_odds(
    table_engine, find, make_problem, resampling
):
    """The exact softmax: p(step) x odds(step), normalised."""
    strategy = ParticleFilteringConfig(resampling=resampling)
    problems = [make_problem(f"p{number}") for number in range(20)]
    engine = world(table_engine)
    found = find(strategy, engine, problems, budget=400, verifier=engine)
    target = {step: P_FIRST[step] * SCORES[step] / (1 - SCORES[step]) for step in P_FIRST}
    total = sum(target.values())
    counts = Counter(text[:2] for one in found for text in one.texts)
    for step, weight in target.items():
        assert counts[step] / (20 * 400) == pytest.approx(weight / total, abs=0.025)


def test_copies_share_their_prefix_and_no_token_is_written_twice(table_engine, find_one):
    table = {"": {"a\n": 0.5, "b\n": 0.5}, "a\n": {"Answer: 4": 1.0}, "b\n": {"Answer: 1": 1.0}}
    scores = {"a\n": 1.0, "b\n": 0.0, "a\nAnswer: 4": 0.9, "b\nAnswer: 1": 0.1}
    engine = table_engine(table, scores)
    found = find_one(ParticleFilteringConfig(), engine, budget=4)
    assert found.texts == ["a\nAnswer: 4"] * 4
    assert engine.num_drawn == 4 + 4 * 2  # each end is followed by the end of the text
    assert sum(row.generated_tokens for row in found.rows) == engine.num_drawn
    reasons = {row.reason for row in found.rows if row.status == "pruned"}
    assert reasons == {"not drawn in round 1"}


def test_an_ended_particle_takes_part_and_its_copies_are_counted(table_engine, find_one):
    table = {"": {"Answer: 4": 0.5, "a\n": 0.5}, "a\n": {"Answer: 1": 1.0}}
    scores = {"Answer: 4": 1.0, "a\n": 0.0, "a\nAnswer: 1": 0.9}
    engine = table_engine(table, scores)
    found = find_one(ParticleFilteringConfig(), engine, budget=4)
    assert set(found.texts) == {"Answer: 4"}
    assert sum(end.visits or 0 for end in found.ends) == 4
    assert engine.num_drawn == 2 * 1 + 2 * 2  # nothing after the first round
    assert [row.status for row in found.rows].count("pruned") == 4 - len(found.ends)
    stored = [row.steps[-1].visits for row in found.rows if row.status == "finished"]
    assert sum(visits or 0 for visits in stored) == 4


def test_a_cut_particle_gives_way_to_the_others(table_engine, find_one):
    table = {"": {"aaa": 0.5, "b\n": 0.5}, "aaa": {"a": 1.0}, "b\n": {"Answer: 4": 1.0}}
    scores = {"aaaa": 0.99, "b\n": 0.1, "b\nAnswer: 4": 0.2}
    engine = table_engine(table, scores)
    found = find_one(ParticleFilteringConfig(), engine, budget=2, max_step_tokens=2)
    assert set(found.texts) == {"b\nAnswer: 4"}
    (cut,) = [row for row in found.rows if row.text == "aaaa"]
    assert (cut.status, cut.reason) == ("pruned", "a step of more than 2 tokens")


@pytest.mark.parametrize("by", ["verifier", "likelihood+logit"])
def test_the_verifier_picks_at_the_end_whatever_the_score(table_engine, find_one, by):
    table = {"": {"Answer: 1": 0.9, "Answer: 4": 0.1}}
    engine = table_engine(table, {"Answer: 1": 0.5, "Answer: 4": 0.6})
    score = ScoreConfig(by=by, reduction="last")
    found = find_one(ParticleFilteringConfig(), engine, budget=2, score=score)
    decision = found.main_decision()
    assert (decision.pick, decision.answer) == ("weighted[last]", "4")
    assert found.decide()["best_of_n[last]"].answer == "4"
    assert found.ends[0].logprob == pytest.approx(log(0.9))


def test_a_verifier_is_needed(table_engine, find_one):
    with pytest.raises(ValueError, match="verifier: expected"):
        find_one(
            ParticleFilteringConfig(),
            table_engine({"": {"Answer: 4": 1.0}}),
            budget=2,
            verifier=None,
            score=ScoreConfig(by="likelihood"),
        )
