"""What a newcomer types first: the version, help, the runs of a store, and two runs compared."""

import json
from importlib.metadata import version

import pytest

from flows.cli import load_command
from flows.tables.comparison import comparison_sentence
from schemas.rows import RUNS, RunEvent, now
from tasks.evaluation.comparison import compare_rates
from tasks.evaluation.statistics.intervals import wilson_interval


@pytest.fixture
def two_runs(store, unit_of, make_problem, make_trajectory):
    """Of twelve problems `b` solves all and `a` the first half; `b` has one problem more."""
    for run_id, solved in (("a", 6), ("b", 13)):
        num = 12 if run_id == "a" else 13
        problems = [make_problem(f"p{i}", question=f"question {i}") for i in range(num)]
        rows = [
            make_trajectory(f"{run_id}{i}", problem_id=f"p{i}", correct=i < solved)
            for i in range(num)
        ]
        store.commit(unit_of("problems", stage="problems", run_id=run_id), problems)
        store.commit(unit_of("trajectories", run_id=run_id), rows)
        for state in ("started", "completed" if run_id == "a" else "failed"):
            event = RunEvent(
                flow="sampling", state=state, config="{}", config_hash="0", code_version="1",
                message=None, happened_at=now(),
            )  # fmt: skip
            store.commit(unit_of(RUNS.name, stage="sampling", run_id=run_id, name=state), [event])
    return store.root


def test_the_version_is_that_of_the_distribution(stepmill):
    assert stepmill("--version").stdout == f"stepmill {version('stepmill')}\n"


def test_short_help_is_help(stepmill):
    assert "Usage" in stepmill("-h").stdout
    assert load_command("runs").context_settings["help_option_names"] == ["-h", "--help"]


def test_runs_are_listed_newest_first_with_their_state(stepmill, two_runs):
    rows = json.loads(stepmill("runs", "--format", "json", "--root", two_runs).stdout)
    found = [(r["run_id"], r["state"], r["num_problems"], r["num_trajectories"]) for r in rows]
    assert found == [("b", "failed", 13, 13), ("a", "completed", 12, 12)]


def test_two_runs_are_compared_on_the_problems_of_both(stepmill, two_runs):
    ended = stepmill("compare", "a", "b", "--format", "json", "--root", two_runs)
    found = json.loads(ended.stdout)
    assert (found["num_problems"], found["num_better"], found["num_worse"]) == (12, 6, 0)
    assert found["first_rate"]["value"] == pytest.approx(0.5)
    assert found["difference"]["value"] == pytest.approx(0.5)
    assert 0 < found["difference"]["low"] < 0.5 < found["difference"]["high"]
    low, high = wilson_interval(12, 12)
    assert (found["second_rate"]["low"], found["second_rate"]["high"]) == pytest.approx((low, high))
    nowhere = stepmill("compare", "a", "nope", "--root", two_runs)
    assert (nowhere.returncode, "run nope has no graded solutions" in nowhere.stderr) == (2, True)


def test_pairing_sees_what_two_intervals_do_not():
    first = {f"p{i}": i / 40 for i in range(30)}
    second = {name: rate + 0.1 + 0.001 * (i % 2) for i, (name, rate) in enumerate(first.items())}
    found = compare_rates("a", "b", first, second)
    rates = found.first_rate.high, found.second_rate.low, found.difference.low
    high, low, least = (end for end in rates if end is not None)
    assert (low < high, least > 0.09) == (True, True)
    assert comparison_sentence(found).startswith("b solves more than a: +0.1")


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ([0, 1, 0, 1, 0, 1, 1, 0], "b and a are within the noise of each other: +0.000 "),
        ([0, 0, 0, 0, 0, 0, 0, 0], "b solves less than a"),
    ],
)
def test_the_sentence_says_what_was_seen(second, words):
    first = [0, 1, 0, 1, 0, 1, 1, 0]
    rates = [{f"p{i}": float(v) for i, v in enumerate(values)} for values in (first, second)]
    assert comparison_sentence(compare_rates("a", "b", *rates)).startswith(words)


def test_runs_without_a_problem_in_common_are_refused():
    with pytest.raises(ValueError, match="problems in common, got 1 of a and 1 others of b"):
        compare_rates("a", "b", {"x": 1.0}, {"y": 1.0})


@pytest.mark.parametrize(
    ("command", "name", "typed", "expected"),
    [
        ("search", "strategy", "bea", ["beam"]),
        ("run", "flow", "samp", ["sampling"]),
        ("regrade", "grader", "mat", ["math"]),
        ("runs", "output", "pa", ["parquet"]),
        ("report", "output", "", ["table", "json"]),
    ],
)
def test_names_and_formats_complete(command, name, typed, expected):
    (parameter,) = [p for p in load_command(command).params if p.name == name]
    found = [item.value for item in parameter.shell_complete(None, typed)]
    assert found[: len(expected)] == expected
    assert all(value.startswith(typed) for value in found)
