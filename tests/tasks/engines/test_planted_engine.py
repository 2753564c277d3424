import asyncio
from math import exp, sqrt

import pytest

from schemas.engines import Generation, GenerationRequest, PlantedConfig, ScoringRequest
from schemas.errors import RequestRejected
from tasks.engines.base import Engine
from tasks.engines.planted_engine import (
    PlantedEngine,
    p_hitting_times,
    p_success,
    planted_problems,
)

PROMPT = "Map 3 7 1 9 2.\n"
GOLD = (30, 17, 23, 28, 14)
MIXED = PlantedConfig(gammas=(0.25, 0.75), horizon=10)


def generate(config: PlantedConfig, **fields: object) -> Generation:
    request = GenerationRequest(**{"prompt": PROMPT, "max_tokens": 100, "seed": 1, **fields})  # type: ignore[arg-type]
    return asyncio.run(PlantedEngine(config).generate(request))


def symbols_of(text: str) -> list[int]:
    return [int(line) for line in text.split()]


@pytest.mark.parametrize(
    ("gammas", "horizon", "expected"),
    [
        ((0.5,), 10, 0.62305),
        ((0.25, 0.75), 10, 0.52920),
        ((0.25, 0.75), 20, 0.79258),
        ((0.1, 0.9), 20, 0.52159),
        ((0.1, 0.9), 40, 0.68549),
    ],
)
def test_success_probability_of_a_whole_solution(gammas, horizon, expected):
    config = PlantedConfig(gammas=gammas, horizon=horizon)
    assert p_success((), GOLD, config) == pytest.approx(expected, abs=5e-6)
    assert sum(p_hitting_times(config)) == pytest.approx(expected, abs=5e-6)


def test_success_probability_of_prefixes_by_hand():
    one_skill = PlantedConfig(gammas=(0.5,), horizon=6)
    # Five hits of six: six chances to miss once or never: 7 / 64.
    assert p_success((), GOLD, one_skill) == pytest.approx(7 / 64)
    assert p_success((30,), GOLD, one_skill) == pytest.approx(6 / 32)
    assert p_success((1,), GOLD, one_skill) == pytest.approx(1 / 32)
    assert p_success((1, 1), GOLD, one_skill) == 0
    assert p_success((*GOLD, 9), GOLD, one_skill) == 1
    # The posterior of skill 3/4 after a hit is 3/4: four more hits of four.
    two_skills = PlantedConfig(gammas=(0.25, 0.75), horizon=5)
    assert p_success((30,), GOLD, two_skills) == pytest.approx(0.75 * 0.75**4 + 0.25 * 0.25**4)


def test_value_of_a_prefix_is_the_mean_over_its_next_symbols():
    engine = PlantedEngine(MIXED)
    state = engine.begin(PROMPT)
    for token_id in (29, 4, 16):
        state = engine.advance(state, token_id)
    p_next = engine.next_steps(state)
    assert sum(p_next.values()) == pytest.approx(1)
    mean = sum(p * engine.value(engine.advance(state, token)) for token, p in p_next.items())
    assert mean == pytest.approx(engine.value(state))


@pytest.mark.parametrize("prefix", [(), (30,), (1, 2), (30, 17, 5)])
def test_sampled_success_agrees_with_the_closed_form(prefix):
    num = 4000
    text = "".join(f"{symbol}\n" for symbol in prefix)
    generation = generate(MIXED, prefix=text, n=num)
    solved = [
        p_success([*prefix, *symbols_of(c.text)], GOLD, MIXED) == 1 for c in generation.completions
    ]
    p = p_success(prefix, GOLD, MIXED)
    assert abs(sum(solved) / num - p) < 4 * sqrt(p * (1 - p) / num)


def test_solutions_are_those_of_one_skill_each():
    # The gold comes straight away with the mean of gamma^5; if every symbol drew a skill of its
    # own, it would come with the fifth power of the mean.
    num = 4000
    first_five = [symbols_of(c.text)[:5] for c in generate(MIXED, n=num).completions]
    p = (0.25**5 + 0.75**5) / 2
    share = sum(tuple(symbols) == GOLD for symbols in first_five) / num
    assert abs(share - p) < 4 * sqrt(p * (1 - p) / num)
    assert abs(share - 0.5**5) > 4 * sqrt(p * (1 - p) / num)


def test_logprobs_are_those_of_the_mixture():
    (completion,) = generate(
        MIXED, prefix="30\n", with_logprobs=True, temperature=0, max_tokens=2
    ).completions
    # The posterior after one hit is (1/4, 3/4), after two (1/10, 9/10); greedy writes the gold.
    assert symbols_of(completion.text) == [17, 23]
    assert completion.logprobs is not None
    assert [exp(logprob) for logprob in completion.logprobs] == pytest.approx(
        [0.25 * 0.25 + 0.75 * 0.75, 0.1 * 0.25 + 0.9 * 0.75]
    )


def test_a_solution_ends_at_the_horizon_a_step_at_its_separator_and_a_cut_one_by_length():
    whole = generate(MIXED).completions[0]
    assert (whole.finish_reason, whole.stop_string, len(whole.token_ids)) == ("stop", None, 10)
    step = generate(MIXED, stop=("\n",)).completions[0]
    assert (step.finish_reason, step.stop_string, len(step.token_ids)) == ("stop", "\n", 1)
    last = generate(MIXED, prefix="1\n" * 9, stop=("\n",)).completions[0]
    assert (last.finish_reason, last.stop_string, len(last.token_ids)) == ("stop", None, 1)
    over = generate(MIXED, prefix="1\n" * 10).completions[0]
    assert (over.finish_reason, over.stop_string, over.text) == ("stop", None, "")
    cut = generate(MIXED, max_tokens=3).completions[0]
    assert (cut.finish_reason, cut.stop_string, len(cut.token_ids)) == ("length", None, 3)


def test_equal_seeds_give_equal_texts_one_by_one():
    together = generate(MIXED, n=5, seed=40)
    assert together == generate(MIXED, n=5, seed=40)
    assert together != generate(MIXED, n=5, seed=50)
    apart = [generate(MIXED, seed=40 + i).completions[0] for i in range(5)]
    assert list(together.completions) == apart
    assert len({c.text for c in apart}) == 5


def test_temperature_and_nucleus_narrow_the_choice():
    nucleus = generate(PlantedConfig(gammas=(0.75,), horizon=10), n=50, top_p=0.7)
    assert {tuple(symbols_of(c.text)[:5]) for c in nucleus.completions} == {GOLD}
    cold = generate(MIXED, n=400, temperature=0.25, max_tokens=1)
    share = sum(symbols_of(c.text) == [30] for c in cold.completions) / 400
    others = 29 * (0.5 / 29) ** 4
    assert share == pytest.approx(0.5**4 / (0.5**4 + others), abs=0.02)


def test_scores_are_the_true_values_mixed_with_noise():
    steps = ("30\n", "5\n", "17\n")
    request = ScoringRequest(prompt=PROMPT, steps=steps)
    exact = asyncio.run(PlantedEngine(MIXED).score(request))
    values = [p_success(prefix, GOLD, MIXED) for prefix in ((30,), (30, 5), (30, 5, 17))]
    assert exact.scores == pytest.approx(values)
    assert exact.scored_tokens == 6 + 3
    noisy_config = MIXED.with_fields(verifier_noise=0.4)
    noisy = asyncio.run(PlantedEngine(noisy_config).score(request))
    assert noisy == asyncio.run(PlantedEngine(noisy_config).score(request))
    noise = [(n - 0.6 * v) / 0.4 for n, v in zip(noisy.scores, values, strict=True)]
    assert all(0 <= part < 1 for part in noise)
    assert len(set(noise)) == 3
    shorter = asyncio.run(
        PlantedEngine(noisy_config).score(ScoringRequest(prompt=PROMPT, steps=steps[:2]))
    )
    assert shorter.scores == noisy.scores[:2]


@pytest.mark.parametrize(
    "fields",
    [{"prompt": "How many?"}, {"prompt": "Map 3 11 1 9 2."}, {"prefix": "31\n"}, {"prefix": "a\n"}],
)
def test_what_is_not_of_this_world_is_rejected(fields):
    with pytest.raises(RequestRejected):
        generate(MIXED, **fields)


def test_problems_are_different_stable_and_carry_their_gold():
    problems = planted_problems(300, seed=3)
    assert len({problem.question for problem in problems}) == 300
    assert problems == planted_problems(300, seed=3)
    assert problems[:20] != planted_problems(20, seed=4)
    (greedy,) = asyncio.run(
        PlantedEngine(PlantedConfig(gammas=(0.9,), horizon=5)).generate(
            GenerationRequest(prompt=problems[0].question, max_tokens=9, temperature=0)
        )
    ).completions
    assert greedy.text.split() == problems[0].answer.split()
    with pytest.raises(ValueError, match="at most 100000"):
        planted_problems(100_001, seed=0)


def test_it_is_an_engine():
    assert isinstance(PlantedEngine(MIXED), Engine)
