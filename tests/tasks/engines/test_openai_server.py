"""Faults and limits of a server, played by a small real one on this machine."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from schemas.engines import (
    UNTOLD_TOKEN,
    Generation,
    GenerationRequest,
    OpenAIConfig,
    ScoringRequest,
)
from schemas.errors import EngineFailed, EngineUnreachable, ModelUnusable, RequestRejected
from tasks.engines.base import Engine
from tasks.engines.open import open_engine
from tasks.engines.openai_engine import OpenAIEngine, open_openai_engine
from tasks.engines.openai_server import Clock
from tasks.steps.segmentation import measure_steps

KEY = "sk-very-secret-0123456789"
KEY_ENV = "STEPMILL_TEST_KEY"
MODEL = "acme/solver"
DEADLINE_S = 20.0

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer(text: str = "4", **fields: Any) -> dict[str, Any]:
    """A whole completion of two tokens."""
    choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None, **fields}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    return {"id": "c", "object": "text_completion", "choices": [choice], "usage": usage}


def replies(body: Any, status: int = 200, **headers: str) -> Reply:
    async def reply(request: web.Request) -> web.Response:
        return web.json_response(body, status=status, headers=headers)

    return reply


def error(status: int, message: str = "no", **headers: str) -> Reply:
    return replies({"error": {"message": message, "type": "t", "code": status}}, status, **headers)


async def cut(request: web.Request) -> web.StreamResponse:
    """The connection is cut in the middle of the body."""
    response = web.StreamResponse(
        headers={"Content-Type": "application/json", "Content-Length": "999"}
    )
    await response.prepare(request)
    await response.write(b'{"choices": [{"te')
    assert request.transport is not None
    request.transport.abort()
    return response


async def half(request: web.Request) -> web.Response:
    """A body that ends early, as if it were whole."""
    return web.Response(text='{"choices": [{"te', content_type="application/json")


async def page(request: web.Request) -> web.Response:
    """A proxy's page in place of an answer."""
    return web.Response(text="<html>Back soon</html>", content_type="text/html")


class Site:
    """A server that first plays a script, one reply per completion request, and then answers."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.script: list[Reply] = []
        self.good: Reply = replies(answer())
        self.usual = self.good
        self.models: Reply = replies({"data": [{"id": MODEL, "owned_by": owner}]})
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.active = 0
        self.most_active = 0
        self.never = asyncio.Event()
        self.url = ""

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        return await self.models(request)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.headers.append(dict(request.headers))
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            return await (self.script.pop(0) if self.script else self.usual)(request)
        finally:
            self.active -= 1

    async def stall(self, request: web.Request) -> web.Response:
        """No answer while the test lasts."""
        await self.never.wait()
        return web.Response(status=500)


class FakeTime:
    """Waits take no time and are recorded."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.clock = Clock(now=lambda: self.now, sleep=self._wait)

    async def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@asynccontextmanager
async def site(owner: str = "acme") -> AsyncIterator[Site]:
    server = Site(owner)
    app = web.Application()
    app.router.add_get("/v1/models", server.list_models)
    app.router.add_post("/v1/completions", server.complete)
    app.router.add_post("/v1/chat/completions", server.complete)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}/v1"
    try:
        yield server
    finally:
        server.never.set()
        await runner.cleanup()


@asynccontextmanager
async def engine_on(
    server: Site, *, time: FakeTime | None = None, api: str = "completions", **fields: Any
) -> AsyncIterator[OpenAIEngine]:
    """An open engine; the requests of opening it are discarded."""
    config = config_for(server, api=api, **fields)
    engine = await open_openai_engine(config, "policy", clock=time.clock if time else None)
    server.bodies.clear()
    server.headers.clear()
    server.most_active = 0
    try:
        yield engine
    finally:
        await engine.close()


def config_for(server: Site, *, api: str = "completions", **fields: Any) -> OpenAIConfig:
    return OpenAIConfig.model_validate(
        {
            "model": MODEL,
            "api": api,
            "server": {"base_url": server.url, "api_key_env": KEY_ENV, **fields},
        }
    )


def request(**fields: Any) -> GenerationRequest:
    values: dict[str, Any] = {"prompt": "2 + 2 =", "max_tokens": 8, "seed": 7}
    return GenerationRequest(**{**values, **fields})


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not is_so():
            await asyncio.sleep(0)


def texts(generation: Generation) -> list[str]:
    return [completion.text for completion in generation.completions]


@pytest.mark.parametrize(
    "fault",
    [
        error(429),
        error(500),
        error(503),
        error(408),
        replies(answer(finish_reason="abort")),
        replies({"choices": []}),
        cut,
        half,
        page,
    ],
    ids=["429", "500", "503", "408", "aborted", "empty", "cut", "half", "page"],
)
def test_a_fault_that_passes_is_waited_out(fault: Reply) -> None:
    async def generate() -> None:
        time = FakeTime()
        async with site() as server, engine_on(server, time=time) as engine:
            server.script = [fault] * 4
            assert texts(await engine.generate(request())) == ["4"]
            assert len(server.bodies) == 5
            assert all(body == server.bodies[0] for body in server.bodies)
            for attempt, wait in enumerate(time.waits):
                assert 0.25 * 2**attempt <= wait <= 0.5 * 2**attempt

    asyncio.run(generate())


def test_a_timeout_is_waited_out() -> None:
    async def generate() -> None:
        time = FakeTime()
        async with (
            site() as server,
            engine_on(server, time=time, timeout_s=0.2, retry_timeout_s=0.1) as engine,
        ):
            server.script = [server.stall]
            assert texts(await engine.generate(request())) == ["4"]
            assert len(time.waits) == 1
            server.usual = server.stall
            with pytest.raises(EngineFailed, match=r"no answer within 0\.2 s"):
                await engine.generate(request())

    asyncio.run(generate())


def test_a_server_that_asks_for_a_wait_gets_it() -> None:
    async def generate() -> None:
        time = FakeTime()
        async with site() as server, engine_on(server, time=time) as engine:
            date = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
            server.script = [
                error(429, **{"Retry-After": "7"}),
                error(503, **{"Retry-After": date}),
                error(429, **{"Retry-After": "in a while"}),
            ]
            await engine.generate(request())
            assert 7 <= time.waits[0] <= 7.5
            assert 30 <= time.waits[1] <= 40.5
            assert 1 <= time.waits[2] <= 2

    asyncio.run(generate())


@pytest.mark.parametrize("fault", [error(500, "out of memory"), error(429, "out of memory"), cut])
def test_a_server_that_does_not_recover_fails_the_engine(fault: Reply) -> None:
    async def generate() -> None:
        time = FakeTime()
        async with site() as server, engine_on(server, time=time, retry_timeout_s=600) as engine:
            server.usual = fault
            with pytest.raises(EngineUnreachable) as failed:
                await engine.generate(request(n=3))
            assert time.now >= 600
            assert max(time.waits) <= 10
            assert f"{server.url} did not recover within 600 s" in str(failed.value)
            assert fault is cut or "out of memory" in str(failed.value)

    asyncio.run(generate())


def test_what_is_asked_of_a_server_that_was_given_up_fails_at_once_for_a_while() -> None:
    async def generate() -> None:
        time = FakeTime()
        async with site() as server, engine_on(server, time=time, retry_timeout_s=600) as engine:
            server.usual = error(503)
            with pytest.raises(EngineUnreachable, match=f"{server.url} did not recover"):
                await engine.generate(request())
            server.usual = replies(answer())
            num_asked, num_waits = len(server.bodies), len(time.waits)
            with pytest.raises(EngineUnreachable, match=f"{server.url} did not recover"):
                await engine.generate(request())
            assert (len(server.bodies), len(time.waits)) == (num_asked, num_waits)
            time.now += 600
            assert texts(await engine.generate(request())) == ["4"]

    asyncio.run(generate())


def test_a_request_that_keeps_failing_with_no_other_beside_it_is_rejected() -> None:
    """The server answers a trial request, so it is up; the request gets the same time once more."""

    async def generate() -> None:
        time = FakeTime()
        async with site() as server, engine_on(server, time=time, retry_timeout_s=60) as engine:

            async def reply(asked: web.Request) -> web.StreamResponse:
                is_poison = (await asked.json())["prompt"] == "poison"
                return await (error(500, "out of range") if is_poison else server.good)(asked)

            server.usual = reply
            with pytest.raises(RequestRejected, match=r"answers others.*out of range"):
                await engine.generate(request(prompt="poison"))
            assert 120 <= time.now <= 150

    asyncio.run(generate())


def test_a_server_that_comes_back_as_patience_ends_rejects_nothing() -> None:
    async def generate() -> None:
        time = FakeTime()
        async with site() as server, engine_on(server, time=time, retry_timeout_s=60) as engine:

            async def reply(asked: web.Request) -> web.StreamResponse:
                is_trial = (await asked.json())["prompt"] != request().prompt
                return await (server.good if is_trial else error(502))(asked)

            server.usual = reply
            asked = asyncio.create_task(engine.generate(request()))
            await until(lambda: time.now >= 60)
            server.usual = server.good
            assert texts(await asked) == ["4"]

    asyncio.run(generate())


def test_a_request_that_alone_keeps_failing_is_rejected() -> None:
    async def generate() -> None:
        time = FakeTime()
        async with site() as server, engine_on(server, time=time) as engine:

            async def reply(asked: web.Request) -> web.StreamResponse:
                is_poison = (await asked.json())["prompt"] == "poison"
                return await (error(500, "index out of range") if is_poison else server.good)(asked)

            server.usual = reply
            poisoned = asyncio.create_task(engine.generate(request(prompt="poison")))
            while not poisoned.done():
                await engine.generate(request())
            with pytest.raises(RequestRejected, match=r"answers others.*index out of range"):
                await poisoned

    asyncio.run(generate())


def test_a_rate_limit_is_waited_out_while_the_server_answers_others() -> None:
    async def generate() -> None:
        time = FakeTime()
        async with site() as server, engine_on(server, time=time, retry_timeout_s=60) as engine:

            async def reply(asked: web.Request) -> web.StreamResponse:
                is_late = (await asked.json())["prompt"] == "late" and time.now < 600
                return await (error(429) if is_late else replies(answer()))(asked)

            server.usual = reply
            late = asyncio.create_task(engine.generate(request(prompt="late")))
            while not late.done():
                await engine.generate(request())
            assert texts(await late) == ["4"]
            assert time.now >= 600

    asyncio.run(generate())


@pytest.mark.parametrize("status", [400, 413, 422, 501])
def test_a_refused_request_is_rejected_at_once_while_others_go_on(status: int) -> None:
    async def generate() -> None:
        async with site() as server, engine_on(server) as engine:
            server.script = [error(status, "maximum context length is 9 tokens")]
            refused, good = await asyncio.gather(
                engine.generate(request()), engine.generate(request()), return_exceptions=True
            )
            if isinstance(refused, Generation):
                refused, good = good, refused
            assert isinstance(good, Generation)
            assert isinstance(refused, RequestRejected)
            assert "maximum context length is 9 tokens" in str(refused)
            assert len(server.bodies) == 2

    asyncio.run(generate())


@pytest.mark.parametrize("status", [401, 403, 404])
def test_access_lost_in_mid_run_fails_the_engine_at_once(status: int) -> None:
    async def generate() -> None:
        async with site() as server, engine_on(server) as engine:
            server.usual = error(status)
            with pytest.raises(EngineUnreachable, match=f"{status}: no; expected"):
                await engine.generate(request())
            assert len(server.bodies) == 1

    asyncio.run(generate())


@pytest.mark.parametrize(
    ("models", "usual", "said"),
    [
        (error(401, "bad key"), None, f"bad key; expected a key in .* {KEY_ENV}, which is not set"),
        (error(404), None, "usually ends in /v1"),
        (None, error(404, "no such model"), f"no such model.*it serves {MODEL}"),
        (None, error(403), KEY_ENV),
        (None, error(400, "model has no chat template"), "no chat template"),
    ],
)
def test_a_server_that_refuses_is_found_out_at_opening(
    models: Reply | None, usual: Reply | None, said: str
) -> None:
    async def open_it() -> None:
        async with site() as server:
            server.models, server.usual = models or server.models, usual or server.usual
            with pytest.raises(ModelUnusable, match=said):
                await open_openai_engine(config_for(server), "policy")

    asyncio.run(open_it())


def test_opening_waits_a_minute_for_a_server_that_is_not_there() -> None:
    async def open_it() -> None:
        time = FakeTime()
        async with site() as server:
            gone = config_for(server)
        with pytest.raises(EngineUnreachable, match="no connection"):
            await open_openai_engine(gone, "policy", clock=time.clock)
        assert 60 <= time.now <= 71

    asyncio.run(open_it())


def test_only_as_a_verifier_does_a_served_model_score() -> None:
    async def open_it() -> None:
        async with site() as server:
            verifier = await open_engine(config_for(server), "verifier", separator="\n")
            assert "--generative-" in verifier.model_id
            await verifier.close()
            async with engine_on(server) as engine:
                assert isinstance(engine, Engine)
                with pytest.raises(RequestRejected, match="has no scores of steps"):
                    await engine.score(ScoringRequest(prompt="2 + 2 =", steps=("4",)))

    asyncio.run(open_it())


def test_the_key_is_sent_and_told_to_nobody_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def generate() -> None:
        async with site() as server, engine_on(server, time=FakeTime()) as engine:
            caplog.set_level("DEBUG")
            server.script = [error(500, f"bad {KEY}"), error(400, f"bad {KEY}")]
            with pytest.raises(RequestRejected, match=r"bad \[key\]") as rejected:
                await engine.generate(request())
            assert KEY not in repr(rejected.value)
            assert server.headers[0]["Authorization"] == f"Bearer {KEY}"

    monkeypatch.setenv(KEY_ENV, KEY)
    asyncio.run(generate())
    assert "bad [key]" in caplog.text
    assert KEY not in caplog.text


def test_never_more_requests_in_flight_than_allowed() -> None:
    async def generate() -> None:
        async with site() as server, engine_on(server, max_in_flight=3) as engine:
            gate = asyncio.Semaphore(0)

            async def reply(asked: web.Request) -> web.StreamResponse:
                await gate.acquire()
                return await replies(answer())(asked)

            server.usual = reply
            pending = asyncio.gather(*(engine.generate(request(n=2)) for _ in range(6)))
            for left in range(12, 0, -1):
                await until(lambda left=left: server.active == min(3, left))
                gate.release()
            assert len(await pending) == 6
            assert server.most_active == 3

    asyncio.run(generate())


def test_requests_are_spread_over_the_minute() -> None:
    async def generate() -> None:
        time = FakeTime()
        async with (
            site() as server,
            engine_on(server, time=time, requests_per_minute=120) as engine,
        ):
            begun = time.now
            await engine.generate(request(n=10))
            assert time.now - begun == pytest.approx(5)

    asyncio.run(generate())


def test_closing_fails_what_is_in_flight() -> None:
    async def generate() -> None:
        async with site() as server, engine_on(server) as engine:
            server.usual = server.stall
            pending = asyncio.create_task(engine.generate(request(n=2)))
            await until(lambda: server.active == 2)
            await engine.close()
            with pytest.raises(EngineFailed, match="closed"):
                await pending
            with pytest.raises(EngineFailed, match="closed"):
                await engine.generate(request())

    asyncio.run(generate())


def test_a_cancelled_request_stays_cancelled() -> None:
    async def generate() -> None:
        async with site() as server, engine_on(server) as engine:
            server.usual = server.stall
            pending = asyncio.create_task(engine.generate(request(n=2)))
            await until(lambda: server.active == 2)
            pending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await pending
            server.usual = replies(answer())
            assert texts(await engine.generate(request())) == ["4"]

    asyncio.run(generate())


def test_each_continuation_is_asked_for_under_its_own_seed() -> None:
    async def generate() -> None:
        async with site() as server, engine_on(server) as engine:
            generation = await engine.generate(request(n=3, prefix=" 4", seed=7))
            assert sorted(body["seed"] for body in server.bodies) == [7, 8, 9]
            assert {body["prompt"] for body in server.bodies} == {"2 + 2 = 4"}
            assert texts(generation) == ["4"] * 3
            assert generation.prompt_tokens == 5
            await engine.generate(request(seed=None))
            assert "seed" not in server.bodies[-1]

    asyncio.run(generate())


@pytest.mark.parametrize(
    ("owner", "extra"),
    [
        ("vllm", {"include_stop_str_in_output", "return_token_ids", "top_k", "add_special_tokens"}),
        ("sglang", {"no_stop_trim", "return_token_ids", "top_k"}),
        ("acme", set()),
    ],
)
def test_fields_beyond_openais_go_only_to_servers_that_know_them(
    owner: str, extra: set[str]
) -> None:
    async def generate() -> None:
        async with site(owner) as server, engine_on(server) as engine:
            await engine.generate(request())
            plain = {"model", "prompt", "temperature", "top_p", "max_tokens", "seed"}
            assert set(server.bodies[0]) >= plain | extra
            assert extra or set(server.bodies[0]) == plain

    asyncio.run(generate())


def test_a_servers_word_on_the_stop_string_is_put_back() -> None:
    async def generate() -> None:
        async with site() as server, engine_on(server) as engine:
            tokens = {"tokens": ["4", "\n\n"], "token_logprobs": [-0.5, -0.25]}
            server.script = [replies(answer(matched_stop="\n", logprobs=tokens))]
            ended = await engine.generate(request(stop=("\n",), with_logprobs=True))
            (completion,) = ended.completions
            assert (completion.text, completion.stop_string) == ("4\n", "\n")
            assert completion.token_texts == ("4", "\n")
            assert completion.logprobs == (-0.5, -0.25)
            server.script = [replies(answer(stop_reason=None))]
            (completion,) = (await engine.generate(request(stop=("\n",)))).completions
            assert (completion.text, completion.stop_string) == ("4", None)

    asyncio.run(generate())


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ({"finish_reason": "content_filter"}, "content_filter"),
        ({"finish_reason": "stop"}, "does not say whether"),
    ],
)
def test_a_text_whose_end_cannot_be_told_is_rejected(ending: dict[str, str], said: str) -> None:
    async def generate() -> None:
        async with site() as server, engine_on(server) as engine:
            server.script = [replies(answer(**ending))]
            with pytest.raises(RequestRejected, match=said):
                await engine.generate(request(stop=("\n",)))

    asyncio.run(generate())


def test_tokens_that_are_only_counted_are_spread_over_the_steps() -> None:
    async def generate() -> None:
        async with site() as server, engine_on(server) as engine:
            server.script = [replies(answer("2 + 2 = 4\nAnswer: 4"))]
            (completion,) = (await engine.generate(request())).completions
            assert completion.token_ids == (UNTOLD_TOKEN, UNTOLD_TOKEN)
            assert (completion.logprobs, completion.token_texts) == (None, None)
            assert sum(step.num_tokens for step in measure_steps(completion, "\n")) == 2

    asyncio.run(generate())


def test_chat_sends_messages_and_reads_the_reply() -> None:
    chat = answer()
    del chat["choices"][0]["text"]
    tokens = {"content": [{"token": "4", "logprob": -0.5}, {"token": "</s>", "logprob": -0.1}]}
    chat["choices"][0] |= {"message": {"role": "assistant", "content": "4"}, "logprobs": tokens}

    async def generate() -> None:
        async with site() as server:
            server.usual = replies(chat)
            async with engine_on(
                server, api="chat", max_tokens_field="max_completion_tokens"
            ) as engine:
                (completion,) = (await engine.generate(request(with_logprobs=True))).completions
                assert server.bodies[0]["messages"] == [{"role": "user", "content": "2 + 2 ="}]
                assert server.bodies[0]["max_completion_tokens"] == 8
                assert "max_tokens" not in server.bodies[0]
                assert completion.token_texts == ("4", "")
                assert completion.logprobs == (-0.5, -0.1)
                messages = '[{"role": "system", "content": "Add."}]'
                await engine.generate(request(prompt=messages, has_chat_template=True))
                assert server.bodies[1]["messages"] == [{"role": "system", "content": "Add."}]
                with pytest.raises(RequestRejected, match="cannot continue"):
                    await engine.generate(request(prefix="First"))

    asyncio.run(generate())


@pytest.mark.parametrize("told", [[{"4": -0.5, "5": -1.0}], None, [None, None]])
def test_likeliest_tokens_that_do_not_belong_to_each_token_are_not_told(told: Any) -> None:
    tokens = {"tokens": ["2 ", "4"], "token_logprobs": [-0.5, -0.25], "top_logprobs": told}

    async def generate() -> None:
        async with site() as server, engine_on(server) as engine:
            server.script = [replies(answer("2 4", logprobs=tokens))]
            (completion,) = (await engine.generate(request(num_told=2))).completions
            assert completion.told is None

    asyncio.run(generate())


def test_likeliest_tokens_stay_with_their_token_where_another_has_none() -> None:
    likeliest = [None, {"4": -0.25, "5": -1.5}]
    tokens = {"tokens": ["2 ", "4"], "token_logprobs": [-0.5, -0.25], "top_logprobs": likeliest}

    async def generate() -> None:
        async with site() as server, engine_on(server) as engine:
            server.script = [replies(answer("2 4", logprobs=tokens))]
            (completion,) = (await engine.generate(request(num_told=2))).completions
            assert completion.told == ({}, likeliest[1])

    asyncio.run(generate())


@pytest.mark.parametrize("owner", ["vllm", "sglang"])
def test_sampling_parameters_reach_servers_that_have_them(owner: str) -> None:
    async def generate() -> None:
        async with site(owner) as server, engine_on(server) as engine:
            fields = {"top_k": 20, "min_p": 0.1, "repetition_penalty": 1.2}
            await engine.generate(request(stop_ids=(5, 6), num_alternatives=3, **fields))
            await engine.generate(request())
            asked, plain = server.bodies
            assert {name: asked[name] for name in fields} == fields
            assert (asked["stop_token_ids"], asked["logprobs"]) == ([5, 6], 3)
            assert (plain["top_k"], plain["min_p"], plain["repetition_penalty"]) == (-1, 0.0, 1.0)
            assert not {"stop_token_ids", "logprobs"} & set(plain)

    asyncio.run(generate())


@pytest.mark.parametrize(
    "fields", [{"top_k": 20}, {"min_p": 0.1}, {"repetition_penalty": 1.2}, {"stop_ids": (5,)}]
)
def test_a_server_without_a_parameter_refuses_the_request(fields: dict[str, Any]) -> None:
    async def generate() -> None:
        async with site() as server, engine_on(server) as engine:
            name = next(iter(fields)).replace("stop_ids", "stop_token_ids")
            with pytest.raises(RequestRejected, match=f"has no field {name} .*server.kind"):
                await engine.generate(request(**fields))
            assert server.bodies == []

    asyncio.run(generate())


def test_a_stop_string_need_not_be_told_where_it_ends_the_whole_text() -> None:
    async def generate() -> None:
        async with site() as server, engine_on(server) as engine:
            asked = request(stop=("Q:",), needs_stop_string=False)
            (completion,) = (await engine.generate(asked)).completions
            assert server.bodies[0]["stop"] == ["Q:"]
            assert (completion.text, completion.finish_reason) == ("4", "stop")
            assert completion.stop_string is None

    asyncio.run(generate())


def test_confidences_are_read_from_the_alternatives_that_a_server_tells() -> None:
    likely = [{"4": -0.5, " 4": -1.5, "5": -3.0}, {"\n": -0.25, ".": -1.75}]
    told = {"tokens": ["4", "\n"], "token_logprobs": [-0.5, -0.25], "top_logprobs": likely}
    tops = [[{"token": t, "logprob": p} for t, p in each.items()] for each in likely]
    content = [
        {"token": token, "logprob": p, "top_logprobs": top}
        for token, p, top in zip(["4", "\n"], [-0.5, -0.25], tops, strict=True)
    ]
    chat = answer(logprobs={"content": content})
    chat["choices"][0]["message"] = {"role": "assistant", "content": "4\n"}

    async def generate() -> None:
        async with site("vllm") as server:
            for api, reply in (
                ("completions", answer("4\n", logprobs=told, stop_reason=None)),
                ("chat", chat),
            ):
                server.usual = replies(reply)
                async with engine_on(server, api=api) as engine:
                    generation = await engine.generate(request(num_alternatives=2))
                    (completion,) = generation.completions
                    assert completion.confidences == (1.0, 1.0)
                    assert completion.logprobs is None
                    if api == "chat":
                        assert server.bodies[0]["top_logprobs"] == 2
                    (completion,) = (await engine.generate(request())).completions
                    assert completion.confidences is None
            server.usual = replies(answer())
            async with engine_on(server) as engine:
                (completion,) = (await engine.generate(request(num_alternatives=2))).completions
                assert completion.confidences is None

    asyncio.run(generate())


def chat_answer(finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    chat = answer(finish_reason=finish_reason, message={"role": "assistant", **message})
    del chat["choices"][0]["text"]
    return chat


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize(
    ("thought", "content", "finish_reason", "prefix", "text"),
    [
        ("2 + 2\n", "\n\n4", "stop", "", "<t>2 + 2\n</t>\n\n4"),
        ("2 + 2 is", None, "length", "", "<t>2 + 2 is"),
        ("2 + 2 is", "", "stop", "", "<t>2 + 2 is</t>"),
        ("2 + 2", "4", "length", "", "<t>2 + 2</t>4"),
        (" + 2", "4", "stop", "<t>2", " + 2</t>4"),
        ("again", "4", "stop", "<t>2</t>5", "<t>again</t>4"),
        (None, "4", "stop", "", "4"),
        ("", "4", "stop", "", "4"),
    ],
)
def test_a_thought_that_a_server_gives_apart_is_kept_in_its_tags(
    field: str, thought: str, content: str, finish_reason: str, prefix: str, text: str
) -> None:
    reply = chat_answer(finish_reason, **{field: thought, "content": content})

    async def generate() -> None:
        async with site("vllm") as server:
            server.usual = replies(reply)
            async with engine_on(server, api="chat") as engine:
                asked = request(prefix=prefix, thought_tags=("<t>", "</t>"))
                (completion,) = (await engine.generate(asked)).completions
                assert completion.text == text
                assert len(completion.token_ids) == 2
                if not prefix and thought:
                    (completion,) = (await engine.generate(request())).completions
                    assert completion.text == text.replace("t>", "think>")

    asyncio.run(generate())


def test_opening_words_and_template_arguments_reach_a_chat_server() -> None:
    chat = answer()
    chat["choices"][0]["message"] = {"role": "assistant", "content": "4"}
    turns = [{"role": "user", "content": "2?"}, {"role": "assistant", "content": "Well, "}]
    opened = json.dumps(turns)
    asked = json.dumps({"messages": turns[:1], "template_arguments": {"enable_thinking": False}})

    async def generate() -> None:
        async with site("vllm") as server:
            server.usual = replies(chat)
            async with engine_on(server, api="chat") as engine:
                fields = {"prompt": opened, "has_chat_template": True}
                await engine.generate(request(**fields))
                await engine.generate(request(**fields, prefix="4"))
                await engine.generate(request(prompt=asked, has_chat_template=True))
                first, continued, argued = server.bodies
                assert first["messages"] == turns
                assert (first["continue_final_message"], first["add_generation_prompt"]) == (
                    True,
                    False,
                )
                assert continued["messages"][-1]["content"] == "Well, 4"
                assert argued["chat_template_kwargs"] == {"enable_thinking": False}
                assert "continue_final_message" not in argued
        async with site() as server:
            server.usual = replies(chat)
            async with engine_on(server, api="chat") as engine:
                for prompt, said in ((opened, "opening words"), (asked, "enable_thinking")):
                    with pytest.raises(RequestRejected, match=said):
                        await engine.generate(request(prompt=prompt, has_chat_template=True))

    asyncio.run(generate())


@pytest.mark.parametrize("message", [{}, {"reasoning": ["2 + 2"], "content": "4"}])
def test_a_message_that_is_no_answer_is_asked_for_again(message: dict[str, Any]) -> None:
    async def generate() -> None:
        time = FakeTime()
        async with site() as server:
            server.usual = replies(chat_answer(content="4"))
            async with engine_on(server, time=time, api="chat") as engine:
                server.script = [replies(chat_answer(**message))]
                assert texts(await engine.generate(request())) == ["4"]
                assert len(time.waits) == 1

    asyncio.run(generate())
