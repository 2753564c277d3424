"""What `stepmill cost` prints: groups summed by hand, and no sum of incompatible figures."""

import json

import pytest

from flows.commands.cost import group_costs, show_cost
from schemas.rows import StepScores
from storage import connect


@pytest.fixture
def spent(store, unit_of, make_trajectory):
    """Two runs, each with three solutions of 9 tokens; the first also scored its solutions."""
    for run_id, num_right in (("r1", 2), ("r2", 0)):
        solutions = [make_trajectory(f"{run_id}-{i}", correct=i < num_right) for i in range(3)]
        store.commit(unit_of("trajectories", run_id=run_id), solutions, seconds=2.0)
    scores = [
        StepScores(
            trajectory_id=f"r1-{i}", verifier="v", scores=(0.5,), scored_tokens=12, cached_tokens=4
        )
        for i in range(3)
    ]
    store.commit(unit_of("step_scores", run_id="r1", stage="scoring"), scores, seconds=0.5)
    return connect(store.url)


def read_cost(connection, capsys, run_id=None, by=None):
    show_cost(connection, run_id, "json", by=by)
    return json.loads(capsys.readouterr().out)


def test_a_run_is_shown_by_stage_strategy_and_model(spent, capsys):
    solved, scored = read_cost(spent, capsys, "r1")
    assert solved == {
        "run_id": "r1",
        "stage": "sampling",
        "strategy": "sample",
        "role": None,
        "model": "policy-0",
        "num_rows": 3,
        "prompt_tokens": 15,
        "cached_tokens": 6,
        "generated_tokens": 27,
        "scored_tokens": 0,
        "engine_s": 2.0,
        "kept": "right solutions",
        "num_kept": 2,
        "tokens_per_kept": 13.5,
    }
    assert (scored["stage"], scored["scored_tokens"], scored["engine_s"]) == ("scoring", 36, 0.5)
    assert (scored["kept"], scored["tokens_per_kept"]) == ("scored solutions", 12.0)


def test_groups_are_sums_over_all_runs(spent, capsys):
    by_stage = read_cost(spent, capsys, by="stage")
    shown = [(row["stage"], row["num_rows"], row["generated_tokens"]) for row in by_stage]
    assert shown == [("sampling", 6, 54), ("scoring", 3, 0)]
    assert [row["tokens_per_kept"] for row in by_stage] == [27.0, 12.0]
    by_model = read_cost(spent, capsys, by="model")
    assert [(row["model"], row["engine_s"]) for row in by_model] == [("policy-0", 4.0), ("v", 0.5)]
    assert [row["strategy"] for row in read_cost(spent, capsys, by="strategy")] == [
        "sample",
        "score",
    ]


def test_a_search_costs_what_its_policy_wrote_and_its_verifier_read(
    store, unit_of, make_trajectory, capsys
):
    tree = [
        make_trajectory(name, strategy="beam", verifier="prm-1", scored_tokens=30, correct=correct)
        for name, correct in (("a", True), ("b", False))
    ]
    store.commit(unit_of("trajectories", stage="search"), tree, seconds=2.0)
    connection = connect(store.url)
    (beam,) = read_cost(connection, capsys, by="strategy")
    assert (beam["num_rows"], beam["num_kept"], beam["tokens_per_kept"]) == (2, 1, 18 + 60)
    by_model = read_cost(connection, capsys, by="model")
    spent = [(row["model"], row["generated_tokens"], row["scored_tokens"]) for row in by_model]
    assert spent == [("policy-0", 18, 0), ("prm-1", 0, 60)]


def test_right_solutions_and_scores_are_not_added_up(spent, capsys):
    first, second = read_cost(spent, capsys, by="run")
    assert (first["run_id"], first["generated_tokens"], first["scored_tokens"]) == ("r1", 27, 36)
    assert [first[name] for name in ("kept", "num_kept", "tokens_per_kept")] == [None] * 3
    assert (second["kept"], second["num_kept"], second["tokens_per_kept"]) == (
        "right solutions",
        0,
        None,
    )


def test_an_unknown_time_makes_the_sum_unknown():
    row = {
        "stage": "sampling",
        "num_rows": 1,
        "prompt_tokens": 1,
        "cached_tokens": 0,
        "generated_tokens": 5,
        "scored_tokens": 0,
        "engine_s": 2.0,
        "kept": "right solutions",
        "num_kept": 1,
    }
    (group,) = group_costs([row, {**row, "engine_s": None}], ("stage",))
    assert (group["engine_s"], group["tokens_per_kept"]) == (None, 5.0)


def test_the_table_ends_with_the_sum_of_its_rows(spent, capsys):
    show_cost(spent, None, "table", by="stage")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "sampling 6 30 12 54 0 4.0 2 right solutions 27.0" in lines
    assert "all 9 30 24 54 36 4.5" in lines


def test_the_command_line_reaches_it(stepmill, spent, store):
    ended = stepmill("cost", "r1", "--by", "stage", "--format", "json", "--root", store.url)
    printed = ended.stdout
    assert [row["stage"] for row in json.loads(printed)] == ["sampling", "scoring"]


def test_an_empty_store_has_cost_nothing(store, capsys):
    assert read_cost(connect(store.url), capsys) == []


@pytest.mark.parametrize(
    ("run_id", "by", "output", "message"),
    [
        ("nobody", None, "table", "run nobody has spent nothing"),
        ("r1", "level", "table", "expected --by run, stage, strategy, model, got 'level'"),
        ("r1", None, "yaml", "expected --format table or json, got 'yaml'"),
    ],
)
def test_a_mistake_is_named(spent, run_id, by, output, message):
    with pytest.raises(ValueError, match=message):
        show_cost(spent, run_id, output, by=by)
