"""Rows of solutions that ran programs in the sandbox: sampled, and learned from."""

import asyncio

import pytest

from schemas.engines import PlantedConfig
from schemas.graders import MathGraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.prompts import PlainPromptConfig
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.tools import ToolsConfig
from tasks.graders import make_grader
from tasks.prompts.formats import make_prompt_format
from tasks.sampling.sample import sample_problem
from tasks.sandbox import sandbox_fault
from tasks.tools.engine import with_tools
from tasks.training.rows import NO_LOSS, RowEncoder

PROMPT = PlainPromptConfig(tools=ToolsConfig())


@pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))
def test_sampled_rows_tell_outputs_and_count_them_apart(calculator, products):
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=PlantedConfig(),
        prompt=PROMPT,
        sampling=SamplingConfig(num_samples=2, max_tokens=400),
    )
    engine, grader = calculator(), make_grader(MathGraderConfig())
    rows = asyncio.run(
        sample_problem(
            products(1)[0],
            with_tools(engine, job.prompt),
            grader,
            make_prompt_format(job.prompt, job.policy),
            job,
            scope="test",
        )
    )
    grader.close()
    assert [(row.status, row.correct) for row in rows] == [("finished", True)] * 2
    assert sum(row.generated_tokens for row in rows) == engine.num_written
    for row in rows:
        assert row.segments is not None
        assert row.segments.count("output") == 1
        shown = row.steps[row.segments.index("output")]
        assert shown.text.startswith("```output")
        assert row.tool_tokens == shown.num_tokens
        assert len(row.token_ids or ()) == row.generated_tokens + shown.num_tokens


def byte_tokenizer():
    """A token for each byte, and an end of text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {name: number for number, name in enumerate(names)} | {"</s>": len(names)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")


def test_outputs_carry_no_loss():
    tokenizer = byte_tokenizer()
    row = {"prompt": "3?\n", "completion": "x\n```output\n3\n```\nso 3"}
    masked = RowEncoder(tokenizer, has_chat_template=False, masks_outputs=True).completion_row(row)
    learned = [label for label in masked["labels"] if label != NO_LOSS]
    assert tokenizer.decode(learned) == "x\nso 3</s>"
    plain = RowEncoder(tokenizer, has_chat_template=False).completion_row(row)
    assert masked["input_ids"] == plain["input_ids"]
    assert len(masked["labels"]) == len(masked["input_ids"])
    assert plain["labels"][3:] == plain["input_ids"][3:]
