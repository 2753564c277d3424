"""A search tree in the terminal: real searches on the Markov engine, and hand-written rows."""

import asyncio
import json
from dataclasses import replace
from pathlib import PurePath

import pytest

from flows.runs.search_units import cell_of, decision_units, search_plan, tree_units
from flows.tables.search_tree import show_tree
from schemas.engines import MarkovConfig
from schemas.graders import ExactGraderConfig
from schemas.rows import Step
from schemas.search import SearchJob
from schemas.search.critique import CritiqueConfig
from schemas.search.strategies import BeamConfig, LookaheadConfig, MctsConfig, RevisionsConfig
from schemas.units import Unit
from storage import Store, connect
from tasks.engines.host import Counters, UnitContext
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.search.decide import decide
from tasks.search.search import search_problems

ENGINE = MarkovConfig(p_right=0.7, num_steps=3)
PROBLEM = markov_problems(1, 5)[0]
PROBLEMS_FILE = "problems/run_id=r/stage=problems/eval.parquet"


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """One problem, searched by five strategies at N = 4."""
    store = Store(tmp_path_factory.mktemp("trees") / "store")
    strategies = (
        BeamConfig(), LookaheadConfig(depth=1), MctsConfig(), RevisionsConfig(), CritiqueConfig(),
    )  # fmt: skip
    job = SearchJob(
        policy=ENGINE,
        verifier=ENGINE,
        grader=ExactGraderConfig(),
        strategies=strategies,
        budgets=(4,),
    )
    problems = Unit(run_id="r", stage="problems", name="eval", table="problems")
    store.commit(problems, [PROBLEM])
    plan = search_plan(job, "r")
    engine = MarkovEngine(ENGINE)
    context = UnitContext(
        store=store, engines={"policy": engine, "verifier": engine}, counters=Counters()
    )
    units = tree_units(plan, "r", problems.path, store)
    for unit in units:
        store.commit(unit, asyncio.run(search_problems(unit, plan, context)))
    for unit in decision_units("r", problems.path, [unit.path for unit in units]):
        task = plan[cell_of(unit.path)]
        trees, asked = (store.read(path) for path in unit.inputs)
        grader = context.grader(job.grader)
        store.commit(unit, decide(asked, trees, job=job, strategy=task.strategy, grader=grader))
    return store


def draw(store, capsys, **which):
    show_tree(connect(store.url), PROBLEM.problem_id[:8], "text", **which)
    return capsys.readouterr().out


def test_a_beam_shows_steps_scores_what_was_pruned_and_the_pick(searched, capsys):
    text = draw(searched, capsys, strategy="beam")
    assert PROBLEM.question in text
    assert f"gold answer {PROBLEM.answer}" in text
    assert "beam, N = 4" in text
    lines = text.splitlines()
    assert any("Step 1: ok" in line and "score 0." in line for line in lines)
    assert "pruned: rank 4 of 4" in text or "pruned: same text as" in text
    picked = [line for line in lines if "←" in line]
    assert len(picked) == 1
    assert f"right: {PROBLEM.answer}" in picked[0]
    assert lines[-1].startswith("likelihood+logit[min]: ")


def test_every_step_of_every_row_is_in_the_tree_once(searched, capsys):
    for strategy in ("beam", "lookahead", "mcts", "revisions", "critique"):
        show_tree(connect(searched.url), PROBLEM.problem_id, "json", strategy=strategy)
        found = json.loads(capsys.readouterr().out)

        def count(branch):
            below = [count(child) for child in branch["children"]]
            has_step = branch["step"] is not None
            return (
                has_step + sum(num for num, _ in below),
                len(branch["ends"]) + sum(num for _, num in below),
            )

        num_steps, num_rows = (
            connect(searched.url)
            .sql(
                "select sum(len(steps)), count(*) from trajectories "
                f"where starts_with(strategy, '{strategy}')"
            )
            .fetchall()[0]
        )
        assert count(found["tree"]) == (num_steps, num_rows), strategy
        assert found["problem"]["answer"] == PROBLEM.answer
        assert any(row["is_main"] for row in found["decisions"])


def test_walks_show_visits_and_lookahead_and_revisions_what_they_are(searched, capsys):
    assert "visits 2" in draw(searched, capsys, strategy="mcts")
    assert "ahead" in draw(searched, capsys, strategy="lookahead")
    assert draw(searched, capsys, strategy="revisions").count("prompted again") == 3
    critiques = draw(searched, capsys, strategy="critique")
    assert ("prompted again" in critiques, "  critic" in critiques) == (True, True)
    show_tree(connect(searched.url), PROBLEM.problem_id, "json", strategy="critique")
    left, again, roles = [json.loads(capsys.readouterr().out)["tree"]], 0, []
    while left:
        branch = left.pop()
        again += branch["prompted_by"] is not None
        roles += [end["role"] for end in branch["ends"]]
        left += branch["children"]
    assert (again, roles.count("critic"), roles.count("refinement")) == (8, 4, 4)


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ({}, "got 5 searches:\n.*--strategy 'beam' --n 4"),
        ({"strategy": "beam", "budget": 16}, "with strategy beam, budget 16, got none"),
        ({"run_id": "other"}, "with run_id other, got none"),
    ],
)
def test_searches_to_choose_from_are_listed(searched, which, message):
    with pytest.raises(ValueError, match=message):
        show_tree(connect(searched.url), PROBLEM.problem_id, "text", **which)


def test_a_problem_that_was_not_searched_is_named(searched):
    with pytest.raises(ValueError, match="expected a problem that was searched, got 'zz'"):
        show_tree(connect(searched.url), "zz", "text")


def test_hostile_texts_do_nothing_to_a_terminal(searched, tmp_path, capsys):
    """The same rows in another store, with a step that would clear the screen."""
    (beam,) = [p for p in searched.files("trajectories", run_id="r", stage="search") if "beam" in p]
    copy = Store(tmp_path / "store")
    for path in (beam, beam.replace("trajectories", "decisions", 1), PROBLEMS_FILE):
        table, _, stage, name = path.split("/")
        unit = Unit(
            run_id="r", stage=stage.removeprefix("stage="), name=PurePath(name).stem, table=table
        )
        rows = searched.read(path)
        if table == "trajectories":
            bad = Step(text="\x1b[2Jgone\n", num_tokens=1)
            rows = [replace(row, steps=(bad, *row.steps[1:]) if row.steps else ()) for row in rows]
        copy.commit(unit, rows)
    show_tree(connect(copy.url), PROBLEM.problem_id, "text")
    text = capsys.readouterr().out
    assert "\x1b[2J" not in text
    assert "\\x1b[2Jgone" in text
