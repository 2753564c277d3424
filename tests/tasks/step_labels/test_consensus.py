"""Consensus labels by hand, and from units of a store."""

from dataclasses import replace
from itertools import count

import pytest

from schemas.engines import MarkovConfig
from schemas.rows import Step, StepLabel
from schemas.step_labels import (
    CheckerConfig,
    ConsensusConfig,
    MonteCarloConfig,
    StepLabelsJob,
    StoredLabelsConfig,
)
from storage.labels import StoredLabels, label_methods, stored_labels
from tasks.engines.markov_engine import check_walk
from tasks.step_labels.consensus import agreed_labels, first_error, match_labels
from tasks.step_labels.units import label_unit

BY_CHECKER = ConsensusConfig(second=CheckerConfig())
T, F, N = True, False, None


def labels_of(trajectory_id, method, hard):
    return [
        StepLabel(
            trajectory_id=trajectory_id,
            step_index=index,
            method=method,
            completer="policy-0",
            evidence="rollouts",
            num_rollouts=8,
            num_correct=4,
            soft=None if label is None else 0.5,
            hard=label,
            ci_low=None,
            ci_high=None,
        )
        for index, label in enumerate(hard)
    ]


@pytest.mark.parametrize(
    ("hard", "expected"),
    [([T, T, F, T], 2), ([T, T], 2), ([F], 0), ([T, N, F], None), ([T, F, N], 1), ([], 0)],
)
def test_the_first_error_is_unknown_behind_a_step_without_a_label(hard, expected):
    assert first_error(hard) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "by_solution", "by_step"),
    [
        ([T, T, T], [T, T, T], [T, T, T], [T, T, T]),
        ([T, F, F], [T, F, F], [T, F, F], [T, F, F]),
        # The same first error, then a repair that only one sees.
        ([T, F, T], [T, F, F], [T, F, N], [T, F, N]),
        ([T, T, F], [T, F, F], N, [T, N, F]),
        ([F, F, F], [T, T, T], N, N),
        # Where one says nothing there is no agreement, and the error may be there.
        ([T, N, F], [T, T, F], N, [T, N, F]),
        ([T, F, N], [T, F, F], [T, F, N], [T, F, N]),
        ([N, N, N], [N, N, N], N, N),
    ],
)
def test_what_is_kept_by_hand(ours, theirs, by_solution, by_step):
    first = labels_of("t", "monte_carlo[n=8]", ours) + labels_of("t", "monte_carlo[n=9]", [F] * 3)
    second = labels_of("t", "second[checker]", theirs)
    for keep, expected in (("solutions", by_solution), ("steps", by_step)):
        config = BY_CHECKER.with_fields(keep=keep)
        kept = agreed_labels(first, second, config)
        assert [label.hard for label in kept] == (expected or [])
        softs = [0.5 if label is not None else None for label in expected or []]
        assert [label.soft for label in kept] == softs
        assert {label.method for label in kept} <= {config.method}


def test_a_solution_that_the_other_did_not_label_is_not_kept():
    first = labels_of("t", "monte_carlo[n=8]", [T, T])
    for keep in ("solutions", "steps"):
        assert agreed_labels(first, [], BY_CHECKER.with_fields(keep=keep)) == []


def test_stored_labels_are_matched_by_question_and_text(make_problem, make_trajectory):
    problems = {"p0": make_problem("p0", question="q"), "p1": make_problem("p1", question="r")}
    steps = tuple(Step(text=text, num_tokens=1) for text in ("a\n\n", "b\n\n", "c"))
    solutions = [
        make_trajectory("t0", steps=steps),
        make_trajectory("t1", problem_id="p1", steps=steps),
    ]
    stored = [
        StoredLabels(question="q", completer="m", steps=["a\n", "b", "d"], hard=[T, F, T]),
        StoredLabels(question="q", completer="m", steps=["a", "x"], hard=[F, T]),
        StoredLabels(question="r", completer="m", steps=["a b ", "c"], hard=[F, N]),
    ]
    labels = match_labels(problems, solutions, stored, "second[m]")
    # The two labels of `a` contradict each other; `ab` ends a step of `r`, `a` does not.
    assert [(x.trajectory_id, x.hard) for x in labels] == [
        ("t0", N),
        ("t0", F),
        ("t0", N),
        ("t1", N),
        ("t1", F),
        ("t1", N),
    ]
    assert {x.method for x in labels} == {"second[m]"}


def test_methods_name_both_labellers():
    assert BY_CHECKER.method == "consensus[monte_carlo[n=8],checker]"
    stored = BY_CHECKER.with_fields(
        second={"type": "stored", "method": "human[prm800k]", "run_id": "b"}, keep="steps"
    )
    assert stored.second == StoredLabelsConfig(method="human[prm800k]", run_id="b")
    assert stored.method == "consensus[monte_carlo[n=8],human[prm800k],steps]"
    assert stored.second_method == "second[human[prm800k]]"


@pytest.fixture
def labelled_by_unit(store, unit_of, make_trajectory, make_world):
    """A function that labels a run of twenty walks by a config; the labels."""
    world = make_world(MarkovConfig(num_steps=5, p_right=0.8), 20)
    solutions = world.solutions(make_trajectory)
    store.commit(unit_of("problems", name="train", stage="problems"), list(world.problems.values()))
    store.commit(unit_of("trajectories", name="train.00000"), solutions)
    problems = "problems/run_id=run/stage=problems/train.parquet"
    sampled = unit_of("trajectories", name="train.00000").path

    parts = count()

    def label(labels):
        job = StepLabelsJob(policy=world.config, labels=labels)
        rolled = unit_of(
            "trajectories",
            name=f"train.00000-{next(parts):03d}",
            stage="step_labels",
        )
        store.commit(rolled, world.roll_out(solutions, job.rollouts) if job.rollouts else [])
        unit = unit_of("step_labels", name=rolled.name, stage="step_labels")
        unit = replace(unit, inputs=(sampled, problems, rolled.path))
        rows = label_unit(unit, job, store, check_walk)
        store.commit(unit, rows)
        return rows

    return label


@pytest.fixture
def copy_to_another_run(store, unit_of):
    """Store the run's solutions under other ids in a run `other`, and labels of theirs."""

    def copy(labels):
        rename = {x.trajectory_id: f"copy-{x.trajectory_id}" for x in labels}
        for table, stage, name in (
            ("problems", "problems", "train"),
            ("trajectories", "sampling", "train.00000"),
        ):
            rows = store.read(unit_of(table, name=name, stage=stage).path)
            if table == "trajectories":
                rows = [replace(row, trajectory_id=rename[row.trajectory_id]) for row in rows]
            store.commit(unit_of(table, name=name, stage=stage, run_id="other"), rows)
        rows = [replace(x, trajectory_id=rename[x.trajectory_id]) for x in labels]
        unit = unit_of("step_labels", name="train.00000-000", stage="step_labels", run_id="other")
        store.commit(unit, rows)

    return copy


FEW = MonteCarloConfig(num_rollouts=2, max_rollout_tokens=100)


def test_a_unit_stores_both_labels_and_those_that_agree(labelled_by_unit):
    rows = labelled_by_unit(ConsensusConfig(first=FEW))
    by_method = {m: [r for r in rows if r.method == m] for m in {r.method for r in rows}}
    assert by_method.keys() == {
        "monte_carlo[n=2]",
        "second[checker]",
        "consensus[monte_carlo[n=2],checker]",
    }
    truth = {(r.trajectory_id, r.step_index): r.hard for r in by_method["second[checker]"]}
    kept = by_method["consensus[monte_carlo[n=2],checker]"]
    assert 0 < len(kept) < len(truth) == 120
    assert all(r.hard in (None, truth[r.trajectory_id, r.step_index]) for r in kept)


def test_labels_of_another_run_or_of_this_one_can_be_the_second(
    labelled_by_unit, copy_to_another_run, store
):
    exact = labelled_by_unit(CheckerConfig())
    assert label_methods(store, "run") == ["checker"]
    assert label_methods(store, "nowhere") == []
    second = StoredLabelsConfig(method="checker")
    rows = labelled_by_unit(ConsensusConfig(first=FEW, second=second, keep="steps"))
    found = {(r.trajectory_id, r.step_index): r.hard for r in rows if r.method == "second[checker]"}
    assert found == {(r.trajectory_id, r.step_index): r.hard for r in exact}
    by_checker = labelled_by_unit(ConsensusConfig(first=FEW, keep="steps"))
    consensus = "consensus[monte_carlo[n=2],checker,steps]"
    assert [r for r in rows if r.method == consensus] == [
        r for r in by_checker if r.method == consensus
    ]
    assert stored_labels(store, "run", "checker", questions=["Walk 0."]) == []
    copy_to_another_run(exact)
    elsewhere = second.with_fields(run_id="other")
    of_copies = labelled_by_unit(ConsensusConfig(first=FEW, second=elsewhere, keep="steps"))
    assert of_copies == rows


def test_the_rollouts_of_a_tree_are_checked_as_whole_solutions(labelled_by_unit):
    omega = FEW.with_fields(num_rollouts=8, search="omega", tree={"max_searches": 3})
    rows = labelled_by_unit(ConsensusConfig(first=omega, keep="steps"))
    consensus = [r for r in rows if r.method.startswith("consensus")]
    selected = [r for r in consensus if "-" not in r.trajectory_id]
    assert len(selected) > 50
    assert sum(r.hard is not None for r in selected) > 0.9 * len(selected)
