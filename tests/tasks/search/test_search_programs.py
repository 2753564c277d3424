"""Searches over programs whose steps are lines: picked by a verifier, or voted on by behaviour."""

from collections import Counter

import pytest

from schemas.engines import LinesConfig
from schemas.graders import BehaviourGraderConfig, ProgramGraderConfig
from schemas.search import ScoreConfig
from schemas.search.strategies import BeamConfig, BestOfNConfig, MajorityConfig
from tasks.engines.lines_engine import LinesEngine, lines_problems
from tasks.sandbox import sandbox_fault
from tasks.search.tree import SOLUTION_ROLES

pytestmark = pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))
POLICY = LinesConfig(num_lines=3, p_right=0.5)


@pytest.mark.parametrize("strategy", [BestOfNConfig(), BeamConfig(width=2)])
def test_the_pick_by_a_verifier_passes_where_any_program_does(find, strategy):
    engine = LinesEngine(POLICY)
    searches = find(
        strategy,
        engine,
        lines_problems(6, POLICY),
        budget=4,
        verifier=engine,
        grader=ProgramGraderConfig(timeout_s=2),
    )
    picked = [search.main_decision().correct for search in searches]
    assert picked == [search.any_correct for search in searches]
    assert any(picked)
    for search in searches:
        assert not any("majority" in pick or "weighted" in pick for pick in search.decide())


def test_a_vote_by_behaviour_takes_what_most_programs_do(find):
    engine = LinesEngine(POLICY)
    searches = find(
        MajorityConfig(),
        engine,
        lines_problems(3, POLICY),
        budget=6,
        grader=BehaviourGraderConfig(timeout_s=2),
        score=ScoreConfig(by="likelihood"),
    )
    for search in searches:
        votes = Counter(row.answer for row in search.rows if row.role in SOLUTION_ROLES)
        assert sum(votes.values()) == 6
        decision = search.main_decision()
        chosen = next(r for r in search.rows if r.trajectory_id == decision.trajectory_id)
        assert decision.pick == "majority"
        assert votes[chosen.answer] == max(votes.values())
        assert len({row.correct for row in search.rows if row.answer == chosen.answer}) == 1
