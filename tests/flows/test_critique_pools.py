"""What a round with a critic learns from where there is nothing to critique; no engine starts."""

import pytest

from flows.loops.critique_in_the_loop import _Critiqued, _Pool
from flows.loops.critique_training import Critic
from flows.loops.loop import Arm, Grown, Loop
from schemas.loops.critique_in_the_loop import CritiqueInTheLoopConfig
from schemas.rows import Step
from schemas.unit_names import SolutionsGroup, SolutionsName
from tasks.engines.open import identify_engine


@pytest.fixture
def pool(store, make_problem, make_trajectory, unit_of, prefect_server):
    """The first round of a policy whose solutions are all right."""
    config = CritiqueInTheLoopConfig()
    policy = identify_engine(config.policy)
    problems = [make_problem(name, split="train") for name in ("p0", "p1")]
    store.commit(unit_of("problems", name="train", stage="problems"), problems)
    solutions = [
        make_trajectory(
            f"{problem.problem_id}-{index}",
            problem_id=problem.problem_id,
            policy=policy,
            round=1,
            steps=(Step(text=f"{index}: 2 + 2 = 4\n", num_tokens=1),),
        )
        for problem in problems
        for index in range(3)
    ]
    name = SolutionsName(SolutionsGroup.of_round("train", 1, policy), 0)
    store.commit(unit_of("trajectories", name=str(name)), solutions)
    loop = Loop(config, store, "run")
    pool = _Pool(loop, config, Arm("critique", config.policy))
    pool.samples = [Grown(1, policy)]
    return pool


def test_without_a_wrong_solution_the_arm_learns_from_what_is_right(pool, capsys):
    _Critiqued(pool.loop, pool.config, Critic(None)).build(pool, 0)
    assert pool.built.startswith("rest_em-")
    assert pool.loop.num_rows(pool.built) == 6
    assert pool.figures["num_critiques"] == pool.figures["critiquing_tokens"] == 0
    assert "refined_right_share" not in pool.figures
    said = capsys.readouterr().err
    assert "critique, round 1: there is no wrong solution to critique" in said
    assert "no second attempt is right" in said


def test_a_control_never_has_more_rows_than_it_should(pool):
    pool.build(max_rows=4)
    assert pool.loop.num_rows(pool.built) == 4
