"""Figures of searches by critique, by hand."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from flows.tables.critique_searches import critique_tables, critique_words
from schemas.evaluation import EvaluationConfig
from schemas.graders import ExactGraderConfig
from schemas.metric_names import Bin
from schemas.rows import Decision
from tasks.evaluation.searches.critique_figures import critique_figures, plain_curve
from tasks.evaluation.searches.figures import search_figures
from tasks.evaluation.searches.grid import build_grid
from tasks.evaluation.solutions.candidates import build_candidates
from tasks.graders import make_grader

CONFIG = EvaluationConfig(num_bootstrap=20)
CELL = ("critique", 2)


@pytest.fixture
def problems(make_problem):
    return [make_problem("p0", level=1), make_problem("p1", level=2)]


@pytest.fixture
def trees(make_trajectory):
    """Two chains of each problem: (first, critique's verdict, second) by the answers.

    p0: wrong, called wrong, right; right, called right, right.
    p1: right, called wrong, wrong; wrong, without a verdict, cut.
    """
    rows = []

    def add(problem, chain, first, verdict, second):
        key, fields = f"{problem}{chain}", {"problem_id": problem, "strategy": "critique"}

        def row(name, index, answer, **more):
            values = {"sample_index": index, "answer": answer, "correct": answer == "4"}
            rows.append(
                make_trajectory(f"{key}{name}", **{**fields, "budget": 2, **values, **more})
            )

        row("a", 2 * chain, first)
        ending = {"status": "finished"} if second else {"status": "truncated", "correct": None}
        row("b", 2 * chain + 1, second, parent_id=f"{key}a", branch_step=0, role="refinement",
            **ending)  # fmt: skip
        row("c", 4 + chain, verdict, parent_id=f"{key}a", branch_step=0, role="critic",
            correct=None)  # fmt: skip

    add("p0", 0, "1", "wrong", "4")
    add("p0", 1, "4", "right", "4")
    add("p1", 0, "4", "wrong", "1")
    add("p1", 1, "1", None, None)
    return rows


def decision(problem, strategy, budget, *, correct, tokens, pick="refined", is_main=True):
    return Decision(
        problem_id=problem, set_name="eval", policy="pol", verifier=None, strategy=strategy,
        budget=budget, pick=pick, is_main=is_main, status="decided", trajectory_id="t", answer="4",
        correct=correct, num_candidates=4, num_finished=4, num_rows=6, prompt_tokens=50,
        cached_tokens=0, generated_tokens=tokens, scored_tokens=0,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


@pytest.fixture
def plain(make_trajectory, problems):
    """Six plain solutions of ten tokens each: four of p0 are right, one of p1."""
    rows = [
        make_trajectory(
            f"{problem}-{k}", problem_id=problem, sample_index=k, generated_tokens=10,
            answer="4" if k < right else "1", correct=k < right,
        )
        for problem, right in (("p0", 4), ("p1", 1))
        for k in range(6)
    ]  # fmt: skip
    grader = make_grader(ExactGraderConfig())
    return build_candidates(problems, rows, (), grader)


@pytest.fixture
def measured(problems, trees, plain):
    decisions = [
        decision("p0", *CELL, correct=True, tokens=70),
        decision("p1", *CELL, correct=False, tokens=10),
        decision("p0", *CELL, correct=False, tokens=70, pick="first_attempts", is_main=False),
        decision("p1", *CELL, correct=False, tokens=10, pick="first_attempts", is_main=False),
    ]
    grid = build_grid(problems, decisions)
    bins = {Bin(): [0, 1], Bin("level", "1"): [0], Bin("level", "2"): [1]}
    rows = search_figures(grid, CONFIG)
    return rows + critique_figures(grid, {CELL: trees}, plain_curve(plain), bins, CONFIG)


def figures(rows):
    return {(r.bin, r.metric, r.pick or r.arm): (r.value, r.num_problems) for r in rows}


def test_what_critiques_say_and_change(measured):
    found = figures(measured)
    assert found["all", "wrong_to_right", None] == (0.5, 2)  # fixed, and cut
    assert found["all", "right_to_right", None] == (0.5, 2)
    assert found["all", "flags_wrong", None] == (0.5, 2)
    assert found["all", "passes_right", None] == (0.5, 2)
    assert found["all", "no_verdict", None] == (0.25, 2)
    assert found["level=1", "flags_wrong", None] == (1.0, 1)
    assert found["level=2", "passes_right", None] == (0.0, 1)


def test_what_stands_after_each_round_and_whether_any_is_right(measured):
    """The cut attempt leaves the wrong one before it."""
    found = figures(measured)
    assert found["all", "right_after", "0"] == (0.5, 2)
    assert found["all", "right_after", "1"] == (0.5, 2)
    assert found["level=1", "right_after", "1"] == (1.0, 1)
    assert found["level=2", "right_after", "1"] == (0.0, 1)
    assert found["all", "any_right", "refined"] == (0.5, 2)
    assert found["all", "any_right", "first_attempts"] == (1.0, 2)


def test_plain_votes_are_expectations_over_subsets(plain):
    curve = plain_curve(plain)
    assert curve is not None
    assert curve.tokens.tolist() == [10.0, 10.0]
    # Of p0, two of six are: both right 6/15, one right (a tie) 8/15.
    assert curve.vote[0, :2].tolist() == pytest.approx([4 / 6, 6 / 15 + 8 / 15 / 2])
    assert curve.vote[:, 5].tolist() == pytest.approx([1.0, 0.0])
    assert curve.any_right[1, :3].tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6])


def test_a_search_is_compared_with_as_many_plain_votes_as_its_tokens_pay_for(measured):
    """40 tokens a problem pay for four votes; of p0 alone, 70 pay for more than there are."""
    found = figures(measured)
    four = (1 + 8) / 15 + 6 / 15 / 2  # of p0: 4 or 3 right of 4, or 2, a tie
    assert found["all", "plain_vote", "tokens"] == (pytest.approx(four / 2), 2)
    assert found["all", "gain_over_plain", None] == (pytest.approx((1 - four + 0) / 2), 2)
    assert found["all", "plain_any_right", "tokens"] == (pytest.approx((1 + 4 / 6) / 2), 2)
    assert found["level=2", "plain_vote", "tokens"] == (pytest.approx(1 / 6), 1)
    assert ("level=1", "plain_vote", "tokens") not in found
    assert found["all", "plain_vote", "3N"] == (pytest.approx(0.5), 2)
    assert found["all", "plain_any_right", "N"] == (pytest.approx((14 / 15 + 1 / 3) / 2), 2)
    (gain,) = [r for r in measured if r.metric == "gain_over_plain" and r.bin == "all"]
    assert (gain.against, gain.strategy, gain.budget) == ("majority", "critique", 2)


def test_what_a_verifier_reads_pays_for_no_plain_votes(problems, trees, plain):
    found = []
    for read in (0, 15):
        decisions = [
            replace(decision(problem, *CELL, correct=True, tokens=40), scored_tokens=read)
            for problem in ("p0", "p1")
        ]
        grid = build_grid(problems, decisions)
        rows = critique_figures(grid, {CELL: trees}, plain_curve(plain), {Bin(): [0, 1]}, CONFIG)
        found.append(figures(rows))
    assert found[0]["all", "plain_vote", "tokens"] == found[1]["all", "plain_vote", "tokens"]
    assert found[0] == found[1]


def test_without_plain_solutions_the_rest_is_measured(problems, trees):
    grid = build_grid(problems, [decision("p0", *CELL, correct=True, tokens=70)])
    rows = critique_figures(grid, {CELL: trees[:6]}, None, {Bin(): [0, 1]}, CONFIG)
    found = figures(rows)
    assert found["all", "right_after", "1"] == (1.0, 1)  # p1 was not searched
    assert not [key for key in found if "plain" in key[1]]
    assert plain_curve([]) is None


def test_chains_of_which_the_engine_refused_everything_are_left_out(problems, trees):
    refused = {"status": "error", "answer": None, "correct": None}
    rows = [
        replace(row, **refused) if row.problem_id == "p1" or row.trajectory_id[:3] == "p00" else row
        for row in trees
        if row.role != "critic"
    ]
    grid = build_grid(problems, [decision("p0", *CELL, correct=True, tokens=70)])
    found = figures(critique_figures(grid, {CELL: rows}, None, {Bin(): [0, 1]}, CONFIG))
    for number in "01":
        assert found["all", "right_after", number] == (1.0, 1)
    assert found["all", "any_right", "refined"] == (1.0, 1)
    cut = [replace(row, status="truncated", correct=None, answer=None) for row in rows[:4]]
    found = figures(critique_figures(grid, {CELL: cut}, None, {Bin(): [0, 1]}, CONFIG))
    assert found["all", "right_after", "1"] == (0.0, 1)
    assert found["all", "any_right", "refined"] == (0.0, 1)


def test_answers_that_cannot_be_compared_have_no_votes(make_trajectory, problems):
    grader = make_grader(ExactGraderConfig())
    rows = [make_trajectory("a", problem_id="p0"), make_trajectory("b", problem_id="p1")]
    candidates = build_candidates(problems, rows, (), grader)
    curve = plain_curve([replace(each, has_votes=False) for each in candidates])
    assert curve is not None
    assert np.isnan(curve.vote).all()
    assert not np.isnan(curve.any_right).any()


def test_tables_have_a_row_a_search_or_a_bin(measured):
    votes, attempts = critique_words(measured)
    assert [row["refined"] for row in votes] == ["0.500"]
    assert (votes[0]["first"], votes[0]["written"], votes[0]["prompts"]) == ("0.000", "40", "50")
    assert votes[0]["gain over plain"].startswith("+0.1")
    assert (attempts[0]["right by round"], attempts[0]["no verdict"]) == (".500 .500", "0.250")
    by_level, _ = critique_words(measured, kind="level")
    assert [(row["level"], row["refined"]) for row in by_level] == [("1", "1.000"), ("2", "0.000")]
    assert len(critique_tables(measured)) == 2
    assert critique_tables([row for row in measured if row.metric == "accuracy"]) == []
