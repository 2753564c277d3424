"""A public model in vLLM: chat prompts, greedy answers, likelihoods."""

import asyncio
import itertools
import math
from pathlib import Path
from typing import Any

import pytest

from schemas.engines import GenerationRequest, ScoringRequest, VLLMConfig
from schemas.prompts import ChatPromptConfig
from tasks.engines.vllm_engine import open_vllm_engine
from tasks.models.folders import load_tokenizer
from tasks.prompts.formats import PromptFormat, make_prompt_format

QUESTION = "What is the capital of France?"
STEPS = ("Paris is the capital of France.\n", "So the answer is Paris.\n")
TEXTS = (
    "x.\n\nSo y = 3.\n\n\n  - a\tb  \n",
    "Étape 1 : 3 × 4 = 12 €, 答案：十二。 🙂\r\n",  # noqa: RUF001
    "def f(x):\n    return {'a': [x**2]}\n",
    "\\frac{1}{2}\\sqrt{10} <|im_start|> not a turn",
)


def config_of(folder: Path, **fields: Any) -> VLLMConfig:
    return VLLMConfig(model=str(folder), max_model_len=256, dtype="float32", **fields)


def chat_of(folder: Path) -> PromptFormat:
    return make_prompt_format(
        ChatPromptConfig(system="Answer in one short sentence."), config_of(folder)
    )


def test_texts_come_back_from_their_tokens(exhibit_model):
    tokenizer = load_tokenizer(exhibit_model)
    for text in TEXTS:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


def test_a_chat_prompt_is_laid_out_by_the_models_own_template(exhibit_model):
    assert chat_of(exhibit_model).ask(QUESTION) == (
        "<|im_start|>system\nAnswer in one short sentence.<|im_end|>\n"
        f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.fixture(scope="module")
def greedy(exhibit_model):
    """A prompt and its greedy answer, drawn three times by one engine."""
    prompt = chat_of(exhibit_model).ask(QUESTION)
    request = GenerationRequest(
        prompt=prompt,
        has_chat_template=True,
        temperature=0.0,
        max_tokens=40,
        with_logprobs=True,
    )

    async def go():
        engine = await open_vllm_engine(config_of(exhibit_model), "policy", separator="\n\n")
        try:
            return [(await engine.generate(request)).completions[0] for _ in range(3)]
        finally:
            await engine.close()

    return prompt, asyncio.run(go())


@pytest.mark.slow
def test_a_simple_question_is_answered_and_the_answer_ends(greedy):
    _, answers = greedy
    assert "Paris" in answers[0].text
    assert (answers[0].finish_reason, answers[0].stop_string) == ("stop", None)
    assert "<|im_end|>" not in answers[0].text
    assert len({answer.text for answer in answers}) == 1


@pytest.mark.slow
def test_a_greedy_answer_is_that_of_transformers(exhibit_model, greedy):
    """Each token is the likeliest, with the same log probability."""
    import torch

    from tasks.training.models import load_weights

    prompt, answers = greedy
    prompt_ids = load_tokenizer(exhibit_model)(prompt, add_special_tokens=False)["input_ids"]
    ids = torch.tensor([[*prompt_ids, *answers[0].token_ids]])
    with torch.no_grad():
        logits = load_weights(exhibit_model)(ids).logits[0, len(prompt_ids) - 1 : -1]
    assert logits.argmax(-1).tolist() == list(answers[0].token_ids)
    expected = logits.log_softmax(-1).max(-1).values
    assert list(answers[0].logprobs) == pytest.approx(expected.tolist(), abs=1e-3)


@pytest.mark.slow
def test_a_likelihood_is_the_product_of_the_tokens_probabilities(exhibit_model):
    import torch

    from tasks.training.models import load_weights

    prompt = chat_of(exhibit_model).ask(QUESTION)
    request = ScoringRequest(prompt=prompt, steps=STEPS, has_chat_template=True)

    async def go():
        likelihood = config_of(exhibit_model, verifier="likelihood")
        engine = await open_vllm_engine(likelihood, "verifier", separator="\n\n")
        try:
            return (await engine.score(request)).scores
        finally:
            await engine.close()

    scores = asyncio.run(go())
    tokenizer = load_tokenizer(exhibit_model)

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    ids = torch.tensor([tokenizer(prompt + "".join(STEPS), add_special_tokens=False)["input_ids"]])
    with torch.no_grad():
        logits = load_weights(exhibit_model)(ids).logits[0, :-1]
    logprobs = logits.log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
    ends = [count(prompt), count(prompt + STEPS[0]), ids.shape[1]]
    expected = [
        math.exp(logprobs[start - 1 : end - 1].sum().item())
        for start, end in itertools.pairwise(ends)
    ]
    assert list(scores) == pytest.approx(expected, rel=1e-2)
