"""Which labels a row's steps get, and which rows are trained on."""

import pytest

from schemas.training.prm import PrmTrainingConfig
from tasks.training.methods.prm import check_labels, choose_heldout, divide_rows, step_targets


def config(**fields):
    return PrmTrainingConfig(base_model="base", **fields)


def encoded(rows, **fields):
    import datasets

    settings = config(**fields)
    made = []
    for number, row in enumerate(rows):
        by_step, labels = step_targets(row, settings)
        is_outcome = all(label is None for label in by_step)
        made.append({"labels": labels, "is_outcome": is_outcome, "problem_id": f"p{number}"})
    return datasets.Dataset.from_list(made), settings


def test_hard_targets_are_the_hard_labels_and_unknown_steps_have_none(stepwise_row):
    row = stepwise_row("abc", [True, None, False], soft=[0.25, None, 0.0], correct=True)
    assert step_targets(row, config())[1] == [1.0, None, 0.0]


def test_soft_targets_are_fractions_and_inferred_labels_stay_hard(stepwise_row):
    row = stepwise_row("abc", [True, False, None], soft=[0.25, None, None])
    assert step_targets(row, config(targets="soft"))[1] == [0.25, 0.0, None]
    # A set of an older version has hard labels alone.
    old = {"labels": [True, False]}
    assert step_targets(old, config(targets="soft"))[1] == [1.0, 0.0]


def test_outcome_data_labels_only_the_last_step_by_the_answer(stepwise_row):
    rows = [
        stepwise_row("abc", [True, None, None], correct=correct) for correct in (True, False, None)
    ]
    made, settings = encoded(rows, data="orm", eval_fraction=0)
    train, heldout, left_out = divide_rows(made, settings)
    assert train["labels"] == [[None, None, 1.0], [None, None, 0.0]]
    assert all(train["is_outcome"])
    assert heldout is None
    assert left_out == {"unlabelled": 1}


def test_mixture_keeps_step_labels_and_limits_outcome_rows(stepwise_row):
    rows = [
        stepwise_row("abc", [True if i < 2 else None, None, None], correct=True) for i in range(10)
    ]
    made, settings = encoded(rows, data="mixture", outcome_share=0.6, eval_fraction=0)
    train, _, left_out = divide_rows(made, settings)
    step_rows = [row for row in train if not row["is_outcome"]]
    assert [row["labels"] for row in step_rows] == [[1.0, None, 1.0]] * 2
    assert len(train) - len(step_rows) == 3
    assert left_out == {"over_outcome_share": 5}


def test_labels_that_all_say_the_same_are_refused():
    import datasets

    def rows(*labels):
        return datasets.Dataset.from_dict({"labels": list(labels)})

    check_labels(rows([1.0, None], [0.0]))
    with pytest.raises(ValueError, match="got 3 labels that all are 1"):
        check_labels(rows([1.0, None], [1.0, 1.0]))
    with pytest.raises(ValueError, match="got none in 1 rows"):
        check_labels(rows([None]))


def test_the_held_out_split_is_by_problem_and_stays_when_data_grows():
    def problems(number):
        return [f"p{i}" for i in range(number) for _ in range(3)]

    held_out = choose_heldout(problems(200), eval_fraction=0.2, seed=0)
    assert 20 <= len(held_out) <= 60
    assert held_out == choose_heldout(problems(400), eval_fraction=0.2, seed=0) & set(problems(200))
    assert held_out != choose_heldout(problems(200), eval_fraction=0.2, seed=1)


def test_few_problems_still_hold_one_out_but_never_the_only_one():
    assert len(choose_heldout(["p0", "p1"], eval_fraction=0.01, seed=0)) == 1
    assert choose_heldout(["p0"], eval_fraction=0.01, seed=0) == set()
    assert choose_heldout(["p0", "p1"], eval_fraction=0, seed=0) == set()
