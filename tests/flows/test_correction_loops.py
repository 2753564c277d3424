"""Self-talk, its loop and SCORE, small, with real engines and training."""

import json

import pytest

from schemas.loops.score import ScoreLoopConfig
from schemas.loops.self_correction import SelfCorrectionConfig
from storage import connect, query

pytestmark = [pytest.mark.ray, pytest.mark.slow]
SMALL = {
    "train_problems": {"num_problems": 16},
    "eval_problems": {"num_problems": 8},
    "eval_sampling": {"num_samples": 2, "max_tokens": 200},
    "evaluation": {"budgets": [1, 2], "num_bootstrap": 20},
    "pool": {"num_actors": 1},
}
TRAINING = {"num_workers": 0, "max_steps": 2, "warmup_steps": 1}


def ask(root, sql):
    return query(connect(root), sql).fetchall()


def test_arms_of_self_correction_learn_from_the_same_solutions(tmp_path, prefect_server, local_ray):
    from flows.loops.self_correction import self_correction

    root = tmp_path / "store"
    values = {
        **SMALL,
        "train_sampling": {"num_samples": 4},
        "critic": {"type": "checker"},
        "training": TRAINING,
    }
    config = SelfCorrectionConfig.from_partial(values)
    folder = self_correction(config, str(root), "loop")
    measured = """
        select arm, bin from curves
        where stage = 'self_correction' and metric = 'pass@1' and bin not like '%,%' order by all
    """
    trained = [(arm, f"round={n}") for arm in ("correction", "plain", "self_talk") for n in (0, 1)]
    assert ask(root, measured) == sorted([*trained, ("two_players", "round=1")])
    lengths = dict(ask(root, "select arm, value from curves where metric = 'mean_solution_tokens'"))
    assert set(lengths) == {"correction", "plain", "self_talk", "two_players"}
    assert lengths["two_players"] > lengths["plain"]
    kinds = ask(
        root,
        "select kind, config from training_sets order by created_at",
    )
    written = [json.loads(config)["builder"].get("written") for _, config in kinds]
    assert [kind for kind, _ in kinds] == ["self_talk", "self_talk", "rest"]
    assert written == ["monologue", "correction", None]
    made = ask(
        root,
        """
        select strategy, count(*) > 0, bool_and(answer is not null)
        from trajectories where role = 'self_talk' and status = 'finished'
        group by strategy order by strategy
        """,
    )
    assert made == [(name, True, True) for name in ("chain", "correction", "monologue")]
    num_rows = ask(root, "select count(*) from trajectories")
    assert self_correction(config, str(root), "loop") == folder  # finds all that is there
    assert ask(root, "select count(*) from trajectories") == num_rows


def test_score_reports_what_each_verifier_gains(tmp_path, prefect_server, local_ray):
    from flows.loops.score import score

    root = tmp_path / "store"
    values = {
        **SMALL,
        "train_sampling": {"num_samples": 6},
        "critic": {"type": "checker"},
        "own_critiques": {"num_critiques": 2},
        "training": TRAINING,
        "verifier_training": {**TRAINING, "base_model": "world-policy", "data": "orm"},
    }
    config = ScoreLoopConfig.from_partial(values)
    folder = score(config, str(root), "loop")
    assert folder.rpartition("/")[2].startswith("refiner-")
    rows = ask(
        root,
        """
        select arm, metric, value from curves
        where stage = 'score' and strategy = 'refine_flagged' order by all
        """,
    )
    by_arm: dict[str, dict[str, float]] = {}
    for arm, metric, value in rows:
        by_arm.setdefault(arm, {})[metric] = value
    assert set(by_arm) == {"always", "oracle", "own", "trained"}
    for found in by_arm.values():
        cells = [found[f"{a}_{b}"] for a in ("right", "wrong") for b in ("right", "wrong")]
        assert sum(cells) == pytest.approx(1)
        assert found["before"] == pytest.approx(cells[0] + cells[1])
        assert found["after"] == pytest.approx(cells[0] + cells[2])
        assert 0.5 <= found["threshold"] <= 1
    assert by_arm["oracle"]["right_wrong"] == 0
    assert by_arm["oracle"]["after"] == max(found["after"] for found in by_arm.values())
    refined = ask(
        root,
        """
        select count(*), count(distinct parent_id) from trajectories
        where role = 'refinement' and strategy = 'score'
        """,
    )
    assert refined == [(16, 16)]
