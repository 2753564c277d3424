"""Loops with a critic or a judge, small, with real engines and training; killed ones as well."""

import json

import pytest

from schemas.loops.critique_in_the_loop import CritiqueInTheLoopConfig
from schemas.loops.self_rewarding import SelfRewardingLoopConfig
from storage import connect, query

pytestmark = [pytest.mark.ray, pytest.mark.slow]
TRAINING = {"num_workers": 0, "max_steps": 2, "warmup_steps": 1}
SMALL = {
    "train_problems": {"num_problems": 20},
    "eval_problems": {"num_problems": 5},
    "train_sampling": {"num_samples": 4, "trajectories_per_unit": 40},
    "eval_sampling": {"num_samples": 4},
    "evaluation": {"budgets": [1, 4], "num_bootstrap": 20},
    "training": TRAINING,
    "pool": {"num_actors": 1},
}
CRITIQUE = {
    **SMALL,
    "rounds": 2,
    "critic_training": {"training": TRAINING, "per_problem": 2},
    "refining": {"num_refinements": 2},
    "tested_per_problem": 2,
}
REWARDING = {**SMALL, "rounds": 2, "judge_training": TRAINING, "max_auc_drop": None}
SETS = "select name, num_rows from training_sets order by 1"
MODELS = "select model_id, role from models order by 1"


def ask(root, sql):
    return query(connect(root), sql).fetchall()


def figures_of(root, metric):
    rows = ask(root, f"select arm, bin, value from curves where metric = '{metric}'")
    return {(arm, where): value for arm, where, value in rows if "," not in where}


@pytest.fixture(scope="module")
def critiqued(tmp_path_factory, prefect_server, local_ray):
    """A loop with all arms that ran without interruption, and the folder of its best policy."""
    from flows.loops.critique_in_the_loop import critique_in_the_loop

    root = tmp_path_factory.mktemp("critiqued") / "store"
    config = CritiqueInTheLoopConfig.from_partial(CRITIQUE)
    return root, critique_in_the_loop(config, str(root), "loop")


def test_every_arm_trains_the_first_policy_and_one_critic_reads_all_rounds(critiqued):
    root, best = critiqued
    assert best.rpartition("/")[2].startswith("critique-r")
    trained = ask(root, "select split_part(model_id, '-', 1), role, base from models order by 1")
    assert [row[:2] for row in trained] == [
        *[("control", "policy")] * 2,
        ("critic", "critic"),
        *[("critique", "policy")] * 2,
        *[("vanilla", "policy")] * 2,
    ]
    assert {row[2] for row in trained} == {"world-policy"}
    ((critic,),) = ask(root, "select model_id from models where role = 'critic'")
    read = """
        select c.round, list(distinct c.critic), bool_or(t.correct), count(*) = count(distinct
            c.trajectory_id)
        from critiques as c
        inner join trajectories as t on c.run_id = t.run_id and c.trajectory_id = t.trajectory_id
        inner join problem_list as p on c.run_id = p.run_id and c.problem_id = p.problem_id
        where p.split = 'train' group by 1 order by 1
    """
    # The annotator reads right and wrong solutions, the critic of the rounds wrong ones alone.
    assert ask(root, read) == [
        (0, ["checker"], True, True),
        (1, [critic], False, True),
        (2, [critic], False, True),
    ]


def test_the_control_has_as_many_rows_or_all_its_passes(critiqued):
    root, _ = critiqued
    rows = figures_of(root, "set_rows")
    sources = ask(root, "select config from training_sets where kind = 'rest_em'")
    rounds = [tuple(json.loads(config)["source"]["rounds"]) for (config,) in sources]
    for number in (1, 2):
        wanted, got = rows["critique", f"round={number}"], rows["control", f"round={number}"]
        all_passes = (number, *(number + 1000 * place for place in (1, 2, 3)))
        assert got == wanted or (got < wanted and all_passes in rounds)
    # Further passes are the control's alone.
    assert (1,) in rounds
    assert rows["vanilla", "round=1"] <= rows["control", "round=1"]


def test_right_second_attempts_join_up_to_four_rows_of_a_problem(critiqued):
    root, _ = critiqued
    assert figures_of(root, "num_right_refinements")["critique", "round=1"] > 0
    counts = ask(root, "select counts from training_sets where kind = 'refinement'")
    assert len(counts) == 2
    assert all(json.loads(made)["rows"] <= 4 * json.loads(made)["problems"] for (made,) in counts)
    covered = figures_of(root, "set_problems")
    assert covered["critique", "round=1"] > covered["vanilla", "round=1"]


def test_the_figures_say_what_the_critic_cost_and_what_it_adds_at_test_time(critiqued):
    root, _ = critiqued
    spent = """
        select sum(tokens) from (
            select sum(generated_tokens) as tokens from critiques where round = 1
            and critic <> 'checker' and problem_id in (
                select problem_id from problem_list where split = 'train')
            union all
            select sum(generated_tokens) from trajectories where round = 1 and role = 'refinement'
            and problem_id in (select problem_id from problem_list where split = 'train')
        )
    """
    tokens = figures_of(root, "critiquing_tokens")
    assert tokens["critique", "round=1"] == ask(root, spent)[0][0]
    assert set(tokens) == {("critique", "round=1"), ("critique", "round=2")}
    refined = figures_of(root, "refined")
    assert set(refined) == {
        (arm, f"round={number}") for arm in ("critique", "vanilla", "control") for number in (0, 2)
    }
    before = figures_of(root, "unrefined")
    assert {before[arm, "round=0"] for arm, _ in refined} == {before["vanilla", "round=0"]}
    assert (root / "reports/loop/rounds-critique_in_the_loop.png").is_file()


def test_a_loop_with_a_critic_that_is_killed_ends_with_the_same_sets(
    critiqued, tmp_path, run_and_kill
):
    import yaml

    from flows.loops.critique_in_the_loop import critique_in_the_loop

    expected, _ = critiqued
    root, config_file = tmp_path / "store", tmp_path / "config.yaml"
    values = {**CRITIQUE, "rounds": 1}
    config_file.write_text(yaml.safe_dump(values))
    improve = ["improve", "critique_in_the_loop", "--run-id", "loop", "--root", str(root)]
    run_and_kill(
        [*improve, "--config", str(config_file)],
        lambda line: "sample train.r100" in line or "train control-r1" in line,
    )
    critique_in_the_loop(CritiqueInTheLoopConfig.from_partial(values), str(root), "loop")
    made = ask(root, MODELS)
    assert len(made) == 4  # the critic, and one of each arm
    assert set(made) < set(ask(expected, MODELS))
    assert set(ask(root, SETS)) < set(ask(expected, SETS))
    assert ask(root, "select count(*) from duplicate_ids") == [(0,)]


def test_a_critic_that_cannot_be_read_is_said_and_the_arm_goes_on(
    tmp_path, prefect_server, local_ray, capsys
):
    from flows.loops.critique_in_the_loop import critique_in_the_loop

    root = tmp_path / "store"
    values = {
        **SMALL,
        "arms": ["critique", "vanilla"],
        "rounds": 1,
        "refining": {"num_refinements": 1},
        "critiquing": {"max_tokens": 1},  # nothing readable
        "tested_per_problem": 0,
    }
    critique_in_the_loop(CritiqueInTheLoopConfig.from_partial(values), str(root), "loop")
    said = capsys.readouterr().err
    assert "critiques is usable" in said
    figures = figures_of(root, "num_faultless_critiques")
    assert figures == {("critique", "round=1"): 0}
    assert figures_of(root, "set_rows")["critique", "round=1"] >= 1


@pytest.fixture(scope="module")
def rewarded(tmp_path_factory, prefect_server, local_ray):
    """A self-rewarding loop that ran without interruption."""
    from flows.loops.self_rewarding import self_rewarding

    root = tmp_path_factory.mktemp("rewarded") / "store"
    self_rewarding(SelfRewardingLoopConfig.from_partial(REWARDING), str(root), "loop")
    return root


def test_a_judge_learns_to_judge_and_is_measured_every_round(rewarded):
    measured = figures_of(rewarded, "mean_solution_tokens")
    assert set(measured) == {("self_rewarding", f"round={number}") for number in (0, 1, 2)}
    lengths = """
        select avg(generated_tokens) from trajectories where round = 0 and stage = 'sampling'
        and problem_id in (select problem_id from problem_list where split = 'dev')
    """
    expected = ask(rewarded, lengths)[0][0]
    assert measured["self_rewarding", "round=0"] == pytest.approx(expected)
    kinds = dict(ask(rewarded, "select kind, form from training_sets"))
    assert kinds["judge"] == "prompt_completion"
    judged = """
        select critic = 'checker', count(distinct sample_index) from critiques
        group by 1 order by 1
    """
    assert ask(rewarded, judged) == [(False, 3), (True, 1)]
    # All judges read the same held-out solutions.
    read = """
        select count(distinct trajectory_id), count(distinct critic) from critiques
        where problem_id in (select problem_id from problem_list where split = 'dev')
    """
    assert ask(rewarded, read)[0][0] <= 20


def test_a_self_rewarding_loop_that_is_killed_ends_with_the_same_sets(
    rewarded, tmp_path, run_and_kill
):
    import yaml

    from flows.loops.self_rewarding import self_rewarding

    root, config_file = tmp_path / "store", tmp_path / "config.yaml"
    config_file.write_text(yaml.safe_dump(REWARDING))
    improve = ["improve", "self_rewarding", "--run-id", "loop", "--root", str(root)]
    run_and_kill(
        [*improve, "--config", str(config_file)],
        lambda line: "judgements have a verdict" in line,
    )
    self_rewarding(SelfRewardingLoopConfig.from_partial(REWARDING), str(root), "loop")
    assert ask(root, SETS) == ask(rewarded, SETS)
    assert ask(root, MODELS) == ask(rewarded, MODELS)


def test_a_judge_without_a_verdict_ends_the_loop_whole(tmp_path, prefect_server, local_ray, capsys):
    from flows.loops.self_rewarding import self_rewarding

    root = tmp_path / "store"
    values = {
        **REWARDING,
        "with_control": False,
        "judging": {"num_critiques": 2, "max_tokens": 1},
    }
    made = self_rewarding(SelfRewardingLoopConfig.from_partial(values), str(root), "loop")
    assert "the loop ends before round 2" in capsys.readouterr().err
    assert made
    reached = figures_of(root, "pass@1")
    assert set(reached) == {("self_rewarding", "round=0"), ("self_rewarding", "round=1")}
    assert figures_of(root, "judge_auc") == {}
