"""Answers of a server that are wrong in themselves: each costs its own row, time or memory."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import psutil
import pytest
from aiohttp import web

from benchmarks.served_faults import UNREADABLE, UNTRUE, Body, told
from schemas.critique_formats import StepwiseCritiqueConfig
from schemas.errors import RequestRejected
from schemas.graders import ExactGraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.prompts import PlainPromptConfig
from schemas.rows import CRITIQUES, TRAJECTORIES, Problem, Step, Trajectory, now, to_table
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.step_labels import JudgeConfig
from schemas.thinking import ThinkingConfig
from schemas.units import derive_seed
from tasks.critics.critic import ModelCritic
from tasks.graders import make_grader
from tasks.prompts.formats import make_prompt_format
from tasks.sampling.sample import sample_problem, sampling_seed
from tasks.thinking.forcing import draw
from tasks.thinking.thoughts import Thoughts
from tests.tasks.engines.test_openai_server import (
    FakeTime,
    Reply,
    answer,
    chat_answer,
    engine_on,
    error,
    replies,
    request,
    site,
    texts,
)


def plays(body: Body) -> Reply:
    async def reply(_: web.Request) -> web.Response:
        headers = {"Content-Type": "application/json", **body.headers}
        return web.Response(body=body.content, headers=headers)

    return reply


def sum_of_twos() -> Problem:
    return Problem(problem_id="p", source="s", split="dev", question="2 + 2?", answer="4")


def rejections(bodies: Mapping[str, Reply], **limits: Any) -> dict[str, str]:
    """The error of a request each, whose answers are all such, on a server that answers others."""

    async def generate() -> dict[str, str]:
        time, found = FakeTime(), {}
        async with site() as server, engine_on(server, time=time, **limits) as engine:

            async def play(asked: web.Request) -> web.StreamResponse:
                name = (await asked.json())["prompt"]
                return await bodies.get(name, server.good)(asked)

            server.usual = play
            for name in bodies:
                begin = time.now
                with pytest.raises(RequestRejected) as refused:
                    await engine.generate(
                        request(prompt=name, with_logprobs=True, num_alternatives=2)
                    )
                assert texts(await engine.generate(request())) == ["4"]
                assert time.now - begin < 120
                found[name] = str(refused.value)
                found[name].encode()
                assert len(found[name]) < 1000
        return found

    return asyncio.run(generate())


def test_an_answer_that_cannot_be_true_is_an_error_of_its_request() -> None:
    found = rejections({name: plays(body) for name, body in UNTRUE.items()})
    for name, message in found.items():
        assert re.search(UNTRUE[name].said, message), (name, message)


def test_an_answer_that_nobody_can_read_is_asked_for_again_and_then_an_error() -> None:
    found = rejections({name: plays(body) for name, body in UNREADABLE.items()})
    for name, message in found.items():
        assert "answers others, but not this request: unreadable answer" in message, name


def test_a_server_whose_answers_are_all_unreadable_is_waited_for() -> None:
    async def generate() -> None:
        time = FakeTime()
        async with site() as server, engine_on(server, time=time) as engine:
            server.script = [plays(UNREADABLE["a page"])] * 20
            assert texts(await engine.generate(request())) == ["4"]

    asyncio.run(generate())


def test_an_answer_that_never_ends_has_the_time_of_an_answer() -> None:
    """It comes a byte at a time, so that no single wait is long."""

    async def endless(asked: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(asked)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    message = rejections({"it": endless}, timeout_s=1.5, retry_timeout_s=0)["it"]
    assert "this request failed for 0 s: no answer within 1.5 s" in message


def test_an_endless_body_takes_no_memory() -> None:
    async def endless(asked: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(asked)
        while True:
            await response.write(b"[0]," * (1 << 18))

    before = psutil.Process().memory_info().rss
    assert "bytes, got more" in rejections({"it": endless})["it"]
    assert psutil.Process().memory_info().rss - before < 100 << 20


def test_an_endless_error_is_cut() -> None:
    async def endless(asked: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=400)
        await response.prepare(asked)
        while True:
            await response.write(b"\xff no " * (1 << 16))

    message = rejections({"it": endless})["it"]
    assert "400: \\xff no" in message
    assert len(message) < 1000


def test_an_error_that_no_row_can_hold_is_told_in_unicode() -> None:
    rejections({"it": error(400, "half \ud800 of a pair")})["it"].encode()


@pytest.mark.parametrize(
    "value",
    [
        "nan",
        "inf",
        "-inf",
        "-5",
        "1e999",
        "",
        "soon",
        "Mon, 99 Foo 99999 99:99:99 GMT",
    ],
)
def test_a_wait_that_is_nonsense_is_not_waited(value: str) -> None:
    async def generate() -> None:
        time = FakeTime()
        async with site() as server, engine_on(server, time=time) as engine:
            server.script = [error(429, **{"Retry-After": value})]
            assert texts(await engine.generate(request())) == ["4"]
            (wait,) = time.waits
            assert 0 <= wait <= 0.5

    asyncio.run(generate())


def test_a_wait_beyond_patience_is_cut_to_it() -> None:
    async def generate() -> None:
        time = FakeTime()
        async with site() as server, engine_on(server, time=time, retry_timeout_s=60) as engine:
            server.script = [error(429, **{"Retry-After": "1000000000"})]
            assert texts(await engine.generate(request())) == ["4"]
            assert time.now <= 61

    asyncio.run(generate())


@pytest.mark.parametrize("length", ["long", -1, 0, True, 1e300, None])
def test_a_list_of_models_with_an_absurd_length_is_read_without_it(length: Any) -> None:
    async def generate() -> None:
        async with site() as server:
            models = [{"id": "acme/solver", "owned_by": ["acme"], "max_model_len": length}]
            server.models = replies({"data": models})
            async with engine_on(server) as engine:
                assert texts(await engine.generate(request())) == ["4"]
                assert server.bodies[0]["max_tokens"] == 8

    asyncio.run(generate())


def test_one_bad_answer_is_one_row_and_every_row_can_be_stored() -> None:
    """Of six solutions of a problem two come back wrong; the seeds say which."""
    bad = {0: UNTRUE["half a surrogate"], 3: UNTRUE["a null log probability"]}

    async def sample() -> None:
        async with site() as server, engine_on(server) as engine:

            async def play(asked: web.Request) -> web.StreamResponse:
                index = (await asked.json())["seed"] - first
                good = replies(told([-0.5, -0.25]))
                return await (plays(bad[index]) if index in bad else good)(asked)

            server.usual = play
            job = SamplingJob.from_partial(
                {
                    "problems": WorldProblemsConfig(),
                    "sampling": SamplingConfig(num_samples=6, max_tokens=8, with_logprobs=True),
                    "policy": engine._config,
                }
            )
            problem = sum_of_twos()
            first = sampling_seed(job, problem)
            grader = make_grader(ExactGraderConfig())
            rows = await sample_problem(
                problem,
                engine,
                grader,
                make_prompt_format(job.prompt, job.policy),
                job,
                scope="run/sampling",
            )
            assert [row.status for row in rows] == [
                "error",
                *["finished"] * 2,
                "error",
                *["finished"] * 2,
            ]
            assert [row.error is None for row in rows] == [False, True, True, False, True, True]
            assert rows[0].correct is None
            assert rows[0].steps == ()
            assert [row.generated_tokens for row in rows] == [0, 2, 2, 0, 2, 2]
            assert to_table(TRAJECTORIES, rows).num_rows == 6

    asyncio.run(sample())


def test_chat_answers_are_checked_alike() -> None:
    content = [{"token": "4", "logprob": None, "top_logprobs": []}]
    for reply, said in (
        (chat_answer(content="4\ud800"), "half of a surrogate pair"),
        (
            {**chat_answer(content="4"), "usage": {"prompt_tokens": -1, "completion_tokens": 1}},
            "-1",
        ),
    ):

        async def generate(reply: dict[str, Any] = reply, said: str = said) -> None:
            async with site() as server:
                server.usual = replies(chat_answer(content="4"))
                async with engine_on(server, api="chat") as engine:
                    server.script = [replies(reply)]
                    with pytest.raises(RequestRejected, match=said):
                        await engine.generate(request())
                    bad = chat_answer(content="4")
                    bad["choices"][0]["logprobs"] = {"content": content}
                    server.script = [replies(bad)]
                    with pytest.raises(RequestRejected, match="a log probability, got None"):
                        await engine.generate(request(with_logprobs=True))

        asyncio.run(generate())


def answers_by_seed(first: int, bad: Mapping[int, Body], good: Mapping[str, Any]) -> Reply:
    """Answers a request by its seed, counted from the first one: bad where one is named."""

    async def play(asked: web.Request) -> web.StreamResponse:
        index = (await asked.json())["seed"] - first
        return await (plays(bad[index]) if index in bad else replies(good))(asked)

    return play


@pytest.mark.parametrize("kind", ["half a surrogate", "10^12 tokens", "longer than any"])
def test_one_bad_answer_of_a_critic_is_one_critique(kind: str) -> None:
    """Of four critiques of a solution one comes back wrong; the others are read."""

    async def critique() -> None:
        async with site() as server, engine_on(server) as engine:
            solution = Trajectory(
                trajectory_id="t",
                problem_id="p",
                policy="writer",
                strategy="sample",
                sample_index=0,
                status="finished",
                steps=(
                    Step(text="2 + 2 = 4\n", num_tokens=4),
                    Step(text="Answer: 4", num_tokens=3),
                ),
                grader="exact",
                temperature=1.0,
                top_p=1.0,
                seed=1,
                prompt_tokens=0,
                cached_tokens=0,
                generated_tokens=7,
                engine="test",
                created_at=now(),
            )
            first = derive_seed(0, "critique", "t")
            said = "Step 1: right\nStep 2: right\nVerdict: right"
            server.usual = answers_by_seed(first, {2: UNTRUE[kind]}, answer(said))
            critic = ModelCritic(
                engine,
                make_prompt_format(PlainPromptConfig(), engine._config),
                StepwiseCritiqueConfig(),
                JudgeConfig(temperature=1.0, num_judgements=4),
                num_critiques=4,
                max_tokens=64,
                told="nothing",
                seed=0,
                scope="run/critiques",
            )
            rows = await critic.critique(sum_of_twos(), solution, None)
            assert [row.status for row in rows] == ["finished"] * 2 + ["error", "finished"]
            assert "the server's answer: expected" in (rows[2].fault or "")
            assert [row.text for row in rows] == [said, said, "", said]
            assert [row.generated_tokens for row in rows] == [2, 2, 0, 2]
            assert to_table(CRITIQUES, rows).num_rows == 4

    asyncio.run(critique())


def test_one_bad_answer_of_a_forced_thought_is_one_row() -> None:
    """The second of three thoughts comes back wrong, and the answer of the third."""

    async def think() -> None:
        async with site() as server, engine_on(server) as engine:

            async def play(asked: web.Request) -> web.StreamResponse:
                body = await asked.json()
                index, is_answer = body["seed"] - 7, "</think>" in body["prompt"]
                if index == 1 or (is_answer and "thought 2" in body["prompt"]):
                    return await plays(UNTRUE["half a surrogate"])(asked)
                if is_answer:
                    return await replies(answer("Answer: 4"))(asked)
                thought = answer(f"thought {index}", finish_reason="length")
                return await replies(thought)(asked)

            server.usual = play
            thinking = ThinkingConfig(is_opened=True, max_thinking_tokens=2)
            asked = request(n=3, seed=7, max_tokens=32, takes_errors=True)
            thoughts = Thoughts.of(thinking, asked.prompt)
            _, drawn = await draw(engine, asked, thinking, thoughts)
            texts = [each.completion.text for each in drawn]
            begun = "\n</think>\n\n"
            assert texts == [f"thought 0{begun}Answer: 4", "", f"thought 2{begun}"]
            errors = [each.completion.error for each in drawn]
            assert errors[0] is None
            assert all(error and "half of a surrogate pair" in error for error in errors[1:])
            assert [each.num_generated for each in drawn] == [4, 0, 2]

    asyncio.run(think())
