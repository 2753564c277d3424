"""A public model continues its own solutions: from the ids it sampled, where text would be others.

Its tokenizer writes two line breaks before a word as two tokens, and at the end of a text as one.
"""

import asyncio
import math
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest

from schemas.engines import GenerationRequest, VLLMConfig
from schemas.prompts import ChatPromptConfig
from tasks.engines.vllm_engine import VLLMEngine, open_vllm_engine
from tasks.prompts.formats import make_prompt_format
from tasks.steps.segmentation import measure_steps

SEPARATOR = "\n\n"
QUESTIONS = (
    "Anna has 3 boxes of 12 pens and gives 7 pens away. How many pens are left?",
    "A train travels 60 km in one hour. How far does it travel in 4 hours?",
    "What is 17 + 25 - 8?",
)
SEED = 3
OFF_POLICY = math.log(1e-4)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def config(exhibit_model: Path) -> VLLMConfig:
    return VLLMConfig(model=str(exhibit_model), max_model_len=1024, process="host")


@pytest.fixture(scope="module")
def policy(runner: asyncio.Runner, config: VLLMConfig) -> Iterator[VLLMEngine]:
    policy = runner.run(open_vllm_engine(config, "policy", separator=SEPARATOR))
    yield policy
    runner.run(policy.close())


@pytest.mark.slow
def test_a_continuation_from_ids_is_on_policy_and_one_from_text_alone_is_not(
    runner: asyncio.Runner, policy: VLLMEngine, config: VLLMConfig
) -> None:
    prompt_format = make_prompt_format(ChatPromptConfig(), config)

    async def compare(question: str) -> list[tuple[bool, float, float, float]]:
        prompt = prompt_format.ask(question)
        start = [*policy.encoder(prompt)]
        common = {"prompt": prompt, "has_chat_template": True, "seed": SEED}
        asked = GenerationRequest(**common, n=2, max_tokens=120, with_logprobs=True)
        found = []
        for whole in (await policy.generate(asked)).completions:
            steps = measure_steps(whole, SEPARATOR)
            for index, end in enumerate(accumulate(s.num_tokens for s in steps[:-1]), 1):
                text, ids = "".join(s.text for s in steps[:index]), whole.token_ids[:end]
                alone = tuple(policy.encode_text(text))
                firsts = []
                for prefix_ids in (ids, alone):
                    next_one = await policy.generate(
                        GenerationRequest(
                            **common, prefix=text, prefix_ids=prefix_ids, max_tokens=1
                        )
                    )
                    first = next_one.completions[0].token_ids
                    firsts.append((await policy.token_logprobs([*start, *ids, *first]))[-1])
                rest = whole.token_ids[end:]
                after = (await policy.token_logprobs([*start, *ids, *rest]))[-len(rest) :]
                assert whole.logprobs is not None
                pairs = zip(after, whole.logprobs[end:], strict=True)
                found.append((alone != ids, *firsts, max(abs(a - b) for a, b in pairs)))
        return found

    async def compare_all() -> list[tuple[bool, float, float, float]]:
        found = await asyncio.gather(*map(compare, QUESTIONS))
        return [each for part in found for each in part]

    cuts = runner.run(compare_all())
    assert len(cuts) >= 5
    assert sum(is_changed for is_changed, *_ in cuts) > len(cuts) / 2
    assert all(from_ids > OFF_POLICY for _, from_ids, _, _ in cuts)
    from_ids, from_text = (sum(cut[place] for cut in cuts) / len(cuts) for place in (1, 2))
    assert from_text < from_ids - 3  # nats
    assert max(apart for *_, apart in cuts) < 0.15  # bfloat16, one at a time against all at once
