"""The actor's filter: a critique is kept if at least 3 of 10 second attempts with it are right.

Golden values: a critique with which an attempt is right with probability p is kept with
P(Binomial(10, p) >= 3).
"""

import math
from collections import Counter

import pytest

from schemas.engines import MarkovConfig
from schemas.rows import Critique, now
from storage import connect, query
from tasks.engines.markov_engine import MarkovEngine, markov_problems

N, K, NUM_CRITIQUES = 10, 3, 400
GOLDEN = [(0.1, 0.070), (0.2, 0.322), (0.3, 0.617), (0.5, 0.945)]


def p_kept(p: float) -> float:
    return sum(math.comb(N, k) * p**k * (1 - p) ** (N - k) for k in range(K, N + 1))


def critique_of(solution) -> Critique:
    return Critique(
        critique_id=f"c-{solution.trajectory_id}",
        trajectory_id=solution.trajectory_id,
        problem_id=solution.problem_id,
        critic="someone",
        told="nothing",
        sample_index=0,
        status="finished",
        text="wrong\nReview: wrong",
        steps=(),
        leaks=False,
        temperature=0.0,
        seed=0,
        engine="test",
        created_at=now(),
    )


@pytest.mark.parametrize(("p", "golden"), GOLDEN)
def test_critiques_are_kept_as_often_as_they_should_be(
    p, golden, make_job, make_trajectory, refine, store, unit_of
):
    assert p_kept(p) == pytest.approx(golden, abs=0.0005)
    actor = MarkovConfig(num_steps=1, p_right=p)
    problems = markov_problems(NUM_CRITIQUES, seed=0)
    solutions = [
        make_trajectory(f"t{i}", problem_id=problem.problem_id, correct=False)
        for i, problem in enumerate(problems)
    ]
    critiques = [critique_of(solution) for solution in solutions]
    job = make_job(policy=actor, refining={"num_refinements": N, "temperature": 1.0})
    attempts = refine(job, problems, solutions, critiques, MarkovEngine(actor))

    n = Counter(row.critique_id for row in attempts)
    k = Counter(row.critique_id for row in attempts if row.correct)
    assert set(n.values()) == {N}
    assert len(n) == NUM_CRITIQUES
    kept = sum(k[critique.critique_id] >= K for critique in critiques)
    store.commit(unit_of("trajectories", "eval.0-1-2", stage="refinements"), attempts)
    threshold = "select count(*) from critique_filter where n = 10 and k >= 3"
    assert query(connect(store.url), threshold).fetchall() == [(kept,)]
    error = math.sqrt(golden * (1 - golden) / NUM_CRITIQUES)
    assert abs(kept / NUM_CRITIQUES - golden) < 4 * error
