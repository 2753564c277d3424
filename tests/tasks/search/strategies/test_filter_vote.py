from itertools import product
from math import prod

import pytest

from schemas.critique_formats import LinesCritiqueConfig, StepwiseCritiqueConfig
from schemas.search.strategies import FilterVoteConfig
from tasks.search.strategies.filter_vote import read_verdict


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("It is fine. [[correct]]", True),
        ("[[wrong]]", False),
        ("Not [[correct]] at all: [[WRONG]]", False),
        ("At first [[wrong]], but no: [[Correct]].", True),
        ("correct", None),
        ("[correct] [[maybe]]", None),
        ("", None),
    ],
)
def test_the_last_verdict_counts(text, verdict):
    assert read_verdict(text) is verdict


def judged(verdicts: dict[str, str], attempts: dict[str, float]):
    """A policy that solves, and judges each solution as `verdicts` says."""

    def table(prompt: str) -> dict[str, dict[str, float]]:
        if "Solution:" not in prompt:
            return {"": attempts}
        solution = next(text for text in verdicts if text in prompt)
        return {"": {verdicts[solution]: 1.0}}

    return table


def test_rejected_solutions_lose_their_vote(table_engine, find_one):
    attempts = {"Answer: 1": 0.5, "Answer: 4": 0.5}
    engine = table_engine(
        judged({"Answer: 1": "No. [[wrong]]", "Answer: 4": "[[correct]]"}, attempts)
    )
    found = find_one(FilterVoteConfig(), engine, budget=4)
    assert found.texts == ["Answer: 4"] * 2
    by_text = {(row.text, row.status, row.reason) for row in found.rows}
    assert ("Answer: 1", "pruned", "judged wrong") in by_text
    assert found.main_decision().correct is True


def test_judgements_are_rows_about_what_they_judge(table_engine, find_one):
    engine = table_engine(judged({"Answer: 4": "[[correct]]"}, {"Answer: 4": 1.0}))
    found = find_one(FilterVoteConfig(), engine, budget=2)
    judgements = [row for row in found.rows if row.role == "judge"]
    assert [row.text for row in judgements] == ["[[correct]]"] * 2
    assert [row.parent_id for row in judgements] == [row.trajectory_id for row in found.rows[:2]]
    assert all(row.answer is None and row.correct is None for row in judgements)
    decision = found.main_decision()
    assert (decision.num_candidates, decision.num_finished, decision.num_rows) == (2, 2, 4)
    assert decision.generated_tokens == engine.num_drawn
    prompt = engine.requests[1].prompt
    assert "Problem: p0?" in prompt
    assert "Solution:\nAnswer: 4" in prompt
    assert [request.temperature for request in engine.requests] == [1.0, 0.0, 0.0]
    assert {(row.strategy, row.role, row.temperature) for row in found.rows} == {
        ("filter_vote", None, 1.0), ("filter_vote", "judge", 0.0),
    }  # fmt: skip


def test_a_judgement_is_no_solution_and_has_its_own_limit(table_engine, find_one):
    verdict = "Step by step.\nNo.\nIt is [[wrong]]"
    engine = table_engine(judged({"Answer: 4": verdict}, {"Answer: 4": 1.0}))
    found = find_one(FilterVoteConfig(), engine, budget=1, max_steps=1, max_step_tokens=2)
    (judgement,) = [row for row in found.rows if row.role == "judge"]
    assert (judgement.text, judgement.status) == (verdict, "finished")


@pytest.mark.parametrize("judgement", ["[[wrong]]", "I cannot say."])
def test_where_none_passes_or_none_is_judged_all_vote(table_engine, find_one, judgement):
    verdicts = {"Answer: 1": judgement, "Answer: 4": judgement}
    attempts = {"Answer: 4": 0.6, "Answer: 1": 0.4}
    found = find_one(FilterVoteConfig(), table_engine(judged(verdicts, attempts)), budget=3)
    assert len(found.ends) == 3
    assert found.main_decision().answer == "4"


def test_a_cut_solution_beside_rejected_ones_does_not_win(table_engine, find_one):
    def table(prompt: str) -> dict[str, dict[str, float]]:
        if "Solution:" in prompt:
            return {"": {"[[wrong]]": 1.0}}
        return {"": {"Answer: 4": 0.5, "a": 0.5}, "a": {"a": 1.0}, "aa": {"a": 1.0}}

    found = find_one(FilterVoteConfig(), table_engine(table), budget=2, max_tokens=2)
    assert [end.state for end in found.ends] == ["finished", "truncated"]
    assert found.main_decision().answer == "4"


P_RIGHT, P_PASS_RIGHT, P_PASS_WRONG = 0.5, 0.8, 0.3


def p_filter_vote(num: int) -> float:
    """All ways to write and to judge: right or wrong, accepted or rejected."""
    kinds = {
        (True, True): P_RIGHT * P_PASS_RIGHT,
        (True, False): P_RIGHT * (1 - P_PASS_RIGHT),
        (False, True): (1 - P_RIGHT) * P_PASS_WRONG,
        (False, False): (1 - P_RIGHT) * (1 - P_PASS_WRONG),
    }
    total = 0.0
    for drawn in product(kinds, repeat=num):
        votes = [right for right, passes in drawn if passes] or [right for right, _ in drawn]
        num_right = sum(votes)
        win = 1.0 if 2 * num_right > len(votes) else 0.5 if 2 * num_right == len(votes) else 0.0
        total += win * prod(kinds[kind] for kind in drawn)
    return total


def test_success_is_that_of_all_ways_to_write_and_to_judge(
    table_engine, find, make_problem, assert_rate
):
    def table(prompt: str) -> dict[str, dict[str, float]]:
        if "Solution:" not in prompt:
            return {"": {"Answer: 4": P_RIGHT, "Answer: 1": 1 - P_RIGHT}}
        p = P_PASS_RIGHT if "Answer: 4" in prompt else P_PASS_WRONG
        return {"": {"[[correct]]": p, "[[wrong]]": 1 - p}}

    problems = [make_problem(f"p{number}") for number in range(300)]
    engine = table_engine(table, is_dealt=False)
    found = find(FilterVoteConfig(judge_temperature=1.0), engine, problems, budget=4)
    assert_rate([bool(one.main_decision().correct) for one in found], p_filter_vote(4))


def test_a_question_may_hold_the_names_of_the_templates_places(table_engine, find, make_problem):
    question = "What does {solution} stand for in {question}?"
    engine = table_engine(judged({"Answer: 4": "[[correct]]"}, {"Answer: 4": 1.0}))
    find(FilterVoteConfig(), engine, [make_problem(question=question)], budget=1)
    assert engine.requests[1].prompt == (
        f"Here is a problem and a solution.\n\nProblem: {question}\n\nSolution:\nAnswer: 4\n\n"
        "Restate what is asked and what is answered, look for mistakes step by step, and end with "
        "[[correct]] or [[wrong]].\n"
    )


@pytest.mark.parametrize(
    ("config", "wrong", "right"),
    [
        (LinesCritiqueConfig(), "x wrong\nReview: wrong", "x right\nReview: right"),
        (
            StepwiseCritiqueConfig(),
            "Step 1: x\nCorrectness: wrong\nConclusion: wrong",
            "Step 1: x\nCorrectness: correct\nConclusion: correct",
        ),
    ],
    ids=["lines", "stepwise"],
)
def test_a_judge_may_write_critiques(table_engine, find_one, config, wrong, right):
    """One without a verdict rejects nothing."""
    reviews = {"Answer: 1": wrong, "Answer: 4": right, "Answer: 5": "I cannot say."}

    def table(prompt):
        found = next((text for answer, text in reviews.items() if answer in prompt), None)
        return {"": dict.fromkeys(reviews, 1 / 3) if found is None else {found: 1.0}}

    found = find_one(FilterVoteConfig(format=config), table_engine(table), budget=3, verifier=None)
    assert found.texts == ["Answer: 4", "Answer: 5"]
    judgements = [row for row in found.rows if row.role == "judge"]
    assert [(row.answer, row.error_step) for row in judgements] == [
        ("wrong", 0), ("right", None), (None, None),
    ]  # fmt: skip
    by_id = {row.trajectory_id: row for row in found.rows}
    assert [by_id[row.parent_id].text for row in judgements] == [*reviews]


def test_a_format_is_part_of_the_name_and_of_the_identity():
    named = FilterVoteConfig(format=LinesCritiqueConfig())
    assert (FilterVoteConfig().label(), named.label()) == (
        "filter_vote", "filter_vote[format=lines]",
    )  # fmt: skip
    assert "format" not in FilterVoteConfig().identity()
    assert "format" in named.identity()
