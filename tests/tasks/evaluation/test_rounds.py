"""Figures of a loop's rounds: from an evaluation's rows to a table and a picture."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from flows.pages.round_plots import plot_rounds
from flows.tables.rounds import round_table_rows, rounds_summary
from schemas.rows import Metric
from tasks.evaluation.rounds import (
    arms_of,
    figures_of,
    labels_of,
    made_from,
    pass_at_1,
    round_rows,
)


def accuracy(strategy: str, budget: int, value: float, bin_name: str = "all") -> Metric:
    return Metric(
        policy="p1",
        verifier=None,
        strategy=strategy,
        budget=budget,
        bin=bin_name,
        metric="accuracy",
        value=value,
        ci_low=value - 0.1,
        ci_high=value + 0.1,
        num_problems=20,
        set_name="eval",
    )


EVALUATED = [
    accuracy("pass", 1, 0.5),
    accuracy("pass", 4, 0.75),
    accuracy("majority", 4, 0.625),
    accuracy("pass", 1, 0.25, "level=3"),
    accuracy("likelihood[sum]", 4, 0.6),
    replace(accuracy("pass", 4, 100.0), metric="generated_tokens"),
]
POOL = {
    "num_problems": 10,
    "num_solved": 4,
    "num_solutions": 80,
    "num_counted": 78,
    "num_right": 20,
    "num_texts": 12,
    "num_paths": 8,
    "num_tokens": 3000,
}
COUNTS = {"rows": 10, "problems": 4, "by_level": {"1": 6, "4": 3, "5": 1}}


def test_rows_keep_what_was_measured_under_the_round():
    rows = round_rows("rest", "2", EVALUATED, {"set_rows": 7.0})
    assert [(row.strategy, row.bin, row.metric, row.budget, row.value) for row in rows] == [
        ("pass", "round=2", "pass@1", 1, 0.5),
        ("pass", "round=2", "pass@4", 4, 0.75),
        ("majority", "round=2", "majority@4", 4, 0.625),
        ("pass", "round=2,level=3", "pass@1", 1, 0.25),
        ("pool", "round=2", "set_rows", None, 7.0),
    ]
    assert {row.arm for row in rows} == {"rest"}
    assert {row.policy for row in rows} == {"p1"}
    assert (rows[0].ci_low, rows[0].ci_high) == (0.4, 0.6)
    assert rows[-1].ci_low is None
    assert pass_at_1(rows) == 0.5
    with pytest.raises(ValueError, match="expected accuracies of a policy, got none among 1 rows"):
        round_rows("rest", "2", EVALUATED[-1:], {})


def test_shares_are_those_of_all_pools_together():
    figures = made_from([POOL, {**POOL, "num_right": 60, "num_solved": 8}], COUNTS, (4, 5))
    assert figures == {
        "grown_tokens": 6000,
        "grown_right_share": 80 / 156,
        "grown_solved_share": 12 / 20,
        "texts_per_solved": 24 / 12,
        "paths_per_solved": 16 / 12,
        "set_rows": 10,
        "set_problems": 4,
        "set_hard_share": 0.4,
    }


@pytest.fixture
def rounds() -> list[Metric]:
    """Two arms; one goes through an improve step more in its first round."""
    rows = []
    for arm, labels in (("rest", ["0", "1.1", "1.2", "2.1", "10.1"]), ("unfiltered", ["0", "1"])):
        for label in labels:
            made = made_from([POOL], COUNTS, (4, 5)) if label != "0" else {}
            rows += round_rows(arm, label, EVALUATED, made)
    return rows


def test_arms_and_rounds_are_in_order(rounds):
    assert arms_of(rounds) == ["rest", "unfiltered"]
    assert labels_of(rounds, "rest") == ["0", "1.1", "1.2", "2.1", "10.1"]
    assert labels_of(rounds, "unfiltered") == ["0", "1"]
    assert set(figures_of(rounds, "unfiltered", "0")) == {"pass@1", "pass@4", "majority@4"}


def test_a_table_has_a_row_per_policy_with_what_it_was_made_from(rounds):
    rows = round_table_rows(rounds)
    assert len(rows) == 7
    assert rows[0] == {
        "arm": "rest",
        "round": "0",
        "pass@1": "0.500 (.40-.60)",
        "majority@4": "0.625 (.53-.72)",
        "pass@4": "0.750 (.65-.85)",
        **dict.fromkeys(("right", "paths", "rows", "hard", "tokens", "training s"), ""),
    }
    assert [rows[1][name] for name in ("right", "paths", "rows", "hard", "tokens")] == [
        "0.26",
        "2.00",
        "10",
        "0.40",
        "3,000",
    ]
    out = StringIO()
    Console(file=out, width=200).print(rounds_summary(rounds))
    assert "Rounds on 20 held-out problems" in out.getvalue()
    assert out.getvalue().count("rest") == 5
    with pytest.raises(ValueError, match="expected figures of a loop's rounds, got none"):
        rounds_summary([])


def test_a_picture_is_drawn(rounds, tmp_path):
    plot_rounds(rounds, tmp_path / "new" / "rounds.png", title="rest")
    assert (tmp_path / "new" / "rounds.png").read_bytes().startswith(b"\x89PNG")


def test_a_loop_with_a_critic_shows_what_the_critic_did(rounds):
    made = {**made_from([POOL], COUNTS, (4, 5)), "num_critiques": 30, "critiquing_tokens": 1200}
    rows = round_table_rows([*rounds, *round_rows("critique", "1", EVALUATED, made)])
    assert [rows[-1][name] for name in ("problems", "critiques", "critiquing tokens")] == [
        "4",
        "30",
        "1,200",
    ]
    assert rows[0]["critiques"] == ""
    assert "critiques" not in round_table_rows(rounds)[0]
