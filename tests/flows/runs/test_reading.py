"""Which files of solutions a model reads, and the names of its units."""

import pytest

from flows.runs.reading import reading_units
from schemas.rows import PROBLEMS, STEP_SCORES, TRAJECTORIES
from schemas.unit_names import SolutionsGroup
from schemas.units import derive_id

ROUND = SolutionsGroup.of_round("train", 1, "policy-0")


@pytest.fixture
def sampled(store, unit_of, make_problem, make_trajectory):
    """Solutions of two policies in round 1, of one in round 2, and of another set."""
    store.commit(unit_of(PROBLEMS.name, name="train", stage="problems"), [make_problem()])
    groups = [
        ROUND,
        SolutionsGroup.of_round("train", 1, "policy-1"),
        SolutionsGroup.of_round("train", 2, "policy-0"),
        SolutionsGroup("eval"),
    ]
    for group in groups:
        store.commit(unit_of(TRAJECTORIES.name, name=f"{group}.00000"), [make_trajectory()])
    store.commit(unit_of(TRAJECTORIES.name, name=f"{ROUND}.00001"), [make_trajectory()])
    return store


def test_a_reader_has_a_unit_per_file_of_one_round_and_policy(sampled):
    units = reading_units(
        sampled, "run", set_name="train", group=ROUND, reader="critic", table=STEP_SCORES
    )
    digest = derive_id("critic")
    assert [unit.path for unit in units] == [
        f"step_scores/run_id=run/stage=scoring/{ROUND}.0000{index}-{digest}.parquet"
        for index in (0, 1)
    ]
    assert units[1].inputs == (
        f"trajectories/run_id=run/stage=sampling/{ROUND}.00001.parquet",
        "problems/run_id=run/stage=problems/train.parquet",
    )


def test_without_a_group_all_solutions_of_the_set_are_read(sampled):
    units = reading_units(
        sampled, "run", set_name="train", group=None, reader="critic", table=STEP_SCORES
    )
    assert len(units) == 4
    with pytest.raises(ValueError, match="no sampled solutions of the set 'test'"):
        reading_units(
            sampled, "run", set_name="test", group=None, reader="critic", table=STEP_SCORES
        )
