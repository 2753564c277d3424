"""The flow that rewards the tokens of stored solutions: once, with a page; or refused at once."""

import math
from typing import Any

import pytest

from schemas.errors import ModelUnusable
from schemas.rows import PROBLEMS, TRAJECTORIES, Step
from schemas.token_rewards import TokenRewardsJob


@pytest.fixture
def sampled(store, unit_of, make_problem, make_trajectory):
    """A run with two files of solutions."""
    problem = make_problem("p0", question="12 - 5?")
    store.commit(unit_of(PROBLEMS.name, "eval", stage="problems"), [problem])
    for number in range(2):
        rows = [
            make_trajectory(f"t{number}{index}", steps=(Step(text=text, num_tokens=0),))
            for index, text in enumerate(("12 - 5 = 7\nThe answer is 7.", "8", "12 - 5 = 6\n6"))
        ]
        store.commit(unit_of(TRAJECTORIES.name, f"eval.0000{number}"), rows)
    return store


@pytest.fixture
def job(toy_reward_model):
    reward = {"type": "attention", "verifier": {"model": str(toy_reward_model)}}
    return TokenRewardsJob.model_validate(
        {"policy": {"type": "vllm", "model": "world-policy"}, "reward": reward}
    )


def artifact_of(flow_run_id, key) -> Any:
    """An artifact of a flow run by its key."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
    found = get_client(sync_client=True).read_artifacts(artifact_filter=only)
    (page,) = [artifact for artifact in found if artifact.key == key]
    return page


def test_a_sets_tokens_are_rewarded_once_and_shown(sampled, job, prefect_server, monkeypatch):
    from flows.token_rewards import reward_tokens

    # A busy machine's server may take longer than a run would wait.
    monkeypatch.setattr("flows.pages.artifacts._TIMEOUT_S", 60.0)
    monkeypatch.setattr("flows.pages.artifacts._REQUEST_S", 60.0)
    state = reward_tokens(job, sampled.url, "run", return_state=True)
    paths = state.result()
    rows = [row for path in paths for row in sampled.read(path)]
    assert [row.trajectory_id for row in rows] == ["t00", "t01", "t02", "t10", "t11", "t12"]
    assert all(row.error is None and math.fsum(row.rewards) == row.total for row in rows)
    assert (sampled.root / "reports/run/token-rewards-eval-attention-beta-0-8.png").is_file()
    page = artifact_of(state.state_details.flow_run_id, "token-rewards-eval-attention-beta-0-8")
    assert "data:image/png;base64," in page.data
    lowest = min(rows, key=lambda row: row.total)
    assert f"stepmill show --rewards {lowest.trajectory_id}" in page.data
    assert page.description.startswith("Rewards of tokens, eval attention[beta=0.8]")
    before = {path: sampled.read(path) for path in paths}
    assert reward_tokens(job, sampled.url, "run") == paths
    assert {path: sampled.read(path) for path in paths} == before
    other = job.with_fields(num_solutions=1, reward=job.reward.with_fields(credit="sparse"))
    few = [row for path in reward_tokens(other, sampled.url, "run") for row in sampled.read(path)]
    assert [row.trajectory_id for row in few] == ["t00", "t10"]
    assert {row.reward for row in few} == {"sparse"}


def test_a_model_of_another_tokenizer_is_refused_before_any_row(
    sampled, job, prefect_server, tmp_path, toy_reward_model
):
    import shutil

    from flows.token_rewards import reward_tokens
    from tasks.models.folders import load_tokenizer

    folder = tmp_path / "other"
    shutil.copytree(toy_reward_model, folder)
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(["<new>"])
    tokenizer.save_pretrained(folder)
    reward = job.reward.with_fields(verifier={"model": str(folder)})
    with pytest.raises(ModelUnusable, match="expected the tokenizer of the policy"):
        reward_tokens(job.with_fields(reward=reward), sampled.url, "run")
    assert sampled.files("token_rewards", run_id="run", stage="token_rewards") == []
