"""Figures of searches from decisions, by hand."""

from datetime import UTC, datetime

import numpy as np
import pytest

from flows.pages.search_plots import plot_searches
from flows.tables.searches import choice_summary, search_rows, selection_summary
from schemas.evaluation import EvaluationConfig
from schemas.rows import Decision, Step
from tasks.evaluation.searches.figures import at_equal_tokens, search_figures
from tasks.evaluation.searches.grid import build_grid, reference_candidates

CONFIG = EvaluationConfig(num_bootstrap=50)


def decision(problem, strategy="beam", budget=4, *, correct: bool | None = True, **fields):
    values = {
        "set_name": "eval",
        "policy": "pol",
        "verifier": "ver",
        "pick": "weighted[min]",
        "is_main": True,
        "status": "decided",
        "trajectory_id": "t",
        "answer": "4",
        "num_candidates": budget,
        "num_finished": budget,
        "num_rows": budget,
        "prompt_tokens": 7,
        "cached_tokens": 3,
        "generated_tokens": 10 * budget,
        "scored_tokens": 0,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Decision(
        problem_id=problem,
        strategy=strategy,
        budget=budget,
        correct=correct,
        **{**values, **fields},
    )


@pytest.fixture
def problems(make_problem):
    return [make_problem(f"p{i}", level=1 + i // 2) for i in range(4)]


def figures(rows):
    """Value and problems of each figure; the strategy with its pick where it has one."""
    return {
        (r.strategy if r.pick is None else (r.strategy, r.pick), r.budget, r.bin, r.metric): (
            r.value,
            r.num_problems,
        )
        for r in rows
    }


def test_what_an_early_stop_saves_is_a_figure_of_the_strategies_that_can(problems):
    """Of 8 solutions, 4 and 6 were drawn, pruned ones included."""
    rows = [decision("p0", "adaptive_consistency", 8, num_rows=4, num_candidates=4)]
    rows += [decision("p1", "adaptive_consistency", 8, num_rows=6, num_candidates=5)]
    rows += [decision(f"p{i}", "dvts", 8, num_rows=9, num_candidates=2) for i in range(2)]
    made = search_figures(build_grid(problems, rows), CONFIG)
    saved = [row for row in made if row.metric == "saved_rate" and "subject" not in row.bin]
    found = figures(saved)
    assert found == {
        ("adaptive_consistency", 8, "all", "saved_rate"): (0.375, 2),
        ("adaptive_consistency", 8, "level=1", "saved_rate"): (0.375, 2),
    }
    told = {row["strategy"]: row.get("saved") for row in search_rows(made)}
    assert told["dvts"] in (None, "")
    assert (told["adaptive_consistency"] or "").startswith("0.375")


def test_accuracies_and_costs_of_every_pick_and_bin(problems):
    """Right, wrong, ungraded, unfinished; the other pick is right on the second too."""
    main = [
        decision("p0"),
        decision("p1", correct=False, scored_tokens=40),
        decision("p2", correct=None),
        decision("p3", correct=False, status="unfinished", trajectory_id=None, answer=None),
    ]
    other = [decision(f"p{i}", pick="majority", is_main=False) for i in range(2)]
    found = figures(search_figures(build_grid(problems, [*other, *main]), CONFIG))
    assert found["beam", 4, "all", "accuracy"] == (pytest.approx(1 / 3), 3)
    assert found["beam", 4, "level=1", "accuracy"] == (0.5, 2)
    assert found["beam", 4, "level=2", "accuracy"] == (0.0, 1)
    assert found[("beam", "majority"), 4, "all", "accuracy"] == (1.0, 2)
    assert found["beam", 4, "all", "excluded_rate"] == (0.25, 4)
    assert found["beam", 4, "all", "unfinished_rate"] == (0.25, 4)
    assert found["beam", 4, "all", "error_rate"] == (0.0, 4)
    assert found["beam", 4, "all", "generated_tokens"] == (40.0, 4)
    assert found["beam", 4, "all", "scored_tokens"] == (10.0, 4)
    assert found["beam", 4, "level=1", "tokens"] == (60.0, 2)
    assert found["beam", 4, "all", "prompt_tokens"] == (7.0, 4)
    assert not [key for key in found if key[3].startswith("gain") or "quintile" in key[2]]


def test_gains_are_paired_and_over_the_same_problems(problems):
    """Beam is right on three; best of N on the first, and on one where beam is not graded."""
    beam = [decision(f"p{i}", correct=i != 3 or None) for i in range(4)]
    best = [decision(f"p{i}", "best_of_n", correct=i in (0, 3)) for i in range(4)]
    rows = search_figures(build_grid(problems, [*best, *beam]), CONFIG, baseline="best_of_n")
    found = figures(rows)
    assert found["beam", 4, "all", "gain_over"] == (pytest.approx(2 / 3), 3)
    assert found["beam", 4, "level=2", "gain_over"] == (1.0, 1)
    assert ("best_of_n", 4, "all", "gain_over") not in found


def test_equal_tokens_lie_between_the_neighbouring_points_in_log_tokens():
    points = [(400.0, np.array([1.0, 1.0])), (100.0, np.array([0.0, 1.0]))]
    middle = at_equal_tokens(points, 200.0)
    assert middle is not None
    assert middle.tolist() == pytest.approx([0.5, 1.0])
    for tokens, expected in ((100.0, [0.0, 1.0]), (400.0, [1.0, 1.0])):
        assert (end := at_equal_tokens(points, tokens)) is not None
        assert end.tolist() == pytest.approx(expected)
    assert at_equal_tokens(points, 99.0) is None
    assert at_equal_tokens(points, 401.0) is None
    assert at_equal_tokens(points[:1], 400.0) is None


@pytest.fixture
def swept(problems, make_trajectory):
    """Best of N at 4 and 16, beam at 4 that takes 80 tokens, and the 16 solutions of each problem.

    All 16 are right on p0, 8 on p1, 1 on p2 and none on p3.
    """
    decisions = [
        *(decision(f"p{i}", "best_of_n", 4, correct=i < 1) for i in range(4)),
        *(decision(f"p{i}", "best_of_n", 16, correct=i < 3) for i in range(4)),
        *(
            decision(f"p{i}", correct=i != 1, generated_tokens=60, scored_tokens=20)
            for i in range(4)
        ),
    ]
    trees = [
        make_trajectory(
            f"p{i}-{k}",
            problem_id=f"p{i}",
            strategy="best_of_n",
            correct=k < num_right,
            generated_tokens=10,
            scored_tokens=2,
            steps=(Step(text="a", num_tokens=1, logprob=-1.0, score=num_right / 16),),
        )
        for i, num_right in enumerate((16, 8, 1, 0))
        for k in range(16)
    ]
    return search_figures(
        build_grid(problems, decisions),
        CONFIG,
        reference=reference_candidates(problems, trees),
        baseline="best_of_n",
        seconds={("beam", 4): 2.0},
    )


def test_a_gain_at_equal_tokens_goes_by_the_baselines_curve(swept):
    """80 tokens are halfway from 40 to 160: there best of N is right on p0, half on p1 and p2."""
    found = figures(swept)
    metric = "gain_at_equal_tokens"
    assert found["beam", 4, "all", metric] == (pytest.approx((0 - 0.5 + 0.5 + 1) / 4), 4)
    assert found["beam", 4, "oracle_quintile=1", metric] == (pytest.approx(0.0), 1)


def test_difficulty_is_read_from_the_reference_solutions(swept):
    found = figures(swept)
    bins = {key[2] for key in found if key[0] == "beam"}
    assert {b for b in bins if b.startswith("oracle")} == {
        f"oracle_quintile={level}" for level in (1, 2, 3, 4)
    }
    assert {b for b in bins if b.startswith("model")} == {
        f"model_quintile={level}" for level in (1, 2, 3, 4)
    }
    assert found["beam", 4, "oracle_quintile=2", "accuracy"] == (0.0, 1)


def test_compute_optimal_rows_say_what_was_chosen_and_charge_the_difficulty(swept):
    found = figures(swept)
    for kind, cost in (("oracle_threshold", 160.0), ("model_threshold", 192.0)):
        name = ("compute_optimal", kind)
        assert found[name, 4, "all", "difficulty_tokens"] == (cost, 4)
        parts = ("generated_tokens", "scored_tokens", "difficulty_tokens")
        spent = sum(found[name, 4, "all", part][0] for part in parts)
        assert found[name, 4, "all", "tokens"][0] == pytest.approx(spent)
        chosen = [row for row in swept if (row.pick, row.metric) == (kind, "chosen")]
        assert {row.arm for row in chosen if row.budget == 16} == {"best_of_n@16"}
        assert all(row.bin.startswith(f"{kind}=") and ",fold=" in row.bin for row in chosen)
    limited = ("compute_optimal", "oracle_threshold,tokens")
    assert found[limited, 4, "all", "generated_tokens"] == (40.0, 4)  # beam's 80 are too many


def test_tables_and_picture_show_every_strategy(swept, tmp_path):
    words = search_rows(swept)
    cells = [(row["strategy"], row["N"]) for row in words]
    assert cells == [("best_of_n", "4"), ("best_of_n", "16"), ("beam", "4")]
    assert words[2]["problems/s"] == "2.00"
    assert words[2]["verified"] == "20"
    for table in (selection_summary(swept), choice_summary(swept)):
        assert table is not None
        assert table.row_count
    plot_searches(swept, tmp_path / "search.png")
    assert (tmp_path / "search.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ([], "one policy's searches, got \\[\\]"),
        ([decision("p0"), decision("p0")], "problem p0, beam at N=4, weighted.*one decision"),
        ([decision("p9")], "problem p9, .*a problem of the set"),
        ([decision("p0"), decision("p1", policy="other")], "got \\['other', 'pol'\\]"),
    ],
)
def test_decisions_that_do_not_belong_together_are_refused(problems, decisions, message):
    with pytest.raises(ValueError, match=message):
        build_grid(problems, decisions)
