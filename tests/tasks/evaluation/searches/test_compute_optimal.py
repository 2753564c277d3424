"""Choosing a strategy by difficulty on one fold and reporting it on the other, by hand."""

import numpy as np
import pytest

from tasks.evaluation.searches.compute_optimal import best_cell, name_thresholds, select_by_fold

NAN = float("nan")
# Four easy problems and four hard ones; folds 0, 0, 1, 1 in each. Cells: cheap, costly, costlier.
LEVELS = ["1"] * 4 + ["2"] * 4
FOLDS = [0, 0, 1, 1] * 2
CORRECT = np.array(
    [
        [1, 1, 0],
        [1, 0, 0],
        [1, 1, 1],
        [0, 1, 1],
        [0, 0, 1],
        [0, 1, 1],
        [0, 1, 0],
        [0, 1, 0],
    ],
    dtype=float,
)
TOKENS = np.tile([10.0, 20.0, 40.0], (8, 1))


def select(correct=CORRECT, levels=LEVELS, allowed=(0, 1, 2), limit=None):
    return select_by_fold(correct, TOKENS, levels, FOLDS, allowed=allowed, limit=limit)


def test_each_fold_is_reported_with_what_was_best_on_the_other():
    """Level 1: fold 1 chooses `costly` (1 against .5, cheaper than `costlier`) for fold 0.

    Fold 0 chooses `cheap` for fold 1. Level 2: fold 1 chooses `costly`, fold 0 `costlier`.
    """
    selection = select()
    assert selection.cells.tolist() == [1, 1, 0, 0, 1, 1, 2, 2]
    assert selection.take(CORRECT).tolist() == [1, 0, 1, 0, 0, 1, 0, 0]
    assert selection.take(TOKENS).tolist() == [20, 20, 10, 10, 20, 20, 40, 40]
    choices = [(c.level, c.fold, c.cell, c.accuracy, c.num_problems) for c in selection.choices]
    assert choices == [
        ("1", 0, 1, 1.0, 2),
        ("1", 1, 0, 1.0, 2),
        ("2", 0, 1, 1.0, 2),
        ("2", 1, 2, 1.0, 2),
    ]


def test_the_limit_keeps_out_what_takes_more_tokens_than_its_cell():
    assert select(limit=1).cells.tolist() == [1, 1, 0, 0, 1, 1, 1, 1]
    assert select(limit=0).cells.tolist() == [0] * 8


def test_only_allowed_cells_are_chosen():
    assert set(select(allowed=(0, 2)).cells.tolist()) == {0, 2}


def test_a_level_that_one_fold_lacks_takes_what_is_best_on_all_of_the_other_fold():
    levels = ["1", "1", "1", "1", "2", "2", None, None]
    selection = select(levels=levels)
    assert selection.cells[4:6].tolist() == [1, 1]  # chosen by the easy problems of fold 1
    assert selection.cells[6:].tolist() == [-1, -1]
    assert np.isnan(selection.take(CORRECT)[6:]).all()


def test_of_equal_cells_the_cheapest_wins_and_then_the_first():
    correct = np.array([[0.0, 1.0, 1.0, 1.0]])
    assert best_cell(correct, np.array([[1.0, 9.0, 5.0, 5.0]]), [0, 1, 2, 3]) == 2
    assert best_cell(correct, np.array([[1.0, 5.0, 5.0, 5.0]]), [3, 1, 2, 0]) == 1


def test_what_was_not_measured_cannot_be_chosen():
    correct = np.array([[NAN, 0.0], [NAN, NAN]])
    tokens = np.array([[1.0, 1.0], [NAN, NAN]])
    assert best_cell(correct, tokens, [0, 1]) == 1
    assert best_cell(correct[:, :1], tokens[:, :1], [0]) is None
    nothing = np.full((8, 3), NAN)
    selection = select(correct=nothing)
    assert selection.choices == ()
    assert np.isnan(selection.take(nothing)).all()


@pytest.mark.parametrize(
    ("solve_rate", "name"),
    [(1.0, "easy"), (0.5, "easy"), (0.49, "medium"), (0.1, "medium"), (0.09, "hard"), (0, "hard")],
)
def test_thresholds_are_absolute(solve_rate, name):
    assert name_thresholds([solve_rate, None]) == [name, None]
