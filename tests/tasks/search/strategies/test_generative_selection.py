import re
from itertools import product
from math import prod

import pytest
from pydantic import ValidationError

from schemas.errors import RequestRejected
from schemas.search.strategies import GenerativeSelectionConfig
from tasks.search.strategies.generative_selection import read_choice


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("Judgment: [2]", 2),
        ("The first is wrong.\nJudgment: 0", 0),
        ("**Judgment:** [1].", 1),
        ("Judgement: Solution 2", 2),
        ("judgment: [solution 1]", 1),
        ("Judgment: [0]\nNo, wait.\nJudgment: [2]", 2),
        ("Judgment: [3]", None),
        ("Judgment: [-1]", 1),
        ("Judgment: [" + "9" * 5000 + "]", None),
        ("Judgment: the second", None),
        ("Solution 2 is best", None),
        ("", None),
    ],
)
def test_the_last_number_behind_the_mark_counts_if_it_is_one_of_three(text, choice):
    assert read_choice(text, 3) == choice


def numbered(prompt: str) -> dict[str, int]:
    """The number of each solution in a judge's prompt."""
    found = re.findall(r"Solution (\d+):\n(.*?)(?=\n\n)", prompt, re.DOTALL)
    return {text: int(number) for number, text in found}


def judged(attempts: list[str], best: str, *, say: str = "Judgment: [{}]"):
    """A policy that deals these attempts, and as a judge names the best one, or else the last."""

    def table(prompt: str) -> dict[str, dict[str, float]]:
        if "Judgment" not in prompt:
            return {"": {text: 1 / len(attempts) for text in attempts}}
        numbers = numbered(prompt)
        return {"": {say.format(numbers.get(best, max(numbers.values()))): 1.0}}

    return table


def test_the_named_solution_is_the_answer_and_the_first_candidate(table_engine, find_one):
    attempts = ["Answer: 1", "Answer: 2", "Answer: 4", "So, Answer: 1"]
    engine = table_engine(judged(attempts, "Answer: 4"))
    found = find_one(GenerativeSelectionConfig(), engine, budget=4)
    assert found.texts == ["Answer: 4", "Answer: 1", "Answer: 2", "So, Answer: 1"]
    decisions = found.decide()
    assert (found.main_decision().pick, found.main_decision().answer) == ("chosen", "4")
    assert decisions["majority"].answer == "1"
    (judgement,) = [row for row in found.rows if row.role == "judge"]
    assert (judgement.text, judgement.parent_id) == ("Judgment: [2]", found.rows[0].trajectory_id)
    assert (judgement.branch_step, judgement.answer, judgement.correct) == (0, None, None)
    assert found.main_decision().num_candidates == 4
    assert sum(row.generated_tokens for row in found.rows) == engine.num_drawn
    prompt = engine.requests[-1].prompt
    assert "Problem: p0?\n\nSolution 0:\nAnswer: 1\n\nSolution 1:\nAnswer: 2" in prompt
    assert engine.requests[-1].temperature == 0


@pytest.mark.parametrize("say", ["I cannot say.", "Judgment: [17]", "Judgment: none"])
def test_without_a_choice_the_most_common_answer_wins_and_the_judgement_has_no_parent(
    table_engine, find_one, say
):
    attempts = ["Answer: 1", "Answer: 4", "So, Answer: 4"]
    found = find_one(
        GenerativeSelectionConfig(), table_engine(judged(attempts, "-", say=say)), budget=3
    )
    assert found.texts[0] == "Answer: 4"
    (judgement,) = [row for row in found.rows if row.role == "judge"]
    assert (judgement.status, judgement.parent_id) == ("finished", None)
    tied = table_engine(judged(["Answer: 1", "Answer: 4"], "-", say=say))
    assert find_one(GenerativeSelectionConfig(), tied, budget=2).texts[0] == "Answer: 1"


def test_more_than_a_group_meet_in_rounds(table_engine, find_one):
    attempts = [f"Answer: {n}" for n in (1, 2, 3, 5, 6, 7, 8, 9, 10, 4)]
    engine = table_engine(judged(attempts, "Answer: 4"))
    found = find_one(GenerativeSelectionConfig(group=3), engine, budget=10)
    assert found.main_decision().answer == "4"
    asked = [len(numbered(r.prompt)) for r in engine.requests if "Judgment" in r.prompt]
    assert asked == [3, 3, 2, 2, 2, 2, 2]  # 10 in 4 groups, 4 in 2, 2 in 1
    assert len({row.seed for row in found.rows}) == len(found.rows)


def test_a_group_that_agrees_is_not_judged(table_engine, find_one):
    engine = table_engine(judged(["Answer: 4", "So, Answer: 4"], "-"))
    found = find_one(GenerativeSelectionConfig(), engine, budget=4)
    assert [row.role for row in found.rows] == [None] * 4
    assert found.main_decision().answer == "4"


def test_a_group_that_does_not_fit_is_halved(table_engine, find_one):
    attempts = [f"Answer: {n}" for n in (1, 2, 3, 4)]

    class Narrow(table_engine):
        async def generate(self, request):
            if request.prompt.count("\nAnswer:") > 2:
                raise RequestRejected("no room")
            return await super().generate(request)

    found = find_one(GenerativeSelectionConfig(), Narrow(judged(attempts, "Answer: 4")), budget=4)
    assert found.main_decision().answer == "4"
    judgements = [row for row in found.rows if row.role == "judge"]
    assert sorted(row.status for row in judgements) == ["error", *["finished"] * 3]
    assert found.main_decision().status == "decided"
    assert len({row.seed for row in judgements}) == 4

    class Full(table_engine):
        async def generate(self, request):
            if "Judgment" in request.prompt:
                raise RequestRejected("no room")
            return await super().generate(request)

    found = find_one(GenerativeSelectionConfig(), Full(judged(attempts, "-")), budget=4)
    assert found.texts[0] == "Answer: 1"
    assert found.main_decision().correct is False


def test_a_cut_solution_is_not_shown(table_engine, find_one):
    def table(prompt: str) -> dict[str, dict[str, float]]:
        if "Judgment" in prompt:
            return {"": {"Judgment: [1]": 1.0}}
        texts = {"": {"Answer: 1": 0.4, "a": 0.2, "Answer: 4": 0.4}}
        return texts | {"a": {"a": 1.0}, "aa": {"a": 1.0}}

    found = find_one(GenerativeSelectionConfig(), table_engine(table), budget=3, max_tokens=2)
    assert [end.state for end in found.ends] == ["finished", "finished", "truncated"]
    assert found.texts[0] == "Answer: 4"
    assert found.main_decision().num_finished == 2


P_RIGHT, P_NAMED = 0.4, 0.7


def p_selected() -> float:
    """All ways to write two solutions; a judge of two answers names the right one by chance."""
    total = 0.0
    for drawn in product((True, False), repeat=2):
        chance = prod(P_RIGHT if right else 1 - P_RIGHT for right in drawn)
        total += chance * (1.0 if all(drawn) else P_NAMED if any(drawn) else 0.0)
    return total


def test_success_is_that_of_all_ways_to_write_and_to_choose(
    table_engine, find, make_problem, assert_rate
):
    def table(prompt: str) -> dict[str, dict[str, float]]:
        if "Judgment" not in prompt:
            return {"": {"Answer: 4": P_RIGHT, "Answer: 1": 1 - P_RIGHT}}
        right = numbered(prompt)["Answer: 4"]
        return {"": {f"Judgment: [{right}]": P_NAMED, f"Judgment: [{1 - right}]": 1 - P_NAMED}}

    problems = [make_problem(f"p{number}") for number in range(400)]
    engine = table_engine(table, is_dealt=False)
    config = GenerativeSelectionConfig(judge_temperature=1.0)
    found = find(config, engine, problems, budget=2)
    assert_rate([bool(one.main_decision().correct) for one in found], p_selected())


def test_a_text_may_hold_the_names_of_the_templates_places(table_engine, find, make_problem):
    question = "What is {solutions}?"
    attempts = ["{question} Answer: 1", "Answer: 4"]
    engine = table_engine(judged(attempts, "Answer: 4"))
    (found,) = find(
        GenerativeSelectionConfig(), engine, [make_problem(question=question)], budget=2
    )
    prompt = engine.requests[-1].prompt
    assert f"Problem: {question}\n\nSolution 0:\n{{question}} Answer: 1\n\n" in prompt
    assert found.main_decision().answer == "4"


def test_a_template_without_its_places_is_refused():
    with pytest.raises(ValidationError, match=r"template: expected \{solutions\} in it"):
        GenerativeSelectionConfig(template="Look at {question}")
