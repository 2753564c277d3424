"""`stepmill show --tree`: a problem's search tree in the terminal, built from its rows.

Every row ends at a leaf and holds the steps after those of the row that it continues, so the rows,
each attached where it branched off, are the tree.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

import duckdb
from rich.text import Text
from rich.tree import Tree

from flows.tables.drawn_tree import Branch, TreeDrawing, decision_words, ranked_by
from flows.tables.formats import check_format
from flows.tables.output import open_console, visible
from schemas.metric_names import strategy_type
from storage.queries import ask


def show_tree(
    connection: duckdb.DuckDBPyConnection,
    problem: str,
    output: str,
    *,
    strategy: str | None = None,
    budget: int | None = None,
    run_id: str | None = None,
    depth: int | None = None,
) -> None:
    """Print the tree of one search of a problem.

    Args:
        connection: the store.
        problem: the id of a problem, or its first letters.
        output: `text` or `json`.
        strategy: the search, as its rows name it or without its settings; None if only one exists.
        budget: its N; None if only one exists.
        run_id: its run; None if only one exists.
        depth: steps that are drawn as text; None for all.

    Raises:
        ValueError: no search of such a problem exists, or several do and they are listed.
    """
    check_format(output, "text", "json")
    key = _choose(connection, problem, {"run_id": run_id, "strategy": strategy, "budget": budget})
    rows = ask(connection, "search_tree", **key)
    decisions = ask(connection, "search_decisions", **key)
    (found,) = ask(connection, "problem_of_run", run_id=key["run_id"], problem_id=key["problem_id"])
    found = {name: found[name] for name in ("problem_id", "question", "answer")}
    root = build_tree(rows)
    if output == "json":
        whole = {**key, "problem": found, "decisions": decisions, "tree": _to_record(root)}
        sys.stdout.write(json.dumps(whole, default=str, ensure_ascii=False) + "\n")
        return
    console = open_console()
    console.print(Text(visible(found["question"]), style="bold"))
    console.print(Text(visible(f"gold answer {found['answer']}"), style="dim"))
    names = f"{key['strategy']}, N = {key['budget']}, {key['policy']}"
    names += f", verifier {key['verifier']}" if key["verifier"] else ""
    tree = Tree(Text(visible(names)))
    picks = {row["trajectory_id"]: row["pick"] for row in reversed(decisions) if row["is_main"]}
    score = ranked_by(key["strategy"], [row["pick"] for row in decisions if row["is_main"]])
    TreeDrawing(picks=picks, score=score, depth=depth).draw(tree, root)
    console.print(tree)
    for row in decisions:
        if row["is_main"]:
            console.print(decision_words(row))


def build_tree(rows: Sequence[dict[str, Any]]) -> Branch:
    """The tree of a search's rows, which are in order of `sample_index`.

    Raises:
        ValueError: a row continues one that is missing, or more of its steps than it has.
    """
    root = Branch()
    lines: dict[str, list[Branch]] = {}  # for each row, the branches of its whole solution
    for row in rows:
        parent, depth = row["parent_id"], row["branch_step"] or 0
        before = lines.get(parent, [])[:depth] if parent is not None else []
        if len(before) != (depth if parent is not None else 0):
            raise ValueError(
                f"trajectory {row['trajectory_id']}: expected {depth} steps of {parent}, "
                f"which it continues, got {len(before)}"
            )
        line = [*before]
        for step in row["steps"]:
            branch = Branch(step=step)
            (line[-1] if line else root).children.append(branch)
            if not line and parent is not None:
                branch.prompted_by = parent
            line.append(branch)
        (line[-1] if line else root).ends.append({k: v for k, v in row.items() if k != "steps"})
        lines[row["trajectory_id"]] = line
    return root


def _choose(
    connection: duckdb.DuckDBPyConnection, problem: str, wanted: dict[str, Any]
) -> dict[str, Any]:
    """The one search that fits.

    Raises:
        ValueError: none fits, or several do.
    """
    found = ask(connection, "searches_of_problem", id=problem)
    left = [
        row
        for row in found
        if all(value in (None, row[name], _base(row[name])) for name, value in wanted.items())
    ]
    # `beam` means the beam search with the defaults if that was made, otherwise any.
    left = [row for row in left if row["strategy"] == wanted["strategy"]] or left
    if len(left) == 1:
        return left[0]
    given = ", ".join(f"{name} {value}" for name, value in wanted.items() if value is not None)
    if len({row["problem_id"] for row in found}) > 1:
        raise ValueError(f"expected one problem whose id begins with {problem!r}, got several")
    if not found:
        raise ValueError(
            f"expected a problem that was searched, got {problem!r}: "
            "`select distinct problem_id from decisions` lists them"
        )
    listed = "\n".join(
        f"  --run-id {row['run_id']} --strategy '{row['strategy']}' --n {row['budget']}"
        + ("" if row["verifier"] is None else f"  (verifier {row['verifier']})")
        for row in left or found
    )
    which = f"{len(left)} searches" if left else "none"
    raise ValueError(
        f"expected one search{f' with {given}' if given else ''}, got {which}:\n{listed}"
    )


def _base(name: Any) -> Any:
    """A strategy's name without its settings."""
    return strategy_type(name) if isinstance(name, str) else name


def _to_record(branch: Branch) -> dict[str, Any]:
    return {
        "step": branch.step,
        "prompted_by": branch.prompted_by,
        "ends": branch.ends,
        "children": [_to_record(child) for child in branch.children],
    }
