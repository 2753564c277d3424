"""Relations read from hand-written rows of an experiment's run and of its parts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from schemas.experiments import (
    AnswersForTokens,
    Combined,
    Constant,
    DecidedAnswers,
    Relation,
    SolvedShare,
    StoredFigure,
    TokensSpent,
)
from schemas.experiments.rest import RestExperimentConfig
from schemas.rows import Decision, Metric, Step, StepLabel
from tasks.evaluation.relations import NotMeasured, StoredFigures, measure

RUN = "r"
CONFIG = RestExperimentConfig()
NUM_PROBLEMS = 12


def metric(name, value, **fields):
    values = {"policy": "p", "verifier": None, "strategy": "vote", "budget": None, "bin": "all"}
    ends = {"ci_low": value - 0.1, "ci_high": value + 0.1, "num_problems": 9}
    return Metric(metric=name, value=value, **{**values, **ends, **fields})


def decision(index, strategy, correct, **fields):
    values = {
        "set_name": "eval",
        "policy": "p",
        "verifier": None,
        "budget": 4,
        "pick": "majority",
        "is_main": True,
        "status": "decided",
        "trajectory_id": None,
        "answer": "4",
        "num_candidates": 4,
        "num_finished": 4,
        "num_rows": 4,
        "prompt_tokens": 1,
        "cached_tokens": 0,
        "generated_tokens": 10,
        "scored_tokens": 5,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Decision(
        problem_id=f"p{index}", strategy=strategy, correct=correct, **{**values, **fields}
    )


@pytest.fixture
def figures(store, unit_of, make_problem, make_trajectory):
    """What relations read, of a run `r` and of its parts `loop`, `beams` and `samples`."""

    def commit(table, rows, part="", **fields):
        run = f"{RUN}.{part}" if part else RUN
        store.commit(unit_of(table, run_id=run, **fields), rows)

    problems = [make_problem(f"p{i}", level=1 + i % 2) for i in range(NUM_PROBLEMS)]
    for part in ("loop", "beams"):
        commit("problems", problems, part, stage="problems", name="eval")
    commit(
        "metrics",
        [
            metric("error", 0.3, bin="n=8", arm="seed=0"),
            metric("error", 0.5, bin="n=8", arm="seed=1"),
            metric("error", 0.1, bin="n=64", arm="seed=0"),
            metric("error", 0.2, bin="n=64", arm="seed=1"),
        ],
        stage="experiment_test",
    )
    commit(
        "metrics",
        [
            metric("accuracy", 0.8, strategy="weighted[min]", budget=16),
            metric("accuracy", 0.7, strategy="weighted[last]", budget=16),
            metric("accuracy", 0.5, strategy="majority", budget=16),
            metric("gain_over", 0.3, strategy="weighted[min]", budget=16, against="majority"),
        ],
        "samples",
        stage="evaluation",
    )
    commit(
        "metrics",
        [
            metric("pass@1", 0.0, policy=f"m{number}", bin=f"round={number}", arm="rest")
            for number in (0, 1, 2, 10)
        ],
        "loop",
        stage="rest",
    )
    commit(
        "trajectories",
        [
            make_trajectory(
                f"{policy}-{i}-{k}", problem_id=problem, policy=policy, correct=right, round=0
            )
            for policy, num_right in (("m0", 1), ("m1", 3), ("m10", 4))
            for i, problem in enumerate([*(p.problem_id for p in problems), "training"])
            for k, right in enumerate([True] * num_right + [False] * (4 - num_right))
        ],
        "loop",
    )
    commit(
        "decisions",
        [
            decision(i, strategy, correct, pick=pick, is_main=pick == "majority")
            for i in range(NUM_PROBLEMS)
            for strategy, correct, pick in (
                ("beam[width=2] by verifier[min]", i >= 3, "majority"),
                ("beam[width=2] by verifier[min]", False, "likelihood"),
                ("best_of_n", i >= 9, "majority"),
            )
        ]
        + [decision(0, "dvts", None), decision(1, "dvts", True)],
        "beams",
        stage="search",
    )
    return StoredFigures(store, RUN)


def relation(larger, smaller, **fields):
    values = {"name": "x", "claim": "X", "paper": "P", "published": "no figure"}
    return Relation(larger=larger, smaller=smaller, **{**values, **fields})


def row_of(figures, larger, smaller, **fields):
    found = relation(larger, smaller, **fields)
    return measure(found, figures, CONFIG, cost=figures.cost(), command="stepmill experiment x")


def test_a_stored_figure_is_the_only_row_with_its_columns(figures):
    figure = StoredFigure(
        label="x", part="samples", metric="accuracy", strategy="weighted[min]", budget=16
    )
    found = figures.read(figure)
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.7, 0.9))
    with pytest.raises(ValueError, match=r"got 2: strategy weighted\[last\]; strategy weighted"):
        figures.read(StoredFigure(label="x", part="samples", metric="accuracy", strategy="weig*"))
    with pytest.raises(NotMeasured, match=r"run r\.samples has no figure with metric accuracy"):
        figures.read(StoredFigure(label="x", part="samples", metric="accuracy", budget=64))


def test_answers_are_those_of_the_main_pick_by_problem(figures):
    beam = DecidedAnswers(label="beam", part="beams", strategy="beam*", budget=4)
    found = figures.read(beam)
    assert found.value == 9 / 12
    assert found.units == {f"p{i}": float(i >= 3) for i in range(NUM_PROBLEMS)}
    likelihood = DecidedAnswers(
        label="x", part="beams", strategy="beam*", budget=4, pick="likelihood"
    )
    assert figures.read(likelihood).value == 0.0
    hard = DecidedAnswers(label="x", part="beams", strategy="beam*", budget=4, levels=(2,))
    assert figures.read(hard).units == {f"p{i}": float(i >= 3) for i in range(1, 12, 2)}
    # An answer that could not be graded is left out.
    ungraded = DecidedAnswers(label="x", part="beams", strategy="dvts", budget=4)
    assert figures.read(ungraded).units == {"p1": 1.0}
    with pytest.raises(ValueError, match=r"expected one figure with strategy b\*"):
        figures.read(DecidedAnswers(label="x", part="beams", strategy="b*", budget=4))


def test_answers_for_equal_tokens_lie_between_two_budgets(store, unit_of):
    """100 and 400 tokens a problem at N = 2 and 8: 200 tokens are half way in their logarithm."""
    rows = [
        decision(i, name, correct, budget=budget, generated_tokens=tokens, scored_tokens=tokens)
        for i in range(NUM_PROBLEMS)
        for name, budget, tokens, correct in (
            ("vote", 2, 50, False),
            ("vote", 8, 200, i % 2 == 0),
            ("tree", 4, 100, True),
            ("forest", 4, 999, True),
        )
    ]
    unit = unit_of("decisions", name="x", run_id=f"{RUN}.beams", stage="search")
    store.commit(unit, rows)
    figures = StoredFigures(store, RUN)
    tree, forest, vote = (
        DecidedAnswers(label=name, part="beams", strategy=name, budget=4)
        for name in ("tree", "forest", "vote")
    )
    figure = AnswersForTokens(label="vote", search=vote, budgets=(8, 2), spent=tree)
    found = figures.read(figure)
    assert found.units == pytest.approx({f"p{i}": 0.5 * (i % 2 == 0) for i in range(NUM_PROBLEMS)})
    row = row_of(figures, tree, figure)
    assert (row.larger_value, row.smaller_value, row.verdict) == (1.0, 0.25, "holds")
    with pytest.raises(NotMeasured, match=r"N with 100, 400 tokens .* do not enclose 1998"):
        figures.read(replace(figure, spent=forest))


def test_solutions_are_those_of_the_policy_of_a_round_on_held_out_problems(figures):
    first = SolvedShare(label="x", part="loop", arm="rest", round="0")
    assert figures.read(first).units == {f"p{i}": 0.25 for i in range(NUM_PROBLEMS)}
    last = SolvedShare(label="x", part="loop", arm="rest")  # round 10 comes after round 2
    assert figures.read(last).value == 1.0
    with pytest.raises(NotMeasured, match="arm rest: there is no round 3"):
        figures.read(SolvedShare(label="x", part="loop", arm="rest", round="3"))
    with pytest.raises(NotMeasured, match=r"run r.loop has no arm 'rset'"):
        figures.read(SolvedShare(label="x", part="loop", arm="rset"))


def test_a_relation_is_paired_by_problem_where_both_sides_have_problems(figures):
    row = row_of(
        figures,
        DecidedAnswers(label="beam", part="beams", strategy="beam*", budget=4),
        SolvedShare(label="first policy", part="loop", arm="rest", round="0"),
        claim="beam search helps",
        details="search.md",
    )
    assert (row.larger_value, row.smaller_value, row.difference) == (0.75, 0.25, 0.5)
    assert (row.num_units, row.rule) == (12, "paired by problem, bootstrap")
    assert row.difference_low is not None
    assert 0 < row.difference_low < 0.5
    assert (row.verdict, row.reason) == ("holds", None)
    assert (row.experiment, row.size, row.details) == ("rest", "whole", "search.md")


def test_repetitions_are_paired_by_their_column(figures):
    few, many = (
        StoredFigure(label=n, metric="error", bin=f"n={n}", per="arm") for n in ("8", "64")
    )
    row = row_of(figures, few, many, point="n = 8 against 64")
    # Differences .2 and .3.
    assert row.difference == pytest.approx(0.25)
    assert row.difference_high == pytest.approx(0.25 + 12.7062047 * 0.05)
    assert (row.verdict, row.num_units) == ("within the noise", 2)


def test_a_stored_gain_is_the_difference(figures):
    sides = [
        StoredFigure(label=s, part="samples", metric="accuracy", strategy=s, budget=16)
        for s in ("weighted[min]", "majority")
    ]
    gain = StoredFigure(label="gain", part="samples", metric="gain_over", strategy="weighted[min]")
    row = row_of(figures, *sides, difference=gain, margin=0.1)
    assert (row.difference, row.difference_low, row.difference_high) == pytest.approx(
        (0.3, 0.2, 0.4)
    )
    assert row.verdict == "holds"
    assert row_of(figures, *sides, difference=gain, margin=0.25).verdict == "within the noise"
    assert row_of(figures, *reversed(sides)).verdict == "does not hold"


def test_a_side_that_was_not_measured_has_no_verdict_and_a_reason(figures):
    row = row_of(
        figures,
        Constant(label="published", value=0.7),
        StoredFigure(label="best of 64", part="samples", metric="accuracy", budget=64),
    )
    assert (row.larger_value, row.smaller_value, row.difference, row.verdict) == (
        0.7,
        None,
        None,
        None,
    )
    assert row.reason == (
        "best of 64: run r.samples has no figure with metric accuracy, budget 64, bin all"
    )


def test_the_cost_is_that_of_all_parts_and_of_no_other_run(
    figures, store, unit_of, make_trajectory
):
    for run in ("r2", "other"):
        store.commit(unit_of("trajectories", run_id=run), [make_trajectory(run)])
    # 3 policies x 13 problems x 4 solutions of 9 tokens.
    assert StoredFigures(store, RUN).cost().tokens == 3 * 13 * 4 * 9
    given = StoredFigures(store, RUN, {"sweep": "other"})
    assert given.cost().tokens == 3 * 13 * 4 * 9 + 9


def test_a_share_of_a_gain_is_combined_problem_by_problem(figures):
    first = SolvedShare(label="first", part="loop", arm="rest", round="0")  # 1/4 of each problem
    last = SolvedShare(label="last", part="loop", arm="rest", round="10")  # 1 of each
    share = Combined(label=".7 of the gain", terms=((0.3, first), (0.7, last)))
    found = figures.read(share)
    assert found.value == pytest.approx(0.3 * 0.25 + 0.7)
    assert found.units.keys() == {f"p{i}" for i in range(NUM_PROBLEMS)}
    row = row_of(figures, last, share)
    assert (row.difference, row.num_units) == (pytest.approx(0.225), 12)
    number = Combined(label="x", terms=((1, share), (-1, Constant(label="c", value=0.5))))
    assert figures.read(number).units is None
    missing = Combined(label="x", terms=((1, SolvedShare(label="x", part="loop", arm="no")),))
    with pytest.raises(NotMeasured, match="has no arm 'no'"):
        figures.read(missing)


def test_tokens_of_a_label_count_each_labelled_prefix_once(
    figures, store, unit_of, make_trajectory
):
    def steps(*texts):
        return tuple(Step(text=text, num_tokens=1) for text in texts)

    solutions = [
        make_trajectory("a", problem_id="p0", steps=steps("1\n", "2\n", "3")),
        make_trajectory("b", problem_id="p0", steps=steps("1\n", "x\n", "y")),
        make_trajectory("c", problem_id="p1", steps=steps("1\n", "2")),
        make_trajectory("d", problem_id="p2", steps=steps("1\n", "2")),
    ]
    rollouts = [
        make_trajectory(
            f"r{i}", problem_id=p, role="rollout", parent_id=parent, branch_step=1,
            steps=steps("z"), generated_tokens=tokens,
        )
        for i, (p, parent, tokens) in enumerate([("p0", "a", 8), ("p0", "b", 4), ("p1", "c", 6)])
    ]  # fmt: skip

    def label(name, index, hard):
        return StepLabel(
            trajectory_id=name, step_index=index, method="m", completer="p", num_rollouts=1,
            num_correct=1, soft=1.0, hard=hard, ci_low=None, ci_high=None, evidence="rollouts",
        )  # fmt: skip

    # Of p0 the prefixes `1`, `1 2` and `1 x` are labelled, of p1 and p2 the prefix `1`; no other
    # is. That of p2 took no rollout: its own solution is right.
    labels = [
        label("a", 0, True), label("b", 0, True), label("a", 1, False), label("b", 1, False),
        label("a", 2, None), label("c", 0, True), label("d", 0, True),
    ]  # fmt: skip
    where = {"run_id": f"{RUN}.labels"}
    store.commit(unit_of("trajectories", **where), solutions)
    store.commit(unit_of("trajectories", stage="step_labels", **where), rollouts)
    store.commit(unit_of("step_labels", stage="step_labels", **where), labels)
    found = StoredFigures(store, RUN)
    spent = TokensSpent(label="x", part="labels", stage="step_labels")
    assert found.read(spent).units == {"p0": 12.0, "p1": 6.0, "p2": 0.0}
    each = TokensSpent(label="x", part="labels", stage="step_labels", per_label=True, times=0.5)
    assert found.read(each).units == {"p0": 2.0, "p1": 3.0, "p2": 0.0}
