import pytest

from schemas.engines import MarkovConfig
from schemas.search.strategies import RevisionsConfig
from schemas.thinking import ThinkingConfig
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.prompts.formats import PromptFormat
from tasks.thinking.thoughts import Thoughts

QUESTION = "p0?"
AGAIN = "{question}\n{attempts}\nAgain:"


def by_attempts(prompt: str) -> dict[str, dict[str, float]]:
    """A policy whose answer is the number of attempts that it sees."""
    return {"": {f"Answer: {prompt.count('Answer')}": 1.0}}


SCORES = {f"Answer: {n}": n / 10 for n in range(9)}


def test_each_attempt_sees_the_newest_ones_before_it(table_engine, find_one):
    engine = table_engine(by_attempts, SCORES)
    found = find_one(RevisionsConfig(sequential=6, context=2), engine, budget=6)
    assert found.texts == [f"Answer: {n}" for n in (0, 1, 2, 2, 2, 2)]
    prompts = [request.prompt for request in engine.requests]
    assert prompts[0] == QUESTION
    assert prompts[3] == (
        "p0?\n\nEarlier attempts, which may be wrong:\n\nAnswer: 1\n\nAnswer: 2\n\n"
        "A better attempt:\n"
    )


def test_a_joiner_stands_between_attempts(table_engine, find_one):
    engine = table_engine(by_attempts, SCORES)
    config = RevisionsConfig(sequential=4, context=2, template=AGAIN, joiner="\nAgain:\n")
    assert find_one(config, engine, budget=4).texts == [f"Answer: {n}" for n in (0, 1, 2, 2)]
    prompts = [request.prompt for request in engine.requests]
    assert prompts[2:] == [
        "p0?\nAnswer: 0\nAgain:\nAnswer: 1\nAgain:",
        "p0?\nAnswer: 1\nAgain:\nAnswer: 2\nAgain:",
    ]


@pytest.mark.parametrize("reads", ["attempt", "history"])
def test_a_verifier_reads_the_attempt_alone_or_after_the_earlier_ones(
    table_engine, find_one, reads
):
    engine = table_engine(by_attempts, SCORES)
    config = RevisionsConfig(sequential=2, verifier_reads=reads, template=AGAIN)
    find_one(config, engine, budget=2)
    asked = engine.prompts_scored
    generated = [request.prompt for request in engine.requests]
    assert asked == (generated if reads == "history" else [QUESTION, QUESTION])


def test_chains_run_apart_and_rows_say_what_they_revise(table_engine, find_one):
    found = find_one(RevisionsConfig(sequential=3), table_engine(by_attempts, SCORES), budget=6)
    assert found.texts == ["Answer: 0", "Answer: 1", "Answer: 2"] * 2
    ids = [row.trajectory_id for row in found.rows]
    assert [row.parent_id for row in found.rows] == [None, *ids[:2], None, *ids[3:5]]
    assert [row.branch_step for row in found.rows] == [None, 0, 0] * 2
    assert len({row.seed for row in found.rows}) == 6
    decision = found.main_decision()
    assert (decision.pick, decision.answer, decision.num_candidates) == ("chains[last]", "2", 6)


def test_verifiers_see_the_question_without_the_attempts(find):
    engine = MarkovEngine(MarkovConfig(num_steps=2, p_right=0.5, p_recover=0.0))
    problems = markov_problems(1, seed=3)
    (found,) = find(RevisionsConfig(sequential=4), engine, problems, budget=4, verifier=engine)
    assert all(len(end.scores()) == 3 for end in found.ends)


def test_attempts_of_a_policy_that_does_not_look_are_independent(find, assert_rate):
    engine = MarkovEngine(MarkovConfig(num_steps=2, p_right=0.5, p_recover=0.0))
    found = find(
        RevisionsConfig(sequential=4), engine, markov_problems(200, seed=12), budget=8,
        verifier=engine,
    )  # fmt: skip
    assert {len(one.ends) for one in found} == {8}
    assert_rate([one.any_correct for one in found], 1 - (1 - 0.5**2) ** 8)
    assert_rate([bool(one.main_decision().correct) for one in found], 1 - (1 - 0.5**2) ** 8)


def test_attempts_that_do_not_fit_are_left_out_oldest_first(table_engine, find_one):
    # The template has 10 words with the question, an attempt 2: two fit.
    engine = table_engine(by_attempts, SCORES, most_tokens=14)
    found = find_one(RevisionsConfig(sequential=4), engine, budget=4)
    assert found.texts == ["Answer: 0", "Answer: 1", "Answer: 1", "Answer: 1"]
    assert [row.status for row in found.rows] == ["finished"] * 4
    assert found.main_decision().num_candidates == 4


def test_an_attempt_that_fills_the_context_is_asked_again_with_fewer_before_it(
    table_engine, find_one
):
    # After the 12 words of a prompt with one attempt, the answer fits but its end does not.
    engine = table_engine(by_attempts, SCORES, most_tokens=13)
    found = find_one(RevisionsConfig(sequential=3), engine, budget=3)
    assert found.texts == ["Answer: 0"] * 3
    assert [(row.status, row.reason) for row in found.rows] == [
        *[("finished", None)] * 3,
        *[("pruned", "not finished after 1 tokens, which fill the policy's context")] * 2,
    ]
    ids = [row.trajectory_id for row in found.rows]
    assert [row.parent_id for row in found.rows[3:]] == ids[:2]
    assert sum(row.generated_tokens for row in found.rows) == engine.num_drawn == 8
    assert found.main_decision().num_candidates == 3


def test_an_attempt_that_was_cut_is_not_shown_to_the_next(table_engine, find_one):
    def table(prompt: str) -> dict[str, dict[str, float]]:
        return {"": {"on ": 1.0}, "on ": {"and on ": 1.0}} if prompt == QUESTION else {}

    engine = table_engine(table, {"on and on ": 0.5})
    found = find_one(RevisionsConfig(sequential=3), engine, budget=3, max_tokens=2)
    assert [row.status for row in found.rows] == ["truncated"] * 3
    assert {request.prompt for request in engine.requests} == {QUESTION}


def test_thoughts_are_not_shown_nor_attempts_that_are_nothing_else(
    table_engine, find, make_problem
):
    def table(prompt: str) -> dict[str, dict[str, float]]:
        only_thought = prompt.count("Answer") == 1
        return {"": {"<think>Hm</think>" + ("" if only_thought else "Answer: 4"): 1.0}}

    engine = table_engine(table)
    thinking = PromptFormat(
        build=lambda messages: messages[-1].text,
        has_chat_template=False,
        separator="\n",
        thoughts=Thoughts.of(ThinkingConfig()),
    )
    config = RevisionsConfig(sequential=3, template=AGAIN, joiner="\nAgain:\n")
    find(config, engine, [make_problem()], budget=3, verifier=None, prompt_format=thinking)
    after_the_first = "p0?\nAnswer: 4\nAgain:"
    assert [request.prompt for request in engine.requests] == [
        QUESTION, after_the_first, after_the_first,
    ]  # fmt: skip


def test_a_verifier_that_refuses_does_not_make_the_policy_write_again(table_engine, find_one):
    engine = table_engine(by_attempts, {f"Answer: {n}": float("nan") for n in range(4)})
    found = find_one(RevisionsConfig(sequential=4), engine, budget=4)
    assert len(engine.requests) == 4
    assert [row.status for row in found.rows] == ["error"] * 4


@pytest.mark.parametrize(
    ("budget", "chains"),
    [(1, [1]), (2, [1, 2]), (8, [1, 2, 4, 8]), (12, [1, 2, 4]), (16, [1, 2, 4, 8, 16])],
)
def test_ratios_are_the_powers_of_two_that_divide_the_budget(budget, chains):
    assert [each.sequential for each in RevisionsConfig.grid(budget)] == chains


def test_a_question_may_hold_the_names_of_the_templates_places(table_engine, find, make_problem):
    question = "What does {attempts} stand for?"
    engine = table_engine(by_attempts, SCORES)
    problems = [make_problem(question=question)]
    find(RevisionsConfig(sequential=2), engine, problems, budget=2, verifier=engine)
    assert engine.requests[1].prompt == (
        f"{question}\n\nEarlier attempts, which may be wrong:\n\nAnswer: 0\n\nA better attempt:\n"
    )
