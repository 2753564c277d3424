"""`stepmill import`: solutions, scores and step labels from elsewhere, brought into a run."""

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import DEFAULT_ROOT, Root, set_option
from flows.commands.run import run_flow


def import_(
    file: Annotated[
        Path | None,
        typer.Argument(help="JSONL, JSON or Parquet.", exists=True, dir_okay=False),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="A Hugging Face id instead of a file.")
    ] = None,
    dataset_split: Annotated[
        str | None, typer.Option(help="Its split, or several as a+b; by default train.")
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="solutions, or a set of step labels: prm800k, math_shepherd, processbench, "
            "stepwise; by default recognised by its columns.",
        ),
    ] = None,
    run_id: Annotated[
        str | None, typer.Option(help="The run that gets them; by default a new one.")
    ] = None,
    set_name: Annotated[str, typer.Option(help="The name of the set in the run.")] = "eval",
    question_column: Annotated[str, typer.Option(help="Texts.")] = "question",
    answer_column: Annotated[str, typer.Option(help="Gold answers.")] = "answer",
    responses_column: Annotated[str, typer.Option(help="Lists of solutions.")] = "responses",
    scores_column: Annotated[
        str | None, typer.Option(help="A score per solution, or a list of one per step.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="What wrote them; by default the file.")
    ] = None,
    verifier: Annotated[
        str | None, typer.Option(help="What scored them; by default the column.")
    ] = None,
    grader: Annotated[str, typer.Option(help="{names of grader}.")] = "math",
    change: Annotated[list[str] | None, set_option("gold_format=solution")] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Bring other people's solutions into a run, graded, with their scores or step labels."""
    values = {
        "path": file and file.absolute(),
        "dataset": dataset,
        "dataset_split": dataset_split,
        "format": format_,
        "set_name": set_name,
        "question_column": question_column,
        "answer_column": answer_column,
        "responses_column": responses_column,
        "scores_column": scores_column,
        "policy": policy,
        "verifier": verifier,
        "grader": {"type": grader},
    }
    run_flow(
        "imports", root=root, run_id=run_id, config_file=None, changes=change or [], values=values
    )
