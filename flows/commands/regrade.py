"""`stepmill regrade`: how many verdicts changed, and how."""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from flows.commands.options import DEFAULT_ROOT, Format, Root, set_option
from flows.commands.run import run_flow
from flows.tables.formats import check_format
from tasks.regrading.regrade import Change

_WORDS = {True: "right", False: "wrong", None: "ungraded"}


def regrade(
    run_id: Annotated[str, typer.Option(help="The run.")],
    set_name: Annotated[str, typer.Option(help="The set of solutions.")] = "eval",
    grader: Annotated[str, typer.Option(help="{names of grader}.")] = "math",
    judge: Annotated[
        str | None,
        typer.Option(help="With --grader judge: a folder or Hugging Face id, if not the policy's."),
    ] = None,
    told: Annotated[
        str | None,
        typer.Option(help="With --grader judge: what it knows: nothing, answer or solution."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="With a judge or an ensemble: the graders that it is measured against, by how "
            "their names begin; by default all that need no model."
        ),
    ] = None,
    rollouts: Annotated[
        bool, typer.Option(help="Include the rollouts from its solutions.")
    ] = False,
    refinements: Annotated[
        bool, typer.Option(help="Include the second attempts at its solutions.")
    ] = False,
    error_paths: Annotated[
        bool, typer.Option(help="Include the solutions that were made wrong on purpose.")
    ] = False,
    change: Annotated[list[str] | None, set_option("grader.percent=ignored")] = None,
    output: Format = "table",
    root: Root = DEFAULT_ROOT,
) -> None:
    """Grade stored solutions again and print what changed; every view uses the newest verdict.

    A judge is a model that reads each solution; how it agrees with the graders before it is
    measured. `stepmill describe judge` prints every field. For example:

    - `stepmill regrade --run-id first --grader exact`
    - `stepmill regrade --run-id first --grader judge --judge models/judge --told answer
      --set grader.layout.type=rubric`
    """
    of_judge = {"engine": judge and {"type": "vllm", "model": judge}, "told": told}
    given = {name: value for name, value in of_judge.items() if value is not None}
    if given and grader != "judge":
        raise ValueError(f"expected --judge and --told with --grader judge, got {grader}")
    if against is not None and grader not in ("judge", "ensemble"):
        raise ValueError(f"expected --against with --grader judge or ensemble, got {grader}")
    values = {
        "set_name": set_name,
        **({} if against is None else {"against": against}),
        "grader": {"type": grader, **given},
        "with_rollouts": rollouts,
        "with_refinements": refinements,
        "with_error_paths": error_paths,
    }
    regrade_and_show(output, root=root, run_id=run_id, values=values, changes=change or [])


def regrade_and_show(
    output: str, *, root: str | Path, run_id: str, values: Mapping[str, Any], changes: Sequence[str]
) -> None:
    """Regrade a set of a run and print what changed.

    Args:
        output: `table`, or `json` for a list of counts.
        root: the store.
        run_id: the run.
        values: fields of the job.
        changes: further fields, as `FIELD=VALUE`.

    Raises:
        ValueError: the format or the set does not exist, or a field does not fit.
    """
    check_format(output, "table", "json")
    counts: Counter[Change] = run_flow(
        "regrading", root=root, run_id=run_id, config_file=None, changes=changes, values=values
    )
    if output == "json":
        sys.stdout.write(json.dumps([_to_record(c, n) for c, n in _sorted(counts)]) + "\n")
    else:
        # Imported late: it imports DuckDB, which complains when a process ends with an error.
        from flows.tables.output import open_console

        open_console().print(changes_table(counts))


def changes_table(counts: Counter[Change]) -> Table:
    """A row per kind of change; verdicts that stayed the same come last."""
    table = Table(title=f"{counts.total():,} verdicts", box=SIMPLE_HEAD)
    for name in ("graded by", "before", "now by", "now"):
        table.add_column(name)
    table.add_column("solutions", justify="right")
    for change, count in _sorted(counts):
        style = "dim" if change.before == change.after else ""
        cells = (change.grader_before, _WORDS[change.before], change.grader, _WORDS[change.after])
        table.add_row(*map(Text, cells), f"{count:,}", style=style)
    return table


def _sorted(counts: Counter[Change]) -> list[tuple[Change, int]]:
    def place(entry: tuple[Change, int]) -> tuple[bool, str, str, str]:
        change, _ = entry
        words = _WORDS[change.before], _WORDS[change.after]
        return change.before == change.after, change.grader_before, *words

    return sorted(counts.items(), key=place)


def _to_record(change: Change, count: int) -> dict[str, Any]:
    return {
        "grader_before": change.grader_before,
        "before": change.before,
        "grader": change.grader,
        "after": change.after,
        "num_solutions": count,
    }
