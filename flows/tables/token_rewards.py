"""`stepmill show --rewards`: what each token of a solution earns, above the token.

Colours show the size beside the largest of the solution, green above zero and red below; the
numbers are there without a terminal too. The lines are laid out here for the terminal and for the
pictures (flows/pages/token_plots.py) alike.
"""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from rich.console import Console
from rich.text import Text

from flows.tables.formats import check_format
from flows.tables.output import open_console, visible
from flows.tables.trajectory import find_trajectory
from storage.queries import ask

_NUM_SHADES = 4
_GREENS = ("", "green", "black on green", "bold black on bright_green")
_REDS = ("", "red", "white on red", "bold white on bright_red")
_DIGITS = 3
_GAP = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """A token with what it earns, at a place in its line."""

    text: str
    number: str
    reward: float
    begin: int
    """Characters before it in the line."""
    width: int
    """Characters of the wider of text and number."""


def show_rewards(connection: duckdb.DuckDBPyConnection, name: str, output: str) -> None:
    """Print the rewards of a trajectory's tokens, by each reward that was stored of it.

    Args:
        connection: the store.
        name: the id of a trajectory, or its first letters.
        output: `text` or `json`.

    Raises:
        ValueError: no trajectory has such an id, or several have, or no rewards of it are stored.
    """
    check_format(output, "text", "json")
    row = find_trajectory(connection, name)
    key = {"trajectory_id": row["trajectory_id"], "run_id": row["run_id"]}
    rewards = ask(connection, "rewards_of_trajectory", **key)
    if not rewards:
        raise ValueError(
            f"expected a trajectory whose tokens were rewarded, got {row['trajectory_id']}: "
            f"`stepmill run token_rewards --run-id {row['run_id']}` computes them for a set, and "
            "`select distinct trajectory_id from token_rewards` lists what is there"
        )
    if output == "json":
        whole = {"trajectory": row, "token_rewards": rewards}
        sys.stdout.write(json.dumps(whole, default=str, ensure_ascii=False) + "\n")
        return
    console = open_console()
    for problem in ask(
        connection, "problem_of_run", problem_id=row["problem_id"], run_id=row["run_id"]
    ):
        console.print(Text(visible(problem["question"]), style="bold"))
    for each in rewards:
        _print_rewards(console, each)


def heading(row: Mapping[str, Any]) -> str:
    """What was earned, by which reward, and whether the tokens' sum is that."""
    who = row["reward"] + (f", {row['verifier']}" if row["verifier"] else "")
    if row["error"] is not None:
        return f"{who}: {row['error']}"
    total, found = row["total"], math.fsum(row["rewards"])
    is_same = math.isclose(found, total, rel_tol=1e-9, abs_tol=1e-9)
    sums = "their sum" if is_same else f"but their sum is {found:.6g}"
    return f"{who}: R = {total:.4g}, {len(row['rewards'])} tokens, {sums}"


def lay_out_cells(
    tokens: Sequence[str], rewards: Sequence[float], *, max_width: int
) -> list[list[Cell]]:
    """Lines of tokens: a new one after each line break, and where the width is used up.

    Args:
        tokens: [num_tokens] what each wrote.
        rewards: [num_tokens] what each earns.
        max_width: characters of a line; a longer token has a line of its own.
    """
    lines: list[list[Cell]] = [[]]
    place = 0
    for token, reward in zip(tokens, rewards, strict=True):
        text, number = _shown(token), _number(reward)
        width = max(len(text), len(number))
        if lines[-1] and place + width > max_width:
            lines.append([])
            place = 0
        lines[-1].append(Cell(text, number, reward, place, width))
        place += width + _GAP
        if "\n" in token:
            lines.append([])
            place = 0
    return [line for line in lines if line]


def shade(reward: float, largest: float) -> int:
    """How strong the colour of a reward is: 0 for none to 3, by its size beside the largest."""
    if not largest or not reward:
        return 0
    return min(_NUM_SHADES - 1, math.ceil(abs(reward) / largest * (_NUM_SHADES - 1) - 1e-9))


def _print_rewards(console: Console, row: Mapping[str, Any]) -> None:
    console.print()
    console.print(Text(visible(heading(row))))
    if row["error"] is not None:
        return
    largest = max(map(abs, row["rewards"]), default=0.0)
    for line in lay_out_cells(row["tokens"], row["rewards"], max_width=console.width):
        numbers, texts = Text(no_wrap=True), Text(no_wrap=True)
        for cell in line:
            styles = _GREENS if cell.reward > 0 else _REDS
            style = styles[shade(cell.reward, largest)]
            numbers.append(cell.number.ljust(cell.width + _GAP), style="dim")
            texts.append(cell.text, style=style)
            texts.append(" " * (cell.width + _GAP - len(cell.text)))
        console.print(numbers)
        console.print(texts)


def _number(reward: float) -> str:
    """A reward in few characters: `0`, `+.012`, `-1.54`."""
    if reward == 0:
        return "0"
    rounded = f"{reward:+.{_DIGITS}f}" if abs(reward) < 1 else f"{reward:+.2f}"
    if not float(rounded):
        return rounded[0] + "0"
    return rounded.replace("+0.", "+.").replace("-0.", "-.")


def _shown(token: str) -> str:
    """A token's text with its white space to be seen."""
    text = visible(token.replace("\n", "⏎").replace("\t", "⇥"))
    return text if text.strip() else text.replace(" ", "␣") or "·"
