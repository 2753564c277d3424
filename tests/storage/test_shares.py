"""How rows ended: the same counts from files and by the views, and by hand."""

import random

import pytest

from schemas.rows import Step, StepLabel
from storage import connect
from storage.compaction import compact
from storage.shares import RowShares, count_labels, count_rows


@pytest.fixture
def solved(store, unit_of, make_problem, make_trajectory):
    """Random rows of every status in two files; the second is committed with none of its own."""
    rng = random.Random(3)
    store.commit(unit_of("problems", stage="problems"), [make_problem("p0")])
    rows = []
    for index in range(60):
        answer = rng.choice(("4", None))
        rows.append(
            make_trajectory(
                f"t{index}",
                status=rng.choice(("finished", "finished", "truncated", "error")),
                answer=answer,
                correct=rng.choice((True, False, None)),
                steps=tuple(Step(text="x\n", num_tokens=2) for _ in range(rng.randrange(7))),
            )
        )
    store.commit(unit_of("trajectories", "u0"), rows[:35])
    store.commit(unit_of("trajectories", "u1"), rows[35:])
    return store, rows


def test_files_and_view_count_alike_and_as_by_hand(solved):
    store, rows = solved
    paths = store.files("trajectories", run_id="run", stage="sampling")
    counted = count_rows(store, paths)
    ended = [row for row in rows if row.status in ("finished", "truncated")]
    steps = sorted(len(row.steps) for row in ended)
    assert counted == RowShares(
        num_rows=60,
        num_errors=60 - len(ended),
        num_ended=len(ended),
        num_truncated=sum(row.status == "truncated" for row in ended),
        num_answerless=sum(row.answer is None for row in ended),
        num_blank=sum(row.answer is None and row.status == "finished" for row in ended),
        num_ungraded=sum(row.correct is None for row in ended),
        num_unjudged=sum(row.correct is None and row.answer is not None for row in ended),
        steps=tuple(steps),
    )
    names = (
        "num_rows, num_ended, num_errors, num_truncated, num_answerless, num_ungraded, "
        "num_one_step, truncated_share, one_step_share, median_steps, p95_steps"
    )
    (found,) = connect(store.url).sql(f"select {names} from row_shares").fetchall()
    assert found == (
        counted.num_rows,
        counted.num_ended,
        counted.num_errors,
        counted.num_truncated,
        counted.num_answerless,
        counted.num_ungraded,
        counted.num_one_step,
        pytest.approx(counted.share(counted.num_truncated)),
        pytest.approx(counted.one_step_share),
        counted.steps_at(0.5),
        counted.steps_at(0.95),
    )


def test_parts_add_up_and_a_folded_file_counts_the_same(solved):
    store, _ = solved
    paths = store.files("trajectories", run_id="run", stage="sampling")
    whole = count_rows(store, paths)
    assert count_rows(store, paths[:1]) + count_rows(store, paths[1:]) == whole
    assert count_rows(store, []) == RowShares()
    assert RowShares().steps_at(0.5) is None
    compact(store)
    assert count_rows(store, paths) == whole


def test_the_median_and_the_tail_by_hand():
    shares = RowShares(num_ended=20, steps=tuple(range(1, 21)))
    assert (shares.steps_at(0.5), shares.steps_at(0.95), shares.num_one_step) == (10, 19, 1)
    assert RowShares(num_ended=1, steps=(0,)).one_step_share == 1.0


def test_rollouts_and_text_that_is_no_solution_have_no_steps_to_count(
    store, unit_of, make_trajectory
):
    rows = [
        make_trajectory("r", strategy="rollout", role="rollout", parent_id="t", branch_step=1),
        make_trajectory("j", role="judge", answer=None, correct=None),
    ]
    unit = unit_of("trajectories", stage="step_labels")
    store.commit(unit, rows)
    assert count_rows(store, [unit.path]) == RowShares(num_rows=1, num_ended=1)


def test_steps_without_a_label_are_counted(store, unit_of):
    labels = [
        StepLabel(
            trajectory_id=f"t{index // 2}",
            step_index=index % 2,
            method="m",
            completer="p",
            evidence="rollouts",
            num_rollouts=1,
            num_correct=0,
            soft=None,
            hard=hard,
            ci_low=None,
            ci_high=None,
        )
        for index, hard in enumerate((True, None, False, None, None))
    ]
    unit = unit_of("step_labels", stage="step_labels")
    store.commit(unit, labels)
    counted = count_labels(store, [unit.path])
    assert (counted.num_steps, counted.num_unlabelled, counted.unlabelled_share) == (5, 3, 0.6)
    found = connect(store.url).sql("select * exclude (run_id) from label_shares").fetchall()
    assert found == [("m", 3, 5, 3, 0.6)]


def test_ends_of_steps_that_text_would_change_are_counted_and_shown_by_a_view(
    store, make_trajectory, unit_of
):
    steps = tuple(Step(text="x\n", num_tokens=2) for _ in range(4))
    rows = [
        make_trajectory(
            "t0", steps=steps, changed_boundaries=2, token_ids=(1,) * 8, vocabulary="v"
        ),
        make_trajectory("t1", steps=steps, token_ids=(1,) * 8, vocabulary="v"),
        make_trajectory("t2", steps=steps[:1], changed_boundaries=0),
        *(
            make_trajectory(
                f"r{index}",
                strategy="rollout",
                role="rollout",
                parent_id=parent,
                branch_step=1,
                steps=steps[:1],
                token_ids=(1, 1),
                vocabulary="v",
            )
            for index, parent in enumerate(("t0", "t0", "t2"))
        ),
    ]
    unit = unit_of("trajectories", "u0")
    store.commit(unit, rows)
    counted = count_rows(store, [unit.path])
    assert (counted.num_boundaries, counted.num_changed) == (3, 2)
    found = connect(store.url).sql("select * exclude (run_id, policy) from token_boundaries")
    assert found.fetchall() == [(3, 2, pytest.approx(2 / 3), 2, 1)]
