"""`stepmill improve`: a loop run to its end, and what its rounds reached."""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands.options import (
    DEFAULT_ROOT,
    ConfigFile,
    DryRun,
    ExpectedTokens,
    Format,
    Policy,
    Rate,
    Root,
    RunId,
    set_option,
)
from flows.commands.run import plan_flow, run_flow, wants_plan
from flows.registry import flow_named
from flows.tables.formats import check_format
from schemas.loops import loop_configs
from storage import Store
from storage.runs import new_run_id


def improve(
    loop: Annotated[
        str,
        typer.Argument(help="{names of loop}."),
    ],
    rounds: Annotated[int | None, typer.Option(min=1, help="Maximum number of rounds.")] = None,
    policy: Policy = None,
    run_id: RunId = None,
    config: ConfigFile = None,
    change: Annotated[list[str] | None, set_option("train_sampling.num_samples=4")] = None,
    output: Format = "table",
    dry_run: DryRun = False,
    tokens_per_second: Rate = None,
    expected_tokens: ExpectedTokens = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Improve a policy by its own solutions, round after round, and measure it against controls.

    Each round samples, builds a training set, trains and measures; a stopped loop resumes with the
    same --run-id. `stepmill describe LOOP` prints the options of a loop.

    For example:

    - `stepmill improve rest --rounds 3`
    - `stepmill improve rest_em --rounds 3 --set min_gain=0.01`
    - `stepmill improve reverse_curriculum --set training.max_generated_tokens=300000`
    """
    given: dict[str, Any] = {
        "rounds": rounds,
        "policy": {"type": "vllm", "model": policy} if policy else None,
    }
    if wants_plan(dry_run, tokens_per_second, expected_tokens):
        plan_flow(
            flow_named(loop, "loop").name,
            config_file=config,
            changes=change or [],
            values=given,
            tokens_per_second=tokens_per_second,
            expected_tokens=expected_tokens,
        )
        return
    improve_and_show(
        loop,
        output,
        given,
        root=root,
        run_id=run_id,
        config_file=config,
        changes=change or [],
    )


def improve_and_show(
    loop: str,
    output: str,
    given: dict[str, Any],
    *,
    root: str,
    run_id: str | None,
    config_file: Path | None,
    changes: Sequence[str],
) -> None:
    """Run a loop, and print the figures of its rounds.

    Args:
        loop: the name of its flow.
        output: `table`, or `json` for every figure.
        given: fields with options of their own; None for one that is not given.
        root: the store.
        run_id: the run; None for a new one.
        config_file: the config.
        changes: single fields of it.

    Raises:
        ValueError: the loop or the format does not exist, or a field does not fit.
    """
    check_format(output, "table", "json")
    config_class = loop_configs()[flow_named(loop, "loop").name]
    run_id = run_id or new_run_id(loop)
    made = run_flow(
        loop,
        root=root,
        run_id=run_id,
        config_file=config_file,
        changes=changes,
        values=given,
    )
    # Imported late: Prefect reads its settings on import, and DuckDB complains when a process
    # ends with an error.
    from flows.pages.rounds import read_gates, read_rounds, rounds_picture
    from flows.tables.gates import gate_summary
    from flows.tables.output import open_console
    from flows.tables.rounds import rounds_summary
    from flows.view.links import say_page

    store = Store(root)
    metrics, gates = read_rounds(store, run_id, loop), read_gates(store, run_id, loop)
    if output == "json":
        rows = [asdict(row) for row in (*metrics, *gates)]
        sys.stdout.write(json.dumps(rows, default=str) + "\n")
        return
    console = open_console()
    picture = f"{store.url}/{rounds_picture(run_id, loop)}"
    console.print(f"picture: {picture}", soft_wrap=True, highlight=False, markup=False)
    console.print(rounds_summary(metrics))
    if gates:
        console.print(gate_summary(gates))
    places = {"model": shlex.quote(made), "root": shlex.quote(root), "run_id": run_id}
    ending = f"{config_class.makes}: {made}\nnext: {config_class.next_command.format(**places)}"
    console.print(ending, soft_wrap=True, highlight=False, markup=False)
    say_page(root, "rounds", run=run_id)
