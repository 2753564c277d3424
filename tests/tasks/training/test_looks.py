"""What is said about a set before training starts, and what is refused."""

import pytest

from schemas.errors import NothingToLearn
from tasks.training.looks import look_at
from tasks.training.sets import read_set


@pytest.fixture
def look(make_set, prm_job, toy_tokenizer):
    """Look at rows with a verifier's job; fields of the recipe by name."""

    def at(rows, **fields):
        training_set = read_set(make_set(rows))
        return look_at(training_set, prm_job(**{"batch_size": 4, **fields}), toy_tokenizer)

    return at


def test_a_good_set_has_figures_and_no_warnings(look, toy_rows):
    found = look(toy_rows(20))
    assert found.warnings == ()
    assert found.figures["one_step_share"] == found.figures["unlabelled_step_share"] == 0.0
    assert found.figures["too_long_share"] == 0.0
    assert 0 < found.figures["training_rows"] < 20


@pytest.mark.parametrize(
    ("label", "advice"), [(False, "easier problems"), (True, "harder problems")]
)
def test_labels_that_are_all_alike_are_refused(look, stepwise_row, label, advice):
    rows = [
        stepwise_row(["1 + 1 = 2", "Answer: 2"], [label] * 2, problem_id=f"p{i}") for i in range(9)
    ]
    with pytest.raises(NothingToLearn, match=f"labels that all are {label:d}: use {advice}"):
        look(rows)


def test_soft_targets_that_are_all_alike_are_refused(look, stepwise_row):
    rows = [
        stepwise_row(["1", "2"], [True, False], soft=[0.5, 0.5], problem_id=f"p{i}")
        for i in range(9)
    ]
    assert look(rows).figures["training_rows"] > 0
    with pytest.raises(NothingToLearn, match=r"labels that all are 0\.5"):
        look(rows, targets="soft")


def test_no_labels_and_no_rows_to_train_on_are_refused(look, stepwise_row, toy_rows):
    rows = [stepwise_row(["1 + 1 = 2"], [None], correct=True, problem_id=f"p{i}") for i in range(9)]
    with pytest.raises(NothingToLearn, match="expected labelled steps to train on, got none"):
        look(rows)
    # An outcome verifier learns from the answers alone.
    graded = [{**row, "correct": bool(i % 2)} for i, row in enumerate(rows)]
    assert look(graded, data="orm").figures["training_rows"] > 0
    with pytest.raises(NothingToLearn, match=r"lower eval_fraction \(0\.999\)"):
        look(toy_rows(6), eval_fraction=0.999)


def test_only_rows_that_are_trained_on_must_differ(look, toy_rows, stepwise_row):
    """The one wrong solution is of a problem that is held out."""
    rows = [stepwise_row(["1", "2"], [True, True], problem_id=f"p{i}") for i in range(30)]
    refused = 0
    for place in range(30):
        mixed = [*rows[:place], {**rows[place], "labels": [False, False]}, *rows[place + 1 :]]
        try:
            look(mixed)
        except NothingToLearn:
            refused += 1
    kept = look([*rows[:-1], {**rows[-1], "labels": [True, False]}, *toy_rows(20)])
    assert 0 < refused < 30
    assert refused == 30 - look_training_rows(look, rows)
    assert kept.warnings == ()


def look_training_rows(look, rows):
    """The rows that are not held out, counted on labels that differ in every row."""
    return int(look([{**row, "labels": [True, False]} for row in rows]).figures["training_rows"])


def test_what_weakens_a_training_is_said_with_what_to_change(look, stepwise_row):
    rows = [
        stepwise_row(["1 + 1 = 2"], [bool(i % 2)], problem_id="p0", source_ids=[f"t{i}"])
        for i in range(6)
    ]
    found = look(rows, batch_size=8, warmup_steps=20, max_steps=10, eval_fraction=0.01)
    starts = [warning.split(":")[0] for warning in found.warnings]
    assert starts == ["separator", "eval_fraction", "batch_size", "warmup_steps"]
    assert "all solutions are a single step" in found.warnings[0]
    assert "label more problems" in found.warnings[1]
    assert "expected at most the 6 rows to train on, got 8" in found.warnings[2]
    assert "expected fewer than the 10 steps of this training, got 20" in found.warnings[3]
    assert "below 50% of their peak" in found.warnings[3]


def test_the_steps_of_a_training_follow_from_rows_batch_and_epochs(look, toy_rows):
    rows = toy_rows(20)
    num_rows = look(rows).figures["training_rows"]
    num_steps = 3 * -(-num_rows // 4)
    plan = {"max_steps": None, "epochs": 3}
    assert look(rows, **plan, warmup_steps=num_steps).warnings == ()
    (warning,) = look(rows, **plan, warmup_steps=num_steps + 1).warnings
    assert f"the {num_steps:.0f} steps" in warning


def test_unlabelled_steps_are_counted(look, stepwise_row):
    rows = [
        stepwise_row(["1", "2", "3", "4"], [True, False, None, None], problem_id=f"p{i}")
        for i in range(12)
    ]
    found = look(rows)
    assert found.figures["unlabelled_step_share"] == 0.5
    assert "50% of the steps have no label" in found.warnings[0]


def test_rows_that_are_all_too_long_are_refused_and_some_are_said(look, toy_rows, stepwise_row):
    long = stepwise_row(["1 + 1 = 2"] * 20, [True, False] * 10, problem_id="long")
    with pytest.raises(
        NothingToLearn, match="expected rows of at most 64 tokens, all 3 are longer"
    ):
        look(
            [{**long, "problem_id": f"p{i}"} for i in range(3)],
            max_length=64,
        )
    found = look(
        [*toy_rows(20), *[{**long, "problem_id": f"l{i}"} for i in range(10)]], max_length=64
    )
    assert found.figures["too_long_share"] == pytest.approx(1 / 3)
    assert "max_length: 33% of the rows have more than 64 tokens" in found.warnings[0]


def test_policies_are_looked_at_too(make_set, make_job, right_rows, pairs, start_states):
    from tasks.models.folders import load_tokenizer, resolve_model

    tokenizer = load_tokenizer(resolve_model("world-policy"))
    for rows, method in ((right_rows, "sft"), (pairs, "dpo"), (start_states, "grpo")):
        folder = make_set(rows, name=method)
        fields = {"batch_size": 16, "group_size": 8} if method == "grpo" else {}
        job = make_job(folder, method, max_steps=4, **fields)
        assert look_at(read_set(folder), job, tokenizer).warnings == ()
        short = make_job(folder, method, max_steps=4, **fields, max_length=16)
        with pytest.raises(NothingToLearn, match="all 8 are longer: raise max_length"):
            look_at(read_set(folder), short, tokenizer)
    # Two start states make a batch of 16 solutions; a batch of 16 rows needs 16 rows.
    job = make_job(folder.parent / "sft", "sft", batch_size=16, max_steps=4)
    (warning,) = look_at(read_set(folder.parent / "sft"), job, tokenizer).warnings
    assert "expected at most the 8 rows to train on, got 16" in warning
    # PPO takes three passes over two minibatches of a draw of four states: twelve steps in all.
    fields = {"batch_size": 2, "minibatches": 2, "ppo_epochs": 3, "epochs": 1.0}
    for warmup_steps, num_warnings in ((12, 0), (13, 1)):
        job = make_job(folder.parent / "grpo", "ppo", **{**fields, "warmup_steps": warmup_steps})
        found = look_at(read_set(folder.parent / "grpo"), job, tokenizer).warnings
        assert len(found) == num_warnings
