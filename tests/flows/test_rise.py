"""RISE, small, with real engines and training."""

import pytest

from schemas.loops import RiseLoopConfig
from storage import connect, query

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def ask(root, sql):
    return query(connect(root), sql).fetchall()


def test_a_round_learns_from_second_attempts_and_is_measured_over_turns(
    tmp_path, prefect_server, local_ray
):
    from flows.loops.rise import rise

    root = tmp_path / "store"
    values = {
        "train_problems": {"num_problems": 12},
        "eval_problems": {"num_problems": 4},
        "train_sampling": {"num_samples": 2},
        "eval_sampling": {"num_samples": 4},
        "improving": {"num_retries": 4},
        "evaluation": {"budgets": [1, 4], "num_bootstrap": 20},
        "pool": {"num_actors": 1},
        "rounds": 1,
        "turns": 3,
        "num_chains": 2,
        "training": {"num_workers": 0, "max_steps": 2, "warmup_steps": 1},
    }
    config = RiseLoopConfig.from_partial(values)
    folder = rise(config, str(root), "loop")
    last = dict(
        ask(root, "select policy, value from curves where metric = 'turn_3' and arm = 'rise'")
    )
    best = folder.rpartition("/")[2]
    assert max(last.values()) in [last[policy] for policy in last if policy.startswith(best)]
    turns = """
        select arm, bin, metric from metrics
        where stage = 'rise' and strategy = 'turns' and metric ~ 'turn_\\d+' order by all
    """
    assert ask(root, turns) == [
        (arm, f"round={number}", f"turn_{turn}")
        for arm, number in (("rise", 0), ("rise", 1), ("single_turn", 1))
        for turn in (1, 2, 3)
    ]
    # Four second attempts at every wrong first one, and none at the others.
    drawn = ask(
        root,
        """
        select count(*) filter (first.correct), count(*), count(distinct second.parent_id) * 4
        from trajectories as second
        inner join trajectories as first on second.parent_id = first.trajectory_id
        where second.strategy = 'retry'
        """,
    )[0]
    assert drawn[0] == 0
    assert drawn[1] == drawn[2] > 0
    wrong = """
        select count(*) from trajectories
        where strategy = 'sample' and status = 'finished' and not correct and round = 1
        and policy like 'world-policy%'
    """
    assert drawn[1] == 4 * ask(root, wrong)[0][0]
    before = sorted(path.name for path in root.rglob("*.parquet"))
    rise(config, str(root), "loop")
    after = sorted(path.name for path in root.rglob("*.parquet"))
    assert [name for name in after if not name.startswith("completed")] == [
        name for name in before if not name.startswith("completed")
    ]
