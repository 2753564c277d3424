"""Units of labels that depend on all solutions of a question, and what is refused before any."""

import pytest

from flows.step_labels import label_steps, rollout_units, split_between
from schemas.engines import MarkovConfig
from schemas.step_labels import ConsensusConfig, MonteCarloConfig, StepLabelsJob, StoredLabelsConfig


@pytest.mark.parametrize(
    ("groups", "size", "expected"),
    [
        ("aabbcc", 2, [(0, 2), (2, 4), (4, 6)]),
        ("aaabbc", 2, [(0, 3), (3, 5), (5, 6)]),
        ("aabbcc", 3, [(0, 4), (4, 6)]),
        ("aaaa", 1, [(0, 4)]),
        ("abab", 2, [(0, 2), (2, 4)]),
        ("abc", 9, [(0, 3)]),
        ("", 2, []),
    ],
)
def test_ranges_end_between_questions(groups, size, expected):
    assert split_between(groups, size) == expected


def test_a_question_is_in_one_unit_where_its_solutions_count_together(
    store, unit_of, make_trajectory
):
    rows = [
        make_trajectory(f"t{index}", problem_id=f"p{index // 4}", sample_index=index % 4)
        for index in range(12)
    ]
    store.commit(unit_of("trajectories", name="train.00000"), rows)
    job = StepLabelsJob(policy=MarkovConfig(num_steps=4, p_right=0.8), trajectories_per_unit=3)

    def ranges(**fields):
        labels = MonteCarloConfig(**fields)
        return [u.rows for u in rollout_units(job.with_fields(labels=labels), store, "run")]

    plain = [(0, 3), (3, 6), (6, 9), (9, 12)]
    assert ranges() == ranges(search="bisection") == plain
    whole = [(0, 4), (4, 8), (8, 12)]
    assert ranges(search="omega") == ranges(min_progress=0.8) == whole
    assert ranges(rollouts_by_rate={}) == whole


def test_a_consensus_with_labels_that_do_not_exist_is_refused(
    store, prefect_server, unit_of, make_problem
):
    store.commit(unit_of("problems", name="train", stage="problems"), [make_problem()])
    second = StoredLabelsConfig(method="human", run_id="other")
    job = StepLabelsJob(
        policy=MarkovConfig(num_steps=4, p_right=0.8), labels=ConsensusConfig(second=second)
    )
    with pytest.raises(ValueError, match="expected step labels 'human' in run other, got no step"):
        label_steps(job, store.url, "run")
