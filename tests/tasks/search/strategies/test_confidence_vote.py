from collections import defaultdict
from dataclasses import replace
from itertools import product
from math import log, prod

import pytest
from pydantic import ValidationError

from schemas.engines import GenerationRequest, PlantedConfig
from schemas.graders import PlantedGraderConfig
from schemas.rows import Problem
from schemas.search import SearchJob
from schemas.search.strategies import ConfidenceVoteConfig
from tasks.engines.planted_engine import PlantedEngine, planted_problems
from tasks.search.confidences import keep_threshold, trace_confidence

ONLINE = ConfidenceVoteConfig(
    mode="online", warmup=4, window=1, chunk_tokens=1, num_alternatives=2, keep=0.75, round_size=1
)


def options(num: int, *, head: str = "") -> dict[str, float]:
    """Equally likely words, the first of which goes on: confidence log num."""
    return {f"{head}{i}": 1 / num for i in range(num)}


def fanned(answers: dict[str, tuple[str, int]]):
    """A policy that picks a letter, then one of some even words (its confidence), then answers."""
    table = {"": dict.fromkeys(answers, 1 / len(answers))}
    for letter, (answer, num) in answers.items():
        table[letter] = options(num)
        table |= {letter + word: {f"\nAnswer: {answer}": 1.0} for word in options(num)}
    return table


def test_the_most_confident_vote_by_their_confidence(table_engine, find_one):
    """Confidences by the mean of four tokens: letter log 4, words log n, answer and end 0."""
    answers = {"a": ("4", 8), "b": ("1", 3), "c": ("1", 3), "d": ("2", 2)}
    engine = table_engine(fanned(answers))
    found = find_one(ConfidenceVoteConfig(keep=0.75), engine, budget=4)
    of = {letter: (log(4) + log(num)) / 4 for letter, (_, num) in answers.items()}
    kept = {text[0] for text in found.texts}
    assert kept == {"a", "b", "c"}
    stored = {row.text[0]: row.steps[-1].value for row in found.rows}
    assert stored == pytest.approx(of)
    (out,) = [row for row in found.rows if row.status == "pruned"]
    assert out.text[0] == "d"
    threshold = keep_threshold(list(of.values()), 0.75)
    assert out.reason == f"confidence {of['d']:.4g} below {threshold:.4g}"
    decision = found.main_decision()
    assert (decision.pick, decision.answer) == ("confidence", "1")
    assert (decision.num_candidates, decision.num_rows) == (3, 4)
    alone = find_one(ConfidenceVoteConfig(keep=0.1), table_engine(fanned(answers)), budget=4)
    assert (alone.main_decision().answer, len(alone.ends)) == ("4", 1)


def test_one_confident_solution_outweighs_two(table_engine, find_one):
    answers = {"a": ("4", 400), "b": ("1", 2), "c": ("1", 2)}
    found = find_one(ConfidenceVoteConfig(keep=1.0), table_engine(fanned(answers)), budget=3)
    decisions = found.decide()
    # (log 3 + log 400) / 4 = 1.77 against 2 x (log 3 + log 2) / 4 = .90
    assert decisions["confidence"].answer == "4"
    assert decisions["majority"].answer == "1"


TRACES = {"a": ("4", 8, 0.3), "b": ("1", 4, 0.45), "c": ("2", 2, 0.25)}
"""Answer, number of words, and chance of each letter."""


def p_right(num: int, keep: float) -> float:
    """The vote of all ways to draw `num` solutions; ties are broken evenly."""
    total = 0.0
    head = [p for _, _, p in TRACES.values()]
    base = -sum(map(log, head)) / 3
    confidence = {letter: (base + log(n)) / 4 for letter, (_, n, _) in TRACES.items()}
    for drawn in product(TRACES, repeat=num):
        threshold = keep_threshold([confidence[letter] for letter in drawn], keep)
        votes: dict[str, float] = defaultdict(float)
        for letter in drawn:
            if confidence[letter] >= threshold:
                votes[TRACES[letter][0]] += confidence[letter]
        top = max(votes.values())
        winners = [a for a, weight in votes.items() if weight > top - 1e-9]
        chance = prod(TRACES[letter][2] for letter in drawn)
        total += chance / len(winners) if "4" in winners else 0.0
    return total


@pytest.mark.parametrize("keep", [0.5, 1.0])
def test_success_is_that_of_all_ways_to_draw(table_engine, find, make_problem, assert_rate, keep):
    table = fanned({letter: (a, n) for letter, (a, n, _) in TRACES.items()})
    table[""] = {letter: p for letter, (_, _, p) in TRACES.items()}
    problems = [make_problem(f"p{number}") for number in range(500)]
    engine = table_engine(table, is_dealt=False)
    found = find(ConfidenceVoteConfig(keep=keep), engine, problems, budget=4)
    p = p_right(4, keep)
    assert 0.2 < p < 0.8
    assert_rate([bool(one.main_decision().correct) for one in found], p)


def with_middle(middles: list[float]):
    """Solutions `0`, `1`, ...: a start, a word of little confidence, and an answer of much."""
    starts = {str(i): 1 / len(middles) for i in range(len(middles))}
    table = {"": starts}
    for start, p in zip(starts, middles, strict=True):
        table[start] = {"x": p, "y": 1 - p}
        usual, other = ("4", "1") if int(start) % 2 else ("1", "4")
        answers = {f"\nAnswer: {usual}": 1 - 1e-12, f"\nAnswer: {other}": 1e-12}
        table |= {start + word: answers for word in "xy"}
    return table


def test_later_solutions_are_given_up_where_their_confidence_falls(table_engine, find_one):
    """The lowest group of two tokens is that of the start and the word."""
    p = [0.999, 0.99, 0.9, 0.8, 0.55, 0.99, 0.95, 0.9999]
    engine = table_engine(with_middle(p))
    config = ONLINE.with_fields(consensus=1.0, window=2, keep=0.5)
    found = find_one(config, engine, budget=8)
    pruned = {int(row.text[0]): row for row in found.rows if row.status == "pruned"}
    lowest = [(log(len(p)) - (log(each) + log(1 - each)) / 2) / 2 for each in p]
    threshold = keep_threshold(lowest[:4], 0.5)
    assert set(pruned) == {start for start in range(8) if lowest[start] < threshold} == {2, 3, 4, 6}
    for start, row in pruned.items():
        value = row.steps[-1].value
        assert value == pytest.approx(lowest[start])
        if start >= 4:
            assert row.reason == f"given up: confidence {value:.4g} below {threshold:.4g}"
            assert row.generated_tokens == 2  # the letter, and the word of little confidence
    assert sum(row.generated_tokens for row in found.rows) == engine.num_drawn


def test_what_is_given_up_was_confident_until_its_last_piece(find):
    """Against the world itself, in which every symbol is possible."""
    engine = PlantedEngine(PlantedConfig(gammas=(0.3, 0.8), horizon=12))
    strategy = ONLINE.with_fields(
        window=3, chunk_tokens=2, keep=0.5, num_alternatives=10, consensus=1.0, warmup=6
    )
    found = find(
        strategy, engine, planted_problems(30, seed=2), budget=20, grader=PlantedGraderConfig()
    )

    def confidences(problem: Problem, text: str) -> list[float]:
        state, values = engine.begin(problem.question), []
        for line in text.split():
            likeliest = sorted(engine.next_steps(state).values())[-10:]
            values.append(-sum(map(log, likeliest)) / 10)
            state = engine.advance(state, int(line) - 1)
        return values

    num_given_up = 0
    for one in found:
        for place, row in enumerate(sorted(one.rows, key=lambda row: row.status == "pruned")):
            values = confidences(one.problem, row.text)
            lowest = trace_confidence(values, 3, "lowest_group")
            assert row.steps[-1].value == pytest.approx(lowest)
            if (row.reason or "").startswith("given up"):
                assert place >= 1
                num_given_up += 1
                threshold = float((row.reason or "").rpartition(" ")[2])
                assert lowest < threshold + 1e-2
                assert row.generated_tokens == len(values)
                assert len(values) % 2 == 0
                if len(values) > 4:
                    before = trace_confidence(values[:-2], 3, "lowest_group")
                    assert before >= threshold - 1e-2
    assert num_given_up > 20


def test_a_consensus_ends_the_search(table_engine, find_one):
    agreeing = {letter: ("4", 3) for letter in "abcdefgh"}
    found = find_one(ONLINE, table_engine(fanned(agreeing)), budget=8)
    assert len(found.rows) == 4
    assert found.main_decision().answer == "4"
    split = {letter: ("4" if letter in "aceg" else "1", 3) for letter in "abcdefgh"}
    assert len(find_one(ONLINE, table_engine(fanned(split)), budget=8).rows) == 8


def test_a_consensus_is_of_weight_not_of_answers(table_engine, find_one):
    answers = {letter: ("4", 400) for letter in "abc"} | {"d": ("1", 2)}
    answers |= {letter: ("2", 3) for letter in "efgh"}
    config = ONLINE.with_fields(keep=1.0, consensus=0.8, window=100)
    # 3 x (log 8 + log 400) / 4 of it plus (log 8 + log 2) / 4: .897
    assert len(find_one(config, table_engine(fanned(answers)), budget=8).rows) == 4
    close = config.with_fields(consensus=0.95)
    assert len(find_one(close, table_engine(fanned(answers)), budget=8).rows) == 8


@pytest.mark.parametrize("strategy", [ConfidenceVoteConfig(), ONLINE], ids=lambda s: s.mode)
def test_a_policy_that_reports_no_alternatives_is_refused(table_engine, find_one, strategy):
    class Silent(table_engine):
        async def generate(self, request: GenerationRequest):
            made = await super().generate(request)
            told = tuple(replace(c, confidences=None) for c in made.completions)
            return replace(made, completions=told)

    engine = Silent({"": {"Answer: 4": 1.0}})
    found = find_one(strategy, engine, budget=4)
    decision = found.main_decision()
    assert (decision.status, decision.correct) == ("error", None)
    assert "table-0 reports no log probabilities of its most likely tokens" in (
        decision.error or ""
    )
    assert sum(row.generated_tokens for row in found.rows) == engine.num_drawn


def test_where_none_that_votes_has_an_answer_all_vote(table_engine, find_one):
    table = fanned({"a": ("4", 2), "b": ("4", 2)})
    table |= {"b" + word: {"\nI give up": 1.0} for word in options(2)}
    table["b"] = options(50)
    table |= {f"b{i}": {"\nI give up": 1.0} for i in range(50)}
    found = find_one(ConfidenceVoteConfig(keep=0.1), table_engine(table), budget=2)
    assert found.main_decision().answer == "4"
    assert len(found.ends) == 2


def test_cut_solutions_are_told_and_do_not_vote(table_engine, find_one):
    table = {"": {"Answer: 4": 0.5, "a": 0.5}, "a": {"a": 1.0}, "aa": {"a": 1.0}}
    found = find_one(ConfidenceVoteConfig(keep=1.0), table_engine(table), budget=2, max_tokens=2)
    assert [end.state for end in found.ends] == ["finished", "truncated"]
    assert found.main_decision().answer == "4"
    only = find_one(
        ConfidenceVoteConfig(),
        table_engine({"": {"a": 1.0}, "a": {"a": 1.0}}),
        budget=2,
        max_tokens=1,
    )
    assert only.main_decision().status == "unfinished"


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValidationError, match="confidence: expected lowest_group"):
        ConfidenceVoteConfig(mode="online", confidence="tail")
    with pytest.raises(ValidationError, match="expected N to be at least the 16 solutions"):
        SearchJob(strategies=(ConfidenceVoteConfig(mode="online"),), budgets=(8,))
