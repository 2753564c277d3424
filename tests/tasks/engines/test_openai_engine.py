"""A real vLLM server with the shipped policy, checked against the same policy in this process."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from schemas.engines import (
    SHIPPED_POLICY,
    Completion,
    Generation,
    GenerationRequest,
    OpenAIConfig,
    ServerConfig,
    VLLMConfig,
)
from schemas.errors import ModelUnusable, RequestRejected
from schemas.graders import ExactGraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import Problem, Trajectory
from schemas.sampling import SamplingConfig, SamplingJob
from tasks.engines.openai_engine import OpenAIEngine, open_openai_engine
from tasks.engines.vllm_engine import VLLMEngine, open_vllm_engine
from tasks.graders import make_grader
from tasks.models.folders import resolve_model
from tasks.problems.load import load_problems
from tasks.prompts.formats import make_prompt_format
from tasks.sampling.sample import sample_problem
from tasks.steps.segmentation import measure_steps
from tasks.steps.token_ids import known_ids

pytestmark = pytest.mark.slow

QUESTION = "Monday: Hugo has 34 books. Tuesday: Ana buys 7 books from Hugo. How many books?\n"
STEP = "Tuesday: [buys from] 34 - 7 = 27\n"
MODEL = "acme/world"
CONTEXT = json.loads((resolve_model(SHIPPED_POLICY) / "config.json").read_text())[
    "max_position_embeddings"
]
CHAT_TEMPLATE = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
START_S = 180.0
STOP_S = 30.0
ENVIRONMENT = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}


@dataclass
class Served:
    """vLLM's own server, which can be killed and restarted on the same port."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        template = self.folder / "chat.jinja"
        template.write_text(CHAT_TEMPLATE)
        arguments = {
            "--model": str(resolve_model(SHIPPED_POLICY)),
            "--served-model-name": MODEL,
            "--host": "127.0.0.1",
            "--port": str(self.port),
            "--dtype": "float32",
            "--block-size": "32",
            "--chat-template": str(template),
        }
        switches = ["--enforce-eager", "--no-enable-chunked-prefill"]
        switches += ["--enable-prompt-tokens-details"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
                    *(word for pair in arguments.items() for word in pair),
                    *switches,
                ],
                env={**os.environ, **ENVIRONMENT},
                start_new_session=True,
                stdout=log,
                stderr=log,
            )

    def wait_until_up(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + START_S
        while not self._is_up():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-4000:]
            assert time.monotonic() < deadline, f"the server did not start within {START_S} s"
            time.sleep(0.2)

    def kill(self) -> None:
        """`kill -9` the server and its engine; Python's resource tracker tidies up after them."""
        assert self.process is not None
        for process in [*psutil.Process(self.process.pid).children(recursive=True)]:
            if not any("resource_tracker" in word for word in process.cmdline()):
                process.kill()
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as reply:
                return reply.status == 200
        except (urllib.error.URLError, OSError):
            return False


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Served(port, tmp_path_factory.mktemp("served"))
    try:
        server.start()
        server.wait_until_up()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for the module, as an actor has one for its lifetime."""
    with asyncio.Runner() as runner:
        yield runner


def config_for(served: Served, **fields: Any) -> OpenAIConfig:
    server = ServerConfig(base_url=f"http://127.0.0.1:{served.port}/v1", max_in_flight=64)
    return OpenAIConfig.model_validate({"model": MODEL, "server": server, **fields})


@pytest.fixture(scope="module")
def engine(runner: asyncio.Runner, served: Served) -> Iterator[OpenAIEngine]:
    engine = runner.run(open_openai_engine(config_for(served), "policy"))
    yield engine
    runner.run(engine.close())


@pytest.fixture(scope="module")
def local(runner: asyncio.Runner, engine: OpenAIEngine) -> Iterator[VLLMEngine]:
    """The same policy in this process."""
    config = VLLMConfig(model=SHIPPED_POLICY, process="host")
    local = runner.run(open_vllm_engine(config, "policy", separator="\n"))
    yield local
    runner.run(local.close())


def request(**fields: Any) -> GenerationRequest:
    values: dict[str, Any] = {"prompt": QUESTION, "max_tokens": 100, "seed": 7}
    return GenerationRequest(**{**values, **fields})


def texts(generation: Generation) -> list[str]:
    return [completion.text for completion in generation.completions]


def assert_same(ours: Generation, theirs: Generation) -> None:
    """Equal except for the last digits of log probabilities and the number of cached tokens."""
    assert ours.prompt_tokens == theirs.prompt_tokens
    for one, other in zip(ours.completions, theirs.completions, strict=True):
        assert replace(one, logprobs=None) == replace(other, logprobs=None)
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.0, "with_logprobs": True},
        {"n": 8, "with_logprobs": True},
        {"n": 8, "temperature": 0.7, "top_p": 0.9, "with_logprobs": True},
        {"n": 8, "prefix": STEP, "with_logprobs": True},
        {"n": 8, "stop": ("\n",), "with_logprobs": True},
        {"n": 8, "stop": (" = ",), "prefix": STEP, "max_tokens": 4, "with_logprobs": True},
    ],
    ids=["greedy", "seeded", "nucleus", "prefix", "stop", "stop-or-length"],
)
def test_a_served_model_continues_as_it_does_in_this_process(
    runner: asyncio.Runner, engine: OpenAIEngine, local: VLLMEngine, fields: dict[str, Any]
) -> None:
    ours = runner.run(engine.generate(request(**fields)))
    assert_same(ours, runner.run(local.generate(request(**fields))))
    for completion in ours.completions:
        if completion.stop_string is not None:
            assert completion.text.endswith(completion.stop_string)


def test_a_seed_fixes_each_continuation(runner: asyncio.Runner, engine: OpenAIEngine) -> None:
    together = texts(runner.run(engine.generate(request(n=4))))
    assert len(set(together)) > 1
    assert texts(runner.run(engine.generate(request(n=4)))) == together
    assert texts(runner.run(engine.generate(request(n=2, seed=9)))) == together[2:]


def test_without_logprobs_tokens_are_still_counted(
    runner: asyncio.Runner, engine: OpenAIEngine
) -> None:
    exact = runner.run(engine.generate(request(n=4, with_logprobs=True)))
    counted = runner.run(engine.generate(request(n=4)))
    for one, other in zip(exact.completions, counted.completions, strict=True):
        assert one.token_ids == other.token_ids
        assert (other.logprobs, other.token_texts) == (None, None)
        assert num_tokens(other) == num_tokens(one) == len(one.token_ids)


def num_tokens(completion: Completion) -> int:
    return sum(step.num_tokens for step in measure_steps(completion, "\n"))


def test_a_prompt_too_long_is_rejected_while_others_finish(
    runner: asyncio.Runner, engine: OpenAIEngine
) -> None:
    async def generate() -> list[Generation | BaseException]:
        requests = [request(), request(prompt="7" * CONTEXT), request(prompt="7" * (CONTEXT - 1))]
        return await asyncio.gather(*map(engine.generate, requests), return_exceptions=True)

    good, *rejected = runner.run(generate())
    assert isinstance(good, Generation)
    for error in rejected:
        assert isinstance(error, RequestRejected)
        assert "400: " in str(error)
        assert "tokens" in str(error)


def test_generation_stops_where_the_context_ends(
    runner: asyncio.Runner, engine: OpenAIEngine, local: VLLMEngine
) -> None:
    fields = {"prompt": "7" * (CONTEXT - 5), "n": 2, "max_tokens": 2048, "with_logprobs": True}
    ours = runner.run(engine.generate(request(**fields)))
    assert_same(ours, runner.run(local.generate(request(**fields))))
    assert 0 < len(ours.completions[0].token_ids) < 5


def test_cached_tokens_are_those_the_server_tells(
    runner: asyncio.Runner, engine: OpenAIEngine
) -> None:
    prompt = "Friday: Emma finds 12 coins in each of 3 bags and 4 more on the way home.\n" * 3
    first = runner.run(engine.generate(request(prompt=prompt)))
    again = runner.run(engine.generate(request(prompt=prompt, prefix=STEP)))
    assert first.cached_tokens == 0
    assert first.prompt_tokens // 2 < again.cached_tokens <= first.prompt_tokens


def test_chat_continues_the_beginning_of_an_answer(
    runner: asyncio.Runner, served: Served, local: VLLMEngine
) -> None:
    async def generate(asked: GenerationRequest) -> Generation:
        engine = await open_openai_engine(config_for(served, api="chat"), "critic")
        try:
            return await engine.generate(asked)
        finally:
            await engine.close()

    for prefix in ("", STEP):
        asked = request(n=4, prefix=prefix, stop=("\n",), with_logprobs=True)
        assert_same(runner.run(generate(asked)), runner.run(local.generate(asked)))


def test_ids_come_back_and_are_continued_where_the_tokenizer_is_named(
    runner: asyncio.Runner, served: Served, local: VLLMEngine
) -> None:
    config = config_for(served, tokenizer=SHIPPED_POLICY)

    async def generate() -> None:
        engine = await open_openai_engine(config, "policy")
        try:
            assert engine.vocabulary == local.vocabulary
            (whole,) = (await engine.generate(request(n=1, temperature=0.0))).completions
            steps = measure_steps(whole, "\n")
            ids = known_ids(whole, engine.vocabulary)
            assert ids is not None
            assert sum(step.num_tokens for step in steps) == len(ids)
            first = ids[: steps[0].num_tokens]
            asked = request(
                n=1, temperature=0.0, prefix=steps[0].text, prefix_ids=first, with_logprobs=True
            )
            rest = await engine.generate(asked)
            assert rest.completions[0].token_ids == ids[len(first) :]
            assert_same(rest, await local.generate(asked))
        finally:
            await engine.close()

    runner.run(generate())


def test_a_tokenizer_of_another_model_is_found_out_at_opening(
    runner: asyncio.Runner, served: Served, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(resolve_model(SHIPPED_POLICY))
    tokenizer.save_pretrained(tmp_path / "other")
    file = tmp_path / "other" / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    digits = {str(digit): content["model"]["vocab"][str((digit + 1) % 10)] for digit in range(10)}
    content["model"]["vocab"] |= digits
    file.write_text(json.dumps(content), encoding="utf-8")
    config = config_for(served, tokenizer=str(tmp_path / "other"))
    with pytest.raises(ModelUnusable, match="expected that of the served model"):
        runner.run(open_openai_engine(config, "policy"))


def test_a_name_that_is_not_served_is_found_out_at_opening(
    runner: asyncio.Runner, served: Served
) -> None:
    with pytest.raises(ModelUnusable, match=f"gone.*it serves {MODEL}"):
        runner.run(open_openai_engine(config_for(served, model="gone"), "policy"))


def test_sampling_over_a_server_yields_graded_rows(
    runner: asyncio.Runner, engine: OpenAIEngine, served: Served
) -> None:
    job = SamplingJob(
        problems=WorldProblemsConfig(num_problems=10, levels=(1, 2)),
        policy=config_for(served),
        grader=ExactGraderConfig(),
        sampling=SamplingConfig(num_samples=8),
    )
    grader = make_grader(job.grader)
    problems, _ = load_problems(job.problems)

    async def sample() -> list[list[Trajectory]]:
        return await asyncio.gather(*(solve(problem) for problem in problems))

    async def solve(problem: Problem) -> list[Trajectory]:
        prompt_format = make_prompt_format(job.prompt, job.policy)
        return await sample_problem(problem, engine, grader, prompt_format, job, scope="run")

    rows = [row for solved in runner.run(sample()) for row in solved]
    assert len(rows) == 80
    assert {row.status for row in rows} == {"finished"}
    assert {row.correct for row in rows} == {True, False}
    assert {row.policy for row in rows} == {"openai--acme--world"}
    assert {row.engine for row in rows} == {"openai vllm"}
    for row in rows:
        assert row.generated_tokens == sum(step.num_tokens for step in row.steps)
        assert all(step.logprob is not None for step in row.steps)


def test_requests_in_flight_survive_the_death_of_the_server(
    runner: asyncio.Runner, engine: OpenAIEngine, served: Served
) -> None:
    requests = [request(prompt=f"{i} books. {QUESTION}", seed=i) for i in range(200)]

    async def generate() -> list[str]:
        some_are_done = asyncio.Event()

        async def one(asked: GenerationRequest) -> str:
            generation = await engine.generate(asked)
            some_are_done.set()
            return generation.completions[0].text

        pending = [asyncio.create_task(one(asked)) for asked in requests]
        await some_are_done.wait()
        served.kill()
        assert sum(task.done() for task in pending) < len(pending) // 2
        served.start()
        return await asyncio.gather(*pending)

    survived = runner.run(generate())

    async def again() -> list[Generation]:
        return await asyncio.gather(*map(engine.generate, requests))

    assert survived == [texts(generation)[0] for generation in runner.run(again())]
