import pytest

from schemas.errors import RunConflict
from schemas.factory import FactoryConfig
from schemas.rows import RUNS
from storage import connect, query
from storage.runs import new_run_id, recorded_run


def states(store):
    sql = "select run_id, flow, state, message from run_state order by run_id"
    return query(connect(store.root), sql).fetchall()


def test_a_run_is_recorded_from_begin_to_end(store):
    with recorded_run(store, "r", "factory", FactoryConfig()) as was_begun:
        assert not was_begun
        assert states(store) == [("r", "factory", "started", None)]
    assert states(store) == [("r", "factory", "completed", None)]


def test_a_run_that_fails_says_why_and_can_go_on(store):
    with pytest.raises(OSError, match="disk"), recorded_run(store, "r", "f", FactoryConfig()):
        raise OSError("disk full")
    assert states(store) == [("r", "f", "failed", "OSError: disk full")]
    with recorded_run(store, "r", "f", FactoryConfig()) as was_begun:
        assert was_begun
    assert states(store)[0][2] == "completed"


def test_another_config_under_the_same_id_is_refused_and_the_field_named(store):
    with recorded_run(store, "r", "f", FactoryConfig()):
        pass
    other = FactoryConfig().from_partial({"eval_sampling": {"num_samples": 3}})
    message = r"eval_sampling.num_samples: 64 then, 3 now"
    with pytest.raises(RunConflict, match=message), recorded_run(store, "r", "f", other):
        pass
    assert len(list((store.root / RUNS.name).rglob("*.parquet"))) == 2


def test_another_number_of_actors_is_the_same_run(store):
    with recorded_run(store, "r", "f", FactoryConfig()):
        pass
    other = FactoryConfig.from_partial({"pool": {"num_actors": 7}})
    with recorded_run(store, "r", "f", other) as was_begun:
        assert was_begun


def test_parts_of_a_flow_are_recorded_apart(store):
    one, other = (FactoryConfig.from_partial({"seed": seed}) for seed in (1, 2))
    with recorded_run(store, "r", "f", one, part="train"):
        pass
    with (
        pytest.raises(OSError, match="disk"),
        recorded_run(store, "r", "f", other, part="eval"),
    ):
        raise OSError("disk full")
    sql = "select part, state, message from run_state order by part"
    assert query(connect(store.url), sql).fetchall() == [
        ("eval", "failed", "OSError: disk full"),
        ("train", "completed", None),
    ]
    message = r"f \(train\) of run r began with another config \(seed: 1 then, 2 now\)"
    with (
        pytest.raises(RunConflict, match=message),
        recorded_run(store, "r", "f", other, part="train"),
    ):
        pass


def test_a_field_that_the_part_stands_for_is_not_compared(store):
    moved = FactoryConfig.from_partial({"policy": {"model": "/elsewhere/world-policy"}})
    with recorded_run(store, "r", "f", FactoryConfig(), part="p"):
        pass
    with recorded_run(store, "r", "f", moved, part="p", named_by_part=("policy",)) as was_begun:
        assert was_begun
    with (
        pytest.raises(RunConflict, match=r"policy.model"),
        recorded_run(store, "r", "f", moved, part="p"),
    ):
        pass


def test_of_two_that_begin_at_once_with_other_configs_one_is_refused(store):
    """The second begins before the first has ended, as two processes do."""
    other = FactoryConfig.from_partial({"seed": 5})
    with recorded_run(store, "r", "f", FactoryConfig()):
        with (
            pytest.raises(RunConflict, match="seed: 0 then, 5 now"),
            recorded_run(store, "r", "f", other),
        ):
            pass
        with recorded_run(store, "r", "f", FactoryConfig()):
            pass
    assert states(store) == [("r", "f", "completed", None)]


def test_new_run_ids_name_the_flow_and_differ_within_a_second():
    made = {new_run_id("factory") for _ in range(5)}
    assert len(made) > 1
    assert all(run_id.startswith("factory-2") for run_id in made)
