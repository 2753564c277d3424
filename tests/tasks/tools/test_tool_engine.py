"""Solutions that run programs: text, tokens and counts, whole and step by step."""

import asyncio

import pytest

from schemas.engines import GenerationRequest
from schemas.tools import ToolsConfig
from tasks.steps.outputs import kinds_of, num_written, output_columns
from tasks.steps.segmentation import measure_steps
from tasks.tools.engine import ToolEngine
from tasks.tools.programs import ProgramRun

PRODUCT = 1000003 * 998244353
CODE = "I compute it.\n```python\nx = 1000003 * 998244353\nprint(x)\n```\n"
OUTPUT = f"```output\n{PRODUCT}\n```\n"
ANSWER = f"So \\boxed{{{PRODUCT}}}."


def ask(problem, **fields) -> GenerationRequest:
    values = {"prompt": problem.question, "max_tokens": 400, "seed": 5, "with_logprobs": True}
    return GenerationRequest(**{**values, **fields})


def draw(engine, run, request, separator: str = "\n", **fields):
    tools = ToolEngine(engine, ToolsConfig(**fields), separator, run)
    return asyncio.run(tools.generate(request))


def test_the_output_comes_back_and_the_policy_copies_it(calculator, products, runner):
    engine = calculator()
    generation = draw(engine, runner, ask(products(1)[0], n=2))
    for completion in generation.completions:
        assert completion.text == CODE + OUTPUT + ANSWER
        assert engine.decode(completion.token_ids) == completion.text
        assert "".join(completion.token_texts or ()) == completion.text
        assert completion.outputs is not None
        shown = [
            i for i, mark in zip(completion.token_ids, completion.outputs, strict=True) if mark
        ]
        assert engine.decode(shown) == OUTPUT
        assert completion.logprobs is not None
        assert [p == 0 for p in completion.logprobs] == list(completion.outputs)
    assert sum(map(num_written, generation.completions)) == engine.num_written
    # The prompt is read once, and again with code and output for each of the two.
    assert generation.prompt_tokens == 1 + 2 * (1 + len(engine.encode_text(CODE + OUTPUT)))
    assert engine.requests[1].prefix_ids == engine.encode_text(CODE + OUTPUT)


def test_without_the_tool_it_cannot_say(calculator, products):
    completion = asyncio.run(calculator().generate(ask(products(1)[0]))).completions[0]
    assert completion.text == CODE + "I do not know."


def test_an_output_is_a_step_of_its_own(calculator, products, runner):
    (completion,) = draw(calculator(), runner, ask(products(1)[0])).completions
    steps = measure_steps(completion, "\n")
    assert "".join(step.text for step in steps) == completion.text
    kinds = kinds_of(completion, steps)
    assert [s.text for s, k in zip(steps, kinds or (), strict=True) if k == "output"] == [OUTPUT]
    columns = output_columns(completion, steps)
    # One token a character, but the closing fence is one.
    assert columns["tool_tokens"] == len(OUTPUT) - 3
    assert sum(step.num_tokens for step in steps) == len(completion.token_ids)


def test_a_text_that_ends_at_its_program_goes_on(calculator, products, runner):
    engine = calculator(ends_at_code=True)
    (completion,) = draw(engine, runner, ask(products(1)[0])).completions
    assert completion.text == CODE + OUTPUT + ANSWER
    # The end of text behind the answer is kept.
    assert completion.token_ids.count(0) == 1
    assert num_written(completion) == engine.num_written


def test_step_by_step_it_writes_the_same(calculator, products, runner):
    for separator in ("\n", "\n\n"):
        engine = calculator(separator=separator)
        problem = products(1)[0]
        (whole,) = draw(engine, runner, ask(problem), separator).completions
        text, ids, last = "", (), None
        while last is None or last.stop_string == separator:
            request = ask(problem, prefix=text, prefix_ids=ids, stop=(separator,))
            (last,) = draw(engine, runner, request, separator).completions
            text, ids = text + last.text, ids + last.token_ids
        assert (text, ids) == (whole.text, whole.token_ids)


def test_a_prefix_that_ends_in_a_program_or_an_output_continues_rightly(
    calculator, products, runner
):
    engine = calculator()
    for prefix, rest in ((CODE, OUTPUT + ANSWER), (CODE + OUTPUT, ANSWER)):
        request = ask(products(1)[0], prefix=prefix, prefix_ids=engine.encode_text(prefix), n=2)
        generation = draw(engine, runner, request)
        assert [each.text for each in generation.completions] == [rest, rest]


def test_a_program_that_fails_shows_the_end_of_its_traceback(calculator, products, runner):
    async def broken(source):
        return await runner(source.replace("print(x)", "x / 0"))

    (completion,) = draw(calculator(), broken, ask(products(1)[0])).completions
    assert "ZeroDivisionError" in completion.text
    assert 'File "<program>", line 2, in <module>' in completion.text
    assert completion.error is None


def test_limits_of_calls_tokens_and_time(calculator, products, runner):
    problem = products(1)[0]
    one = CODE + OUTPUT + CODE
    engine = calculator()
    request = ask(problem, prefix=one, prefix_ids=engine.encode_text(one))
    tools = ToolEngine(engine, ToolsConfig(max_calls=1), "\n", runner)
    asyncio.run(tools.generate(request))
    assert [each.prefix for each in engine.requests] == [one]  # no output was put behind it

    # No room for the output: it is cut behind the program.
    size = len(engine.encode_text(CODE))
    (completion,) = draw(calculator(), runner, ask(problem, max_tokens=size + 5)).completions
    assert (completion.text, completion.finish_reason) == (CODE, "length")

    async def slow(source):
        return ProgramRun(outcome="timeout")

    (completion,) = draw(calculator(), slow, ask(problem), timeout_s=2).completions
    assert "TimeoutError: the program took more than 2 seconds" in completion.text


def test_a_sandbox_that_is_down_ends_the_solution_with_an_error(calculator, products):
    async def down(source):
        return ProgramRun(fault="expected bwrap, there is none")

    (completion,) = draw(calculator(), down, ask(products(1)[0])).completions
    assert completion.error == "its program could not be run: expected bwrap, there is none"
    assert completion.text == CODE


def test_a_long_output_is_cut_with_a_mark(calculator, products):
    async def long(source):
        return ProgramRun(stdout="7" * 5000)

    (completion,) = draw(
        calculator(), long, ask(products(1)[0], max_tokens=2000), max_output_chars=100
    ).completions
    output = completion.text.partition("```output\n")[2].partition("\n```")[0]
    assert len(output) == 100
    assert output.endswith("... (4900 more characters)")


@pytest.mark.parametrize(("runs", "shown"), [("all", "3\n"), ("last", "NameError")])
def test_programs_of_a_solution_share_their_names_or_not(products, runner, calculator, runs, shown):
    text = "```python\nx = 3\nprint('first')\n```\n```output\nfirst\n```\n```python\nx\n```\n"
    engine = calculator()
    request = ask(products(1)[0], prefix=text, stop=("\n",))
    (completion,) = draw(engine, runner, request, runs=runs).completions
    assert shown in completion.text
    assert "first" not in completion.text
