"""Any role in a pool: what its engine must support, what servers allow, which model wrote what."""

import asyncio
import json
import pickle
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from schemas.engines import (
    GenerationRequest,
    MarkovConfig,
    OpenAIConfig,
    PlantedConfig,
    RoleConfig,
    ServerConfig,
    VLLMConfig,
)
from schemas.errors import ModelUnusable
from schemas.graders import ExactGraderConfig
from schemas.pool import PoolConfig
from schemas.problems import WorldProblemsConfig
from schemas.prompts import ChatPromptConfig, Example
from schemas.rows import PROBLEMS, TRAJECTORIES
from schemas.search import ScoreConfig, SearchJob
from schemas.search.critique import CritiqueConfig
from schemas.search.strategies import BeamConfig, FilterVoteConfig, MajorityConfig
from schemas.units import Unit
from tasks.engines.actor_pool import ActorPool
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Host
from tasks.engines.markov_engine import markov_problems
from tasks.engines.open import check_role
from tasks.search.search import SearchTask, search_problems
from tasks.steps.segmentation import measure_steps


class JudgeServer(ThreadingHTTPServer):
    """Serves every model over the chat API, and records each model's prompts."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.prompted: list[tuple[str, str]] = []
        """Model and last message of each request."""
        self.dialogues: list[list[str]] = []
        """All messages of each request."""


class _Handler(BaseHTTPRequestHandler):
    server: JudgeServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = body["messages"][-1]["content"]
        self.server.prompted.append((body["model"], message))
        self.server.dialogues.append([each["content"] for each in body["messages"]])
        text = "[[wrong]]" if "wrong" in body["model"] else "[[correct]]"
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
        answer = {"choices": [{**choice, "finish_reason": "stop"}], "usage": usage}
        reply = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server():
    with JudgeServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def served(model: str = "acme/judge", url: str = "http://localhost:8000/v1", **limits: Any):
    server = {"base_url": url, "kind": "other", **limits}
    return OpenAIConfig(model=model, api="chat", server=ServerConfig.model_validate(server))


def test_a_set_is_a_mapping_that_is_equal_by_content():
    engines = EngineSet(judge=served(), policy=MarkovConfig(), critic=None, separator="\n\n")
    assert list(engines) == ["policy", "judge"]  # the order of the roles, not of the arguments
    assert (engines["judge"], engines.get("critic")) == (served(), None)
    same = EngineSet(policy=MarkovConfig(), judge=served(), separator="\n\n")
    assert (engines, hash(engines)) == (same, hash(same))
    assert engines == pickle.loads(pickle.dumps(engines))
    assert engines != EngineSet(policy=MarkovConfig(), judge=served())
    changed = engines.with_engine("policy", PlantedConfig())
    assert (changed["policy"], engines["policy"]) == (PlantedConfig(), MarkovConfig())
    with pytest.raises(ValueError, match=r"expected roles among policy, .*, got writer$"):
        EngineSet(writer=MarkovConfig())


@pytest.mark.parametrize("role", ["policy", "critic", "judge", "reference", "annotator"])
def test_every_kind_of_engine_can_write(role):
    for config in (VLLMConfig(model="m"), served(), MarkovConfig(), PlantedConfig()):
        check_role(config, role)


def test_an_engine_is_refused_for_what_its_kind_cannot_do():
    check_role(VLLMConfig(model="m"), "verifier")
    check_role(served(), "verifier")
    with pytest.raises(ModelUnusable, match=r"retriever markov: .*index"):
        check_role(MarkovConfig(), "retriever")


def test_roles_of_one_server_share_its_limits():
    limits: dict[str, Any] = {"requests_per_minute": 90, "max_in_flight": 8}
    elsewhere = served(url="http://localhost:9000/v1", **limits)
    engines = EngineSet(policy=served(**limits), critic=served("critic", **limits), judge=elsewhere)
    assert engines.are_served()
    shared = engines.shared_by(3)
    found = {
        role: (config.server.requests_per_minute, config.server.max_in_flight)
        for role, config in shared.items()
        if isinstance(config, OpenAIConfig)
    }
    assert found == {"policy": (15, 1), "critic": (15, 1), "judge": (30, 2)}
    with pytest.raises(ValueError, match=r"at most 4, .* each of the 2 roles .*, got 5"):
        engines.shared_by(5)


async def write_by_all(unit, template, context):
    """A solution by the policy, a critique of it, and a judgement of the critique."""
    (problem,) = await context.read(unit.inputs[0])
    rows = []
    for role in ("policy", "critic", "judge"):
        engine = context.engine(role)
        is_served = engine.model_id.startswith("openai")
        seen = "".join([problem.question, *(f"\n{row.text}" for row in rows)])
        prompt = json.dumps([{"role": "user", "content": seen}]) if is_served else seen
        request = GenerationRequest(
            prompt=prompt, max_tokens=50, seed=1, has_chat_template=is_served
        )
        (completion,) = (await engine.generate(request)).completions
        context.counters.generated_tokens += len(completion.token_ids)
        steps = measure_steps(completion, "\n")
        rows.append(replace(template, trajectory_id=role, policy=engine.model_id, steps=steps))
    return rows


@pytest.mark.ray
@pytest.mark.slow
def test_a_pool_holds_policy_critic_and_judge(store, local_ray, server, unit_of, make_trajectory):
    from ray import cloudpickle

    url = f"http://127.0.0.1:{server.server_port}/v1"
    problems = unit_of(PROBLEMS.name, stage="problems")
    (problem,) = markov_problems(1, seed=0)
    store.commit(problems, [problem])
    engines = EngineSet(
        policy=MarkovConfig(), critic=served("acme/critic", url), judge=served("acme/judge", url)
    )
    unit = unit_of(TRAJECTORIES.name, inputs=(problems.path,))
    pool = ActorPool(store.url, engines, PoolConfig(num_actors=1))
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        pool.run(unit, write_by_all, make_trajectory())
        spent = pool.counters().generated_tokens
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
        pool.close()
    rows = store.read(unit.path)
    assert [row.trajectory_id for row in rows] == ["policy", "critic", "judge"]
    solution, critique, judgement = rows
    assert solution.policy.startswith("markov")
    assert (critique.policy, judgement.policy) == ("openai--acme--critic", "openai--acme--judge")
    assert critique.text == judgement.text == "[[correct]]"
    prompted = [asked for asked in server.prompted if problem.question in asked[1]]
    assert prompted == [
        ("acme/critic", f"{problem.question}\n{solution.text}"),
        ("acme/judge", f"{problem.question}\n{solution.text}\n{critique.text}"),
    ]
    assert spent == sum(step.num_tokens for row in rows for step in row.steps)


def filter_job(judge: OpenAIConfig | None) -> SearchJob:
    return SearchJob(
        problems=WorldProblemsConfig(),
        policy=MarkovConfig(),
        strategies=(FilterVoteConfig(),),
        budgets=(4,),
        score=ScoreConfig(by="likelihood"),
        grader=ExactGraderConfig(),
        roles={}
        if judge is None
        else {"judge": RoleConfig(engine=judge, prompt=ChatPromptConfig())},
    )


def searched(store, unit_of, job):
    """The rows of a search of one problem at N = 4."""
    problems = unit_of(PROBLEMS.name, stage="problems")
    store.commit(problems, markov_problems(1, seed=0))
    unit = Unit(
        run_id="run",
        stage="search",
        name="eval.beam-n4-0123456789ab.00000",
        table=TRAJECTORIES.name,
        inputs=(problems.path,),
    )
    task = SearchTask(job=job, strategy=job.strategies[0], budget=4, scope="run")

    async def run() -> None:
        host = Host(store.url, EngineSet(**job.engines()))
        try:
            await host.run(unit, search_problems, {"eval.beam-n4-0123456789ab": task})
        finally:
            await host.close()

    asyncio.run(run())
    return store.read(unit.path)


@pytest.mark.parametrize("strategy", [FilterVoteConfig(), CritiqueConfig()])
def test_a_policy_that_stands_in_for_another_role_is_not_asked_to_solve(
    store, server, unit_of, strategy
):
    prompt = ChatPromptConfig(
        system="Solve it.",
        template="{question} Think step by step.",
        examples=(Example(question="1 + 1?", answer="2"),),
    )
    policy = served("acme/solver", f"http://127.0.0.1:{server.server_port}/v1")
    job = filter_job(None).with_fields(policy=policy, prompt=prompt, strategies=(strategy,))
    searched(store, unit_of, job)
    solving = ["Solve it.", "1 + 1? Think step by step.", "2"]
    asked = [d for d in server.dialogues[1:] if d[: len(solving)] != solving]
    assert len(asked) == 4  # a judgement, or a critique, of each solution
    assert {len(dialogue) for dialogue in asked} == {1}
    assert not any("Think step by step." in dialogue[0] for dialogue in asked)


@pytest.mark.parametrize(("model", "passes"), [("acme/judge", True), ("acme/wrong", False)])
def test_a_search_prompts_a_judge_of_its_own(store, server, unit_of, model, passes):
    url = f"http://127.0.0.1:{server.server_port}/v1"
    rows = searched(store, unit_of, filter_job(served(model, url)))
    judged = [row for row in rows if row.role == "judge"]
    assert {row.policy for row in judged} == {f"openai--{model.replace('/', '--')}"}
    assert {row.engine for row in judged} == {"openai other"}
    assert {row.policy for row in rows if row not in judged} == {"markov[0.8,0]x5"}
    assert {row.text for row in judged} == {"[[correct]]" if passes else "[[wrong]]"}
    assert all(row.status == "finished" for row in rows)  # where all are rejected, all vote
    messages = [message for _, message in server.prompted if "Solution:" in message]
    assert len(messages) == len(judged) == 4


def test_a_job_is_refused_models_that_no_strategy_uses():
    judge = {"judge": RoleConfig(engine=served())}
    job = filter_job(served())
    assert list(job.engines()) == ["policy", "judge"]
    assert filter_job(None).config_hash() != job.config_hash()
    both = job.with_fields(strategies=(FilterVoteConfig(), MajorityConfig()))
    assert list(both.engines(MajorityConfig())) == ["policy"]
    with pytest.raises(ValueError, match=r"roles: expected a role .* \(they use none\), got 'jud"):
        job.with_fields(strategies=(BeamConfig(),), roles=judge)
