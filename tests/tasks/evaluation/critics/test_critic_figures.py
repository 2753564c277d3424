"""Figures of critics against values computed by hand."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flows.pages.critic_plots import bar_groups, plot_critics
from flows.tables.critics import critic_words, critics_in, critics_summary, difficulty_summary
from schemas.evaluation import EvaluationConfig
from schemas.rows import Critique, CritiqueStep, Step
from tasks.evaluation.critics.attempts import Batch, CriticKey, join_attempts
from tasks.evaluation.critics.figures import critic_figures

CONFIG = EvaluationConfig(num_bootstrap=200)
AT = datetime(2026, 1, 1, tzinfo=UTC)
RIGHT = CritiqueStep(verdict="right", text="right")
WRONG = CritiqueStep(verdict="wrong", text="wrong")


def critique(name, solution, **fields):
    values = {
        "problem_id": solution[:2],
        "critic": "critic-0",
        "told": "nothing",
        "sample_index": 0,
        "status": "finished",
        "text": "…",
        "steps": (RIGHT, RIGHT),
        "verdict": True,
        "leaks": False,
        "temperature": 0.0,
        "seed": 1,
        "generated_tokens": 10,
        "engine": "test",
        "created_at": AT,
    }
    return Critique(critique_id=name, trajectory_id=solution, **{**values, **fields})


@pytest.fixture
def solutions(make_trajectory):
    """p0: two right ones and a wrong one; p1: two wrong ones; p2: one that was never critiqued."""
    rights = {"p0a": True, "p0b": True, "p0c": False, "p1a": False, "p1b": False, "p2a": True}
    return [
        make_trajectory(name, problem_id=name[:2], sample_index=i, correct=is_right)
        for i, (name, is_right) in enumerate(rights.items())
    ]


@pytest.fixture
def batch(make_trajectory):
    def attempt(name, parent, given, correct, **fields):
        return make_trajectory(
            name,
            problem_id=parent[:2],
            role="refinement",
            strategy="refinement" if given else "retry",
            parent_id=parent,
            branch_step=0,
            critique_id=given,
            correct=correct,
            **{"steps": (Step(text="new", num_tokens=3),), "generated_tokens": 20, **fields},
        )

    flags = {"steps": (RIGHT, WRONG), "first_error": 1, "verdict": False}
    critiques = [
        critique("c1", "p0a"),
        critique("c2", "p0b", **flags, leaks=True),
        critique("c3", "p0c", **flags, generated_tokens=30),
        critique("c4", "p1a", steps=(), verdict=None, fault="it judges 0 steps of 2"),
        critique("c5", "p1b", verdict=True, fault="it judges 7 steps of 2"),
        critique("c6", "p9z"),
    ]
    same = {
        "steps": (Step(text="2 + 2 = 4\n", num_tokens=6), Step(text=" Answer: 4 ", num_tokens=3))
    }
    attempts = [
        attempt("a1", "p0a", "c1", True, **same),
        attempt("a2", "p0b", "c2", False),
        attempt("a3", "p0c", "c3", True),
        attempt("a4", "p0c", "c3", False),
        attempt("a5", "p1a", "c4", True),
        attempt("a6", "p1b", "c5", None, status="error", steps=()),
        attempt("r1", "p0a", None, True),
        attempt("r2", "p0c", None, False),
        attempt("r3", "p1a", None, False),
    ]
    return Batch(critiques, attempts)


@pytest.fixture
def problems(make_problem):
    return [make_problem("p0", level=1), make_problem("p1", level=3), make_problem("p2", level=3)]


TRUTH = {
    "checker": {
        "p0a": ("ok", "ok"),
        "p0b": ("ok", "ok"),
        "p0c": ("ok", "wrong"),
        "p1a": ("wrong", "after"),
        "p1b": (None, "wrong"),
    }
}


@pytest.fixture
def metrics(problems, solutions, batch):
    return critic_figures(problems, solutions, [batch], TRUTH, CONFIG)


def figures(metrics, strategy="critique", where="all", against=None):
    return {
        row.metric: row.value
        for row in metrics
        if (row.strategy, row.bin, row.against) == (strategy, where, against)
    }


def test_what_a_critic_sees(metrics):
    found = figures(metrics)
    assert found["num_critiques"] == 5
    assert found["flags_wrong"] == pytest.approx(1 / 3)  # of c3, c4, c5
    assert found["passes_right"] == pytest.approx(1 / 2)  # of c1, c2
    assert found["unreadable_rate"] == pytest.approx(2 / 5)
    assert found["leak_rate"] == pytest.approx(1 / 5)
    assert found["critique_tokens"] == pytest.approx(70 / 5)
    assert figures(metrics, where="fault=it judges N steps of N") == {
        "unreadable_rate": pytest.approx(2 / 5)
    }


def test_first_errors_against_the_truth(metrics):
    found = figures(metrics, against="checker")
    # Known: p0c (found), p1a (no step judged); p0a (passed), p0b (flagged). p1b has a gap.
    assert found["first_error_accuracy"] == pytest.approx(1 / 2)
    assert found["flawless_accuracy"] == pytest.approx(1 / 2)
    assert found["first_error_f1"] == pytest.approx(1 / 2)


def test_accuracy_before_and_after(metrics):
    found = figures(metrics)
    # p0: before 1, 1, 0; after 1, 0, 1/2. p1: p1a alone has an attempt that counts, 0 and 1.
    assert found["accuracy_before"] == pytest.approx((2 / 3 + 0) / 2)
    assert found["accuracy_after"] == pytest.approx((1 / 2 + 1) / 2)
    gain = figures(metrics, against="first_attempt")["gain_over"]
    assert gain == pytest.approx(3 / 4 - 1 / 3)
    assert found["wrong_to_right"] == pytest.approx(2 / 3)  # a3, a4, a5
    assert found["right_to_wrong"] == pytest.approx(1 / 2)  # a1, a2
    assert found["copy_rate"] == pytest.approx(1 / 5)
    assert found["untried_rate"] == pytest.approx(1 / 5)  # p1b
    assert found["attempt_tokens"] == pytest.approx(20)


def test_the_control_beside_it(metrics):
    found = figures(metrics, "retry")
    assert found["accuracy_before"] == pytest.approx((1 / 2 + 0) / 2)
    assert found["accuracy_after"] == pytest.approx((1 / 2 + 0) / 2)
    assert found["wrong_to_right"] == 0
    # p0a: 1 - 1, p0c: 1/2 - 0, so 1/4 in the mean; p1a: 1 - 0.
    assert figures(metrics, against="retry")["gain_over"] == pytest.approx((1 / 4 + 1) / 2)


def test_bins_are_levels_and_fifths_of_the_pass_rate_over_all_samples(metrics):
    assert figures(metrics, where="level=1")["accuracy_before"] == pytest.approx(2 / 3)
    assert figures(metrics, where="level=3")["accuracy_after"] == 1
    easy, hard = "oracle_quintile=1", "oracle_quintile=3"  # two critiqued problems
    assert figures(metrics, where=easy)["num_critiques"] == 3
    assert figures(metrics, where=hard)["flags_wrong"] == 0
    assert {row.bin for row in metrics if row.bin.startswith("oracle")} == {easy, hard}


def test_intervals_resample_problems(metrics):
    (row,) = [m for m in metrics if (m.metric, m.bin) == ("flags_wrong", "all")]
    assert (row.ci_low, row.ci_high) == (0, 1)  # either problem alone has 1/1 or 0/2
    assert row.num_problems == 2


def test_critics_are_told_apart(solutions, batch, make_trajectory):
    hot = [critique("h1", "p0a", told="answer", temperature=1.0)]
    other = make_trajectory(
        "o1", role="refinement", parent_id="p0a", critique_id="h1", policy="actor-1"
    )
    joined = join_attempts(
        {row.trajectory_id: row for row in solutions}, [batch, Batch(hot, [other])]
    )
    assert set(joined) == {
        CriticKey("policy-0", "critic-0", "nothing"),
        CriticKey("policy-0", "critic-0", "answer,t=1,actor=actor-1"),
    }


def test_attempts_of_two_actors_with_the_same_critiques_are_told_apart(solutions, batch):
    others = [
        replace(row, trajectory_id=f"o{row.trajectory_id}", policy="actor-1", correct=False)
        for row in batch.attempts[:2]
    ]
    both = Batch(batch.critiques, [*batch.attempts, *others])
    joined = join_attempts({row.trajectory_id: row for row in solutions}, [both])
    own = CriticKey("policy-0", "critic-0", "nothing")
    other = CriticKey("policy-0", "critic-0", "nothing,actor=actor-1")
    assert set(joined) == {own, other}

    def refined(key):
        return [[a.is_right for a in each.refined] for each in joined[key]]

    assert refined(own) == [[True], [False], [True, False], [True], []]
    # Solutions at which this actor did not try are among its own, so that they count as untried.
    assert refined(other) == [[False], [False], [], [], []]
    assert not any(each.retried for each in joined[other])


def test_the_controls_of_all_units_of_a_critic_count(solutions, batch):
    """A critic that read the wrong solutions first, and later all of them, with a control."""
    early = Batch([critique("e3", "p0c")], [])
    joined = join_attempts({row.trajectory_id: row for row in solutions}, [early, batch])
    (critiqued,) = joined.values()
    found = {each.row.trajectory_id: len(each.retried) for each in critiqued}
    assert found == {"p0a": 1, "p0b": 0, "p0c": 1, "p1a": 1, "p1b": 0}


def test_several_critiques_of_a_solution_have_one_control(solutions, batch):
    twice = Batch([*batch.critiques, critique("c7", "p0a", sample_index=1)], batch.attempts)
    joined = join_attempts({row.trajectory_id: row for row in solutions}, [twice])
    (critiqued,) = joined.values()
    assert len(critiqued[0].critiques) == 2
    assert len(critiqued[0].retried) == 1


def test_without_second_attempts_there_are_only_verdicts(problems, solutions, batch):
    found = critic_figures(problems, solutions, [Batch(batch.critiques, [])], {}, CONFIG)
    assert {row.metric for row in found} == {
        *("num_critiques", "flags_wrong", "passes_right"),
        *("unreadable_rate", "leak_rate", "critique_tokens"),
    }


def test_nothing_is_measured_without_critiques(problems, solutions):
    assert critic_figures(problems, solutions, [], {}, CONFIG) == []
    assert critics_summary([]) is None
    assert difficulty_summary([]) is None


def test_the_sentence_says_what_was_found(metrics):
    (critic,) = critics_in(metrics)
    assert critic_words(metrics, critic) == (
        "critic-0: 5 critiques: flags 0.333 of the wrong solutions, passes 0.500 of the right "
        "ones, locates 0.500 of the first errors (against checker). Accuracy 0.333 before, 0.750 "
        "after, 0.250 after a retry without a critique; wrong → right 0.667 (0.000), "
        "right → wrong 0.500 (0.000). Unreadable 0.400 (it judges N steps of N 0.400), leaks "
        "0.200, copies of the first attempt 0.200; 14 tokens a critique, 20 a second attempt."
    )


def test_a_control_alone_is_said_as_well(problems, solutions, batch):
    retries = [row for row in batch.attempts if row.critique_id is None]
    found = critic_figures(problems, solutions, [Batch(batch.critiques, retries)], {}, CONFIG)
    (critic,) = critics_in(found)
    assert (
        "Accuracy 0.250 before, 0.250 after a retry without a critique; wrong → right 0.000, "
        "right → wrong 0.000. Unreadable"
    ) in critic_words(found, critic)
    names = [words for words, _, _ in bar_groups(found)]
    assert names == ["first attempt", "again, without a critique"]


def test_tables_and_pictures(metrics, tmp_path):
    table = critics_summary(metrics)
    assert table is not None
    rows = zip(*(column.cells for column in table.columns), strict=True)
    lines = ["".join(map(str, cells)) for cells in rows]
    assert "flags wrong0.333 [dim].00-1.00[/dim]" in lines
    assert "right after, retry0.250 [dim].00-.50[/dim]" in lines
    by_level = difficulty_summary(metrics)
    assert by_level is not None
    assert by_level.title == "Critics by level"
    assert by_level.row_count == 2
    by_fifth = difficulty_summary(metrics, "oracle_quintile")
    assert by_fifth is not None
    assert difficulty_summary(metrics, "subject") is None
    plot_critics(metrics, tmp_path / "critics.png")
    assert (tmp_path / "critics.png").stat().st_size > 10_000
    with pytest.raises(ValueError, match="expected accuracies of second attempts"):
        plot_critics([], tmp_path / "none.png")
