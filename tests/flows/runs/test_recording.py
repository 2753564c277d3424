"""What recording a flow does around it, and how the flow run is named."""

from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, get_current_settings

from flows.runs.recording import name_run, recorded_flow
from schemas.dataset_export import DatasetExportJob
from schemas.dataset_export.builders import RevisionChainsConfig
from schemas.engines import VLLMConfig
from schemas.graders import EnsembleGraderConfig, ExactGraderConfig, ProgramGraderConfig
from schemas.loops import RestLoopConfig
from schemas.policy_training import PolicyTrainingJob
from schemas.problems import ProblemsJob, WorldProblemsConfig
from schemas.sampling import SamplingJob
from tasks.sandbox import sandbox_fault

SHIPPED, TRAINED = VLLMConfig(model="world-policy"), VLLMConfig(model="s/checkpoints/rest-r1-0a")


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({}, "r1"),
        ({"set_name": "train"}, "train of r1"),
        ({"job": SamplingJob(problems=WorldProblemsConfig(), policy=SHIPPED)}, "eval of r1"),
        (
            {"job": SamplingJob(problems=WorldProblemsConfig(), policy=TRAINED, round=2)},
            "eval by rest-r1-0a of r1",
        ),
        ({"job": DatasetExportJob(builder=RevisionChainsConfig())}, "revisions of r1"),
        (
            {"job": PolicyTrainingJob(policy=TRAINED, training_set="s", model_name="rest-r2")},
            "rest-r2 of r1",
        ),
    ],
)
def test_a_flow_run_is_called_after_its_run_and_what_it_makes(prefect_server, parameters, name):
    from prefect import flow
    from prefect.runtime import flow_run

    @flow(name="named", flow_run_name=name_run)
    def named(run_id: str, set_name: str | None = None, job: Any = None) -> str | None:
        return flow_run.name

    assert named("r1", **parameters) == name


def test_flows_called_by_a_flow_send_no_heartbeats_of_their_own(store):
    """No other Prefect setting changes within the block, and none differs after it."""
    before = get_current_settings().flows.heartbeat_frequency, PREFECT_API_URL.value()
    with recorded_flow("rest", RestLoopConfig(), store.url, "run"):
        assert get_current_settings().flows.heartbeat_frequency is None
        assert PREFECT_API_URL.value() == before[1]
    assert (get_current_settings().flows.heartbeat_frequency, PREFECT_API_URL.value()) == before
    assert before[0] is not None


@pytest.mark.parametrize(
    "grader",
    [
        ProgramGraderConfig(),
        EnsembleGraderConfig(graders=(ExactGraderConfig(), ProgramGraderConfig())),
    ],
)
def test_a_grader_that_the_machine_cannot_have_is_refused_before_any_work(
    store, monkeypatch, tmp_path, grader
):
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox_fault.cache_clear()
    job = ProblemsJob(problems=WorldProblemsConfig(num_problems=1), grader=grader)
    try:
        with (
            pytest.raises(ValueError, match=r"grader program: expected bwrap .* apt install"),
            recorded_flow("problems", job, store.url, "run"),
        ):
            raise AssertionError("the flow began")
    finally:
        monkeypatch.undo()
        sandbox_fault.cache_clear()
    assert not any(tmp_path.rglob("*.parquet"))
