"""Search by critique over hand-written worlds; a text of these tests says what becomes of it."""

import itertools
from math import comb, prod

import numpy as np
import pytest
from pydantic import ValidationError

from schemas.critique_formats import StepwiseCritiqueConfig
from schemas.errors import RequestRejected
from schemas.search.critique import CritiqueConfig
from schemas.thinking import ThinkingConfig
from tasks.evaluation.statistics.curves import majority_curve
from tasks.prompts.formats import PromptFormat
from tasks.thinking.thoughts import Thoughts

QUESTION = "p0?"
WRONG, RIGHT = "x wrong\nReview: wrong", "x right\nReview: right"


def scripted(firsts, reviews, again):
    """A policy that deals the first attempts, and reviews and revises by what it is shown.

    A review or a next attempt is that of the first key that occurs in the prompt.
    """

    def said(texts, prompt):
        return {"": {next(text for key, text in texts.items() if key in prompt): 1.0}}

    def table(prompt):
        if prompt.endswith("Review:"):
            return said(reviews, prompt)
        if prompt.endswith("Again:"):
            return said(again, prompt)
        return {"": {text: 1 / len(firsts) for text in firsts}}

    return table


ANSWERS = scripted(
    ["Answer: 1", "Answer: 4"],
    {"Answer: 1": WRONG, "Answer: 4": RIGHT},
    {"Answer: 1": "Answer: 5", "Answer: 4": "Answer: 4"},
)


def test_each_attempt_is_critiqued_and_made_again_and_rows_say_of_what(table_engine, find_one):
    engine = table_engine(ANSWERS)
    found = find_one(CritiqueConfig(), engine, budget=2, verifier=None)
    told = [(row.text, row.role, row.status, row.temperature) for row in found.rows]
    assert told == [
        ("Answer: 1", None, "finished", 1.0),
        ("Answer: 5", "refinement", "finished", 0.7),
        ("Answer: 4", None, "finished", 1.0),
        ("Answer: 4", "refinement", "finished", 0.7),
        (WRONG, "critic", "finished", 0.0),
        (RIGHT, "critic", "finished", 0.0),
    ]
    ids = [row.trajectory_id for row in found.rows]
    assert len(set(ids)) == len({row.seed for row in found.rows[1:]} | {0}) == 6
    assert [row.parent_id for row in found.rows] == [None, ids[0], None, ids[2], ids[0], ids[2]]
    assert [row.branch_step for row in found.rows] == [None, 0, None, 0, 0, 0]
    assert [row.critique_id for row in found.rows] == [None, ids[4], None, ids[5], None, None]
    assert [row.answer for row in found.rows] == ["1", "5", "4", "4", "wrong", "right"]
    assert [row.correct for row in found.rows] == [False, False, True, True, None, None]
    assert [row.error_step for row in found.rows] == [None] * 4 + [0, None]
    assert sum(row.generated_tokens for row in found.rows) == engine.num_drawn
    decision = found.main_decision()
    assert (decision.pick, decision.num_candidates, decision.num_rows) == ("refined", 4, 6)
    assert decision.generated_tokens == engine.num_drawn


def test_what_the_critic_and_the_policy_read(table_engine, find_one):
    engine = table_engine(ANSWERS)
    find_one(CritiqueConfig(), engine, budget=1, verifier=None)
    assert [request.prompt for request in engine.requests] == [
        QUESTION,
        "p0?\nAnswer: 1\nReview:",
        f"p0?\nAnswer: 1\nReview:\n{WRONG}\nAgain:",
    ]


def test_rounds_go_on_from_the_newest_attempt_in_chains_side_by_side(table_engine, find_one):
    engine = table_engine(
        scripted(
            ["Answer: 1", "Answer: 2"],
            {"Answer": WRONG},
            {"Answer: 1": "Answer: 3", "Answer: 2": "Answer: 5", "Answer: 3": "Answer: 4",
             "Answer: 5": "Answer: 6"},
        )
    )  # fmt: skip
    found = find_one(CritiqueConfig(rounds=2), engine, budget=4, verifier=None)
    assert found.texts == [f"Answer: {n}" for n in (1, 3, 4, 2, 5, 6)]
    ids = [row.trajectory_id for row in found.rows]
    assert [row.parent_id for row in found.rows[:6]] == [None, *ids[:2], None, *ids[3:5]]
    critiqued = [row.parent_id for row in found.rows[6:]]
    assert critiqued == [ids[0], ids[1], ids[3], ids[4]]
    decisions = found.decide()
    assert decisions["first_attempts"].answer in ("1", "2")
    assert decisions["last_attempts"].answer in ("4", "6")
    assert decisions["refined"].answer in ("3", "4", "5", "6")
    assert decisions["majority"].num_candidates == 6


def test_the_control_asks_again_without_a_critique(table_engine, find_one):
    engine = table_engine(ANSWERS)
    found = find_one(CritiqueConfig(with_critique=False), engine, budget=1, verifier=None)
    assert [(row.text, row.role, row.critique_id) for row in found.rows] == [
        ("Answer: 1", None, None), ("Answer: 5", "refinement", None),
    ]  # fmt: skip
    assert engine.requests[-1].prompt == "p0?\nAnswer: 1\nAgain:"
    assert found.main_decision().answer == "5"


def test_only_flagged_attempts_are_made_again_and_the_others_stand(table_engine, find_one):
    table = scripted(
        ["Answer: 1", "Answer: 4"],
        {"Answer: 1": WRONG, "Answer": RIGHT},
        {"Answer: 1": "Answer: 5"},
    )
    found = find_one(
        CritiqueConfig(refine="flagged", rounds=3), table_engine(table), budget=6, verifier=None
    )
    assert found.texts == ["Answer: 1", "Answer: 5", "Answer: 4"]
    read = [row.parent_id for row in found.rows if row.role == "critic"]
    assert read == [row.trajectory_id for row in found.rows[:3]]


def test_an_attempt_that_stands_votes_once_for_each_round(table_engine, find_one):
    """5 stands after the first round and 6 after the second; 4 after both, so it has two votes."""
    table = scripted(
        ["Answer: 1", "Answer: 4"],
        {"Answer: 4": RIGHT, "Answer": WRONG},
        {"Answer: 1": "Answer: 5", "Answer: 5": "Answer: 6"},
    )
    found = find_one(
        CritiqueConfig(refine="flagged", rounds=2), table_engine(table), budget=4, verifier=None
    )
    assert found.texts == ["Answer: 1", "Answer: 5", "Answer: 6", "Answer: 4"]
    assert found.main_decision().answer == "4"


@pytest.mark.parametrize(
    ("refine", "texts"), [("all", ["Answer: 1", "Answer: 4"]), ("flagged", ["Answer: 1"])]
)
def test_a_critique_without_a_verdict_is_given_on_but_flags_nothing(
    table_engine, find_one, refine, texts
):
    table = scripted(["Answer: 1"], {"Answer": "I cannot say."}, {"cannot": "Answer: 4"})
    found = find_one(CritiqueConfig(refine=refine), table_engine(table), budget=1, verifier=None)
    assert found.texts == texts
    assert found.rows[-1].answer is None
    assert found.main_decision().answer == texts[-1][-1]


def test_an_empty_critique_leaves_the_attempt(table_engine, find_one):
    table = scripted(["Answer: 4"], {"Answer": " \n"}, {"Answer": "Answer: 1"})
    found = find_one(CritiqueConfig(rounds=3), table_engine(table), budget=3, verifier=None)
    assert found.texts == ["Answer: 4"]
    assert (found.main_decision().answer, found.main_decision().status) == ("4", "decided")


def test_a_critique_that_is_cut_is_given_as_far_as_it_goes(table_engine, find_one):
    def table(prompt):
        if prompt.endswith("Review:"):
            return {"": {"on ": 1.0}, "on ": {"and ": 1.0}, "on and ": {"on": 1.0}}
        return {"": {"Answer: 4" if prompt.endswith("Review:\non and\nAgain:") else "Answer: 1": 1}}

    engine = table_engine(table)
    found = find_one(CritiqueConfig(max_critique_tokens=2), engine, budget=1, verifier=None)
    assert [(row.role, row.status) for row in found.rows] == [
        (None, "finished"), ("refinement", "finished"), ("critic", "truncated"),
    ]  # fmt: skip
    assert found.main_decision().answer == "4"


def test_what_the_engine_refuses_leaves_the_newest_finished_attempt(table_engine, find_one):
    class Refusing(table_engine):
        async def generate(self, request):
            if refused in request.prompt:
                raise RequestRejected("no room")
            return await super().generate(request)

    refused = "Answer: 1\nReview:"
    found = find_one(CritiqueConfig(), Refusing(ANSWERS), budget=2, verifier=None)
    assert found.texts == ["Answer: 1", "Answer: 4", "Answer: 4"]
    assert [row.error for row in found.rows if row.role == "critic"] == ["no room", None]
    assert found.decide()["refined"].error == "no room"
    refused = "Again:"
    found = find_one(CritiqueConfig(rounds=2), Refusing(ANSWERS), budget=2, verifier=None)
    assert [row.status for row in found.rows] == ["finished", "error", "error", "finished"]
    assert found.main_decision().answer == "1"
    assert found.main_decision().status == "decided"
    assert len([row for row in found.rows if row.role == "critic"]) == 1  # one per attempt


def test_where_nothing_is_finished_the_question_is_asked_afresh(table_engine, find_one):
    endless = {"": {"on ": 0.5, "Answer: 4": 0.5}, "on ": {"and ": 1.0}, "on and ": {"on ": 1.0}}
    engine = table_engine(lambda prompt: {} if "Review" in prompt else endless)
    found = find_one(CritiqueConfig(), engine, budget=1, max_tokens=2, verifier=None)
    assert [(row.role, row.status, row.text) for row in found.rows] == [
        (None, "truncated", "on and "), ("refinement", "finished", "Answer: 4"),
    ]  # fmt: skip
    assert {request.prompt for request in engine.requests} == {QUESTION}
    assert found.main_decision().answer == "4"
    assert found.decide()["first_attempts"].answer is None
    never = table_engine(lambda _: {**endless, "": {"on ": 1.0}})
    found = find_one(CritiqueConfig(rounds=2), never, budget=4, max_tokens=2, verifier=None)
    assert [row.status for row in found.rows] == ["truncated"] * 6
    assert (found.main_decision().status, found.main_decision().correct) == ("unfinished", False)


def test_a_second_attempt_that_is_cut_leaves_the_first(table_engine, find_one):
    def table(prompt):
        if prompt.endswith("Again:"):
            return {"": {"on ": 1.0}, "on ": {"and ": 1.0}, "on and ": {"on": 1.0}}
        return ANSWERS(prompt)

    found = find_one(
        CritiqueConfig(rounds=2), table_engine(table), budget=2, max_tokens=2, verifier=None
    )
    assert [row.status for row in found.rows[:3]] == ["finished", "truncated", "truncated"]
    assert [row.parent_id for row in found.rows[1:3]] == [found.rows[0].trajectory_id] * 2
    assert found.main_decision().answer == "1"


def test_a_critic_of_its_own_reads_and_is_named(table_engine, find_one):
    critic = table_engine(lambda prompt: {"": {WRONG: 1.0}})
    critic.model_id = "critic-1"
    policy = table_engine(scripted(["Answer: 1"], {}, {"Answer: 1": "Answer: 4"}))
    found = find_one(CritiqueConfig(), policy, budget=1, verifier=None, others={"critic": critic})
    assert [(row.role, row.policy) for row in found.rows] == [
        (None, "table-0"), ("refinement", "table-0"), ("critic", "critic-1"),
    ]  # fmt: skip
    assert [request.prompt for request in critic.requests] == ["p0?\nAnswer: 1\nReview:"]


def test_thoughts_are_not_shown_and_steps_are_numbered_behind_them(
    table_engine, find, make_problem
):
    thinking = PromptFormat(
        build=lambda messages: messages[-1].text,
        has_chat_template=False,
        separator="\n",
        thoughts=Thoughts.of(ThinkingConfig()),
    )
    review = "<think>Step 1 is wrong</think>Step 1: 2\nCorrectness: wrong\nConclusion: wrong"

    def table(prompt):
        if "student's solution" in prompt:
            return {"": {review: 1.0}}
        if "A critique of it:" in prompt:
            return {"": {"<think>Oh</think>Answer: 4": 1.0}}
        return {"": {"<think>Hm\n": 1.0}, "<think>Hm\n": {"</think>\n": 1.0},
                "<think>Hm\n</think>\n": {"Answer: 1": 1.0}}  # fmt: skip

    engine = table_engine(table)
    config = CritiqueConfig(format=StepwiseCritiqueConfig())
    (found,) = find(config, engine, [make_problem()], budget=1, prompt_format=thinking)
    assert "Solution:\nStep 1: Answer: 1\n\nFor each step" in engine.requests[1].prompt
    assert "A critique of it:\nStep 1: 2\nCorrectness: wrong" in engine.requests[2].prompt
    assert not any("Hm" in request.prompt for request in engine.requests)
    (critique,) = [row for row in found.rows if row.role == "critic"]
    assert critique.answer == "wrong"
    assert found.rows[0].steps[critique.error_step].text == "Answer: 1"
    assert found.main_decision().correct is True


def test_a_text_may_hold_the_names_of_the_templates_places(table_engine, find, make_problem):
    question = "What is {solution}? {critique}"
    engine = table_engine(scripted(["Answer: 1"], {"": "{question} wrong\nReview: wrong"},
                                   {"": "Answer: 4"}))  # fmt: skip
    find(CritiqueConfig(), engine, [make_problem(question=question)], budget=1)
    assert engine.requests[-1].prompt == (
        f"{question}\nAnswer: 1\nReview:\n{{question}} wrong\nReview: wrong\nAgain:"
    )


def test_a_verifier_scores_every_attempt_and_weighs_the_votes(table_engine, find_one):
    scores = {"Answer: 1": 0.1, "Answer: 4": 0.3, "Answer: 5": 0.9}
    engine = table_engine(ANSWERS, scores)
    found = find_one(CritiqueConfig(), engine, budget=2)
    decisions = found.decide()
    assert decisions["refined"].is_main
    assert decisions["refined[min]"].answer == "5"
    assert decisions["weighted[min]"].answer == "5"
    assert decisions["best_of_n[last]"].answer == "5"
    assert decisions["chains[min]"].answer == "5"


@pytest.mark.parametrize(("rounds", "budget"), [(2, 3), (8, 4)])
def test_a_budget_that_is_no_multiple_of_the_rounds_is_refused(rounds, budget):
    with pytest.raises(ValueError, match=f"multiple of the {rounds} rounds of a chain, got N="):
        CritiqueConfig(rounds=rounds).check_budget(budget)


def test_what_a_config_can_say():
    assert [each.rounds for each in CritiqueConfig.grid(12)] == [1, 2, 4]
    assert CritiqueConfig(rounds=2).num_solutions(8) == 12
    with pytest.raises(ValidationError, match="rounds"):
        CritiqueConfig(rounds=0)
    assert CritiqueConfig(format=StepwiseCritiqueConfig()).label() == "critique[format=stepwise]"
    odd = StepwiseCritiqueConfig(judges="all")
    assert CritiqueConfig(format=odd).label().startswith("critique[format=stepwise#")


# The binary model: an attempt is right or wrong, and so is what becomes of it.
P_FLAG_WRONG, P_FLAG_RIGHT, P_FIX, P_BREAK = 0.7, 0.1, 0.4, 0.3


def chain_kinds(p_right):
    """Every chain with its probability: right at first, flagged, right in the end."""
    for first, flagged, last in itertools.product((True, False), repeat=3):
        p_flag = P_FLAG_RIGHT if first else P_FLAG_WRONG
        p_last = (1 - P_BREAK if first else P_FIX) if flagged else float(first)
        p = p_right if first else 1 - p_right
        p *= p_flag if flagged else 1 - p_flag
        p *= p_last if last else 1 - p_last
        if p:
            yield (first, flagged, last), p


def text_of(kind, number):
    """An attempt whose text says what is to become of it."""
    return f"{number}{''.join('ny'[each] for each in kind)}\nAnswer: {4 if kind[0] else 1}"


def play(prompt, kinds):
    """Critic and actor that do what the attempt says."""
    texts = [text_of(kind, number) for number, kind in enumerate(kinds)]
    if "Review:" not in prompt:
        return {"": dict.fromkeys(texts, 1 / len(texts))}
    (kind,) = [k for k, text in zip(kinds, texts, strict=True) if text in prompt]
    if prompt.endswith("Review:"):
        return {"": {WRONG if kind[1] else RIGHT: 1.0}}
    return {"": {f"Answer: {4 if kind[2] else 1}": 1.0}}


@pytest.mark.parametrize(("p", "once", "critiqued"), [(0.45, 0.5905, 0.6343), (0.6, 0.694, 0.7764)])
@pytest.mark.parametrize("num", [1, 3])
def test_the_binary_model_comes_out_exactly(table_engine, find_one, p, once, critiqued, num):
    total = mass = 0.0
    for chains in itertools.product(chain_kinds(p), repeat=num):
        kinds = [kind for kind, _ in chains]
        chance = prod(p_kind for _, p_kind in chains)
        engine = table_engine(lambda prompt, kinds=kinds: play(prompt, kinds))
        found = find_one(CritiqueConfig(refine="flagged"), engine, budget=num, verifier=None)
        total += chance * bool(found.main_decision().correct)
        mass += chance
    assert mass == pytest.approx(1)
    assert total == pytest.approx(once if num == 1 else critiqued, abs=5e-5)


@pytest.mark.parametrize(("p", "plain"), [(0.45, 0.3786), (0.6, 0.7334)])
def test_nine_plain_votes_of_the_binary_model(p, plain):
    votes = [[0] * right + [1] * (9 - right) for right in range(10)]
    wins = [majority_curve(v, [each == 0 for each in v], [9])[0] for v in votes]
    chances = [comb(9, right) * p**right * (1 - p) ** (9 - right) for right in range(10)]
    assert np.dot(wins, chances) == pytest.approx(plain, abs=5e-5)


def test_a_sampling_engine_reaches_the_binary_model(table_engine, find, make_problem, assert_rate):
    def table(prompt):
        if "Review:" not in prompt:
            return {"": {"Answer: 4": 0.45, "Answer: 1": 0.55}}
        is_right = "Answer: 4" in prompt
        if prompt.endswith("Review:"):
            p = P_FLAG_RIGHT if is_right else P_FLAG_WRONG
            return {"": {WRONG: p, RIGHT: 1 - p}}
        p = 1 - P_BREAK if is_right else P_FIX
        return {"": {"Answer: 4": p, "Answer: 1": 1 - p}}

    problems = [make_problem(f"p{number}") for number in range(400)]
    config = CritiqueConfig(refine="flagged", critic_temperature=1.0, refine_temperature=1.0)
    found = find(config, table_engine(table, is_dealt=False), problems, budget=3)
    assert_rate([bool(one.main_decision().correct) for one in found], 0.6343)
