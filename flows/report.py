"""What `stepmill report` prints: a run's accuracies, and how they compare with the truth."""

import json
import sys
from collections.abc import Sequence
from typing import get_args

import duckdb
from rich.console import Console

from flows.output import open_console
from schemas.evaluation import BinKind
from schemas.rows import METRICS, Metric, from_table
from tasks.evaluation.summary import accuracy_summary, bin_summary, pick_summary, truth_summary


def show_report(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    output: str,
    *,
    by: str | None = None,
    budget: int | None = None,
) -> None:
    """Print a run's accuracies by strategy and budget, or in bins at one budget.

    Args:
        connection: the store.
        run_id: the run.
        output: `table`, or `json` for every figure there is.
        by: a kind of bins; None for accuracy against budget, and the figures against the truth.
        budget: candidates per problem of the bins; None for the largest measured.

    Raises:
        ValueError: the run has no results, or none of the kind and budget asked for.
    """
    columns = ", ".join(METRICS.schema.names)
    found = connection.sql(f"select {columns} from curves where run_id = ?", params=[run_id])
    table = found.to_arrow_table()
    if not table.num_rows:
        raise ValueError(f"run {run_id} has no results yet: it ends with its evaluation")
    if by is not None and by not in get_args(BinKind):
        raise ValueError(f"expected --by {', '.join(get_args(BinKind))}, got {by!r}")
    if output == "json":
        sys.stdout.write(json.dumps(table.to_pylist(), default=str) + "\n")
    elif output == "table":
        _print_tables(open_console(), from_table(METRICS, table), by, budget)
    else:
        raise ValueError(f"expected --format table or json, got {output!r}")


def by_verifier(metrics: Sequence[Metric]) -> list[list[Metric]]:
    """The rows of each policy and verifier, with those of the policy that read no verifier."""
    pairs = {(row.policy, row.verifier) for row in metrics}
    judged = {policy for policy, verifier in pairs if verifier is not None}
    return [
        [row for row in metrics if row.policy == policy and row.verifier in (None, verifier)]
        for policy, verifier in sorted(pairs, key=lambda pair: (pair[0], pair[1] or ""))
        if verifier is not None or policy not in judged
    ]


def _print_tables(
    console: Console, metrics: Sequence[Metric], by: str | None, budget: int | None
) -> None:
    for rows in by_verifier(metrics):
        budgets = [m.budget for m in rows if m.metric == "accuracy" and m.budget is not None]
        if not budgets:
            continue
        if by is not None:
            console.print(bin_summary(rows, kind=by, budget=budget or max(budgets)))
            continue
        console.print(accuracy_summary(rows))
        if (picks := pick_summary(rows)) is not None:
            console.print(picks)
    truth = truth_summary(metrics)
    if by is None and truth is not None:
        console.print(truth)
