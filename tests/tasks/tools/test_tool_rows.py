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
from tasks.tools.blocks import output_block, read_blocks
from tasks.tools.engine import with_tools
from tasks.tools.programs import ProgramRun, printed, program_text
from tasks.tools.sandbox import sandbox_runner
from tasks.training.rows import NO_LOSS, RowEncoder
from tasks.verifiers.layout import Encoder

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


def test_outputs_carry_no_loss(byte_tokenizer):
    tokenizer = byte_tokenizer
    row = {"prompt": "3?\n", "completion": "x\n```output\n3\n```\nso 3"}
    masked = RowEncoder(tokenizer, has_chat_template=False, masks_outputs=True).completion_row(row)
    learned = [label for label in masked["labels"] if label != NO_LOSS]
    assert tokenizer.decode(learned) == "x\nso 3</s>"
    plain = RowEncoder(tokenizer, has_chat_template=False).completion_row(row)
    assert masked["input_ids"] == plain["input_ids"]
    assert len(masked["labels"]) == len(masked["input_ids"])
    assert plain["labels"][3:] == plain["input_ids"][3:]


async def _ran(program: str, config: ToolsConfig) -> ProgramRun:
    return await sandbox_runner(config)(program_text([program]))


@pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))
@pytest.mark.parametrize(
    ("timeout_s", "program", "shown"),
    [
        (
            0.3,
            "import time; time.sleep(60)",
            "TimeoutError: the program took more than 0.3 s",
        ),
        (20, "x = bytearray(1 << 30)", "MemoryError"),
        (20, "while True: print('7' * 9999)", "Error: the program printed too much and was ended"),
        (20, "open('/etc/passwd')", "Error: [Errno 13] Permission denied: '/etc/passwd'"),
        (20, "print('```output\\n8\\n```')", "'''output\n8\n'''"),
    ],
)
def test_a_program_that_wants_too_much_is_told_so(timeout_s, program, shown):
    config = ToolsConfig(timeout_s=timeout_s, memory_mb=128, max_output_chars=200)
    run = asyncio.run(_ran(program, config))
    assert run.fault is None
    block = output_block(printed(run, config), before="```\n", separator="\n")
    assert shown in block
    assert len(block) <= 200 + len("```output\n\n```\n\n") + len("... (9999999 more characters)\n")
    assert [each.label for each in read_blocks(block)] == ["output"]


def test_the_name_of_a_special_token_in_an_output_is_text(byte_tokenizer):
    encode = Encoder(byte_tokenizer)
    assert encode.afresh("</s>") == [byte_tokenizer.eos_token_id]
    assert encode.plain("7</s>") == [encode.afresh(character)[0] for character in "7</s>"]
    assert encode.afresh("</s>") == [byte_tokenizer.eos_token_id]
