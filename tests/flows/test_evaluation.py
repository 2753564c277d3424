"""Evaluation of hand-written solutions of the built-in world: the truth is in the metrics."""

from random import Random

import pytest

from schemas.engines import MarkovConfig
from schemas.evaluation import EvaluationConfig, EvaluationJob
from schemas.rows import Problem, Step, StepLabel, StepScores
from schemas.units import derive_id
from storage import connect, query
from tasks.engines.open import identify_engine

POLICY, VERIFIER = MarkovConfig(p_right=0.5), MarkovConfig(p_right=0.75)
JOB = EvaluationJob(
    policy=POLICY,
    verifier=VERIFIER,
    evaluation=EvaluationConfig(budgets=(1, 4), num_bootstrap=100),
)
SOLUTIONS = (
    ("Tuesday: [finds] 40 + 5 = 45\n", "Wednesday: [loses] 45 - 3 = 42\n", "Answer: 42"),
    ("Tuesday: [finds] 40 - 5 = 35\n", "Wednesday: [loses] 35 - 3 = 32\n", "Answer: 32"),
    ("Tuesday: [finds] 40 + 5 = 45\n", "Wednesday: [loses] 45 + 3 = 48\n", "Answer: 48"),
    ("Tuesday: [finds] 40 + 5 = 45\n", "Answer: 45"),
)
"""Right; a wrong operation in the first step; in the second; a dropped sentence."""
RIGHT_STEPS = ((True, True, True), (False,) * 3, (True, False, False), (True, False))


def world_problem(index: int) -> Problem:
    """One of several rows with the story that the solutions above solve."""
    return Problem(
        problem_id=f"p{index}",
        source="world",
        split="dev",
        question="Monday: Ana has 40 cards. Tuesday: Ana finds 5 cards. "
        "Wednesday: Ana loses 3 cards. How many cards does Ana have now?",
        answer="42",
        level=2,
        subject="no trap",
    )


@pytest.fixture
def hand_made(store, unit_of, make_trajectory):
    """A run of ten problems with four solutions each, their labels and their scores.

    Labels are true except for the first step of every second solution, which they call right.
    Scores are .5 for all steps except those with a dropped sentence (.9), the verifier's weakness.
    """
    problems = [world_problem(index) for index in range(10)]
    trajectories, labels, scores = [], [], []
    draw = Random(1)
    for problem in problems:
        for index, texts in enumerate(SOLUTIONS):
            name = f"{problem.problem_id}-{index}"
            trajectories.append(
                make_trajectory(
                    name,
                    problem_id=problem.problem_id,
                    policy=identify_engine(POLICY),
                    sample_index=index,
                    steps=tuple(Step(text=text, num_tokens=5, logprob=-1.0) for text in texts),
                    answer=texts[-1].removeprefix("Answer: "),
                    correct=index == 0,
                )
            )
            values = [0.9 if index == 3 else round(draw.uniform(0.4, 0.6), 3) for _ in texts]
            scores.append(
                StepScores(
                    trajectory_id=name,
                    verifier=identify_engine(VERIFIER),
                    scores=tuple(values),
                    scored_tokens=20,
                    cached_tokens=0,
                )
            )
            labels += [
                StepLabel(
                    trajectory_id=name,
                    step_index=step,
                    method="monte_carlo[n=8]",
                    completer="policy-0",
                    evidence="answer" if step == len(texts) - 1 else "rollouts",
                    num_rollouts=8,
                    num_correct=8,
                    soft=float(is_right),
                    hard=is_right or (index == 1 and step == 0),
                    ci_low=None,
                    ci_high=None,
                )
                for step, is_right in enumerate(RIGHT_STEPS[index])
            ]
    scored = f"eval.00000-{derive_id(identify_engine(VERIFIER))}"
    store.commit(unit_of("problems", name="eval", stage="problems"), problems)
    store.commit(unit_of("trajectories", name="eval.00000"), trajectories)
    store.commit(unit_of("step_labels", name="eval.00000-000", stage="step_labels"), labels)
    store.commit(unit_of("step_scores", name=scored, stage="scoring"), scores)
    return store


def ask(store, sql):
    return query(connect(store.root), sql).fetchall()


def test_scores_and_picks_are_held_to_the_checker(hand_made, prefect_server):
    from flows.evaluation import evaluate

    evaluate(JOB, str(hand_made.root), "run")
    picks = ask(
        hand_made,
        "select budget, bin, value from curves where metric = 'picks' and value > 0 order by all",
    )
    assert picks == [
        (1, "first_error=none", 2.5),
        (1, "first_error=skipped", 2.5),
        (1, "first_error=wrong_op", 5.0),
        (4, "first_error=skipped", 10.0),
    ]
    found = dict(
        ask(
            hand_made,
            "select bin, value from curves where metric = 'step_auc' "
            "and strategy = 'step_scores' and against = 'checker'",
        )
    )
    assert found.keys() == {"all", "steps=up_to_first_error", "kind=wrong_op"}
    assert found["steps=up_to_first_error"] < 0.5
    hidden = "select value from curves where metric = 'right_through_wrong_step'"
    assert ask(hand_made, hidden) == [(0.0,)]
    steps = "select sum(value) from curves where metric = 'num_steps'"
    assert ask(hand_made, steps) == [(10 * 11,)]
    picture = f"reports/run/reliability-eval-{derive_id(identify_engine(VERIFIER))}.png"
    assert (hand_made.root / picture).stat().st_size > 10_000


def test_labels_are_held_to_the_checker(hand_made, prefect_server):
    from flows.evaluation import evaluate_labels

    path = evaluate_labels(JOB, str(hand_made.root), "run", set_name="eval")
    found = ask(
        hand_made, "select bin, metric, value from curves where starts_with(metric, 'label_')"
    )
    assert {(bin_name, name): value for bin_name, name, value in found} == pytest.approx(
        {
            ("all", "label_agreement"): 10 / 11,
            ("all", "label_precision"): 5 / 6,
            ("all", "label_recall"): 1.0,
            ("steps=before_answer", "label_agreement"): 6 / 7,
            ("steps=before_answer", "label_precision"): 4 / 5,
            ("steps=before_answer", "label_recall"): 1.0,
        }
    )
    written = (hand_made.root / path).stat().st_mtime_ns
    assert evaluate_labels(JOB, str(hand_made.root), "run", set_name="eval") == path
    assert (hand_made.root / path).stat().st_mtime_ns == written
    with pytest.raises(ValueError, match="run run has no set 'train': expected eval"):
        evaluate_labels(JOB, str(hand_made.root), "run")


def test_without_a_checker_the_labels_are_the_reference(hand_made):
    from flows.runs.truth import known_kinds
    from schemas.units import Unit
    from tasks.evaluation.task import measure_set

    problems = "problems/run_id=run/stage=problems/eval.parquet"
    assert known_kinds(hand_made, problems) is not None
    inputs = tuple(
        str(path.relative_to(hand_made.root)) for path in sorted(hand_made.root.glob("*/*/*/*"))
    )
    unit = Unit(run_id="run", stage="evaluation", name="eval", table="metrics", inputs=inputs)
    named = JOB.with_fields(
        policy=None,
        policy_name=identify_engine(POLICY),
        verifier=None,
        verifier_name=identify_engine(VERIFIER),
    )
    rows = measure_set(unit, named, hand_made, None)
    found = {(row.against, row.bin) for row in rows if row.metric == "step_auc"}
    assert found == {
        ("monte_carlo[n=8]", "all"),
        ("monte_carlo[n=8]", "steps=up_to_first_error"),
    }
    assert not [row for row in rows if row.metric in ("picks", "right_through_wrong_step")]


def test_problems_from_elsewhere_have_no_checker(store, unit_of, make_problem):
    from flows.runs.truth import known_kinds

    unit = unit_of("problems", name="eval", stage="problems")
    store.commit(unit, [world_problem(0), make_problem("p9")])
    assert known_kinds(store, unit.path) is None
