"""Sampling, labels and evaluation over the Markov engine, on a real Prefect and once on Ray."""

from dataclasses import replace

import pytest

from schemas.engines import MarkovConfig
from schemas.evaluation import EvaluationConfig, EvaluationJob
from schemas.pool import PoolConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.step_labels import (
    ConsensusConfig,
    MonteCarloConfig,
    StepLabelsJob,
    StoredLabelsConfig,
    TreeConfig,
)
from schemas.units import Unit
from storage import connect, query
from tasks.engines.markov_engine import check_walk, markov_problems
from tasks.step_labels.checker_labels import label_by_checker

pytestmark = pytest.mark.slow
POLICY = MarkovConfig(num_steps=4, p_right=0.8)
ACTORS = PoolConfig(num_actors=2)


@pytest.fixture
def walks(store):
    """A store with a set of problems of the Markov world."""
    unit = Unit(run_id="run", stage="problems", name="eval", table=PROBLEMS.name)
    store.commit(unit, markov_problems(30, seed=3))
    return store


def ask(store, sql):
    return query(connect(store.root), sql).fetchall()


@pytest.fixture
def sampled(walks, prefect_server):
    from flows.sampling import sample

    job = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=POLICY,
        sampling=SamplingConfig(num_samples=8, max_tokens=10, trajectories_per_unit=80),
    )
    sample(job, str(walks.root), "run")
    return walks, job


def test_every_problem_has_its_samples_once_and_a_second_run_makes_none(sampled):
    from flows.sampling import sample

    store, job = sampled
    counts = "count(*), count(distinct trajectory_id), count(distinct problem_id)"
    assert ask(store, f"select {counts} from trajectories") == [(240, 240, 30)]
    assert ask(store, "select distinct num_trajectories from solve_rate") == [(8,)]
    files = sorted(store.root.glob("trajectories/*/*/*.parquet"))
    written = {path: path.stat().st_mtime_ns for path in files}
    assert len(files) == 3
    sample(job, str(store.root), "run")
    assert {path: path.stat().st_mtime_ns for path in files} == written


@pytest.mark.ray
def test_labels_follow_the_chain_and_hang_on_stored_rollouts(sampled, local_ray):
    """With no recovery the hard label of a step is right exactly when all steps so far were."""
    from flows.evaluation import evaluate_labels
    from flows.step_labels import label_steps

    store, _ = sampled
    job = StepLabelsJob(
        set_name="eval",
        policy=POLICY,
        labels=MonteCarloConfig(num_rollouts=32, max_rollout_tokens=10, stopping="first_hit"),
        pool=ACTORS,
    )
    label_steps(job, str(store.root), "run")
    assert ask(store, "select count(*) from step_labels")[0][0] == 240 * 5
    # A Markov chain has no checker: the number of labels is all that can be measured.
    evaluation = EvaluationJob(policy=POLICY)
    path = evaluate_labels(evaluation, str(store.root), "run", set_name="eval")
    found = ask(store, "select metric, value, num_problems from metrics order by metric")
    assert "/labels-eval-" in path
    assert found == [("labelled_steps", 240 * 5.0, 30), ("unlabelled_rate", 0.0, 30)]
    wrong = ask(
        store,
        """
        select count(*) from step_labels as l
        inner join trajectories as t using (trajectory_id)
        where l.hard = contains(
            array_to_string([s.text for s in t.steps[: l.step_index + 1]], ''), 'off'
        )
        """,
    )
    assert wrong == [(0,)]
    orphans = """
        select count(*) from trajectories as r
        where r.strategy = 'rollout'
          and r.parent_id not in (select trajectory_id from trajectories where strategy = 'sample')
    """
    assert ask(store, orphans) == [(0,)]


def test_trees_label_rollouts_that_training_and_figures_find(sampled):
    from flows.evaluation import evaluate_labels
    from flows.step_labels import label_steps
    from storage.solutions import StoredSolutions, problem_ids

    store, _ = sampled
    labels = MonteCarloConfig(
        max_rollout_tokens=10, search="omega", tree=TreeConfig(max_searches=5), audit_fraction=0
    )
    job = StepLabelsJob(set_name="eval", policy=POLICY, labels=labels, trajectories_per_unit=30)
    paths = label_steps(job, str(store.root), "run")
    assert len(paths) == 9  # three files of ten questions, of which four at a time fit
    files = {path: path.stat().st_mtime_ns for path in store.root.glob("*/*/*/*.parquet")}
    assert label_steps(job, str(store.root), "run") == paths
    assert {path: path.stat().st_mtime_ns for path in files} == files
    path = evaluate_labels(EvaluationJob(policy=POLICY), str(store.root), "run", set_name="eval")
    figures = {row.metric: row.value for row in store.read(path)}
    ((num_labels, num_selected),) = ask(
        store,
        """
        select count(*) filter (hard is not null), count(distinct trajectory_id) - 240
        from step_labels
        """,
    )
    assert figures["labelled_steps"] == num_labels
    assert num_selected > 60
    problems = "problems/run_id=run/stage=problems/eval.parquet"
    pool = StoredSolutions(store, problem_ids(store, [problems]))
    rows = [row for batch in pool.labelled(labels.method) for row in batch.to_pylist()]
    pool.close()
    assert len(rows) == 240 + num_selected
    wrong = [
        row["trajectory_id"]
        for row in rows
        for index, label in enumerate(row["labels"])
        if label is not None and label is any("off" in s for s in row["steps"][: index + 1])
    ]
    assert len(wrong) < 0.02 * num_labels  # a right step is missed by all of eight rollouts
    assert all(len(row["steps"]) == len(row["labels"]) == 5 for row in rows)


def test_a_consensus_keeps_what_imported_labels_confirm_and_says_how_much(sampled, unit_of, capsys):
    from flows.evaluation import evaluate_labels
    from flows.step_labels import label_steps

    store, _ = sampled
    problems = {row.problem_id: row for row in markov_problems(30, seed=3)}
    solutions = [
        row
        for path in store.files("trajectories", run_id="run", stage="sampling")
        for row in store.read(path)
    ]
    exact = label_by_checker(problems, solutions, check_walk)
    human = [replace(label, method="human", evidence="inferred") for label in exact]
    store.commit(unit_of("step_labels", name="eval.human", stage="imports"), human)
    labels = ConsensusConfig(
        first=MonteCarloConfig(num_rollouts=1, max_rollout_tokens=10),
        second=StoredLabelsConfig(method="human"),
    )
    job = StepLabelsJob(set_name="eval", policy=POLICY, labels=labels)
    label_steps(job, str(store.root), "run")
    path = evaluate_labels(EvaluationJob(policy=POLICY), str(store.root), "run", set_name="eval")
    figures = {(row.metric, row.strategy): row.value for row in store.read(path)}
    truth = {(label.trajectory_id, label.step_index): label.hard for label in exact}
    rows = [
        row
        for path in store.files("step_labels", run_id="run", stage="step_labels")
        for row in store.read(path)
    ]
    first = {
        (row.trajectory_id, row.step_index): row.hard is truth[row.trajectory_id, row.step_index]
        for row in rows
        if row.method == "monte_carlo[n=1]" and row.evidence == "rollouts"
    }
    kept = {row.trajectory_id for row in rows if row.method == labels.method}
    assert 60 < len(kept) < 240
    assert figures["consensus_agreement", labels.method] == sum(first.values()) / len(first)
    assert figures["consensus_kept", labels.method] == len(kept) / 240
    said = f"{sum(first.values())} of 960 steps have the same label by second[human]"
    assert said in " ".join("".join(capsys.readouterr()).split())


def test_evaluation_writes_metrics_that_match_the_sql_view(sampled):
    from flows.evaluation import evaluate

    store, _ = sampled
    job = EvaluationJob(policy=POLICY, evaluation=EvaluationConfig(budgets=(1, 4, 8)))
    evaluate(job, str(store.root), "run")
    found = ask(
        store,
        "select budget, value from curves where strategy = 'pass' and metric = 'accuracy' "
        "and bin = 'all' order by budget",
    )
    view = ask(store, "select k, pass_at_k from pass_at_k where k in (1, 4, 8) order by k")
    assert [k for k, _ in found] == [1, 4, 8]
    assert [v for _, v in found] == pytest.approx([v for _, v in view])
    assert (store.root / "reports/run/accuracy-eval.png").stat().st_size > 10_000
    without_truth = "('step_auc', 'picks', 'right_through_wrong_step')"
    assert ask(store, f"select count(*) from metrics where metric in {without_truth}") == [(0,)]
    assert not (store.root / "reports/run/reliability-eval.png").exists()


def test_a_row_that_breaks_does_not_stop_the_others(walks, prefect_server, make_problem):
    """A question that is not a walk becomes rows that say so; all other rows are made."""
    from flows.sampling import sample

    unit = Unit(run_id="run", stage="problems", name="mixed", table=PROBLEMS.name)
    walks.commit(unit, [*markov_problems(4, seed=5), make_problem("bad", question="What?")])
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        set_name="mixed",
        policy=POLICY,
        sampling=SamplingConfig(num_samples=2, max_tokens=10),
    )
    sample(job, str(walks.root), "run")
    found = ask(
        walks,
        "select problem_id = 'bad', status, count(*), any_value(error) from trajectories "
        "group by all order by 1",
    )
    assert [row[:3] for row in found] == [(False, "finished", 8), (True, "error", 2)]
    assert "Walk" in found[1][3]


def test_one_problem_and_one_sample_are_enough(walks, prefect_server):
    from flows.evaluation import evaluate
    from flows.sampling import sample

    unit = Unit(run_id="run", stage="problems", name="one", table=PROBLEMS.name)
    walks.commit(unit, markov_problems(1, seed=9))
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        set_name="one",
        policy=POLICY,
        sampling=SamplingConfig(num_samples=1, max_tokens=10),
    )
    sample(job, str(walks.root), "run")
    evaluate(EvaluationJob(set_name="one", policy=POLICY), str(walks.root), "run")
    found = ask(
        walks,
        "select strategy, budget, num_problems from curves "
        "where metric = 'accuracy' and bin = 'all' and strategy in ('pass', 'majority') order by 1",
    )
    assert found == [("majority", 1, 1), ("pass", 1, 1)]
