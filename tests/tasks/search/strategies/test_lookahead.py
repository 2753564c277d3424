import pytest

from schemas.engines import MarkovConfig
from schemas.search.strategies import BeamConfig, LookaheadConfig
from tasks.engines.markov_engine import MarkovEngine, markov_problems

# The first score prefers a, the greedy continuation prefers b.
TABLE = {
    "": {"a\n": 0.5, "b\n": 0.5},
    "a\n": {"x\n": 0.6, "y\n": 0.4},
    "b\n": {"x\n": 0.4, "y\n": 0.6},
    **{f"{first}{second}": {"Answer: 4": 1.0} for first in ("a\n", "b\n") for second in "xy"},
    **{f"{f}{s}\n": {"Answer: 4": 1.0} for f in ("a\n", "b\n") for s in "xy"},
}
SCORES = {
    "a\n": 0.9,
    "b\n": 0.5,
    "a\nx\n": 0.1,
    "a\ny\n": 0.95,
    "b\nx\n": 0.2,
    "b\ny\n": 0.8,
    **{f"{f}{s}\nAnswer: 4": 0.5 for f in ("a\n", "b\n") for s in "xy"},
}


def test_the_score_ahead_ranks(table_engine, find_one):
    beam = find_one(BeamConfig(width=2), table_engine(TABLE, SCORES), budget=2)
    assert {text[:2] for text in beam.texts} == {"a\n"}
    engine = table_engine(TABLE, SCORES)
    ahead = find_one(LookaheadConfig(width=2, depth=1), engine, budget=2)
    assert {text[:2] for text in ahead.texts} == {"b\n"}
    pruned = {row.text: row.reason for row in ahead.rows if row.role is None}
    assert pruned["a\n"] == "rank 2 of 2"


def test_steps_ahead_are_greedy_unless_asked_otherwise(table_engine, find_one):
    engine = table_engine(TABLE, SCORES)
    find_one(LookaheadConfig(width=2, depth=1), engine, budget=2)
    assert {r.temperature for r in engine.requests if r.n == 1 and r.prefix == "a\n"} == {0.0}
    engine = table_engine(TABLE, SCORES)
    find_one(LookaheadConfig(width=2, depth=1, temperature=0.7), engine, budget=2)
    assert {r.temperature for r in engine.requests} == {0.7, 1.0}


def test_equal_prefixes_are_looked_ahead_from_once_and_read_once(table_engine, find_one):
    steps = {"": {"a\n": 1.0}, "a\n": {"b\n": 1.0}, "a\nb\n": {"Answer: 4": 1.0}}
    scores = {"a\n": 0.9, "a\nb\n": 0.9, "a\nb\nAnswer: 4": 0.9}
    engine = table_engine(steps, scores)
    found = find_one(LookaheadConfig(width=4, depth=2), engine, budget=4)
    assert found.texts == ["a\nb\nAnswer: 4"] * 4
    ahead = [row for row in found.rows if row.role == "lookahead"]
    assert len(ahead) == 2  # from a, and from a b: one each, though each was drawn four times
    assert len(engine.scored) == len(set(engine.scored)) == 1
    assert [end.ranking for end in found.ends] == [0.9] * 4


def test_rows_say_at_which_temperature_they_were_drawn(table_engine, find_one):
    config = LookaheadConfig(width=2, depth=1)
    found = find_one(config, table_engine(TABLE, SCORES), budget=2, temperature=0.8)
    told = {(row.role == "lookahead", row.temperature) for row in found.rows}
    assert told == {(True, 0.0), (False, 0.8)}


def test_steps_ahead_are_stored_apart_and_counted(table_engine, find_one):
    engine = table_engine(TABLE, SCORES)
    found = find_one(LookaheadConfig(width=2, depth=3), engine, budget=2)
    ahead = [row for row in found.rows if row.role == "lookahead"]
    assert {row.reason or row.status for row in ahead} <= {"looked ahead", "finished"}
    assert sum(row.generated_tokens for row in found.rows) == engine.num_drawn
    decision = found.main_decision()
    assert (decision.num_candidates, decision.num_finished) == (2, 2)
    assert decision.generated_tokens == engine.num_drawn
    parents = {row.trajectory_id: row for row in found.rows}
    assert all(parents[row.parent_id].role is None for row in ahead)


def test_an_ended_prefix_is_ranked_by_its_own_score(table_engine, find_one):
    table = {"": {"Answer: 1": 0.5, "a\n": 0.5}, "a\n": {"Answer: 4": 1.0}}
    scores = {"Answer: 1": 0.3, "a\n": 0.4, "a\nAnswer: 4": 0.9}
    engine = table_engine(table, scores)
    found = find_one(LookaheadConfig(width=2, depth=2), engine, budget=2)
    assert [end.ranking for end in found.ends] == [0.3, 0.9]
    assert found.search.root.children[1].ranking == 0.9


def test_where_nothing_can_be_looked_ahead_the_last_score_ranks(table_engine, find_one):
    # After two steps the context is full: one word of prompt, two steps.
    engine = table_engine(TABLE, SCORES, most_tokens=3)
    found = find_one(LookaheadConfig(width=2, depth=3), engine, budget=2)
    assert [child.ranking for child in found.search.root.children] == [0.1, 0.8]
    assert {row.status for row in found.rows} == {"pruned", "error"}
    assert found.main_decision().status == "error"


@pytest.mark.parametrize("depth", [1, 4])
def test_an_exact_verifier_ahead_succeeds_where_a_greedy_walk_stays_right(find, assert_rate, depth):
    engine = MarkovEngine(MarkovConfig(num_steps=3, p_right=0.6, p_recover=0.0))
    found = find(
        LookaheadConfig(width=4, depth=depth), engine, markov_problems(100, seed=8), budget=4,
        verifier=engine,
    )  # fmt: skip
    # Greedy steps after a right one are right, so looking ahead separates right from wrong equally.
    assert_rate([one.any_correct for one in found], (1 - 0.4**4) ** 3)
