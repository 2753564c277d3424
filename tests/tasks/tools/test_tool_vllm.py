"""Solutions that run programs on real vLLM: a tiny model trained on one program and its answers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.engines import GenerationRequest, VLLMConfig
from schemas.tools import ToolsConfig
from tasks.engines.vllm_engine import VLLMEngine, open_vllm_engine
from tasks.sandbox import sandbox_fault
from tasks.steps.outputs import kinds_of, num_written
from tasks.steps.segmentation import measure_steps
from tasks.tools.engine import ToolEngine
from tasks.tools.sandbox import sandbox_runner

pytestmark = pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))

QUESTION = "Sum?\n"
PROGRAM = "```python\nprint(sum(b'programs') % 10)\n```\n"
DIGIT = sum(b"programs") % 10


def output(digit: int) -> str:
    return f"```output\n{digit}\n```\n"


def answer(digit: int) -> str:
    return f"Answer: {digit}"


@pytest.fixture(scope="module")
def policy_folder(tmp_path_factory: pytest.TempPathFactory, byte_tokenizer: Any) -> Path:
    """A model that has seen the program print every digit, and copies the one that is printed."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(byte_tokenizer),
            hidden_size=64,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=256,
            eos_token_id=byte_tokenizer.eos_token_id,
            bos_token_id=None,
            tie_word_embeddings=False,
        )
    )
    texts = [QUESTION + PROGRAM + output(d) + answer(d) + "</s>" for d in range(10)]
    ids = torch.tensor([byte_tokenizer(text)["input_ids"] for text in texts])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    weights = torch.ones(ids.shape[1] - 1)
    weights[-2] = 20.0  # the digit that is to be copied
    for _ in range(200):
        logits = model(input_ids=ids).logits[:, :-1]
        losses = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
        )
        (losses.view(len(ids), -1) * weights).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = tmp_path_factory.mktemp("models") / "policy"
    model.save_pretrained(folder)
    byte_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def policy(runner: asyncio.Runner, policy_folder: Path) -> Iterator[VLLMEngine]:
    config = VLLMConfig(model=str(policy_folder), max_model_len=256, process="host")
    engine = runner.run(open_vllm_engine(config, "policy", separator="\n"))
    yield engine
    runner.run(engine.close())


def tools(policy: VLLMEngine, **fields: Any) -> ToolEngine:
    config = ToolsConfig(**fields)
    return ToolEngine(policy, config, "\n", sandbox_runner(config))


def ask(**fields: Any) -> GenerationRequest:
    values = {"prompt": QUESTION, "max_tokens": 120, "temperature": 0.0, "with_logprobs": True}
    return GenerationRequest(**{**values, "seed": 3, **fields})


def test_the_sandbox_says_what_the_model_cannot_know(runner, policy, byte_tokenizer):
    (completion,) = runner.run(tools(policy).generate(ask())).completions
    assert completion.text == PROGRAM + output(DIGIT) + answer(DIGIT)
    assert completion.finish_reason == "stop"
    # Its ids are those of the pieces, one after another, and the end of text that it sampled.
    ids = byte_tokenizer(completion.text)["input_ids"]
    assert list(completion.token_ids) == [*ids, byte_tokenizer.eos_token_id]
    assert completion.outputs is not None
    shown = [i for i, mark in zip(completion.token_ids, completion.outputs, strict=True) if mark]
    assert byte_tokenizer.decode(shown) == output(DIGIT)
    assert num_written(completion) == len(PROGRAM) + len(answer(DIGIT)) + 1
    steps = measure_steps(completion, "\n")
    assert kinds_of(completion, steps) == ("step",) * 3 + ("output", "step")
    assert completion.logprobs is not None
    assert [p == 0 for p, m in zip(completion.logprobs, completion.outputs, strict=True) if m] == [
        True
    ] * len(output(DIGIT))


def test_log_probabilities_of_what_it_wrote_are_those_after_the_output(
    runner, policy, policy_folder
):
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    (completion,) = runner.run(tools(policy).generate(ask())).completions
    prompt = AutoTokenizer.from_pretrained(policy_folder)(QUESTION)["input_ids"]
    model = LlamaForCausalLM.from_pretrained(policy_folder).eval()
    ids = torch.tensor([[*prompt, *completion.token_ids]])
    with torch.no_grad():
        logprobs = model(ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    known = logprobs[range(len(completion.token_ids)), list(completion.token_ids)].tolist()
    for own, other, mark in zip(
        completion.logprobs or (), known, completion.outputs or (), strict=True
    ):
        assert mark or own == pytest.approx(other, abs=1e-3)


def test_step_by_step_and_from_prefixes_it_writes_the_same(runner, policy):
    engine = tools(policy)
    (whole,) = runner.run(engine.generate(ask())).completions
    text, ids, last = "", (), None
    while last is None or last.stop_string == "\n":
        request = ask(prefix=text, prefix_ids=ids, stop=("\n",))
        (last,) = runner.run(engine.generate(request)).completions
        text, ids = text + last.text, ids + last.token_ids
    assert (text, ids) == (whole.text, whole.token_ids)
    # A prefix of which only the text is known, as of an imported solution.
    two = runner.run(engine.generate(ask(prefix=PROGRAM, n=2))).completions
    assert [each.text for each in two] == [output(DIGIT) + answer(DIGIT)] * 2


def test_limits_of_calls_and_of_tokens(runner, policy):
    used = ask(prefix=PROGRAM + output(4) + PROGRAM)
    (completion,) = runner.run(tools(policy, max_calls=1).generate(used)).completions
    assert completion.outputs is None or not any(completion.outputs)
    size = len(PROGRAM)
    (completion,) = runner.run(tools(policy).generate(ask(max_tokens=size + 5))).completions
    assert (completion.text, completion.finish_reason) == (PROGRAM, "length")
