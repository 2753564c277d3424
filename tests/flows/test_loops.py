"""Loops with real sampling and training: their results, and that a kill does not change them."""

import json

import pytest

from flows.loops.loop import Arm, Loop
from schemas.dataset_export.state_builders import ReverseCurriculumConfig
from schemas.engines import VLLMConfig
from schemas.loops import RestLoopConfig
from schemas.policy_training import SftConfig
from storage import connect, query

MODELS = "select model_id from models where model_id like 'rest-%' order by 1"
SETS = """
    select name, num_rows from training_sets
    where config->>'$.builder.by' = 'grade' order by 1
"""
CONFIG = {
    "train_problems": {"num_problems": 40},
    "eval_problems": {"num_problems": 10},
    "train_sampling": {"num_samples": 4, "trajectories_per_unit": 80},
    "eval_sampling": {"num_samples": 4},
    "evaluation": {"budgets": [1, 4], "num_bootstrap": 50},
    "training": {"num_workers": 0, "max_steps": 12, "warmup_steps": 2, "save_every_steps": 4},
    "rounds": 2,
    "pool": {"num_actors": 1},
}


def ask(root, sql):
    return query(connect(root), sql).fetchall()


def test_each_improve_step_learns_slower_than_the_one_before():
    from flows.loops.rest import slower

    method = slower(SftConfig(hidden_lr=0.004, other_lr=0.002), 0.25)
    assert (method.hidden_lr, method.other_lr) == (0.001, 0.0005)
    assert slower(SftConfig(hidden_lr=0.004), 0.5).other_lr is None


def test_a_round_that_gains_too_little_is_the_last_and_the_best_policy_is_kept(store):
    policies = [VLLMConfig(model=name) for name in ("p0", "p1", "p2")]
    arm = Arm("rest", policies[-1], reached=[0.4, 0.75, 0.7], policies=policies)
    loop = Loop(RestLoopConfig(), store, "run")
    assert arm.best.model == "p1"
    assert not loop.is_over(arm, None)
    assert loop.is_over(arm, 0.0)
    assert not loop.is_over(arm, -0.1)
    assert not loop.is_over(arm, 0.2, improve_steps=2)  # both trainings together gained 0.3


@pytest.mark.parametrize(
    ("arm", "stages"), [("mixed", [None]), ("staged", [1, 2, 3]), ("plain", [3])]
)
def test_arms_of_a_curriculum_differ_in_the_stages_of_their_sets(arm, stages):
    from flows.loops.reverse_curriculum import builders_of

    builder = ReverseCurriculumConfig(num_stages=3, shares=(0.2, 0.3, 0.5), per_problem=2)
    made = builders_of(arm, builder)
    assert [each.stage for each in made] == stages
    assert {each.per_problem for each in made} == {2}
    assert all((each.shares is None) == (each.mode == "staged") for each in made)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, prefect_server, local_ray):
    """A loop that ran without interruption, and the folder of its best policy."""
    from flows.loops.rest import rest

    root = tmp_path_factory.mktemp("loop") / "store"
    return root, rest(RestLoopConfig.from_partial(CONFIG), str(root), "loop")


@pytest.mark.ray
@pytest.mark.slow
def test_each_round_learns_from_the_solutions_of_the_policy_before(undisturbed):
    root, best = undisturbed
    by_round = """
        select round, count(distinct policy), count(*) from trajectories as t
        inner join problem_list as p using (run_id, problem_id)
        where p.split = 'train' group by 1 order by 1
    """
    # The first policy's solutions also serve the control; after that each arm has its own.
    assert ask(root, by_round) == [(1, 1, 160), (2, 2, 320)]
    chain = """
        select m.base, s.kind, s.policy from models as m
        inner join training_sets as s on m.training_set = s.name
        where m.model_id like 'rest-%' order by m.created_at
    """
    (first, second) = ask(root, chain)
    assert first[0] == "world-policy"
    assert second[0].rpartition("/")[2] == second[2]
    assert second[2].startswith("rest-r1-")
    reached = """
        select policy from curves where arm = 'rest' and metric = 'pass@1'
        and bin not like '%,%' order by value desc, bin limit 1
    """
    assert best.rpartition("/")[2] in ask(root, reached)[0][0]


@pytest.mark.ray
@pytest.mark.slow
def test_the_control_learns_from_as_many_rows_whatever_they_are_worth(undisturbed):
    root, _ = undisturbed
    sets = ask(root, "select name, num_rows, config, counts from training_sets order by created_at")
    assert len(sets) == 4
    for kept, control in (sets[:2], sets[2:]):
        assert json.loads(kept[2])["builder"]["by"] == "grade"
        assert json.loads(control[2])["builder"]["by"] == "none"
        assert kept[1] == control[1]


@pytest.mark.ray
@pytest.mark.slow
def test_the_figures_of_every_policy_are_rows_and_a_picture(undisturbed):
    root, _ = undisturbed
    figures = """
        select arm, bin, value from curves
        where stage = 'rest' and metric = 'pass@1' and bin not like '%,%' order by 1, 2
    """
    found = ask(root, figures)
    rounds = ["round=0", "round=1", "round=2"]
    assert [row[:2] for row in found] == [
        (arm, number) for arm in ("rest", "unfiltered") for number in rounds
    ]
    measured = """
        select count(*) filter (correct)::double / count(*) from graded
        inner join problem_list as p using (run_id, problem_id)
        where p.split = 'dev' and round = 0
    """
    assert found[0][2] == pytest.approx(ask(root, measured)[0][0])
    assert (root / "reports/loop/rounds-rest.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.ray
@pytest.mark.slow
def test_a_loop_that_is_killed_in_any_stage_ends_with_the_same_sets(
    undisturbed, tmp_path, run_and_kill
):
    import yaml

    from flows.loops.rest import rest

    expected, _ = undisturbed
    alone = {**CONFIG, "with_control": False}
    root, config_file = tmp_path / "store", tmp_path / "config.yaml"
    config_file.write_text(yaml.safe_dump(alone))
    improve = ["improve", "rest", "--run-id", "loop", "--root", str(root)]
    moments = (
        lambda line: "train rest-r1:" in line,
        lambda line: "sample train.r2" in line,
    )
    for moment in moments:
        run_and_kill([*improve, "--config", str(config_file)], moment)
    rest(RestLoopConfig.from_partial(alone), str(root), "loop")
    assert ask(root, SETS) == ask(expected, SETS)
    assert len(ask(root, SETS)) == 2
    assert ask(root, MODELS) == ask(expected, MODELS)
    assert ask(root, "select count(*) from duplicate_ids") == [(0,)]


@pytest.mark.ray
@pytest.mark.slow
def test_a_loop_that_is_done_does_nothing_again(undisturbed):
    from flows.loops.rest import rest

    root, best = undisturbed
    files = set(root.glob("[a-z]*/run_id=*/*/*.parquet"))
    assert rest(RestLoopConfig.from_partial(CONFIG), str(root), "loop") == best
    made = set(root.glob("[a-z]*/run_id=*/*/*.parquet")) - files
    assert {path.parts[-4] for path in made} == {"runs"}
