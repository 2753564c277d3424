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


def test_new_run_ids_name_the_flow():
    assert new_run_id("factory").startswith("factory-2")
