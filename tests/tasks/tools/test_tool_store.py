"""Rows of solutions that ran programs in a store: shown, counted, made once, refused in time."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows.runs.recording import recorded_flow
from flows.tables.trajectory import show_trajectory
from schemas.engines import CalculatorConfig, VLLMConfig
from schemas.policy_training import GrpoConfig, PolicyTrainingJob
from schemas.problems import WorldProblemsConfig
from schemas.prompts import PlainPromptConfig
from schemas.rows import PROBLEMS, TRAJECTORIES, Trajectory
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.tools import ToolsConfig
from storage import Store, connect
from storage.queries import ask
from tasks.engines.calculator_engine import products
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Host
from tasks.sampling.sample import sample_problems
from tasks.sandbox import sandbox_fault

needs_sandbox = pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))

JOB = SamplingJob(
    problems=WorldProblemsConfig(),
    policy=CalculatorConfig(p_right=0.6),
    prompt=PlainPromptConfig(separator="\n\n", tools=ToolsConfig(timeout_s=20)),
    sampling=SamplingConfig(num_samples=2, max_tokens=1000),
)
_MAKE = """
import json, sys
from schemas.units import Unit
from tests.tasks.tools.test_tool_store import make_rows

make_rows(sys.argv[1], [Unit(**{**each, "inputs": tuple(each["inputs"])}) for each in
                        json.loads(sys.argv[2])])
"""


def make_rows(url: str, units) -> None:
    """Make units one after another, saying which are there."""

    async def run() -> None:
        host = Host(url, EngineSet(policy=JOB.policy, separator=JOB.prompt.step_rule))
        for unit in units:
            await host.run(unit, sample_problems, JOB)
            print(unit.name, flush=True)  # noqa: T201 - the test reads it
        await host.close()

    asyncio.run(run())


@pytest.fixture
def units_in(unit_of, tmp_path):
    """A store with four products, and a unit for each."""

    def make(name: str):
        store = Store(str(tmp_path / name))
        problems = unit_of(PROBLEMS.name, stage="problems", name="eval")
        store.commit(problems, products(4, 3), seconds=0.0)
        return store, [
            unit_of(
                TRAJECTORIES.name,
                stage="sampling",
                name=f"eval.{index:05d}",
                inputs=(problems.path,),
                rows=(index, index + 1),
            )
            for index in range(4)
        ]

    return make


def rows_of(store: Store, units) -> list[Trajectory]:
    """Without the time at which they were made."""
    return [
        replace(row, created_at=datetime(2026, 1, 1, tzinfo=UTC))
        for unit in units
        for row in store.read(unit.path)
    ]


@needs_sandbox
def test_a_run_that_was_killed_ends_with_the_same_rows(units_in):
    whole, units = units_in("whole")
    make_rows(whole.url, units)
    broken, units = units_in("broken")
    given = json.dumps(
        [
            {name: getattr(unit, name) for name in ("run_id", "stage", "name", "table", "inputs")}
            | {"rows": unit.rows, "seed": unit.seed}
            for unit in units
        ]
    )
    process = subprocess.Popen(
        [sys.executable, "-c", _MAKE, broken.url, given],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == units[0].name
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    kept = [unit for unit in units if broken.has(unit)]
    assert 1 <= len(kept) < len(units)
    make_rows(broken.url, units)
    rows = rows_of(broken, units)
    assert rows == rows_of(whole, units)
    assert [row.correct for row in rows] == ["+" not in row.text for row in rows]
    assert {row.status for row in rows} == {"finished"}


@needs_sandbox
def test_code_and_outputs_are_shown_apart_and_counted_apart(units_in, capsys):
    store, units = units_in("store")
    make_rows(store.url, units[:1])
    capsys.readouterr()
    (first, second) = store.read(units[0].path)
    assert first.tool_tokens == sum(
        len(s.text) for s, k in zip(first.steps, first.segments or (), strict=True) if k == "output"
    )
    assert first.generated_tokens == len(first.text) - first.tool_tokens
    connection = connect(store.url)
    show_trajectory(connection, first.trajectory_id, "text")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    counts = f"{first.generated_tokens} tokens generated, {first.tool_tokens} printed by programs"
    assert counts.split() in lines
    begins = {line[1]: line[3] for line in lines if len(line) > 4 and line[1].isdigit()}
    assert begins == {"0": "step", "1": "output", "2": "step", "3": "output", "4": "step"}
    (cost,) = ask(connection, "cost_of_runs", run_id=None)
    assert cost["generated_tokens"] == first.generated_tokens + second.generated_tokens
    # What is read: the question once, and again with the text so far behind each of two programs.
    assert cost["prompt_tokens"] == first.prompt_tokens + second.prompt_tokens
    question = len(JOB.prompt.template.format(question=products(4, 3)[0].question))
    two = sum(len(row.text.split("Step 2")[0]) for row in (first, second))
    three = sum(len(row.text.split("So ")[0]) for row in (first, second))
    assert cost["prompt_tokens"] == 5 * question + two + three


def test_code_is_told_from_words_in_a_step():
    from flows.tables.trajectory import step_texts

    steps = ["So:\n```python\n6 * 7\n```\n", "```output\n42\n```\n\n", "It is 42."]
    said, printed, last = step_texts(steps, ("step", "output", "step"))
    assert said.plain == "So:\n```python\n6 * 7\n```"
    (code,) = [span for span in said.spans if span.style == "cyan"]
    assert said.plain[code.start : code.end] == "```python\n6 * 7\n```"
    assert (printed.plain, str(printed.style)) == ("```output\n42\n```", "yellow")
    assert (last.plain, last.spans) == ("It is 42.", [])


def test_without_a_sandbox_nothing_begins(store, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox_fault.cache_clear()
    tools = PlainPromptConfig(tools=ToolsConfig())
    policy = VLLMConfig(model="world-policy")
    training: dict[str, Any] = {"policy": policy, "training_set": "s", "prompt": tools}
    try:
        for flow, job in (
            ("sampling", JOB),
            ("policy_training", PolicyTrainingJob(**training, method=GrpoConfig())),
        ):
            with (
                pytest.raises(ValueError, match=r"prompt\.tools: expected bwrap .* apt install"),
                recorded_flow(flow, job, store.url, "run"),
            ):
                raise AssertionError("the flow began")
        # What draws nothing needs no sandbox.
        with recorded_flow("policy_training", PolicyTrainingJob(**training), store.url, "r2"):
            pass
    finally:
        monkeypatch.undo()
        sandbox_fault.cache_clear()
    written = [str(path) for path in Path(store.url).rglob("*.parquet")]
    assert written
    assert all("=r2/" in path for path in written)
