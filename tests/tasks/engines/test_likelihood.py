"""The shipped policy as a verifier of its own solutions, by their likelihood."""

import asyncio
import math

import pytest

from schemas.engines import VLLMConfig
from schemas.graders import ExactGraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS, STEP_SCORES, TRAJECTORIES
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.scoring import ScoringJob
from schemas.units import Unit
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Host
from tasks.models.folders import identify_model
from tasks.problems.load import load_problems
from tasks.sampling.sample import sample_problems
from tasks.scoring.score import score_trajectories

POLICY = VLLMConfig(model="world-policy", process="host")
LIKELIHOOD = POLICY.with_fields(verifier="likelihood")


@pytest.mark.slow
def test_the_policys_own_likelihood_is_what_it_drew_with(store):
    problems = Unit(run_id="run", stage="problems", name="eval", table=PROBLEMS.name)
    drawn = Unit(
        run_id="run",
        stage="sampling",
        name="eval.00000",
        table=TRAJECTORIES.name,
        inputs=(problems.path,),
    )
    read = Unit(
        run_id="run",
        stage="scoring",
        name="scores",
        table=STEP_SCORES.name,
        inputs=(drawn.path, problems.path),
    )
    sampling = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=POLICY,
        grader=ExactGraderConfig(),
        sampling=SamplingConfig(num_samples=8, max_tokens=60),
    )
    scoring = ScoringJob(policy=POLICY, verifier=LIKELIHOOD)
    store.commit(problems, load_problems(WorldProblemsConfig(num_problems=12))[0])

    async def go():
        host = Host(store.url, EngineSet(policy=POLICY, verifier=LIKELIHOOD))
        try:
            await host.run(drawn, sample_problems, sampling)
            await host.run(read, score_trajectories, scoring)
        finally:
            await host.close()

    asyncio.run(go())
    trajectories, rows = store.read(drawn.path), store.read(read.path)
    assert {row.verifier for row in rows} == {identify_model("world-policy")}
    assert {t.status for t in trajectories} == {"finished", "truncated"}
    for trajectory, row in zip(trajectories, rows, strict=True):
        assert row.error is None
        assert len(row.scores) == len(trajectory.steps)
        expected = [step.logprob for step in trajectory.steps]
        assert list(map(math.log, row.scores)) == pytest.approx(expected, abs=2e-3)
