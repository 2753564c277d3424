"""Sampling parameters, alternatives, ends of text, adapters and further arguments in real vLLM."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.engines import SHIPPED_POLICY, Completion, GenerationRequest, VLLMConfig
from schemas.errors import ModelUnusable, RequestRejected
from tasks.engines.open import identify_engine
from tasks.engines.vllm_arguments import adapter_arguments, engine_arguments, further_arguments
from tasks.engines.vllm_engine import VLLMEngine, open_vllm_engine
from tasks.models.folders import load_tokenizer, resolve_model
from tasks.steps.stop_strings import end_at_stop

QUESTION = "Monday: Hugo has 34 books. Tuesday: Ana buys 7 books from Hugo. How many books?\n"
FOLDER = resolve_model(SHIPPED_POLICY)
TOKENIZER = load_tokenizer(FOLDER)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def open_policy(runner: asyncio.Runner, **fields: Any) -> VLLMEngine:
    config = VLLMConfig(**{"model": SHIPPED_POLICY, "process": "host", **fields})
    return runner.run(open_vllm_engine(config, "policy", separator="\n"))


@pytest.fixture(scope="module")
def policy(runner: asyncio.Runner) -> Iterator[VLLMEngine]:
    engine = open_policy(runner)
    yield engine
    runner.run(engine.close())


@pytest.fixture(scope="module")
def reference() -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(FOLDER, dtype="float32").eval()


def draw(runner: asyncio.Runner, engine: VLLMEngine, **fields: Any) -> list[Completion]:
    values: dict[str, Any] = {"prompt": QUESTION, "max_tokens": 60, "seed": 3, **fields}
    return list(runner.run(engine.generate(GenerationRequest(**values))).completions)


def next_logprobs(model: Any, token_ids: tuple[int, ...]) -> Any:
    """[num_tokens, vocabulary] log probabilities at each position of a continuation."""
    import torch

    prompt = TOKENIZER(QUESTION)["input_ids"]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*prompt, *token_ids]])).logits[0]
    return torch.log_softmax(logits[len(prompt) - 1 : -1].float(), dim=-1)


@pytest.mark.parametrize("with_logprobs", [True, False])
def test_confidences_are_the_mean_surprise_of_the_likeliest_tokens(
    runner: asyncio.Runner, policy: VLLMEngine, reference: Any, with_logprobs: bool
) -> None:
    drawn = draw(runner, policy, n=3, num_alternatives=5, with_logprobs=with_logprobs)
    plain = draw(runner, policy, n=3, with_logprobs=True)
    for completion, other in zip(drawn, plain, strict=True):
        expected = next_logprobs(reference, completion.token_ids)
        likeliest = -expected.topk(5, dim=-1).values.mean(dim=-1)
        assert completion.confidences == pytest.approx(likeliest.tolist(), abs=1e-3)
        assert completion.token_ids == other.token_ids
        assert completion.logprobs == (other.logprobs if with_logprobs else None)
        assert other.confidences is None


def test_more_alternatives_than_vllm_gives_are_refused_in_its_words(
    runner: asyncio.Runner, policy: VLLMEngine
) -> None:
    with pytest.raises(RequestRejected, match="max allowed"):
        draw(runner, policy, num_alternatives=21)


def test_one_token_to_sample_from_is_greedy(runner: asyncio.Runner, policy: VLLMEngine) -> None:
    (greedy,) = draw(runner, policy, temperature=0.0)
    for fields in ({"top_k": 1}, {"min_p": 1.0}):
        assert [c.text for c in draw(runner, policy, n=4, **fields)] == [greedy.text] * 4


@pytest.mark.parametrize(("top_k", "min_p"), [(2, 0.0), (None, 0.3)])
def test_only_likely_tokens_are_sampled(
    runner: asyncio.Runner, policy: VLLMEngine, reference: Any, top_k: int | None, min_p: float
) -> None:
    for completion in draw(runner, policy, n=8, temperature=1.5, top_k=top_k, min_p=min_p):
        logprobs = next_logprobs(reference, completion.token_ids)
        for position, token_id in enumerate(completion.token_ids):
            at = logprobs[position]
            if top_k is not None:
                assert (at > at[token_id] + 1e-3).sum() < top_k
            # min_p acts on the distribution at the request's temperature
            ratio = ((at[token_id] - at.max()) / 1.5).exp()
            assert ratio >= min_p * 0.99


def test_a_repetition_penalty_forbids_what_was_written(
    runner: asyncio.Runner, policy: VLLMEngine
) -> None:
    (usual,) = draw(runner, policy, temperature=0.0)
    (punished,) = draw(runner, policy, temperature=0.0, repetition_penalty=50.0)
    assert len(set(usual.token_ids)) < len(usual.token_ids)
    written = punished.token_ids[:10]
    assert len(set(written)) == len(written)


def test_stop_ids_end_a_text_like_its_end(runner: asyncio.Runner, policy: VLLMEngine) -> None:
    (whole,) = draw(runner, policy, temperature=0.0)
    place = len(whole.token_ids) // 2
    stop_id = whole.token_ids[place]
    (cut,) = draw(runner, policy, temperature=0.0, stop_ids=(stop_id,), stop=("\n",))
    first_line = draw(runner, policy, temperature=0.0, stop=("\n",))[0]
    ends_by_id = stop_id in first_line.token_ids
    assert cut.finish_reason == "stop"
    assert cut.stop_string == (None if ends_by_id else "\n")
    (cut,) = draw(runner, policy, temperature=0.0, stop_ids=(stop_id,))
    assert cut.token_ids == whole.token_ids[: whole.token_ids.index(stop_id) + 1]
    assert (cut.finish_reason, cut.stop_string) == ("stop", None)


def test_a_stop_string_ends_a_solution_before_it(
    runner: asyncio.Runner, policy: VLLMEngine
) -> None:
    (whole,) = draw(runner, policy, temperature=0.0)
    assert "Answer:" in whole.text
    (stopped,) = draw(runner, policy, temperature=0.0, stop=("\n", "\nAnswer:"))
    assert stopped.stop_string == "\n"
    (stopped,) = draw(runner, policy, temperature=0.0, stop=("\nAnswer:",), with_logprobs=True)
    assert stopped.stop_string == "\nAnswer:"
    kept = end_at_stop(stopped, ("\nAnswer:",))
    assert (kept.finish_reason, kept.stop_string) == ("stop", None)
    assert kept.text == whole.text[: whole.text.index("\nAnswer:")]
    assert kept.token_ids == whole.token_ids[: len(kept.token_ids)]
    assert kept.logprobs is not None
    assert len(kept.logprobs) == len(kept.token_ids) < len(stopped.token_ids)


def test_every_end_of_text_of_a_generation_config_ends_a_text(
    runner: asyncio.Runner, policy: VLLMEngine, tmp_path: Path
) -> None:
    (whole,) = draw(runner, policy, temperature=0.0)
    other_end = whole.token_ids[len(whole.token_ids) // 2]
    folder = tmp_path / "two-ends"
    shutil.copytree(FOLDER, folder)
    file = folder / "generation_config.json"
    settings = json.loads(file.read_text())
    assert settings["eos_token_id"] == 2
    file.write_text(json.dumps({**settings, "eos_token_id": [2, other_end]}))
    engine = open_policy(runner, model=str(folder))
    (ended,) = draw(runner, engine, temperature=0.0)
    runner.run(engine.close())
    assert ended.token_ids == whole.token_ids[: whole.token_ids.index(other_end) + 1]
    assert (ended.finish_reason, ended.stop_string) == ("stop", None)


def save_adapter(folder: Path, *, scale: float) -> Path:
    """A LoRA adapter of the shipped policy whose matrices are random."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(FOLDER, dtype="float32")
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])
    model = get_peft_model(base, config)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=scale)
    model.save_pretrained(str(folder))
    return folder


def test_an_adapter_is_served_and_named(
    runner: asyncio.Runner, policy: VLLMEngine, tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    adapter = save_adapter(tmp_path / "terse", scale=0.2)
    base = AutoModelForCausalLM.from_pretrained(FOLDER, dtype="float32")
    adapted = PeftModel.from_pretrained(base, adapter).eval()
    engine = open_policy(runner, lora=str(adapter))
    (completion,) = draw(runner, engine, temperature=0.0, with_logprobs=True)
    model_id = engine.model_id
    runner.run(engine.close())
    logprobs = next_logprobs(adapted, completion.token_ids)
    expected = [logprobs[i, token_id].item() for i, token_id in enumerate(completion.token_ids)]
    assert completion.logprobs == pytest.approx(expected, abs=1e-2)
    plain = next_logprobs(base_model(), completion.token_ids)
    told = [plain[i, token_id].item() for i, token_id in enumerate(completion.token_ids)]
    assert completion.logprobs != pytest.approx(told, abs=1e-1)

    assert model_id.startswith(f"{policy.model_id}--terse-")
    config = VLLMConfig(model=SHIPPED_POLICY, lora=str(adapter))
    assert identify_engine(config) == model_id
    other = save_adapter(tmp_path / "other" / "terse", scale=0.3)
    assert identify_engine(config.with_fields(lora=str(other))) != model_id


def base_model() -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(FOLDER, dtype="float32").eval()


def test_what_is_no_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"expected an adapter with adapter_config\.json"):
        adapter_arguments(str(FOLDER))
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "IA3", "r": 8}')
    with pytest.raises(ModelUnusable, match="expected peft_type LORA, got 'IA3'"):
        adapter_arguments(str(tmp_path))
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 8}')
    with pytest.raises(ModelUnusable, match="expected weights"):
        adapter_arguments(str(tmp_path))
    config = VLLMConfig(model=SHIPPED_POLICY, lora=str(tmp_path))
    with pytest.raises(ModelUnusable, match="expected weights"):
        identify_engine(config)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("quantisation", "near it are .*quantization"),
        ("tensor_parallel_size", "its own field"),
        ("model", "its own field"),
        ("runner", "that stepmill sets itself"),
        ("logprobs_mode", "that stepmill sets itself"),
    ],
)
def test_arguments_that_vllm_lacks_or_stepmill_sets_are_refused(name: str, said: str) -> None:
    config = VLLMConfig(model=SHIPPED_POLICY, engine_arguments={name: 1})
    own = engine_arguments(config, str(FOLDER), "policy")
    with pytest.raises(ModelUnusable, match=said):
        further_arguments(config, own)


def test_a_generative_verifier_may_name_all_the_tokens_of_its_verdicts() -> None:
    """24 at least for `stepwise` in a large vocabulary; vLLM's own limit on a request is 20."""
    from vllm.sampling_params import MAX_LOGPROB_TOKEN_IDS

    config = VLLMConfig(model=SHIPPED_POLICY, verifier="generative")
    assert engine_arguments(config, str(FOLDER), "critic")["max_logprobs"] == MAX_LOGPROB_TOKEN_IDS
    own = config.with_fields(engine_arguments={"max_logprobs": 64})
    assert "max_logprobs" not in engine_arguments(own, str(FOLDER), "critic")
    plain = config.with_fields(verifier="auto")
    assert "max_logprobs" not in engine_arguments(plain, str(FOLDER), "policy")


def test_further_arguments_reach_vllm(runner: asyncio.Runner, policy: VLLMEngine) -> None:
    engine = open_policy(runner, engine_arguments={"max_logprobs": 30})
    (completion,) = draw(runner, engine, num_alternatives=30)
    runner.run(engine.close())
    assert completion.confidences is not None
    with pytest.raises(ModelUnusable, match="quantization"):
        open_policy(runner, engine_arguments={"quantization": "no-such-method"})
