"""Searches over proofs whose steps are tactics: picked by a verifier, never by votes."""

import pytest

from schemas.engines import TacticsConfig
from schemas.graders import ProofGraderConfig
from schemas.search.strategies import BestOfNConfig
from tasks.engines.tactics_engine import TacticsEngine
from tasks.graders.coq_checker import coq_fault
from tasks.problems.theorems import theorem_problems

pytestmark = pytest.mark.skipif(coq_fault() is not None, reason=str(coq_fault()))


def test_the_pick_by_a_verifier_is_a_proof_where_any_is(find):
    engine = TacticsEngine(TacticsConfig())
    searches = find(
        BestOfNConfig(),
        engine,
        [theorem_problems()[index] for index in (42, 47, 69)],
        budget=3,
        verifier=engine,
        grader=ProofGraderConfig(),
    )
    picked = [search.main_decision().correct for search in searches]
    assert picked == [search.any_correct for search in searches]
    assert any(picked)
    for search in searches:
        assert not any("majority" in pick or "weighted" in pick for pick in search.decide())
