"""Weak to strong from stored rows: the figures, and what the relations say of them."""

import pytest

from flows.experiments.experiment import open_experiment
from flows.experiments.weak_to_strong import commit_policies, commit_verifiers
from schemas.experiments.weak_to_strong import WeakToStrongConfig
from schemas.rows import StepScores
from schemas.unit_names import ScoresName, SolutionsGroup, SolutionsName

ARMS = {"weak": 2, "student": 6, "confident": 8, "ceiling": 10}
"""How many of twelve problems each policy solves, and each verifier judges as they are."""
NAMES = {arm: f"{arm}-id" for arm in ARMS}


@pytest.fixture
def filled(store, unit_of, make_problem, make_trajectory):
    """Both parts of the run `w`: four policies' samples, and four verifiers' scores."""
    problems = [make_problem(f"p{i:02}") for i in range(12)]
    for part in ("policy", "verifier"):
        unit = unit_of("problems", "eval", stage="problems", run_id=f"w.{part}")
        store.commit(unit, problems)
    for arm, solved in ARMS.items():
        rows = [
            make_trajectory(
                f"{arm}{i}",
                problem_id=problem.problem_id,
                policy=NAMES[arm],
                correct=i < solved,
                round=0,
            )
            for i, problem in enumerate(problems)
        ]
        name = SolutionsName(SolutionsGroup.of_round("eval", 0, NAMES[arm]), 0)
        store.commit(unit_of("trajectories", str(name), run_id="w.policy"), rows)
    judged = [
        make_trajectory(f"t{i}", problem_id=p.problem_id, correct=i % 2 == 0)
        for i, p in enumerate(problems)
    ]
    solutions = SolutionsName(SolutionsGroup("eval"), 0)
    store.commit(unit_of("trajectories", str(solutions), run_id="w.verifier"), judged)
    for arm, agreed in ARMS.items():
        scores = [
            StepScores(
                trajectory_id=f"t{i}", verifier=NAMES[arm], scored_tokens=1, cached_tokens=0,
                scores=(0.9, 0.9 if (i % 2 == 0) == (i < agreed) else 0.1),
            )
            for i in range(12)
        ]  # fmt: skip
        unit = unit_of(
            "step_scores",
            str(ScoresName.by(NAMES[arm], solutions)),
            stage="scoring",
            run_id="w.verifier",
        )
        store.commit(unit, scores)
    return store


def test_figures_and_relations_are_those_of_the_rows(filled):
    config = WeakToStrongConfig.from_partial({"evaluation": {"num_bootstrap": 200}})
    with open_experiment(config, filled.url, "w") as experiment:
        for _ in range(2):  # what is committed stays as it is
            commit_policies(experiment, config, NAMES)
            commit_verifiers(experiment, config, NAMES, "policy-0")
        rows = filled.read(experiment.conclude())
    found = {(row.relation, row.point): row for row in rows}
    for point in ("pass@1 of policies", "answers that verifiers call right or wrong as they are"):
        beats = found["student_beats_teacher", point]
        assert beats.larger_value == pytest.approx(6 / 12)
        assert beats.difference == pytest.approx(4 / 12)
        assert beats.verdict == "holds"
        recovers = found["gap_is_recovered", point]
        assert recovers.larger_value == pytest.approx(0.5)
        helped = found["confidence_helps", point]
        assert helped.difference == pytest.approx(2 / 12)
    # The problems are not of the built-in world: nothing is known of their steps.
    steps = found["student_beats_teacher", "steps that verifiers call right or wrong as they are"]
    assert steps.verdict is None
    assert steps.reason is not None
