import asyncio
from collections import Counter
from dataclasses import replace
from math import exp, sqrt

import pytest

from schemas.engines import Generation, GenerationRequest, MarkovConfig, ScoringRequest
from schemas.errors import RequestRejected
from tasks.engines.base import Engine
from tasks.engines.markov_engine import MarkovEngine, check_walk, markov_problems, p_right_answer
from tasks.steps.segmentation import split_steps

FATAL = MarkovConfig(num_steps=4, p_right=0.8, p_recover=0.0)
MENDING = MarkovConfig(num_steps=4, p_right=0.8, p_recover=0.3)
(PROBLEM,) = markov_problems(1, seed=0)


def generate(config: MarkovConfig, **fields: object) -> Generation:
    values = {"prompt": PROBLEM.question, "max_tokens": 100, "seed": 1, **fields}
    return asyncio.run(MarkovEngine(config).generate(GenerationRequest(**values)))  # type: ignore[arg-type]


def brute_force(config: MarkovConfig, num_done: int, is_right: bool) -> float:
    if num_done >= config.num_steps:
        return float(is_right)
    p = config.p_right if is_right else config.p_recover
    return p * brute_force(config, num_done + 1, True) + (1 - p) * brute_force(
        config, num_done + 1, False
    )


@pytest.mark.parametrize("config", [FATAL, MENDING])
def test_closed_form_equals_the_sum_over_all_walks(config):
    for num_done in range(6):
        for is_right in (True, False):
            assert p_right_answer(num_done, is_right, config) == pytest.approx(
                brute_force(config, num_done, is_right)
            )
    assert p_right_answer(0, True, FATAL) == pytest.approx(0.8**4)
    assert p_right_answer(1, False, FATAL) == 0


@pytest.mark.parametrize("prefix", ["", "Step 1: ok 3\n", "Step 1: ok 3\nStep 2: off 0\n"])
@pytest.mark.parametrize("config", [FATAL, MENDING])
def test_sampled_answers_agree_with_the_closed_form(config, prefix):
    num = 4000
    steps = split_steps(prefix, "\n")
    completions = generate(config, prefix=prefix, n=num).completions
    solved = [c.text.endswith(f"Answer: {PROBLEM.answer}") for c in completions]
    p = p_right_answer(len(steps), "off" not in prefix, config)
    assert abs(sum(solved) / num - p) <= 4 * sqrt(p * (1 - p) / num)


def test_solutions_differ_and_wrong_answers_spread_over_three_values():
    completions = generate(FATAL, n=600).completions
    assert len({c.text for c in completions}) > 500
    answers = Counter(c.text.rpartition(" ")[2] for c in completions)
    assert len(answers) == 4
    assert all(c.finish_reason == "stop" and c.stop_string is None for c in completions)
    assert all(len(c.token_ids) == len(split_steps(c.text, "\n")) == 5 for c in completions)


def test_logprobs_multiply_to_the_probability_of_the_text():
    (completion,) = generate(MENDING, with_logprobs=True).completions
    p, is_right = 1.0, True
    for verdict in check_walk(PROBLEM.question, split_steps(completion.text, "\n")[:-1]):
        p_right = 0.8 if is_right else 0.3
        p *= (p_right if verdict else 1 - p_right) / 10
        is_right = verdict
    p *= 1 if is_right else 1 / 3
    assert completion.logprobs is not None
    assert exp(sum(completion.logprobs)) == pytest.approx(p)


def test_the_checker_reads_right_from_the_text():
    right, wrong = PROBLEM.answer, str((int(PROBLEM.answer) + 1) % 10)
    steps = ["Step 1: ok 3\n", "Step 2: off 3\n", f"Answer: {right}"]
    assert check_walk(PROBLEM.question, steps) == [True, False, True]
    assert check_walk(PROBLEM.question, [f"Answer: {wrong}"]) == [False]
    with pytest.raises(ValueError, match="line 0"):
        check_walk(PROBLEM.question, ["Step one: ok"])
    with pytest.raises(ValueError, match="Walk"):
        check_walk("How many?", steps)


def test_scores_are_the_true_values():
    steps = ("Step 1: ok 3\n", "Step 2: off 3\n", "Step 3: ok 3\n")
    request = ScoringRequest(prompt=PROBLEM.question, steps=steps)
    scoring = asyncio.run(MarkovEngine(MENDING).score(request))
    assert scoring.scores == pytest.approx(
        [
            p_right_answer(number, is_right, MENDING)
            for number, is_right in ((1, True), (2, False), (3, True))
        ]
    )
    unknown = asyncio.run(MarkovEngine(MENDING).score(replace(request, num_known=1)))
    assert unknown.scores == scoring.scores[1:]


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "How many?"},
        {"prefix": "Step 2: ok 1\n"},
        {"prefix": "Step 1: off 1\nStep 2: ok 1\n"},
        {"prefix": "Answer: 3"},
    ],
)
def test_what_cannot_be_in_this_world_is_rejected(fields):
    with pytest.raises(RequestRejected):
        generate(FATAL, **fields)


def test_problems_are_different_and_stable():
    problems = markov_problems(50, seed=2)
    assert len({problem.problem_id for problem in problems}) == 50
    assert len({problem.question for problem in problems}) == 50
    assert len({problem.answer for problem in problems}) == 10
    assert problems == markov_problems(50, seed=2)


def test_it_is_an_engine():
    assert isinstance(MarkovEngine(FATAL), Engine)
