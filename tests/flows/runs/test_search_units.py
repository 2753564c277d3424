"""Plain searches of a run that another search of it is compared with."""

import asyncio
from dataclasses import replace

import pytest

from flows.runs.search_units import (
    cell_of,
    decision_units,
    independent_cells,
    reference_cell,
    search_plan,
    tree_units,
)
from schemas.engines import MarkovConfig
from schemas.evaluation import EvaluationConfig
from schemas.graders import ExactGraderConfig
from schemas.rows import METRICS
from schemas.search import SearchJob
from schemas.search.critique import CritiqueConfig
from schemas.search.strategies import MajorityConfig
from schemas.units import Unit
from tasks.engines.host import Counters, UnitContext
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.evaluation.task import evaluate_searches
from tasks.search.decide import decide
from tasks.search.search import search_problems

ENGINE = MarkovConfig(p_right=0.7, num_steps=3)
PLAIN = SearchJob(
    policy=ENGINE, grader=ExactGraderConfig(), strategies=(MajorityConfig(),), budgets=(6,)
)
CRITIQUE = PLAIN.with_fields(strategies=(CritiqueConfig(rounds=2),), budgets=(2,))


@pytest.fixture
def problems(store):
    unit = Unit(run_id="r", stage="problems", name="eval", table="problems")
    store.commit(unit, markov_problems(5, 5))
    return unit.path


@pytest.fixture
def make(store, problems):
    """Search, and decide unless told not to; the paths of the trees and the decisions."""

    def run(job, *, decides=True):
        plan = search_plan(job, "r")
        engine = MarkovEngine(ENGINE)
        context = UnitContext(store=store, engines={"policy": engine}, counters=Counters())
        trees = tree_units(plan, "r", problems, store)
        for unit in trees:
            store.commit(unit, asyncio.run(search_problems(unit, plan, context)))
        decisions = decision_units("r", problems, [unit.path for unit in trees])
        for unit in decisions if decides else ():
            read, asked = (store.read(path) for path in unit.inputs)
            grader = context.grader(job.grader)
            strategy = plan[cell_of(unit.path)].strategy
            store.commit(unit, decide(asked, read, job=job, strategy=strategy, grader=grader))
        return [unit.path for unit in trees], [unit.path for unit in decisions]

    return run


def test_finished_plain_searches_of_the_same_job_are_found(store, problems, make):
    assert independent_cells(CRITIQUE, "r", problems, store) == {}
    make(PLAIN)
    make(PLAIN.with_fields(budgets=(9,)), decides=False)
    make(PLAIN.with_fields(budgets=(12,), limits={"temperature": 0.5}))
    make(CRITIQUE)
    found = independent_cells(CRITIQUE, "r", problems, store)
    assert [(task.strategy.type, task.budget) for task in found.values()] == [("majority", 6)]
    with_verifier = CRITIQUE.with_fields(verifier=ENGINE)
    assert [*independent_cells(with_verifier, "r", problems, store)] == [*found]
    make(PLAIN.with_fields(budgets=(8,)))
    largest = reference_cell(independent_cells(CRITIQUE, "r", problems, store))
    assert largest is not None
    assert ".majority-n8-" in largest


def test_a_search_by_critique_is_measured_against_them(store, problems, make):
    trees, decisions = make(PLAIN)
    more_trees, more_decisions = make(CRITIQUE)
    inputs = (problems, *decisions, *more_decisions, *trees, *more_trees)
    unit = Unit(run_id="r", stage="search", name="m", table=METRICS.name, inputs=inputs)
    fields = {"set_name": "eval", "grader": ExactGraderConfig()}
    config = EvaluationConfig(num_bootstrap=10)
    evaluate_searches.fn(store.url, unit, config, reference=("majority", 6), **fields)
    rows = store.read(unit.path)
    label = "critique[rounds=2]"
    found = {(r.metric, r.pick or r.arm): r for r in rows if r.strategy == label and r.bin == "all"}
    plain = {r.budget: r.value for r in rows if (r.strategy, r.metric) == ("majority", "accuracy")}
    assert {row.strategy for row in rows if row.metric == "accuracy"} >= {"majority", label}
    assert found["plain_vote", "3N"].num_problems == 5
    assert found["plain_vote", "3N"].value == pytest.approx(plain[6], abs=0.5)  # ties are shared
    assert [found["right_after", str(number)].num_problems for number in range(3)] == [5, 5, 5]
    assert found["no_verdict", None].value == 1.0  # the Markov policy writes none
    assert any(r.metric == "gain_over_plain" and "oracle_quintile" in r.bin for r in rows)
    alone = replace(unit, name="alone", inputs=(problems, *more_decisions, *more_trees))
    evaluate_searches.fn(store.url, alone, config, **fields)
    left = {row.metric for row in store.read(alone.path)}
    assert "right_after" in left
    assert not [metric for metric in left if "plain" in metric]
