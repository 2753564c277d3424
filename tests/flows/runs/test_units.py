"""Units as tasks of a real Prefect server."""

from schemas.engines import TacticsConfig
from schemas.pool import PoolConfig
from schemas.problems import TheoremProblemsConfig
from schemas.sampling import SamplingConfig, SamplingJob

JOB = SamplingJob(
    set_name="train",
    problems=TheoremProblemsConfig(limit=2),
    policy=TacticsConfig(),
    sampling=SamplingConfig(num_samples=1, max_tokens=4),
    pool=PoolConfig(num_actors=0),
)


def test_units_ask_the_server_for_no_slots_by_the_tags_of_their_run(prefect_server, tmp_path):
    from prefect import tags
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName

    from flows.sampling import sample

    with tags("stage", "run tagged"):
        sample(JOB, str(tmp_path / "store"), "tagged")
    with get_client(sync_client=True) as client:
        runs = [run for run in client.read_flow_runs() if "run tagged" in run.tags]
        found = client.read_task_runs(
            task_run_filter=TaskRunFilter(name=TaskRunFilterName(like_="sample"))
        )
    units = [each for each in found if each.flow_run_id in {run.id for run in runs}]
    assert units
    assert {tag for unit in units for tag in unit.tags} == set()
