"""V-StaR, reverse curriculum and rounds of DPO as loops, small, with real engines and training."""

import json

import pytest

from schemas.loops import (
    DpoRoundsConfig,
    RestLoopConfig,
    ReverseCurriculumLoopConfig,
    VStarLoopConfig,
)
from schemas.loops.easy_to_hard import EasyToHardLoopConfig
from storage import connect, query

pytestmark = [pytest.mark.ray, pytest.mark.slow]
SMALL = {
    "train_problems": {"num_problems": 20},
    "eval_problems": {"num_problems": 5},
    "train_sampling": {"num_samples": 6},
    "eval_sampling": {"num_samples": 4},
    "evaluation": {"budgets": [1, 4], "num_bootstrap": 20},
    "pool": {"num_actors": 1},
}
TRAINING = {"num_workers": 0, "max_steps": 2, "warmup_steps": 1}


def ask(root, sql):
    return query(connect(root), sql).fetchall()


def rounds_of(root, flow):
    return ask(
        root,
        f"""
        select arm, bin from curves
        where stage = '{flow}' and metric = 'pass@1' and bin not like '%,%' order by all
        """,
    )


def test_v_star_ends_with_a_verifier_whose_likelihood_ranks(tmp_path, prefect_server, local_ray):
    from flows.loops.v_star import v_star

    root = tmp_path / "store"
    values = {**SMALL, "rounds": 2, "training": TRAINING, "verifier_training": TRAINING}
    folder = v_star(VStarLoopConfig.from_partial(values), str(root), "loop")
    verifier = folder.rpartition("/")[2]
    assert verifier.startswith("v_star-verifier-")
    assert rounds_of(root, "v_star") == [("v_star", f"round={number}") for number in (0, 1, 2)]
    # Every policy is trained from the first one; the verifier from the last policy.
    last = ask(root, "select model_id from models where model_id like 'v_star-r2-%'")[0][0]
    bases = dict(ask(root, "select split_part(model_id, '-', 2), base from models"))
    assert bases["r1"] == bases["r2"] == "world-policy"
    assert bases["verifier"].endswith(last)
    scored = """
        select count(*), any_value(s.verifier), any_value(t.policy), any_value(t.round)
        from step_scores as s inner join trajectories as t using (trajectory_id)
    """
    assert ask(root, scored) == [(20, verifier, last, 2)]
    ranked = (
        "select count(*) from curves where verifier is not null and strategy = 'best_of_n[prod]'"
    )
    assert ask(root, ranked)[0][0] > 0
    sources = ask(root, "select config from training_sets where kind = 'v_star'")
    assert json.loads(sources[0][0])["source"]["rounds"] == [1, 2]


def test_arms_of_a_curriculum_draw_as_many_tokens_from_states_of_the_same_solutions(
    tmp_path, prefect_server, local_ray
):
    from flows.loops.reverse_curriculum import reverse_curriculum

    root = tmp_path / "store"
    training = {
        "num_workers": 0,
        "max_generated_tokens": 800,
        "batch_size": 16,
        "group_size": 4,
        "warmup_steps": 1,
    }
    values = {**SMALL, "arms": ["mixed", "plain"], "builder": {"num_stages": 2}}
    config = ReverseCurriculumLoopConfig.from_partial({**values, "training": training})
    reverse_curriculum(config, str(root), "loop")
    assert rounds_of(root, "reverse_curriculum") == [
        (arm, f"round={number}") for arm in ("mixed", "plain") for number in (0, 1)
    ]
    drawn = """
        select arm, value from curves
        where stage = 'reverse_curriculum' and metric = 'train_generated_tokens' order by 1
    """
    most_a_step = 16 * config.training.max_new_tokens
    for _, tokens in ask(root, drawn):
        assert 800 <= tokens < 800 + most_a_step
    stages = [
        set(json.loads(counts)["by_stage"])
        for (counts,) in ask(root, "select counts from training_sets order by created_at")
    ]
    assert stages == [{"1", "2"}, {"2"}]


def test_hard_problems_are_learned_from_a_verifier_of_easy_ones_that_hides_their_answers(
    tmp_path, prefect_server, local_ray
):
    from flows.loops.easy_to_hard import easy_to_hard

    root = tmp_path / "store"
    values = {
        **SMALL,
        "arms": ["ppo"],
        "easy_problems": {"num_problems": 20},
        "verifier_training": {**TRAINING, "batch_size": 8},
        "ppo": {"num_workers": 0, "batch_size": 8, "minibatches": 1, "warmup_steps": 1},
    }
    easy_to_hard(EasyToHardLoopConfig.from_partial(values), str(root), "loop")
    assert rounds_of(root, "easy_to_hard") == [("ppo", "round=0"), ("ppo", "round=1")]
    (verifier,) = ask(root, "select model_id from models where role = 'verifier'")
    scored = ask(root, "select distinct verifier from step_scores")
    assert scored == [verifier]
    # PPO paid the verifier's score to solutions whose answers nobody graded, as many tokens as the
    # solutions that the other arms would learn from.
    drawn, graded, paid = ask(
        root,
        """
        select sum(generated_tokens), count(correct) filter (where answer is not null),
            count(reward) filter (where reward > 0)
        from trajectories where strategy = 'ppo'
        """,
    )[0]
    ((given,),) = ask(
        root,
        "select sum(generated_tokens) from trajectories where strategy = 'sample' and round = 1 "
        "and problem_id in (select problem_id from problems where level >= 4 and split = 'train')",
    )
    assert given <= drawn < given + 8 * 128
    assert graded == 0
    assert paid > 0


def test_rounds_of_dpo_learn_from_pairs_and_their_control_from_right_solutions(
    tmp_path, prefect_server, local_ray
):
    from flows.loops.dpo_rounds import dpo_rounds

    root = tmp_path / "store"
    values = {**SMALL, "rounds": 1, "training": TRAINING, "control_training": TRAINING}
    dpo_rounds(DpoRoundsConfig.from_partial(values), str(root), "loop")
    trained = """
        select split_part(m.model_id, '-', 1), s.kind from models as m
        inner join training_sets as s on m.training_set = s.name order by 1
    """
    assert ask(root, trained) == [("dpo", "preference"), ("sft", "rest")]


def test_improve_steps_learn_from_what_a_verifier_scores_higher_and_higher(
    tmp_path, prefect_server, local_ray
):
    """The shipped policy's own likelihood is the verifier; the control's rows are not scored."""
    from flows.loops.rest import rest

    root = tmp_path / "store"
    values = {
        **SMALL,
        "rounds": 2,
        "improves": 2,
        "builder": {"by": "percentile", "thresholds": [0.0, 0.5], "per_problem": None},
        "verifier": {"model": "world-policy", "verifier": "likelihood"},
        "training": TRAINING,
    }
    config = RestLoopConfig.from_partial(values)
    rest(config, str(root), "loop")
    assert rounds_of(root, "rest") == [
        *(("rest", f"round={label}") for label in ("0", "1.1", "1.2", "2.1", "2.2")),
        *(("unfiltered", f"round={label}") for label in ("0", "1", "2")),
    ]
    sets = ask(
        root,
        """
        select config->>'$.source.rounds[0]', config->>'$.builder.improve_step', num_rows
        from training_sets where config->>'$.builder.by' = 'percentile' order by 1, 2
        """,
    )
    assert [row[:2] for row in sets] == [(n, step) for n in ("1", "2") for step in ("0", "1")]
    assert all(lower[2] > higher[2] for lower, higher in (sets[:2], sets[2:]))
    scored = (
        "select policy, count(*) from step_scores inner join trajectories using (trajectory_id)"
    )
    by_policy = ask(root, f"{scored} group by 1")
    # Solutions of the first policy and of the arm's policies, but not of the control's.
    assert sorted(name.split("-")[0] for name, _ in by_policy) == ["rest", "world"]
    assert {number for _, number in by_policy} == {120}
    files = set(root.glob("[a-z]*/run_id=*/*/*.parquet"))
    rest(config, str(root), "loop")
    made = set(root.glob("[a-z]*/run_id=*/*/*.parquet")) - files
    assert {path.parts[-4] for path in made} == {"runs"}


def test_actors_stay_when_the_policy_changes(tmp_path, prefect_server, local_ray):
    """What a loop does between two rounds, observed through the processes of its actors."""
    from flows.loops.loop import Loop
    from storage import Store

    config = RestLoopConfig.from_partial({**SMALL, "training": TRAINING})
    loop = Loop(config, Store(tmp_path / "store"), "loop")
    try:
        arm = loop.begin("rest")
        assert loop.pool is not None
        actors = loop.pool.process_ids()
        grown = loop.grow(1, arm.policy)
        loop.improve(arm, "1", [grown], loop.build(config.builder, [grown]), config.training)
        assert arm.policy != config.policy
        assert loop.pool.process_ids() == actors
        policies = ask(
            tmp_path / "store", "select distinct policy from trajectories where round = 1"
        )
        assert len(policies) == 2
    finally:
        loop.release()
