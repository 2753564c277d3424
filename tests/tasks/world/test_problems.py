from itertools import islice

import pytest

from tasks.world.kinds import KINDS, LEVELS
from tasks.world.problems import Event, Split, WorldProblem, iterate_problems, parse_question

SPLITS: tuple[Split, ...] = ("train", "dev", "test")


def _draw(num_problems, seed=3, split: Split = "train", **kwargs):
    return list(islice(iterate_problems(seed, split, **kwargs), num_problems))


def test_question_and_answer_of_a_hand_made_story():
    problem = WorldProblem(
        person="Dan",
        other="Ana",
        thing="books",
        start=34,
        events=(Event(KINDS["buysfrom"], (7,)), Event(KINDS["buys"], (2, 4), "bags")),
    )
    assert problem.question == (
        "Monday: Dan has 34 books. Tuesday: Ana buys 7 books from Dan. "
        "Wednesday: Dan buys 2 bags of 4 books. How many books does Dan have now?"
    )
    assert problem.answer == 34 - 7 + 8
    assert problem.traps == "trap A"


@pytest.mark.parametrize(
    ("question", "answer", "traps"),
    [
        (
            "Monday: Eva has 20 pens. Tuesday: Eva buys 4 pens twice. "
            "Wednesday: Each of 3 friends gives Eva 5 pens. Thursday: Eva uses 6 pens on each of "
            "2 days. How many pens does Eva have now?",
            20 + 8 + 15 - 12,
            "trap B",
        ),
        (
            "Monday: Ben has 30 coins. Tuesday: Ben paints 9 coins. Wednesday: Ben buys 4 coins "
            "twice. Thursday: Ben now has 5 fewer coins than Cara. "
            "How many coins does Cara have now?",
            30 + 8 + 5,
            "trap A+B",
        ),
        (
            "Monday: Ben has 30 coins. Tuesday: Ben sees 9 coins. Wednesday: Cara has 5 fewer "
            "coins than Ben. How many coins does Cara have now?",
            25,
            "no trap",
        ),
    ],
)
def test_text_alone_gives_answer_and_traps(question, answer, traps):
    problem = parse_question(question)
    assert (problem.answer, problem.traps) == (answer, traps)


def test_parsing_inverts_rendering():
    for split in SPLITS:
        for problem in _draw(1000, split=split):
            assert parse_question(problem.question) == problem


@pytest.mark.parametrize(
    "question",
    [
        "How many pens does Ana have now?",
        "Monday: Ana has 20 pens. Tuesday: Ana eats 3 pens. How many pens does Ana have now?",
        "Monday: Ana has 20 pens. Tuesday: Ana buys 3 books. How many pens does Ana have now?",
        "Monday: Ana has 20 pens. Friday: Ana buys 3 pens. How many pens does Ana have now?",
        "Monday: Ana has 20 pens. Tuesday: Ana buys 3 pens. How many pens does Ben have now?",
        "Monday: Ana has 20 pens. Tuesday: Ana buys 3 pens. How many pens does Ana have now?\n",
    ],
)
def test_other_text_is_refused_not_guessed(question):
    with pytest.raises(ValueError, match="built-in world"):
        parse_question(question)


def test_equal_seeds_make_equal_problems_and_longer_sets_begin_the_same():
    assert _draw(50) == _draw(80)[:50]
    assert _draw(50) != _draw(50, seed=4)


def test_splits_share_no_problem():
    seen = {split: _draw(2000, split=split) for split in SPLITS}
    stories = {
        split: {(p.start, tuple((e.kind.name, e.values) for e in p.events)) for p in problems}
        for split, problems in seen.items()
    }
    assert not stories["train"] & stories["dev"]
    assert not stories["train"] & stories["test"]
    assert not stories["dev"] & stories["test"]


def test_levels_come_in_turn_and_keep_their_limits():
    problems = _draw(1000)
    assert [p.level for p in problems[:6]] == [1, 2, 3, 4, 5, 1]
    for problem in problems:
        num_traps = sum(e.kind.family.startswith("trap") for e in problem.events)
        assert problem.level is not None
        assert len(problem.events) in LEVELS[problem.level].num_events
        assert LEVELS[problem.level].num_traps_weights[num_traps] > 0
    assert {p.level for p in _draw(10, levels=(2, 4))} == {2, 4}


def test_true_totals_stay_in_range():
    for problem in _draw(1000):
        total = problem.start
        for event in problem.events:
            total += event.kind.sign * event.amount
            assert 1 <= total <= 99
        assert total == problem.answer
