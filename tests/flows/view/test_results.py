"""A run's result as curves, and two runs compared: laid out by hand, and on pages."""

import re

import pytest

from flows.view.curves import HEIGHT, WIDTH, lay_out
from flows.view.pages.results import charts_of
from schemas.rows import Metric
from tests.flows.view.test_pages import words


def figure(strategy="majority", budget=1, bin="all", value=0.5, **fields):
    values = {
        "policy": "policy-0", "verifier": None, "metric": "accuracy", "ci_low": value - 0.1,
        "ci_high": value + 0.1, "num_problems": 40, "set_name": "eval",
    }  # fmt: skip
    return Metric(
        strategy=strategy, budget=budget, bin=bin, value=value, **{**values, **fields}
    )  # fmt: skip


def test_a_picture_has_its_figures_in_proportion():
    chart = lay_out(
        {"a": {"1": (0.2, 0.0, 0.4, 9), "4": (1.0, None, None, 9)}, "b": {"4": (0.6, 0.5, 0.7, 9)}},
        ["1", "4"], "N", "accuracy",
    )  # fmt: skip
    a, b = chart.series
    low, high = a.points
    assert b.points[0].y == pytest.approx((low.y + high.y) / 2, abs=0.1)
    assert b.points[0].x == high.x > low.x
    assert a.line == f"M{low.x} {low.y} L{high.x} {high.y}"
    assert (a.band, b.band) == ("", "")
    assert low.words == "a at 1: 0.200 (0.000 to 0.400), 9 problems"
    assert [label for _, label in chart.ticks_y] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]
    assert all(0 <= y <= HEIGHT for y, _ in chart.ticks_y)
    assert all(0 <= x <= WIDTH for x, _ in chart.ticks_x)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5, -3.0, 12345.0])
def test_a_single_figure_can_be_drawn(value):
    chart = lay_out({"a": {"x": (value, None, None, 1)}}, ["x"], "x", "y")
    assert 0 <= chart.series[0].points[0].y <= HEIGHT


def test_more_series_than_colours_are_named():
    series = {str(n): {"x": (0.5, None, None, 1)} for n in range(11)}
    assert lay_out(series, ["x"], "x", "y").left_out == ["8", "9", "10"]


def test_pictures_are_by_budget_bin_and_round():
    rows = [
        *(figure(budget=n, value=v) for n, v in ((1, 0.4), (2, 0.5), (16, 0.6))),
        *(figure(budget=n, bin=f"level={k}") for n in (2, 16) for k in (1, 2, 10)),
        *(figure(budget=1, bin=f"round={k}", arm="rest") for k in ("0", "1", "1.1", "10")),
    ]
    by_budget, by_level, by_round = charts_of(rows, "accuracy")
    assert [label for _, label in by_budget.ticks_x] == ["1", "2", "16"]
    assert by_level.x_words == "level, N = 16"
    assert [label for _, label in by_level.ticks_x] == ["1", "2", "10"]
    assert [label for _, label in by_round.ticks_x] == ["0", "1", "1.1", "10"]
    assert by_round.series[0].name == "majority @1, rest"


@pytest.fixture
def measured(store, unit_of, make_problem, make_trajectory):
    """Two runs on three questions: one is won, one lost, one the same; and curves of the first."""
    for run_id, shares in (("one", (0, 2, 1)), ("two", (2, 0, 1))):
        problems = [make_problem(f"{run_id}-{n}", question=f"question {n}?") for n in range(3)]
        store.commit(unit_of("problems", stage="problems", run_id=run_id), problems)
        rows = [
            make_trajectory(
                f"{run_id}-{n}-{i}", problem_id=f"{run_id}-{n}", sample_index=i, correct=i < right
            )
            for n, right in enumerate(shares)
            for i in range(2)
        ]
        store.commit(unit_of("trajectories", name="eval.00000", run_id=run_id), rows)
    figures = [figure(s, n, value=v) for s in ("majority", "pass") for n, v in ((1, 0.4), (4, 0.6))]
    figures += [figure(bin=f"level={k}", budget=4) for k in (1, 2)]
    store.commit(unit_of("metrics", name="eval-0", stage="evaluation", run_id="one"), figures)
    return store


def test_the_page_of_results_draws_and_says_what_was_seen(measured, make_viewer):
    viewer = make_viewer(measured)
    assert "/results?run=one" in viewer.text("/run", run="one")
    text = viewer.text("/results", run="one")
    assert "majority at N = 4: 0.600 (.50-.70), 40 problems. More candidates" in words(text)
    assert text.count("data-chart") == 2
    assert "majority at 4: 0.600 (0.500 to 0.700), 40 problems" in text
    assert viewer.get("/results?run=two").status_code == 404
    assert viewer.get("/results?run=one&metric=nothing").status_code == 404


def test_two_runs_are_compared_problem_by_problem(measured, make_viewer):
    viewer = make_viewer(measured)
    text = viewer.text("/compare", run="one", **{"with": "two"})
    said = words(text)
    assert "Paired by problem: 3 questions" in said
    assert re.search(r"two solves more often: 1 .* question 0\?", said)
    assert re.search(r"one solves more often: 1 .* question 1\?", said)
    assert re.search(r"as often in both: 1 .* question 2\?", said)
    assert "/problem?run=two&amp;id=two-0" in text
    assert viewer.get("/compare?run=one&with=nothing").status_code == 404
