"""What becomes of a run in which nothing can be learned: it says so, and measures the rest."""

import pytest

from flows.commands.report import show_report
from schemas.errors import NothingToLearn
from schemas.factory import FactoryConfig
from schemas.rows import PROBLEMS
from schemas.units import Unit
from storage import connect, query
from tasks.engines.markov_engine import markov_problems

CONFIG = {
    "policy": {"type": "markov", "num_steps": 3, "p_right": 1e-9},
    "train_sampling": {"num_samples": 2, "max_tokens": 10},
    "eval_sampling": {"num_samples": 4, "max_tokens": 10},
    "labels": {"num_rollouts": 4, "max_rollout_tokens": 10},
    "prm_training": {"max_steps": 6},
    "evaluation": {"budgets": [1, 4], "num_bootstrap": 200},
}


def ask(root, sql):
    return query(connect(root), sql).fetchall()


@pytest.mark.slow
def test_a_policy_that_is_never_right_is_measured_without_a_verifier(store, prefect_server, capsys):
    from flows.factory import factory

    for name, seed in (("train", 3), ("eval", 4)):
        unit = Unit(run_id="r", stage="problems", name=name, table=PROBLEMS.name)
        store.commit(unit, markov_problems(6, seed=seed))
    factory(FactoryConfig.from_partial(CONFIG), store.url, "r")
    said = capsys.readouterr().err
    assert "no verifier: training set" in said
    assert "labels that all are 0: use easier problems" in said
    assert "sample eval: of 24 solutions: 0% cut, 0% without an answer" in said

    states = "select flow, state from run_state where flow in ('factory', 'prm_training')"
    assert sorted(ask(store.root, states)) == [("factory", "completed"), ("prm_training", "failed")]
    figures = "select strategy, budget, value from curves where metric = 'accuracy' and bin = 'all'"
    found = ask(store.root, f"{figures} and set_name = 'eval' order by all")
    assert ("pass", 4, 0.0) in found
    assert {strategy for strategy, *_ in found} >= {"pass", "majority"}
    assert ask(store.root, "select count(*) from step_scores") == [(0,)]

    show_report(connect(store.root), "r", "table")
    text = " ".join(capsys.readouterr().out.split())
    assert "How rows ended" in text
    assert "prm_training of r failed: NothingToLearn" in text


def test_rest_em_refuses_a_set_in_which_nothing_is_right(
    store, unit_of, make_problem, make_trajectory
):
    from schemas.dataset_export import DatasetExportJob
    from schemas.dataset_export.builders import RestEmConfig
    from schemas.prompts import PlainPromptConfig
    from tasks.dataset_export.sources import ExportPlan, open_sources

    problems = unit_of("problems", "train", stage="problems")
    store.commit(problems, [make_problem("p0", split="train")])
    cut = {"status": "truncated", "answer": None, "correct": None}
    rows = [make_trajectory(f"t{i}", **cut) for i in range(6)]
    rows += [make_trajectory(f"w{i}", answer="5", correct=False) for i in range(2)]
    store.commit(unit_of("trajectories", "train.00000"), rows)
    plan = ExportPlan(
        job=DatasetExportJob(builder=RestEmConfig(), prompt=PlainPromptConfig()),
        run_ids=("run",),
        problem_files=(problems.path,),
        test_files=(),
    )
    with (
        pytest.raises(
            NothingToLearn,
            match=r"rest_em: expected right answers .* 0 of them right, 2 wrong: of 8 solutions 6 "
            r"were cut and 6 give no answer; raise max_tokens",
        ),
        open_sources(store, plan),
    ):
        pass
