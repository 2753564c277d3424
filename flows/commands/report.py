"""`stepmill report`: a run's accuracies, and how labels and scores compare with the truth."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated, get_args

import duckdb
import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from flows.commands.options import DEFAULT_ROOT, Format, Root
from flows.registry import names_of
from flows.tables.accuracies import accuracies_by_bin, accuracy_summary, bin_summary
from flows.tables.critics import (
    critic_rows,
    critic_words,
    critics_in,
    critics_summary,
    difficulty_summary,
    other_rows,
)
from flows.tables.critique_searches import critique_tables
from flows.tables.formats import check_format
from flows.tables.gates import gate_summary, split_gates
from flows.tables.graders import (
    disagreements_summary,
    grader_bins_summary,
    grader_words,
    graders_summary,
    judges_summary,
)
from flows.tables.output import open_catalog, open_console, runs_words, visible
from flows.tables.relations import relations_summary, sentence
from flows.tables.rounds import rounds_summary
from flows.tables.row_shares import rows_summary
from flows.tables.searches import (
    choice_summary,
    main_rows,
    search_summary,
    selection_summary,
)
from flows.tables.sentences import bins_words, result_words, rounds_words, truth_words
from flows.tables.truth import pick_summary, truth_summary
from flows.view.links import say_page
from schemas.evaluation import BinKind
from schemas.metric_names import GRADING
from schemas.rows import METRICS, MeasuredRelation, Metric, from_table
from schemas.units import Stage
from storage.queries import ask, relation

_DEFAULT_SET = "eval"


def report(
    run_id: Annotated[str, typer.Argument(help="The run.")],
    by: Annotated[
        str | None,
        typer.Option(help="Accuracy by level, subject, oracle_quintile or model_quintile."),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="With --by: candidates per problem; by default the largest.")
    ] = None,
    set_name: Annotated[
        str | None, typer.Option(help="The set of problems; by default eval, or the only one.")
    ] = None,
    output: Format = "table",
    root: Root = DEFAULT_ROOT,
) -> None:
    """Print a run's results: accuracy by strategy and budget, and figures against the truth.

    Of an experiment, which relations hold.
    """
    show_report(open_catalog(root), run_id, output, by=by, budget=budget, set_name=set_name)
    if output == "table":
        say_page(root, "results", run=run_id, set=set_name)


def show_report(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    output: str,
    *,
    by: str | None = None,
    budget: int | None = None,
    set_name: str | None = None,
) -> None:
    """Print the accuracies of a set by strategy and budget, or in bins at one budget.

    Of an experiment's run, the relations that it measured.

    Args:
        connection: the store.
        run_id: the run.
        output: `table`, or `json` for every figure of the set, or of all sets.
        by: a kind of bins; None for accuracy against budget, and the figures against the truth.
        budget: candidates per problem in the bins; None for the largest measured.
        set_name: the set of problems; None for the accuracies of `eval`, or of the only set that
            has any, and the figures against the truth of all sets.

    Raises:
        ValueError: the run has no results, or none of this set, kind and budget; or it has several
            sets and none is named.
    """
    table = relation(connection, "curves_of_run", run_id=run_id).to_arrow_table()
    measured = ask(connection, "relations_of_run", run_id=run_id)
    if measured:
        _show_relations(run_id, [MeasuredRelation(**row) for row in measured], output)
        return
    if not table.num_rows:
        raise ValueError(
            f"run {run_id} has no results yet, its evaluation or its search makes them; "
            f"{runs_words(connection)}"
        )
    if by is not None and by not in get_args(BinKind):
        raise ValueError(f"expected --by {', '.join(get_args(BinKind))}, got {by!r}")
    sets = sorted(set(table.column("set_name").to_pylist()) - {None})
    if set_name is not None and set_name not in sets:
        raise ValueError(f"run {run_id}: expected --set-name {', '.join(sets)}, got {set_name!r}")
    if output == "json":
        rows = [row for row in table.to_pylist() if set_name in (None, row["set_name"])]
        sys.stdout.write(json.dumps(rows, default=str) + "\n")
    elif output == "table":
        metrics = [_make_visible(row) for row in from_table(METRICS, table)]
        shown = set_name or _choose_set(metrics)
        by_stage: dict[str, list[Metric]] = {}
        for row, stage in zip(metrics, table.column("stage").to_pylist(), strict=True):
            if row.set_name == shown:
                by_stage.setdefault(stage, []).append(row)
        loops = {stage: by_stage.pop(stage) for stage in names_of("loop") if stage in by_stage}
        searches = by_stage.pop(Stage.SEARCH, [])
        about = other_rows([row for rows in by_stage.values() for row in rows])
        for rows in loops.values():
            by_time = sorted(rows, key=lambda row: str(row.created_at))
            rounds, gates = split_gates(by_time)
            if rounds:
                open_console().print(rounds_summary(rounds))
                for words in rounds_words(rounds):
                    open_console().print(Text(words), soft_wrap=True)
            if gates:
                open_console().print(gate_summary(gates))
        if not loops or by is not None or any(row.verifier is not None for row in about):
            _print_accuracies(open_console(), about, by, budget)
        _print_searches(open_console(), searches, by, budget)
        print_critics(
            open_console(), [row for row in metrics if set_name in (None, row.set_name)], by
        )
        print_graders(
            open_console(), [row for row in metrics if set_name in (None, row.set_name)], by
        )
        if by is None:
            _print_disagreements(open_console(), connection, run_id)
            _print_truth(open_console(), about if set_name else other_rows(metrics))
            _print_rows(open_console(), connection, run_id)
    else:
        raise ValueError(f"expected --format table or json, got {output!r}")


def _show_relations(run_id: str, rows: Sequence[MeasuredRelation], output: str) -> None:
    """Print what an experiment found; its parts have reports of their own."""
    check_format(output, "table", "json")
    if output == "json":
        sys.stdout.write(json.dumps([asdict(row) for row in rows], default=str) + "\n")
        return
    console = open_console()
    console.print(relations_summary(rows, title=f"{rows[0].experiment}: {run_id}"))
    for row in rows:
        console.print(Text(sentence(row)), soft_wrap=True)


def by_verifier(metrics: Sequence[Metric]) -> list[list[Metric]]:
    """The rows of each policy and verifier, with the policy's rows that need no verifier."""
    pairs = {(row.policy, row.verifier) for row in metrics}
    judged = {policy for policy, verifier in pairs if verifier is not None}
    return [
        [row for row in metrics if row.policy == policy and row.verifier in (None, verifier)]
        for policy, verifier in sorted(pairs, key=lambda pair: (pair[0], pair[1] or ""))
        if verifier is not None or policy not in judged
    ]


def _choose_set(metrics: Sequence[Metric]) -> str | None:
    """The set to show; None is the unnamed set of a store of the first version."""
    sets = {row.set_name for row in metrics if row.metric == "accuracy"}
    if not sets or _DEFAULT_SET in sets:
        return _DEFAULT_SET
    if len(sets) > 1:
        raise ValueError(f"expected --set-name, one of {', '.join(sorted(map(str, sets)))}")
    return sets.pop()


def _print_accuracies(
    console: Console, metrics: Sequence[Metric], by: str | None, budget: int | None
) -> None:
    is_one_policy = len({row.policy for row in metrics}) == 1
    for rows in by_verifier(metrics):
        budgets = [m.budget for m in rows if m.metric == "accuracy" and m.budget is not None]
        if not budgets:
            continue
        if not is_one_policy:
            console.print(Text(f"policy {rows[0].policy}", style="bold"))
        if by is not None:
            _print_bins(console, rows, by, budget or max(budgets))
            continue
        console.print(accuracy_summary(rows))
        if (picks := pick_summary(rows)) is not None:
            console.print(picks)
        _print_sentence(console, rows)


def _print_searches(
    console: Console, metrics: Sequence[Metric], by: str | None, budget: int | None
) -> None:
    for rows in by_verifier(metrics):
        if by is None:
            console.print(search_summary(rows))
            tables = [selection_summary(rows), choice_summary(rows), *critique_tables(rows)]
            for table in tables:
                if table is not None:
                    console.print(table)
            _print_sentence(console, rows)
            continue
        main = main_rows(rows)
        budgets = [row.budget for row in main if row.budget is not None]
        _print_bins(console, main, by, budget or max(budgets))
        for table in critique_tables(rows, kind=by, budget=budget):
            console.print(table)


def print_critics(console: Console, metrics: Sequence[Metric], by: str | None) -> None:
    """Print tables and sentences of each set with critics.

    Args:
        console: where.
        metrics: figures of a run.
        by: a kind of bins; None for everything.
    """
    critical = critic_rows(metrics)
    for name in sorted({row.set_name or "" for row in critical}):
        rows = [row for row in critical if (row.set_name or "") == name]
        for table in (None if by else critics_summary(rows), difficulty_summary(rows, by)):
            if table is not None:
                table.title = f"{table.title}, set {escape(name)}"
                console.print(table)
        for critic in () if by else critics_in(rows):
            console.print(Text(critic_words(rows, critic)), soft_wrap=True)


def print_graders(console: Console, metrics: Sequence[Metric], by: str | None) -> None:
    """Print tables and sentences of each set with judges or ensembles.

    Args:
        console: where.
        metrics: figures of a run.
        by: a kind of bins; None for everything.
    """
    graded = [row for row in metrics if row.strategy == GRADING]
    for name in sorted({row.set_name or "" for row in graded}):
        rows = [row for row in graded if (row.set_name or "") == name]
        kinds = ("level", "length_fifth") if by is None else (by,)
        bins = [grader_bins_summary(rows, kind) for kind in kinds]
        whole = () if by else (graders_summary(rows), judges_summary(rows))
        for table in (*whole, *bins):
            if table is not None:
                table.title = f"{table.title}, set {escape(name)}"
                console.print(table)
        for words in () if by else grader_words(rows):
            console.print(Text(words), soft_wrap=True)


def _print_disagreements(
    console: Console, connection: duckdb.DuckDBPyConnection, run_id: str
) -> None:
    rows = ask(connection, "disagreements_of_run", run_id=run_id)
    if (table := disagreements_summary(rows)) is not None:
        console.print(table)


def _print_sentence(console: Console, metrics: Sequence[Metric]) -> None:
    console.print(Text(result_words(metrics)), soft_wrap=True)


def _print_bins(console: Console, metrics: Sequence[Metric], by: str, budget: int) -> None:
    console.print(bin_summary(metrics, kind=by, budget=budget))
    found = [(where.value, row) for where, row in accuracies_by_bin(metrics, by, budget)]
    console.print(Text(bins_words(found)), soft_wrap=True)


def _print_truth(console: Console, metrics: Sequence[Metric]) -> None:
    """A table per set of problems with figures against the truth."""
    sets = sorted({row.set_name for row in metrics}, key=lambda name: name or "")
    for name in sets:
        table = truth_summary([row for row in metrics if row.set_name == name])
        if table is not None:
            table.title = f"{table.title}{f', set {name}' if len(sets) > 1 and name else ''}"
            console.print(table)
            words = truth_words([row for row in metrics if row.set_name == name])
            console.print(Text(visible("\n".join(words))), soft_wrap=True)


def _print_rows(console: Console, connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """How the run's rows ended, and what it could not make."""
    if (table := rows_summary(ask(connection, "row_shares_of_run", run_id=run_id))) is not None:
        console.print(table)
    for failed in ask(connection, "failed_parts_of_run", run_id=run_id):
        words = f"{failed['flow']} of {run_id} failed: {failed['message']}"
        console.print(Text(visible(words)), soft_wrap=True)


def _make_visible(row: Metric) -> Metric:
    """A row whose imported names cannot control a terminal."""
    verifier = None if row.verifier is None else visible(row.verifier)
    return replace(row, policy=visible(row.policy), verifier=verifier, bin=visible(row.bin))
