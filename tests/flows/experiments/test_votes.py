"""An experiment over an analytic engine: run, run again, and read from runs that are there."""

import json

import pytest

from schemas.experiments.votes import VotesConfig
from storage import Store, connect, query
from tasks.engines.markov_engine import markov_problems

NUM_PROBLEMS = 24
CELLS = ("majority", "adaptive_consistency")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    walks = [{"question": p.question, "answer": p.answer} for p in markov_problems(NUM_PROBLEMS, 3)]
    path = tmp_path_factory.mktemp("walks") / "walks.jsonl"
    path.write_text("\n".join(map(json.dumps, walks)))
    return VotesConfig.from_partial(
        {
            "votes": {
                "problems": {"type": "file", "path": str(path)},
                "policy": {"type": "markov", "p_right": 0.8},
                "grader": {"type": "exact"},
                "strategies": [{"type": name} for name in CELLS],
                "budgets": [16],
                "evaluation": {"num_bootstrap": 50},
            }
        }
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory, config, prefect_server):
    """The store, and the path that the flow returned."""
    from flows.experiments.votes import experiment_votes

    root = str(tmp_path_factory.mktemp("experiment") / "store")
    return Store(root), experiment_votes(config, root, "r")


def files_of(store):
    paths = sorted(store.root.rglob("*.parquet"))
    return {str(path.relative_to(store.root)): path.stat().st_mtime_ns for path in paths}


@pytest.mark.slow
def test_an_experiment_compares_what_its_parts_have_stored(measured):
    store, path = measured
    rows = {(row.relation, row.point): row for row in store.read(path)}
    saved = rows["saves_samples", "more than half, N = 16"]
    catalog = connect(store.url)
    ((rate,),) = query(
        catalog,
        "select 1 - avg(num_candidates) / 16.0 from decisions "
        "where strategy = 'adaptive_consistency' and is_main",
    ).fetchall()
    assert saved.larger_value == pytest.approx(rate)
    assert saved.smaller_value == 0.5
    # Hardly a walk repeats itself, so that nearly all 16 are drawn.
    assert saved.difference_high < 0
    assert saved.verdict == "does not hold"
    as_good = rows["saves_samples", "at most .02 below the vote"]
    ((votes, stopped),) = query(
        catalog,
        "select avg(correct::int) filter (strategy = 'majority'), "
        "avg(correct::int) filter (strategy = 'adaptive_consistency') "
        "from decisions where is_main",
    ).fetchall()
    assert (as_good.smaller_value, as_good.larger_value) == pytest.approx((votes, stopped))
    assert as_good.difference == pytest.approx(stopped - votes)
    assert (as_good.num_units, as_good.margin) == (NUM_PROBLEMS, -0.02)
    ((tokens,),) = query(catalog, "select sum(generated_tokens) from trajectories").fetchall()
    assert {row.tokens for row in rows.values()} == {tokens}
    assert {row.command.partition(" --set ")[0] for row in rows.values()} == {
        "stepmill experiment votes"
    }


@pytest.mark.slow
def test_a_strategy_that_was_not_searched_leaves_its_relations_open(measured):
    store, path = measured
    open_rows = [row for row in store.read(path) if row.relation == "confidence_filters"]
    assert {row.verdict for row in open_rows} == {None}
    assert all("run r.votes has no answers of strategy confid" in row.reason for row in open_rows)


@pytest.mark.slow
def test_a_rerun_finds_everything_and_makes_nothing(measured, config):
    from flows.experiments.votes import experiment_votes

    store, path = measured
    before = files_of(store)
    assert experiment_votes(config, store.url, "r") == path
    new = files_of(store).keys() - before.keys()
    assert all(name.startswith("runs/") for name in new)  # that the flows began and ended again
    assert {name: files_of(store)[name] for name in before} == before
    picture = store.root / "reports/r/experiment-votes.png"
    assert picture.stat().st_size > 5_000


@pytest.mark.slow
def test_a_run_of_the_store_stands_for_a_part(measured, config, capsys):
    from flows.commands.experiment import show_relations
    from flows.experiments.votes import experiment_votes

    store, path = measured
    given = config.with_fields(parts={"votes": "r.votes"})
    again = store.read(experiment_votes(given, store.url, "other"))
    first = store.read(path)
    figures = ("larger_value", "smaller_value", "difference", "verdict", "tokens")
    for name in figures:
        assert [getattr(row, name) for row in again] == [getattr(row, name) for row in first]
    assert all("--set parts.votes=r.votes" in row.command for row in again)
    assert store.files("trajectories", run_id="other.votes", stage="search") == []
    show_relations("votes", again, "table", store=store, run_id="other")
    printed = capsys.readouterr().out
    assert f"picture: {store.url}/reports/other/experiment-votes.png" in printed
    assert "saves_samples" in printed
