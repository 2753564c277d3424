"""The whole line on the built-in world with real vLLM, killed in the middle and resumed."""

import pytest

from schemas.factory import FactoryConfig
from schemas.step_labels import CheckerConfig, StepLabelsJob
from storage import connect, query

pytestmark = [pytest.mark.ray, pytest.mark.slow]
CONFIG = {
    "train_problems": {"num_problems": 24},
    "eval_problems": {"num_problems": 10},
    "eval_sampling": {"num_samples": 4, "trajectories_per_unit": 20},
    "train_sampling": {"trajectories_per_unit": 12},
    "labels": {"num_rollouts": 4, "audit_fraction": 0.2},
    "prm_training": {"max_steps": 6},
    "evaluation": {"budgets": [1, 4], "num_bootstrap": 200},
    "pool": {"num_actors": 1},
}


def ask(root, sql):
    return query(connect(root), sql).fetchall()


def files_of(root):
    return {path: path.stat().st_mtime_ns for path in root.glob("[a-z]*/run_id=*/*/*.parquet")}


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory, prefect_server, local_ray, run_and_kill):
    import yaml

    from flows.factory import factory

    root = tmp_path_factory.mktemp("factory") / "store"
    config_file = root.parent / "config.yaml"
    config_file.write_text(yaml.safe_dump(CONFIG))
    run = ["run", "--run-id", "r", "--root", str(root), "--config", str(config_file)]
    run_and_kill(run, lambda line: "sample train" in line and "done" in line)
    before = files_of(root)
    factory(FactoryConfig.from_partial(CONFIG), str(root), "r")
    return root, before


def test_what_was_there_when_it_was_killed_is_not_made_again(finished_run):
    root, before = finished_run
    after = files_of(root)
    assert len(before) >= 4
    assert {path: after[path] for path in before} == before


def test_every_problem_has_its_solutions_once(finished_run):
    root, _ = finished_run
    counts = """
        select p.split, count(*), count(distinct t.trajectory_id), count(distinct t.problem_id)
        from trajectories as t inner join problem_list as p using (run_id, problem_id)
        where t.strategy = 'sample' group by 1 order by 1
    """
    assert ask(root, counts) == [("dev", 40, 40, 10), ("train", 24, 24, 24)]


def test_every_step_of_the_training_solutions_is_labelled(finished_run):
    root, _ = finished_run
    missing = """
        select count(*) from trajectories as t
        where t.stage = 'sampling' and t.problem_id in
            (select problem_id from problem_list where split = 'train')
        and len(t.steps) != (
            select count(distinct l.step_index) from step_labels as l
            where l.trajectory_id = t.trajectory_id
        )
    """
    assert ask(root, missing) == [(0,)]


def test_the_verifier_is_registered_and_scored_every_step(finished_run):
    root, _ = finished_run
    ((model_id, path),) = ask(root, "select model_id, path from models")
    assert (root / path / "model.safetensors").exists()
    scored = """
        select count(*), bool_and(len(s.scores) = len(t.steps)), any_value(s.verifier)
        from step_scores as s inner join trajectories as t using (trajectory_id)
    """
    assert ask(root, scored) == [(40, True, model_id)]


def test_the_run_ends_with_figures_pictures_and_its_state(finished_run):
    root, _ = finished_run
    strategies = {row[0] for row in ask(root, "select distinct strategy from curves")}
    assert {"majority", "pass", "best_of_n[min]", "weighted[min]"} <= strategies
    assert len(list((root / "reports/r").glob("accuracy-eval-*.png"))) == 1
    assert ask(root, "select state from run_state where flow = 'factory'") == [("completed",)]


def test_a_second_run_makes_nothing_but_its_records(finished_run):
    from flows.factory import factory

    root, _ = finished_run
    before = files_of(root)
    factory(FactoryConfig.from_partial(CONFIG), str(root), "r")
    made = [path for path in files_of(root) if path not in before]
    assert {path.parts[-4] for path in made} == {"runs"}
    assert all(path.name.startswith("completed-") for path in made)
    assert ask(root, "select distinct state from run_state") == [("completed",)]


def test_noise_of_rollouts_by_position_is_a_query_and_the_verifier_stays(finished_run):
    from flows.factory import factory
    from flows.step_labels import label_steps

    root, _ = finished_run
    config = FactoryConfig.from_partial(CONFIG)
    before = files_of(root)
    checked = StepLabelsJob(policy=config.policy, labels=CheckerConfig())
    label_steps(checked, str(root), "r")
    factory(config, str(root), "r")
    made = {path.parts[-4] for path in files_of(root) if path not in before}
    assert made == {"runs", "step_labels", "metrics"}  # figures of the new labels, no other model
    labels = ask(root, "select method, step_index, trajectory_id, hard from step_labels")
    truth = {(step, name): hard for method, step, name, hard in labels if method == "checker"}
    wrong: dict[int, list[bool]] = {}
    for method, step, name, hard in labels:
        if method == config.labels.method and hard is not None:
            wrong.setdefault(step, []).append(hard is not truth[step, name])
    noise = "select step_index, num_labels, noise from label_noise where method = '{}' order by 1"
    assert ask(root, noise.format(config.labels.method)) == [
        (step, len(each), pytest.approx(sum(each) / len(each)))
        for step, each in sorted(wrong.items())
    ]
