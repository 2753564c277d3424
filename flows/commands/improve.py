"""`stepmill improve`: a loop run to its end, and what its rounds reached."""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.commands.run import run_flow
from flows.runs.sets import LOOPS
from flows.tables.formats import check_format
from storage import Store
from storage.runs import new_run_id


def improve_and_show(
    loop: str,
    output: str,
    *,
    root: str,
    run_id: str | None,
    config_file: Path | None,
    changes: Sequence[str],
    rounds: int | None = None,
    policy: str | None = None,
) -> None:
    """Run a loop, and print the figures of its rounds.

    Args:
        loop: its flow.
        output: `table`, or `json` for every figure.
        root: the store.
        run_id: the run; None for a new one.
        config_file: the config.
        changes: single fields of it.
        rounds: most rounds; None for those of the config.
        policy: a model; None for that of the config, or the shipped one.

    Raises:
        ValueError: there is no such loop or format, or a field does not fit.
    """
    check_format(output, "table", "json")
    if loop not in LOOPS:
        raise ValueError(f"there is no loop {loop!r}: expected one of {', '.join(LOOPS)}")
    given: dict[str, Any] = {
        "rounds": rounds,
        "policy": {"type": "vllm", "model": policy} if policy else None,
    }
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
    # ends by an error.
    from flows.pages.rounds import read_rounds, rounds_picture
    from flows.tables.output import open_console
    from flows.tables.rounds import rounds_summary

    store = Store(root)
    metrics = read_rounds(store, run_id, loop)
    if output == "json":
        sys.stdout.write(json.dumps([asdict(row) for row in metrics], default=str) + "\n")
        return
    console = open_console()
    picture = f"{store.url}/{rounds_picture(run_id, loop)}"
    console.print(f"picture: {picture}", soft_wrap=True, highlight=False, markup=False)
    console.print(rounds_summary(metrics))
    model, place = shlex.quote(made), shlex.quote(root)
    command = f"stepmill run sampling --set policy.model={model} --root {place}"
    if loop == "v_star":  # it ends with a verifier
        command = f"stepmill report {run_id} --root {place}"
    console.print(f"model: {made}\nnext: {command}", soft_wrap=True, highlight=False, markup=False)
