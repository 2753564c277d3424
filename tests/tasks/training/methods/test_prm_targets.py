from pathlib import Path

import pytest

from schemas.prm_training import PrmTrainingConfig
from schemas.rows import Step, StepLabel
from tasks.prm_training.examples import (
    StepExample,
    build_examples,
    read_examples,
    split_by_problem,
    write_examples,
)

STEPS = tuple(Step(text=text, num_tokens=3) for text in ("a\n", "b\n", "c"))


def label(trajectory_id, step_index, hard, soft=None, **fields):
    values = {"method": "m", "completer": "policy-0", "evidence": "rollouts"}
    return StepLabel(
        trajectory_id=trajectory_id,
        step_index=step_index,
        num_rollouts=0,
        num_correct=0,
        soft=soft,
        hard=hard,
        ci_low=None,
        ci_high=None,
        **{**values, **fields},
    )


def build(trajectories, labels, make_problem, **config):
    return build_examples(
        problems=[make_problem("p0"), make_problem("p1")],
        trajectories=trajectories,
        step_labels=labels,
        config=PrmTrainingConfig(base_model="base", **config),
        build_prompt=lambda question: f"Q: {question}\n",
    )


def test_hard_targets_are_the_hard_labels_and_unknown_steps_have_none(
    make_problem, make_trajectory
):
    labels = [label("t0", 0, True, 0.25), label("t0", 1, None), label("t0", 2, False, 0.0)]
    made = build([make_trajectory("t0", steps=STEPS)], labels, make_problem)
    assert made.examples == (
        StepExample(
            trajectory_id="t0",
            problem_id="p0",
            prompt="Q: p0?\n",
            steps=("a\n", "b\n", "c"),
            labels=(1.0, None, 0.0),
        ),
    )
    assert made.left_out == {}


def test_soft_targets_are_fractions_and_inferred_labels_stay_hard(make_problem, make_trajectory):
    labels = [label("t0", 0, True, 0.25), label("t0", 1, False, None, evidence="inferred")]
    made = build([make_trajectory("t0", steps=STEPS)], labels, make_problem, targets="soft")
    assert made.examples[0].labels == (0.25, 0.0, None)


def test_outcome_data_labels_only_the_last_step_by_the_answer(make_problem, make_trajectory):
    trajectories = [
        make_trajectory("t0", steps=STEPS, correct=True),
        make_trajectory("t1", steps=STEPS, correct=False),
        make_trajectory("t2", steps=STEPS, correct=None),
    ]
    made = build(trajectories, [label("t0", 0, True)], make_problem, data="orm")
    assert [e.labels for e in made.examples] == [(None, None, 1.0), (None, None, 0.0)]
    assert all(e.is_outcome for e in made.examples)
    assert made.left_out == {"unlabelled": 1}


def test_mixture_keeps_step_labels_and_limits_outcome_rows(make_problem, make_trajectory):
    trajectories = [make_trajectory(f"t{i}", steps=STEPS) for i in range(10)]
    labels = [label(f"t{i}", 0, True) for i in range(2)]
    made = build(trajectories, labels, make_problem, data="mixture", outcome_share=0.6)
    step_rows = [e for e in made.examples if not e.is_outcome]
    assert [e.labels for e in step_rows] == [(1.0, None, 1.0)] * 2
    assert len(made.examples) - len(step_rows) == 3
    assert made.left_out == {"over_outcome_share": 5}


def test_what_cannot_teach_is_left_out_and_counted(make_problem, make_trajectory):
    trajectories = [
        make_trajectory("t0", steps=STEPS),
        make_trajectory("t1", status="error", steps=()),
        make_trajectory("t2", steps=()),
        make_trajectory("t3", strategy="rollout", parent_id="t0", branch_step=1),
        make_trajectory("t4", steps=STEPS),
    ]
    made = build(trajectories, [label("t0", 0, True), label("t4", 0, None)], make_problem)
    assert [e.trajectory_id for e in made.examples] == ["t0"]
    assert made.left_out == {"error": 1, "no_steps": 1, "rollout": 1, "unlabelled": 1}


def test_nothing_left_says_why(make_problem, make_trajectory):
    with pytest.raises(ValueError, match=r"all were left out: \{'unlabelled': 1\}"):
        build([make_trajectory("t0")], [], make_problem)


def test_a_label_of_a_step_that_is_not_there_names_the_trajectory(make_problem, make_trajectory):
    with pytest.raises(ValueError, match=r"trajectory t0: expected labels of its 3 steps.*step 3"):
        build([make_trajectory("t0", steps=STEPS)], [label("t0", 3, True)], make_problem)


def test_two_labels_of_one_step_are_refused(make_problem, make_trajectory):
    labels = [label("t0", 0, True), label("t0", 0, False, method="other")]
    with pytest.raises(ValueError, match="trajectory t0, step 0: expected one label, got two"):
        build([make_trajectory("t0", steps=STEPS)], labels, make_problem)


def test_a_trajectory_without_its_problem_is_refused(make_problem, make_trajectory):
    lost = make_trajectory("t0", steps=STEPS, problem_id="p9")
    with pytest.raises(ValueError, match="trajectory t0: its problem p9 is not among the 2"):
        build([lost], [label("t0", 0, True)], make_problem)


def test_labels_must_fit_the_steps():
    with pytest.raises(ValueError, match=r"trajectory t7: expected 2 step labels.*got 3"):
        StepExample(
            trajectory_id="t7",
            problem_id="p",
            prompt="",
            steps=("a", "b"),
            labels=(1.0, 0.0, None),
        )
    with pytest.raises(ValueError, match=r"trajectory t7, step 0: expected a label in \[0, 1\]"):
        StepExample(trajectory_id="t7", problem_id="p", prompt="", steps=("a",), labels=(1.5,))


def test_a_file_of_examples_gives_them_back(tmp_path: Path):
    examples = [
        StepExample(
            trajectory_id="t0",
            problem_id="p0",
            prompt="é?\n",
            steps=("a\n", "b"),
            labels=(None, 0.5),
            has_chat_template=True,
        ),
        StepExample(
            trajectory_id="t1",
            problem_id="p1",
            prompt="",
            steps=("a",),
            labels=(1.0,),
            is_outcome=True,
        ),
    ]
    write_examples(tmp_path / "new" / "examples.parquet", examples)
    assert read_examples(tmp_path / "new" / "examples.parquet") == examples


def test_the_held_out_split_is_by_problem_and_stays_when_data_grows():
    def of(num_problems):
        return [
            StepExample(
                trajectory_id=f"t{i}-{j}",
                problem_id=f"p{i}",
                prompt="",
                steps=("a",),
                labels=(1.0,),
            )
            for i in range(num_problems)
            for j in range(3)
        ]

    train, heldout = split_by_problem(of(200), eval_fraction=0.2, seed=0)
    train_problems = {e.problem_id for e in train}
    heldout_problems = {e.problem_id for e in heldout}
    assert not train_problems & heldout_problems
    assert len(train) + len(heldout) == 600
    assert 20 <= len(heldout_problems) <= 60
    more_train, _ = split_by_problem(of(400), eval_fraction=0.2, seed=0)
    assert not heldout_problems & {e.problem_id for e in more_train}
    other, _ = split_by_problem(of(200), eval_fraction=0.2, seed=1)
    assert {e.problem_id for e in other} != train_problems


def test_few_problems_still_hold_one_out_but_never_the_only_one():
    def of(*problem_ids):
        return [
            StepExample(trajectory_id=f"t{i}", problem_id=i, prompt="", steps=("a",), labels=(1.0,))
            for i in problem_ids
        ]

    train, heldout = split_by_problem(of("p0", "p1"), eval_fraction=0.01, seed=0)
    assert (len(train), len(heldout)) == (1, 1)
    train, heldout = split_by_problem(of("p0"), eval_fraction=0.01, seed=0)
    assert (len(train), len(heldout)) == (1, 0)
    assert split_by_problem(of("p0", "p1"), eval_fraction=0, seed=0)[1] == []
