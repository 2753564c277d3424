"""Searches over programs whose steps are lines: picked by a verifier, never by votes."""

import pytest

from schemas.engines import LinesConfig
from schemas.graders import ProgramGraderConfig
from schemas.search.strategies import BeamConfig, BestOfNConfig
from tasks.engines.lines_engine import LinesEngine, lines_problems
from tasks.sandbox import sandbox_fault

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
