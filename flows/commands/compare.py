"""`stepmill compare`: two runs on the problems that both solved, paired, with intervals."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from flows.commands.options import DEFAULT_ROOT, Format, Root
from flows.tables.comparison import comparison_sentence, comparison_table
from flows.tables.formats import check_format
from flows.tables.output import open_catalog, open_console, runs_words
from flows.view.links import say_page
from storage.queries import ask
from tasks.evaluation.comparison import compare_rates


def compare(
    first: Annotated[str, typer.Argument(help="The run that is compared with.")],
    second: Annotated[str, typer.Argument(help="The run that is compared.")],
    strategy: Annotated[
        str, typer.Option(help="Whose solutions, as named in their rows; sampled ones by default.")
    ] = "sample",
    output: Format = "table",
    root: Root = DEFAULT_ROOT,
) -> None:
    """Compare the solve rates of two runs, problem by problem, with intervals.

    Only problems that both runs have solutions of take part, told by their questions.
    """
    check_format(output, "table", "json")
    connection = open_catalog(root)
    rates: dict[str, dict[str, list[float]]] = {first: {}, second: {}}
    for row in ask(connection, "solve_rates_of_runs", runs=[first, second], strategy=strategy):
        rates[row["run_id"]].setdefault(row["question"], []).append(row["solve_rate"])
    for run_id, found in rates.items():
        if not found:
            raise ValueError(
                f"run {run_id} has no graded solutions by {strategy!r}: {runs_words(connection)}"
            )
    found = compare_rates(
        first,
        second,
        {question: sum(of) / len(of) for question, of in rates[first].items()},
        {question: sum(of) / len(of) for question, of in rates[second].items()},
    )
    if output == "json":
        sys.stdout.write(json.dumps(asdict(found)) + "\n")
        return
    console = open_console()
    console.print(comparison_table(found))
    console.print(Text(comparison_sentence(found)), soft_wrap=True)
    say_page(root, "compare", run=first, **{"with": second}, strategy=strategy)
