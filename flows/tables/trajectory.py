"""One trajectory for a terminal: its steps, their labels and scores, and what critics say of it."""

import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.tables.critiqued import (
    STYLES,
    VERDICT_WORDS,
    critiques_of,
    find_critiqued,
    print_critiqued,
)
from flows.tables.graders import verdicts_table
from flows.tables.output import open_console, visible
from schemas.tools import OUTPUT_LABEL
from storage.queries import ask
from tasks.steps.outputs import OUTPUT
from tasks.tools.blocks import read_blocks

_CHECKER = "checker"
"""The method of labels that are the truth."""


def show_trajectory(connection: duckdb.DuckDBPyConnection, name: str, output: str) -> None:
    """Print one trajectory with its steps, their labels and their scores.

    A solution is shown beside its critiques and the second attempts at it; so is a critique or a
    second attempt, beside what it belongs to.

    Raises:
        ValueError: no trajectory and no critique, or several, have ids that begin like this.
    """
    row, critique_id = _find_row(connection, name)
    first, attempt_id = _find_first(connection, row)
    critiques, attempts = critiques_of(connection, first, critique_id)
    if attempt_id is not None:
        attempts = [each for each in attempts if each["trajectory_id"] == attempt_id]
        critiques = [each for each in critiques if each["critique_id"] == row["critique_id"]]
    before = steps_before(connection, row)
    key = {"trajectory_id": row["trajectory_id"], "run_id": row["run_id"]}
    labels = ask(connection, "labels_of_trajectory", **key)
    scores = ask(connection, "scores_of_trajectory", **key)
    verdicts = ask(connection, "verdicts_of_trajectory", **key)
    judgements = ask(connection, "judgements_of_trajectory", **key)
    problem = ask(connection, "problem_of_run", problem_id=row["problem_id"], run_id=row["run_id"])
    if output == "json":
        whole = {"trajectory": row, "problem": problem, "labels": labels, "scores": scores}
        if before:
            whole["prefix"] = before
        if len(verdicts) > 1:
            whole |= {"verdicts": verdicts, "judgements": judgements}
        if critiques or attempts:
            whole |= {"solution": first, "critiques": critiques, "refinements": attempts}
        sys.stdout.write(json.dumps(whole, default=str, ensure_ascii=False) + "\n")
    elif output == "text":
        console = open_console()
        _print_trajectory(console, row, before, problem, labels, scores)
        if len(verdicts) > 1:
            console.print(verdicts_table(verdicts, judgements))
        print_critiqued(console, first, critiques, attempts)
    else:
        raise ValueError(f"expected --format text or json, got {output!r}")


def find_trajectory(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, Any]:
    """The trajectory of an id, or the solution that a critique of that id is about.

    Raises:
        ValueError: no trajectory and no critique, or several, have ids that begin like this.
    """
    return _find_row(connection, name)[0]


def _find_row(
    connection: duckdb.DuckDBPyConnection, name: str
) -> tuple[dict[str, Any], str | None]:
    """The trajectory of an id, or the solution of a critique's id and the critique's whole id."""
    found, critique_id = ask(connection, "trajectories_by_id", id=name), None
    if not found and (critiqued := find_critiqued(connection, name)) is not None:
        trajectory_id, run_id, critique_id = critiqued
        found = [
            row
            for row in ask(connection, "trajectories_by_id", id=trajectory_id)
            if row["run_id"] == run_id
        ]
    if len(found) != 1:
        raise ValueError(
            f"expected one trajectory whose id begins with {name!r}, "
            f"got {'several' if found else 'none'}: `select trajectory_id from graded` lists them"
        )
    return found[0], critique_id


def _find_first(
    connection: duckdb.DuckDBPyConnection, row: dict[str, Any]
) -> tuple[dict[str, Any], str | None]:
    """The solution that a second attempt follows, and its own id; any other row, and None."""
    if row["role"] == "refinement" and row["parent_id"] is not None:
        for first in ask(connection, "trajectories_by_id", id=row["parent_id"]):
            if (first["trajectory_id"], first["run_id"]) == (row["parent_id"], row["run_id"]):
                return first, row["trajectory_id"]
    return row, None


def steps_before(
    connection: duckdb.DuckDBPyConnection, row: dict[str, Any]
) -> list[dict[str, Any]]:
    """The steps that a rollout or a branch of a search continues, from the first; else none.

    Raises:
        ValueError: its parent is missing, or has fewer steps.
    """
    parent_id, depth = row["parent_id"], row["branch_step"]
    if parent_id is None or not depth:
        return []
    found = ask(connection, "trajectories_by_id", id=parent_id)
    parents = [each for each in found if each["trajectory_id"] == parent_id]
    of_run = [each for each in parents if each["run_id"] == row["run_id"]]
    for parent in (of_run or parents)[:1]:
        steps = [*steps_before(connection, parent), *parent["steps"]]
        if len(steps) >= depth:
            return steps[:depth]
    raise ValueError(
        f"trajectory {row['trajectory_id']} continues {depth} steps of {parent_id}, which are "
        "not in the store"
    )


def first_error(labels: list[dict[str, Any]]) -> tuple[int, str] | None:
    """The first step that labels call wrong, and the method: the exact checker's if it has any."""
    methods = sorted({label["method"] for label in labels}, key=lambda m: (m != _CHECKER, m))
    for method in methods:
        of_method = [label for label in labels if label["method"] == method]
        wrong = [label["step_index"] for label in of_method if label["hard"] is False]
        if wrong:
            return min(wrong), method
        if method == _CHECKER:
            return None
    return None


def _print_trajectory(
    console: Console,
    row: dict[str, Any],
    before: list[dict[str, Any]],
    problems: list[dict[str, Any]],
    labels: list[dict[str, Any]],
    scores: list[dict[str, Any]],
) -> None:
    verdict = VERDICT_WORDS[row["correct"]]
    for problem in problems:
        console.print(Text(visible(problem["question"]), style="bold"))
        console.print(Text(visible(f"gold answer {problem['answer']}"), style="dim"))
    ids = f"trajectory {row['trajectory_id']}, problem {row['problem_id']}, run {row['run_id']}"
    console.print(Text(visible(ids), style="dim"), soft_wrap=True)
    made = f"{row['policy']}, {row['strategy']} {row['sample_index']}, {row['status']},"
    console.print(Text(visible(made)), Text(verdict, style=STYLES[row["correct"]]))
    answer = "no answer" if row["answer"] is None else f"answer {row['answer']}"
    console.print(Text(visible(f"{answer}, grader {row['grader']}")), soft_wrap=True)
    if row["parent_id"] is not None:
        words = f"branches off {row['parent_id']} after {row['branch_step'] or 0} steps (dim)"
        console.print(Text(visible(words)), soft_wrap=True)
    of_steps = [score for score in scores if len(score["scores"]) == len(row["steps"])]
    for score in scores:
        if score not in of_steps:
            words = f"{score['verifier']}: {score['scores'][0]:.3f} for the whole solution"
            console.print(Text(visible(words)))
    if row["tool_tokens"] is not None:
        words = f"{row['generated_tokens']} tokens generated, "
        words += f"{row['tool_tokens']} printed by programs"
        console.print(Text(words, style="dim"))
    table = Table(show_lines=False)
    methods = sorted({label["method"] for label in labels})
    kinds = row["segments"]
    readers = [score["verifier"] for score in of_steps]
    for name in ("", *(["kind"] if kinds else []), "step", "tokens", "logprob", *methods, *readers):
        table.add_column(Text(visible(name)))
    texts = step_texts([step["text"] for step in row["steps"]], kinds)
    of_step = {(label["step_index"], label["method"]): label for label in labels}
    for step in before:
        table.add_row(Text(""), Text(visible(step["text"].rstrip())), style="dim")
    wrong = first_error(labels)
    for index, step in enumerate(row["steps"]):
        text = texts[index]
        if wrong is not None and index == wrong[0]:
            text.append(visible(f"  ← first error ({wrong[1]})"), style=STYLES[False])
        cells = [Text(str(index)), *([Text(kinds[index])] if kinds else []), text]
        cells.append(Text(str(step["num_tokens"] or "")))  # imported steps are not counted
        logprob = step["logprob"]
        cells.append(Text("" if logprob is None else f"{logprob:.2f}"))
        cells += [_label_cell(of_step.get((index, method))) for method in methods]
        cells += [Text(f"{score['scores'][index]:.3f}") for score in of_steps]
        table.add_row(*cells)
    console.print(table)


def step_texts(steps: Sequence[str], kinds: Sequence[str] | None) -> list[Text]:
    """[num_steps] the steps for a terminal; of a solution that ran programs, code and output apart.

    Args:
        steps: their texts.
        kinds: [num_steps] as in the column `segments`; None if they are not told apart.
    """
    if kinds is None or OUTPUT not in kinds:
        return [Text(visible(step.rstrip())) for step in steps]
    blocks = [block for block in read_blocks("".join(steps)) if block.label != OUTPUT_LABEL]
    texts, begin = [], 0
    for step, kind in zip(steps, kinds, strict=True):
        text = Text(style="yellow" if kind == OUTPUT else "")
        marks = {0, len(step.rstrip())}
        marks |= {at - begin for block in blocks for at in (block.begin, block.end)}
        for first, last in pairwise(sorted(at for at in marks if 0 <= at <= len(step.rstrip()))):
            is_code = any(b.begin <= begin + first < b.end for b in blocks)
            text.append(visible(step[first:last]), style="cyan" if is_code else None)
        texts.append(text)
        begin += len(step)
    return texts


def _label_cell(label: dict[str, Any] | None) -> Text:
    if label is None:
        return Text("")
    word = {True: "right", False: "wrong", None: "?"}[label["hard"]]
    if label["evidence"] == "rollouts":
        word += f" {label['num_correct']}/{label['num_rollouts']}"
    return Text(word, style=STYLES[label["hard"]])
