"""Real vLLM on a small random model, checked against transformers on the same weights."""

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import psutil
import pytest

from schemas.engines import Generation, GenerationRequest, ScoringRequest, VLLMConfig
from schemas.errors import EngineFailed, ModelUnusable, RequestRejected
from tasks.engines.base import Engine
from tasks.engines.vllm_arguments import CPU_BLOCK_TOKENS
from tasks.engines.vllm_engine import VLLMEngine, open_vllm_engine
from tasks.models.folders import identify_model
from tasks.steps.segmentation import measure_steps
from tasks.verifiers.layout import Encoder, lay_out
from tasks.world.tokenizer import build_tokenizer

QUESTION = "Monday: Hugo has 34 books. Tuesday: Ana buys 7 books from Hugo. How many books?\n"
STEPS = ("Tuesday: [buys from] 34 - 7 = 27\n", "Tuesday: 27 + 7 = 34\n", "Answer: 27\n")
CONTEXT = 256
END_OF_TEXT = 2


def save_model(folder: Path, *, verifier: bool = False, broken: bool = False) -> Path:
    """A random Llama with weights large enough that its choices are far from uniform."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForTokenClassification

    tokenizer = build_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.2,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=END_OF_TEXT,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    if verifier:
        config.update({"step_separator": "\n"})
        model = LlamaForTokenClassification(config)
        if broken:
            torch.nn.init.constant_(model.get_parameter("score.weight"), torch.nan)
    else:
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def policy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("models") / "policy")


@pytest.fixture(scope="module")
def verifier_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("models") / "verifier", verifier=True)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for the module, as an actor has one for its lifetime."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def policy(runner: asyncio.Runner, policy_folder: Path) -> Iterator[VLLMEngine]:
    config = VLLMConfig(model=str(policy_folder), process="host")
    engine = runner.run(open_vllm_engine(config, "policy", separator="\n"))
    yield engine
    runner.run(engine.close())


@pytest.fixture(scope="module")
def verifier(
    runner: asyncio.Runner, verifier_folder: Path, policy: VLLMEngine
) -> Iterator[VLLMEngine]:
    """A second engine in the process of the first."""
    config = VLLMConfig(model=str(verifier_folder), process="host")
    engine = runner.run(open_vllm_engine(config, "verifier", separator="\n"))
    yield engine
    runner.run(engine.close())


@pytest.fixture(scope="module")
def reference(policy_folder: Path) -> Any:
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(policy_folder).eval()


def request(**fields: Any) -> GenerationRequest:
    values: dict[str, Any] = {"prompt": QUESTION, "max_tokens": 40, "seed": 7}
    return GenerationRequest(**{**values, **fields})


def texts(generation: Generation) -> list[str]:
    return [completion.text for completion in generation.completions]


def test_engine_fulfils_the_protocol_and_names_itself(
    policy: VLLMEngine, policy_folder: Path
) -> None:
    assert isinstance(policy, Engine)
    assert policy.name.startswith("vllm ")
    assert policy.model_id == identify_model(str(policy_folder))


@pytest.mark.parametrize("stop", [(), ("nowhere in the vocabulary",)])
def test_logprobs_equal_those_of_transformers(
    runner: asyncio.Runner, policy: VLLMEngine, reference: Any, stop: tuple[str, ...]
) -> None:
    import torch

    prefix = STEPS[0]
    generation = runner.run(
        policy.generate(
            request(n=4, prefix=prefix, with_logprobs=True, temperature=0.8, top_p=0.9, stop=stop)
        )
    )
    tokenizer = build_tokenizer()
    context = tokenizer(QUESTION)["input_ids"]
    context = context + tokenizer(prefix, add_special_tokens=False)["input_ids"]
    assert generation.prompt_tokens == len(context)
    for completion in generation.completions:
        assert completion.logprobs is not None
        ids = torch.tensor([[*context, *completion.token_ids]])
        with torch.no_grad():
            logprobs = reference(ids).logits[0].float().log_softmax(-1)
        expected = [
            logprobs[len(context) - 1 + i, token].item()
            for i, token in enumerate(completion.token_ids)
        ]
        assert completion.logprobs == pytest.approx(expected, abs=1e-3)


def test_greedy_equals_transformers(
    runner: asyncio.Runner, policy: VLLMEngine, reference: Any
) -> None:
    import torch

    prompts = [QUESTION, "How many apples?\n", "Answer: "]

    async def generate() -> list[Generation]:
        requests = [request(prompt=prompt, temperature=0.0) for prompt in prompts]
        return await asyncio.gather(*map(policy.generate, requests))

    tokenizer = build_tokenizer()
    for prompt, generation in zip(prompts, runner.run(generate()), strict=True):
        ids = torch.tensor([tokenizer(prompt)["input_ids"]])
        expected = reference.generate(ids, do_sample=False, max_new_tokens=40)[0, ids.shape[1] :]
        assert list(generation.completions[0].token_ids) == expected.tolist()


def test_scores_equal_transformers(
    runner: asyncio.Runner, verifier: VLLMEngine, verifier_folder: Path
) -> None:
    import torch
    from transformers import AutoTokenizer, LlamaForTokenClassification

    encode = Encoder(AutoTokenizer.from_pretrained(verifier_folder))
    layout = lay_out(encode, QUESTION, STEPS, "\n")
    model = LlamaForTokenClassification.from_pretrained(verifier_folder).eval()
    with torch.no_grad():
        logits = model(torch.tensor([layout.token_ids])).logits[0]
    expected = logits[layout.positions].double().softmax(-1)[:, 1].tolist()
    scoring = runner.run(verifier.score(ScoringRequest(prompt=QUESTION, steps=STEPS)))
    assert scoring.scores == pytest.approx(expected, abs=1e-4)
    assert scoring.scored_tokens == len(layout.token_ids)
    assert len({round(score, 3) for score in scoring.scores}) == len(STEPS)


def test_scores_of_a_prefix_are_the_first_scores_of_the_whole(
    runner: asyncio.Runner, verifier: VLLMEngine
) -> None:
    async def score() -> list[tuple[float, ...]]:
        requests = [
            ScoringRequest(prompt=QUESTION, steps=STEPS[:k]) for k in range(1, len(STEPS) + 1)
        ]
        return [scoring.scores for scoring in await asyncio.gather(*map(verifier.score, requests))]

    *prefixes, whole = runner.run(score())
    for k, scores in enumerate(prefixes, start=1):
        assert scores == pytest.approx(whole[:k], abs=1e-5)


def test_a_known_prefix_is_neither_scored_nor_computed_again(
    runner: asyncio.Runner, verifier: VLLMEngine
) -> None:
    steps = (*STEPS, *STEPS, "Tuesday: 27 + 7 = 34\n")
    known = runner.run(verifier.score(ScoringRequest(prompt=QUESTION, steps=steps[:-1])))
    new = runner.run(
        verifier.score(ScoringRequest(prompt=QUESTION, steps=steps, num_known=len(steps) - 1))
    )
    own_tokens = new.scored_tokens - known.scored_tokens
    computed = new.scored_tokens - new.cached_tokens
    assert own_tokens <= computed < own_tokens + CPU_BLOCK_TOKENS < new.scored_tokens
    # Once more: the positions are cached and read again.
    whole = runner.run(verifier.score(ScoringRequest(prompt=QUESTION, steps=steps)))
    assert whole.scores == pytest.approx((*known.scores, *new.scores), abs=1e-5)
    assert whole.scored_tokens >= new.scored_tokens


def test_a_seed_fixes_each_continuation(runner: asyncio.Runner, policy: VLLMEngine) -> None:
    together = texts(runner.run(policy.generate(request(n=4))))
    assert len(set(together)) == 4
    assert texts(runner.run(policy.generate(request(n=4)))) == together
    assert texts(runner.run(policy.generate(request(n=1)))) == together[:1]
    assert texts(runner.run(policy.generate(request(n=1, seed=8)))) == together[1:2]


def test_a_stop_string_ends_the_text_and_stays_in_it(
    runner: asyncio.Runner, policy: VLLMEngine
) -> None:
    free = runner.run(policy.generate(request(n=8, max_tokens=100)))
    assert free.completions[0].token_texts is not None
    stop = free.completions[0].token_texts[30]
    stopped = runner.run(policy.generate(request(n=8, max_tokens=100, stop=(stop,))))
    ended = 0
    for before, after in zip(free.completions, stopped.completions, strict=True):
        if stop in before.text:
            assert before.token_texts is not None
            ends = accumulate(map(len, before.token_texts))
            end = next(end for end in ends if end >= before.text.index(stop) + len(stop))
            assert after.text == before.text[:end]
            assert (after.finish_reason, after.stop_string) == ("stop", stop)
            assert after.token_ids == before.token_ids[: len(after.token_ids)]
            ended += 1
        else:
            assert after == before
    assert ended


def test_finish_reason_tells_end_of_text_from_the_limit(
    runner: asyncio.Runner, policy: VLLMEngine
) -> None:
    generation = runner.run(policy.generate(request(n=64, max_tokens=60, with_logprobs=True)))
    reasons = set()
    for completion in generation.completions:
        reasons.add(completion.finish_reason)
        assert completion.stop_string is None
        assert completion.logprobs is not None
        assert len(completion.logprobs) == len(completion.token_ids)
        if completion.finish_reason == "stop":
            assert completion.token_ids[-1] == END_OF_TEXT
            assert "</s>" not in completion.text
        else:
            assert len(completion.token_ids) == 60
    assert reasons == {"stop", "length"}


def test_token_texts_join_to_the_text_and_measure_its_steps(
    runner: asyncio.Runner, policy: VLLMEngine
) -> None:
    generation = runner.run(policy.generate(request(n=16, max_tokens=60, with_logprobs=True)))
    for completion in generation.completions:
        assert completion.token_texts is not None
        assert "".join(completion.token_texts) == completion.text
        assert len(completion.token_texts) == len(completion.token_ids)
        steps = measure_steps(completion, "\n")
        assert sum(step.num_tokens for step in steps) == len(completion.token_ids)


def test_generation_stops_where_the_context_ends(
    runner: asyncio.Runner, policy: VLLMEngine
) -> None:
    prompt = "7" * (CONTEXT - 5)
    generation = runner.run(policy.generate(request(prompt=prompt, n=4, max_tokens=1000)))
    room = CONTEXT - generation.prompt_tokens
    assert 0 < room < 5
    assert max(len(completion.token_ids) for completion in generation.completions) == room


def test_a_prompt_too_long_is_rejected_while_others_finish(
    runner: asyncio.Runner, policy: VLLMEngine
) -> None:
    async def generate() -> list[Generation | BaseException]:
        requests = [request(), request(prompt="7" * CONTEXT), request(prefix="7" * CONTEXT)]
        return await asyncio.gather(*map(policy.generate, requests), return_exceptions=True)

    good, *rejected = runner.run(generate())
    assert isinstance(good, Generation)
    for error in rejected:
        assert isinstance(error, RequestRejected)
        assert f"expected 1 to {CONTEXT - 1} tokens" in str(error)
        assert "got 2" in str(error)


@pytest.mark.parametrize("fields", [{"temperature": -1.0}, {"top_p": 0.0}, {"max_tokens": 0}])
def test_a_parameter_out_of_range_is_rejected(
    runner: asyncio.Runner, policy: VLLMEngine, fields: dict[str, Any]
) -> None:
    with pytest.raises(RequestRejected, match=next(iter(fields))):
        runner.run(policy.generate(request(**fields)))


def test_hundreds_of_seeded_requests_at_once_all_return(
    runner: asyncio.Runner, policy: VLLMEngine
) -> None:
    """More prompt tokens than one batch holds: on a CPU no prompt may be split in two."""
    prompts = [f"{'Monday: Hugo has 34 books. ' * 12}{index} books?\n" for index in range(300)]

    async def generate() -> list[Generation]:
        requests = [
            request(prompt=prompt, max_tokens=1 + index % 9, seed=index)
            for index, prompt in enumerate(prompts)
        ]
        return await asyncio.gather(*map(policy.generate, requests))

    generations = runner.run(generate())
    assert sum(generation.prompt_tokens for generation in generations) > 20_000
    alone = runner.run(policy.generate(request(prompt=prompts[17], max_tokens=9, seed=17)))
    assert texts(alone) == texts(generations[17])


def test_cached_tokens_are_those_the_first_continuation_found(
    runner: asyncio.Runner, policy: VLLMEngine
) -> None:
    prompt = "Friday: Emma finds 12 coins in each of 3 bags and 4 more on the way home.\n" * 3
    first = runner.run(policy.generate(request(prompt=prompt, n=8)))
    again = runner.run(policy.generate(request(prompt=prompt, n=8, prefix=STEPS[0])))
    assert first.cached_tokens == 0
    assert first.prompt_tokens // 2 < again.cached_tokens <= first.prompt_tokens


def test_a_cancelled_request_does_not_disturb_the_others(
    runner: asyncio.Runner, policy: VLLMEngine
) -> None:
    async def generate() -> Generation:
        lost = asyncio.ensure_future(policy.generate(request(n=4, max_tokens=200)))
        kept = asyncio.ensure_future(policy.generate(request(n=2)))
        for _ in range(20):
            await asyncio.sleep(0)
        lost.cancel()
        with pytest.raises(asyncio.CancelledError):
            await lost
        return await kept

    assert len(runner.run(generate()).completions) == 2


def test_each_role_refuses_the_others_work(
    runner: asyncio.Runner, policy: VLLMEngine, verifier: VLLMEngine
) -> None:
    with pytest.raises(ValueError, match="expected a verifier to score"):
        runner.run(policy.score(ScoringRequest(prompt=QUESTION, steps=STEPS)))
    with pytest.raises(ValueError, match="expected a policy to generate"):
        runner.run(verifier.generate(request()))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((), "at least one step"),
        (("2 + 2 = 4\n", "\n"), "step 1 is empty"),
        (("7" * CONTEXT,), f"expected 1 to {CONTEXT} tokens"),
    ],
)
def test_steps_that_cannot_be_scored_are_rejected(
    runner: asyncio.Runner, verifier: VLLMEngine, steps: tuple[str, ...], message: str
) -> None:
    with pytest.raises(RequestRejected, match=message):
        runner.run(verifier.score(ScoringRequest(prompt=QUESTION, steps=steps)))


def test_a_score_that_is_no_number_is_rejected(runner: asyncio.Runner, tmp_path: Path) -> None:
    folder = save_model(tmp_path / "broken", verifier=True, broken=True)

    async def score() -> None:
        config = VLLMConfig(model=str(folder), process="host")
        engine = await open_vllm_engine(config, "verifier", separator="\n")
        try:
            await engine.score(ScoringRequest(prompt=QUESTION, steps=STEPS))
        finally:
            await engine.close()

    with pytest.raises(RequestRejected, match=r"step 0: expected a score in \[0, 1\], got nan"):
        runner.run(score())


def test_a_failed_step_fails_all_requests_and_leaves_other_engines_alone(
    runner: asyncio.Runner,
    policy: VLLMEngine,
    policy_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = texts(runner.run(policy.generate(request())))

    def fail() -> None:
        raise RuntimeError("out of memory")

    async def generate() -> list[Any]:
        config = VLLMConfig(model=str(policy_folder), process="host")
        engine = await open_vllm_engine(config, "policy", separator="\n")
        monkeypatch.setattr(engine._driver._engine, "step", fail)  # type: ignore[attr-defined]
        pending = [engine.generate(request()), engine.generate(request(n=3))]
        outcomes = await asyncio.gather(*pending, return_exceptions=True)
        later = await asyncio.gather(engine.generate(request()), return_exceptions=True)
        await engine.close()
        return [*outcomes, *later]

    for outcome in runner.run(generate()):
        assert isinstance(outcome, EngineFailed)
        assert "out of memory" in str(outcome)
    assert texts(runner.run(policy.generate(request()))) == before


def test_a_closed_engine_fails_what_is_in_flight(
    runner: asyncio.Runner, policy_folder: Path
) -> None:
    async def generate() -> list[Any]:
        config = VLLMConfig(model=str(policy_folder), process="host")
        engine = await open_vllm_engine(config, "policy", separator="\n")
        pending = asyncio.ensure_future(engine.generate(request(max_tokens=200)))
        await asyncio.sleep(0)
        await engine.close()
        await engine.close()
        later = engine.generate(request())
        return list(await asyncio.gather(pending, later, return_exceptions=True))

    assert [type(outcome) for outcome in runner.run(generate())] == [EngineFailed, EngineFailed]


def test_a_context_beyond_the_models_own_is_unusable(
    runner: asyncio.Runner, policy_folder: Path
) -> None:
    config = VLLMConfig(model=str(policy_folder), process="host", max_model_len=100_000)
    with pytest.raises(ModelUnusable, match="100000"):
        runner.run(open_vllm_engine(config, "policy", separator="\n"))


def open_sockets() -> list[Any]:
    """ZeroMQ's open sockets in this process, for which the collection of its context would wait."""
    import zmq

    kept = (each for each in gc.get_objects() if issubclass(type(each), zmq.Socket))
    return [each for each in kept if not each.closed]


@pytest.mark.slow
def test_an_engine_process_that_is_killed_while_its_weights_change_fails(
    runner: asyncio.Runner, policy_folder: Path
) -> None:
    async def change() -> None:
        config = VLLMConfig(model=str(policy_folder), process="own")
        engine = await open_vllm_engine(config, "policy", separator="\n")
        (process,) = (p for p in psutil.Process().children() if "EngineCor" in p.name())
        process.suspend()  # so that it never answers
        changing = asyncio.ensure_future(engine.update_weights(policy_folder))
        await asyncio.sleep(0)
        process.kill()
        try:
            await changing
        finally:
            await engine.close()

    with pytest.raises(EngineFailed, match="vLLM's engine process died"):
        runner.run(change())
    assert not open_sockets()


@pytest.mark.slow
def test_an_engine_process_that_is_killed_fails_its_requests(
    runner: asyncio.Runner, policy: VLLMEngine, policy_folder: Path
) -> None:
    expected = runner.run(policy.generate(request(n=2, with_logprobs=True)))

    async def generate() -> tuple[Generation, list[Any]]:
        config = VLLMConfig(model=str(policy_folder), process="own")
        engine = await open_vllm_engine(config, "policy", separator="\n")
        good = await engine.generate(request(n=2, with_logprobs=True))
        pending = asyncio.gather(
            *(engine.generate(request(n=50, max_tokens=200, seed=i)) for i in range(20)),
            return_exceptions=True,
        )
        await asyncio.sleep(0)
        for process in psutil.Process().children():
            if process.name().startswith("VLLM::EngineCor"):
                process.kill()
        outcomes = await pending
        outcomes += await asyncio.gather(engine.generate(request()), return_exceptions=True)
        await engine.close()
        return good, outcomes

    good, outcomes = runner.run(generate())
    for ours, theirs in zip(good.completions, expected.completions, strict=True):
        assert replace(ours, logprobs=None) == replace(theirs, logprobs=None)
        assert ours.logprobs == pytest.approx(theirs.logprobs, abs=1e-3)
    assert {type(outcome) for outcome in outcomes} == {EngineFailed}
    assert not open_sockets()
