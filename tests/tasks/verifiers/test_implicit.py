"""The implicit process reward: by hand, and two random models in vLLM against transformers."""

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.engines import GenerationRequest, ScoringRequest, VLLMConfig
from schemas.errors import ModelUnusable, RequestRejected
from schemas.generative import ImplicitConfig
from tasks.engines.open import identify_engine, open_engine
from tasks.models.folders import load_tokenizer
from tasks.verifiers.families import FAMILIES, p_preferred
from tasks.verifiers.layout import Encoder, TokenLayout

QUESTION = "Hugo has 34 books and sells 7. How many are left?"
STEPS = ("34 - 7 = 27.\n\n", "27 + 7 = 34 shows that it is right.\n\n", "The answer is 27.")
BETA = 0.5


def test_a_step_scores_by_the_log_ratio_of_its_own_tokens():
    layout = TokenLayout([9, 1, 2, 3, 4], [2, 4], first=1)
    own, reference = [-1.0, -1.0, -2.0, -0.5], [-2.0, -1.5, -1.0, -0.5]
    # Steps of two tokens each: ratios 1 + .5 and -1 + 0.
    expected = [1 / (1 + math.exp(-0.1 * 1.5)), 1 / (1 + math.exp(0.1))]
    assert p_preferred(own, reference, layout, 0.1) == pytest.approx(expected)
    assert p_preferred(own, own, layout, 0.1) == [0.5, 0.5]


def test_a_reference_belongs_to_this_family_alone():
    implicit = ImplicitConfig(reference="b")
    assert VLLMConfig(model="a", verifier="implicit", implicit=implicit).implicit == implicit
    with pytest.raises(ValueError, match="implicit: expected the reference of a verifier"):
        VLLMConfig(model="a", verifier="implicit")
    with pytest.raises(ValueError, match="implicit: expected the reference of a verifier"):
        VLLMConfig(model="a", verifier="likelihood", implicit=implicit)


def save_model(folder: Path, tokenizer: Any, seed: int) -> Any:
    """A small random language model."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=512,
            initializer_range=0.1,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=0,
            tie_word_embeddings=False,
        )
    ).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def config_of(own: Path, reference: Path) -> VLLMConfig:
    implicit = ImplicitConfig(reference=str(reference), beta=BETA)
    return VLLMConfig(model=str(own), verifier="implicit", implicit=implicit, process="host")


def expected_scores(models: Any, tokenizer: Any, request: ScoringRequest) -> list[float]:
    """By transformers, token by token."""
    import torch

    layout = FAMILIES["implicit"].lay_out(Encoder(tokenizer), request, "\n\n")
    ids = layout.token_ids
    with torch.no_grad():
        own, reference = (
            model(torch.tensor([ids])).logits[0].double().log_softmax(-1) for model in models
        )
    scores, first = [], layout.first
    for last in layout.positions:
        ratios = [
            (own[i - 1, ids[i]] - reference[i - 1, ids[i]]).item() for i in range(first, last + 1)
        ]
        scores.append(1 / (1 + math.exp(-BETA * sum(ratios))))
        first = last + 1
    return scores


@pytest.mark.slow
def test_scores_equal_transformers(tmp_path, llama_tokenizer):
    models = [save_model(tmp_path / name, llama_tokenizer, i) for i, name in enumerate("ab")]
    tokenizer = load_tokenizer(tmp_path / "a")
    config = config_of(tmp_path / "a", tmp_path / "b")
    request = ScoringRequest(prompt=QUESTION, steps=STEPS, is_whole=True)

    async def run():
        engine: Any = await open_engine(config, "verifier", separator="\n\n")
        try:
            whole = await engine.score(request)
            rest = await engine.score(replace(request, num_known=2))
            prefix = await engine.score(replace(request, steps=STEPS[:2], is_whole=False))
            with pytest.raises(RequestRejected, match="step 3 is empty"):
                await engine.score(replace(request, steps=(*STEPS, "\n")))
            with pytest.raises(ValueError, match="expected a policy to generate"):
                await engine.generate(GenerationRequest(prompt="1", max_tokens=1))
            return engine.model_id, whole, rest, prefix
        finally:
            await engine.close()

    model_id, whole, rest, prefix = asyncio.run(run())
    expected = expected_scores(models, tokenizer, request)
    assert whole.scores == pytest.approx(expected, abs=1e-4)
    assert len({round(score, 3) for score in (*expected, 0.5)}) == 4
    assert rest.scores == pytest.approx(expected[2:], abs=1e-4)
    assert prefix.scores == pytest.approx(expected[:2], abs=1e-4)
    assert (whole.cached_tokens, whole.generated_tokens) == (0, 0)
    num_tokens = len(tokenizer(QUESTION + "".join(STEPS))["input_ids"]) + 1
    assert whole.scored_tokens == 2 * num_tokens
    # The name depends on the reference and on beta.
    assert model_id == identify_engine(config, "verifier")
    stronger = ImplicitConfig(reference=str(tmp_path / "b"), beta=1.0)
    names = {model_id, identify_engine(config.with_fields(implicit=stronger), "verifier")}
    names.add(identify_engine(config_of(tmp_path / "a", tmp_path / "a"), "verifier"))
    assert len(names) == 3
    assert all(name.startswith(identify_engine(config)) for name in names)


@pytest.mark.slow
def test_a_reference_with_another_vocabulary_is_refused(tmp_path, llama_tokenizer, qwen_tokenizer):
    save_model(tmp_path / "a", llama_tokenizer, 0)
    save_model(tmp_path / "b", qwen_tokenizer, 1)
    with pytest.raises(ModelUnusable, match="expected a reference with the same vocabulary"):
        asyncio.run(
            open_engine(config_of(tmp_path / "a", tmp_path / "b"), "verifier", separator="\n\n")
        )
