"""Real vLLM on a small random checkpoint of each family, against transformers on its weights."""

import asyncio
import json
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.engines import (
    GenerationRequest,
    ScoringRequest,
    StepScoring,
    VerifierFamily,
    VLLMConfig,
)
from schemas.errors import RequestRejected
from tasks.engines.vllm_arguments import CPU_BLOCK_TOKENS
from tasks.engines.vllm_engine import VLLMEngine, open_vllm_engine
from tasks.verifiers.families import FAMILIES, LEAST_LIKELIHOOD
from tasks.verifiers.layout import Encoder

QUESTION = "Hugo has 34 books and sells 7. How many are left?"
STEPS = (
    "He sells 7, so that is what has to be taken away.\n\n",
    "34 - 7 = 27, and 27 + 7 = 34 shows that it is right.\n\n",
    "The answer is 27.\n\n",
)
CONTEXT = 512
TOLERANCE = 1e-5
FOREIGN: tuple[VerifierFamily, ...] = ("rlhflow", "math_shepherd", "qwen_prm", "skywork", "orm")
NAMED: tuple[VerifierFamily, ...] = ("rlhflow", "math_shepherd", "likelihood")
PER_STEP: tuple[VerifierFamily, ...] = ("rlhflow", "math_shepherd", "qwen_prm", "skywork")


def _sizes(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "initializer_range": 0.15,
        "pad_token_id": 0,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "tie_word_embeddings": False,
    }


def save_checkpoint(folder: Path, family: VerifierFamily, tokenizer: Any) -> Any:
    """Write a random checkpoint as the family publishes it; a function from ids to logits."""
    import torch
    import transformers
    from safetensors.torch import save_file

    torch.manual_seed(len(family))
    sizes = _sizes(tokenizer)
    tokenizer.save_pretrained(folder)
    if family in NAMED:
        kind = "Mistral" if family == "math_shepherd" else "Llama"
        config = getattr(transformers, f"{kind}Config")(**sizes)
        model = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
        model.save_pretrained(folder)
        if family == "likelihood":
            return lambda ids: model(ids).logits[0]
        answers = [tokenizer(sign, add_special_tokens=False)["input_ids"][-1] for sign in "-+"]
        return lambda ids: model(ids).logits[0][:, answers]
    if family == "orm":
        config = transformers.LlamaConfig(**{**sizes, "num_labels": 1})
        model = transformers.LlamaForSequenceClassification(config).eval()
        model.save_pretrained(folder)
        return lambda ids: model(ids).logits
    config = transformers.Qwen2Config(**sizes)
    body = transformers.Qwen2Model(config).eval()
    weights = {f"model.{name}": tensor for name, tensor in body.state_dict().items()}
    if family == "skywork":
        head: Any = torch.nn.Linear(64, 1)
        named = {"v_head.summary.weight": head.weight, "v_head.summary.bias": head.bias}
        architecture = "Qwen2ForPrmModel"
    else:
        head = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
        named = {f"score.{name}": tensor for name, tensor in head.state_dict().items()}
        architecture = "Qwen2ForProcessRewardModel"
    # Both also publish the language model's output layer, which is never read.
    weights |= named | {"lm_head.weight": torch.zeros(len(tokenizer), 64)}
    stored = {name: tensor.detach().contiguous() for name, tensor in weights.items()}
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    settings = {**config.to_dict(), "architectures": [architecture], "dtype": "float32"}
    settings["auto_map"] = {"AutoModel": "modeling.Model"}  # code of its own, never run
    (folder / "config.json").write_text(json.dumps(settings))
    return lambda ids: head(body(ids).last_hidden_state[0])


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def served(
    runner: asyncio.Runner,
    tmp_path_factory: pytest.TempPathFactory,
    llama_tokenizer: Any,
    qwen_tokenizer: Any,
    mistral_tokenizer: Any,
) -> Iterator[dict[VerifierFamily, tuple[VLLMEngine, Any]]]:
    """An engine and the reference of each family, all in this process."""
    tokenizers = {
        "rlhflow": llama_tokenizer,
        "orm": llama_tokenizer,
        "math_shepherd": mistral_tokenizer,
        "qwen_prm": qwen_tokenizer,
        "skywork": qwen_tokenizer,
        "likelihood": llama_tokenizer,
    }
    folder = tmp_path_factory.mktemp("families")
    pairs: dict[VerifierFamily, tuple[VLLMEngine, Any]] = {}
    with pytest.MonkeyPatch.context() as patch:
        # vLLM's own cache stays where it is: it saves looking at each architecture again.
        home = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
        patch.setenv("VLLM_CACHE_ROOT", os.environ.get("VLLM_CACHE_ROOT", f"{home}/vllm"))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for family in (*FOREIGN, "likelihood"):
            tokenizer = tokenizers[family]
            reference = save_checkpoint(folder / family, family, tokenizer)
            config = VLLMConfig(
                model=str(folder / family),
                verifier=family if family in NAMED else "auto",
                process="host",
                max_num_batched_tokens=2 * CONTEXT,
            )
            engine = runner.run(open_vllm_engine(config, "verifier", separator="\n\n"))
            encode = Encoder(tokenizer)
            pairs[family] = engine, (encode, reference)
        yield pairs
        for engine, _ in pairs.values():
            runner.run(engine.close())


def request_of(steps: tuple[str, ...] = STEPS, **fields: Any) -> ScoringRequest:
    return ScoringRequest(prompt=QUESTION, question=QUESTION, steps=steps, **fields)


def expected_scores(family: VerifierFamily, reference: Any, request: ScoringRequest) -> list[float]:
    import torch

    encode, logits_of = reference
    layout = FAMILIES[family].lay_out(encode, request, "\n\n")
    with torch.no_grad():
        logits = logits_of(torch.tensor([layout.token_ids])).double()
    if family == "orm":  # it gives only the last token's
        return logits[0].sigmoid().tolist()
    read = logits[layout.positions]
    return (read.sigmoid() if read.shape[1] == 1 else read.softmax(-1))[:, -1].tolist()


@pytest.mark.parametrize("family", FOREIGN)
def test_scores_equal_transformers(
    runner: asyncio.Runner, served: dict[VerifierFamily, tuple[VLLMEngine, Any]], family: Any
) -> None:
    engine, reference = served[family]
    request = request_of()
    scoring = runner.run(engine.score(request))
    assert len(scoring.scores) == (1 if family == "orm" else len(STEPS))
    assert scoring.scores == pytest.approx(
        expected_scores(family, reference, request), abs=TOLERANCE
    )
    assert len({round(score, 4) for score in (*scoring.scores, 0.0, 0.5, 1.0)}) == (
        len(scoring.scores) + 3
    )


@pytest.mark.parametrize("family", FOREIGN)
def test_steps_scored_one_by_one_equal_the_whole(
    runner: asyncio.Runner, served: dict[VerifierFamily, tuple[VLLMEngine, Any]], family: Any
) -> None:
    engine, reference = served[family]
    for k in range(1, len(STEPS) + 1):
        request = request_of(STEPS[:k], num_known=k - 1)
        scoring = runner.run(engine.score(request))
        expected = expected_scores(family, reference, request)[-1:]
        assert scoring.scores == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("family", PER_STEP)
def test_scores_of_a_prefix_are_the_first_scores_of_the_whole(
    runner: asyncio.Runner, served: dict[VerifierFamily, tuple[VLLMEngine, Any]], family: Any
) -> None:
    engine, _ = served[family]
    whole = runner.run(engine.score(request_of())).scores
    for k in range(1, len(STEPS)):
        prefix = runner.run(engine.score(request_of(STEPS[:k]))).scores
        assert prefix == pytest.approx(whole[:k], abs=TOLERANCE)


@pytest.mark.parametrize("family", FOREIGN)
def test_a_new_step_costs_itself_and_at_most_a_block(
    runner: asyncio.Runner, served: dict[VerifierFamily, tuple[VLLMEngine, Any]], family: Any
) -> None:
    engine, _ = served[family]
    steps = tuple(f"{i} + {family} = {i}.\n\n" for i in range(4))
    known = runner.run(engine.score(request_of(steps)))
    more = runner.run(engine.score(request_of((*steps, "Answer: 4"), num_known=len(steps))))
    computed = more.scored_tokens - more.cached_tokens
    new = more.scored_tokens - known.scored_tokens
    # An outcome model's chat was closed after the known steps, which may have filled a block.
    num_blocks = 2 if family == "orm" else 1
    assert 0 < new <= computed <= new + num_blocks * CPU_BLOCK_TOKENS < more.scored_tokens


@pytest.mark.parametrize("family", FOREIGN)
def test_what_cannot_be_scored_is_rejected(
    runner: asyncio.Runner, served: dict[VerifierFamily, tuple[VLLMEngine, Any]], family: Any
) -> None:
    engine, _ = served[family]
    for request, message in [
        (request_of(("7" * CONTEXT,)), f"expected 1 to {CONTEXT} tokens"),
        (request_of((*STEPS, "\n\n")), "step 3 is empty"),
        (replace(request_of(), question=""), "bare question"),
    ]:
        with pytest.raises(RequestRejected, match=message):
            runner.run(engine.score(request))


def log_likelihoods(reference: Any, request: ScoringRequest) -> list[float]:
    """[num_steps] of a request for transformers, token by token."""
    import torch

    encode, logits_of = reference
    layout = FAMILIES["likelihood"].lay_out(encode, request, "\n\n")
    with torch.no_grad():
        logprobs = logits_of(torch.tensor([layout.token_ids])).double().log_softmax(-1)
    totals, first = [], layout.first
    for last in layout.positions:
        tokens = range(first, last + 1)
        totals.append(sum(logprobs[i - 1, layout.token_ids[i]].item() for i in tokens))
        first = last + 1
    return totals


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize("has_chat_template", [False, True])
def test_likelihoods_equal_transformers(
    runner: asyncio.Runner,
    served: dict[VerifierFamily, tuple[VLLMEngine, Any]],
    is_whole: bool,
    has_chat_template: bool,
) -> None:
    engine, reference = served["likelihood"]
    prompt = QUESTION
    if has_chat_template:
        messages = [{"role": "user", "content": QUESTION}]
        prompt = reference[0].tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
    request = ScoringRequest(
        prompt=prompt, steps=STEPS, is_whole=is_whole, has_chat_template=has_chat_template
    )
    scoring = runner.run(engine.score(request))
    assert list(map(math.log, scoring.scores)) == pytest.approx(
        log_likelihoods(reference, request), abs=1e-4
    )
    # Nothing is read from the cache, however often the request is repeated.
    again = runner.run(engine.score(request))
    assert again == scoring
    layout = FAMILIES["likelihood"].lay_out(reference[0], request, "\n\n")
    assert (scoring.scored_tokens, scoring.cached_tokens) == (len(layout.token_ids), 0)
    for k in range(1, len(STEPS)):
        prefix = runner.run(engine.score(replace(request, steps=STEPS[:k], is_whole=False)))
        assert prefix.scores == pytest.approx(scoring.scores[:k], rel=1e-4, abs=0)
        rest = runner.run(engine.score(replace(request, num_known=k)))
        assert rest.scores == pytest.approx(scoring.scores[k:], rel=1e-4, abs=0)


def test_a_likelihood_neither_generates_nor_reads_beyond_its_context(
    runner: asyncio.Runner, served: dict[VerifierFamily, tuple[VLLMEngine, Any]]
) -> None:
    engine, _ = served["likelihood"]
    with pytest.raises(ValueError, match="expected a policy to generate"):
        runner.run(engine.generate(GenerationRequest(prompt=QUESTION, max_tokens=1)))
    for steps, message in [
        (("7" * CONTEXT,), f"expected 2 to {CONTEXT - 1} tokens"),
        ((*STEPS, "\n\n"), "step 3 is empty"),
    ]:
        with pytest.raises(RequestRejected, match=message):
            runner.run(engine.score(request_of(steps)))
    longest = "7" * (CONTEXT - 2 - len(QUESTION))
    scoring = runner.run(engine.score(ScoringRequest(prompt="7", steps=(longest, "7"))))
    assert scoring.scores[0] == LEAST_LIKELIHOOD


def test_a_classifier_has_no_probability_of_a_token(
    runner: asyncio.Runner, served: dict[VerifierFamily, tuple[VLLMEngine, Any]]
) -> None:
    with pytest.raises(ValueError, match="is a classifier"):
        runner.run(served["orm"][0].token_logprobs([1, 2, 3]))


def test_many_requests_at_once_are_each_their_own(
    runner: asyncio.Runner, served: dict[VerifierFamily, tuple[VLLMEngine, Any]]
) -> None:
    engine, reference = served["qwen_prm"]
    requests = [request_of((*STEPS, f"It is {i}.\n\n"), num_known=i % 4) for i in range(24)]

    async def score() -> list[StepScoring]:
        return await asyncio.gather(*map(engine.score, [*requests, *requests]))

    for request, scoring in zip([*requests, *requests], runner.run(score()), strict=True):
        expected = expected_scores("qwen_prm", reference, request)[request.num_known :]
        assert scoring.scores == pytest.approx(expected, abs=TOLERANCE)
