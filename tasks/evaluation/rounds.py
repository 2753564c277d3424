"""What a loop's rounds reached and were made from: figures of every policy, round by round.

A figure's `strategy` is the arm of the loop, its `bin` is `round=N` or, for problems of a level,
`round=N,level=L`. Round 0 is the policy that the loop began with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from schemas.rows import Metric, now

ROUND = "round="
GROWN = (
    "num_problems",
    "num_solved",
    "num_solutions",
    "num_right",
    "num_texts",
    "num_paths",
    "num_tokens",
)
"""Columns of the view `rounds` that a round's figures are made of."""
_MEASURED = {"pass": "pass@", "majority": "majority@"}


def round_rows(
    arm: str,
    label: str,
    evaluated: Sequence[Metric],
    made_from: Mapping[str, float],
) -> list[Metric]:
    """The rows of one policy of an arm.

    Args:
        arm: the way that the loop goes.
        label: the round, such as `2`, or `2.1` for the first of its improve steps.
        evaluated: what the evaluation of its solutions measured.
        made_from: figures of the solutions and the set that it learned from.

    Raises:
        ValueError: there is no accuracy among what was evaluated.
    """
    rows = [
        replace(
            row,
            strategy=arm,
            bin=_bin(label, row.bin),
            metric=f"{_MEASURED[row.strategy]}{row.budget}",
            created_at=now(),
        )
        for row in evaluated
        if row.metric == "accuracy" and row.strategy in _MEASURED
    ]
    if not rows:
        raise ValueError(f"expected accuracies of a policy, got none among {len(evaluated)} rows")
    whole = next(row for row in rows if row.bin == _bin(label, "all"))
    return rows + [
        replace(whole, budget=None, metric=name, value=value, ci_low=None, ci_high=None)
        for name, value in made_from.items()
    ]


def made_from(
    grown: Sequence[Mapping[str, float]], built: Mapping[str, object], hard_levels: Sequence[int]
) -> dict[str, float]:
    """Figures of the solutions that a policy learned from, and of the set built from them.

    Args:
        grown: the columns `GROWN` of each pool of solutions.
        built: the set's counts.
        hard_levels: levels that count as hard.
    """
    total = {name: sum(pool[name] for pool in grown) for name in GROWN}
    rows = _number(built["rows"])
    levels = built["by_level"]
    assert isinstance(levels, Mapping)
    hard = sum(_number(levels.get(str(level), 0)) for level in hard_levels)
    solved = max(total["num_solved"], 1)
    return {
        "grown_tokens": total["num_tokens"],
        "grown_right_share": total["num_right"] / max(total["num_solutions"], 1),
        "grown_solved_share": total["num_solved"] / max(total["num_problems"], 1),
        "texts_per_solved": total["num_texts"] / solved,
        "paths_per_solved": total["num_paths"] / solved,
        "set_rows": rows,
        "set_problems": _number(built["problems"]),
        "set_hard_share": hard / max(rows, 1),
    }


def pass_at_1(rows: Sequence[Metric]) -> float:
    """The share of solutions that are right, of one policy's rows."""
    return next(row.value for row in rows if row.metric == "pass@1" and "," not in row.bin)


def arms_of(metrics: Sequence[Metric]) -> list[str]:
    """The arms in the order in which they were measured first."""
    return list(dict.fromkeys(row.strategy for row in metrics))


def labels_of(metrics: Sequence[Metric], arm: str) -> list[str]:
    """The rounds of an arm, in order."""
    labels = {
        row.bin.removeprefix(ROUND)
        for row in metrics
        if row.strategy == arm and row.bin.startswith(ROUND) and "," not in row.bin
    }
    return sorted(labels, key=lambda label: tuple(map(int, label.split("."))))


def figures_of(metrics: Sequence[Metric], arm: str, label: str) -> dict[str, Metric]:
    """The figures of one policy over all problems, by name."""
    wanted = _bin(label, "all")
    return {row.metric: row for row in metrics if row.strategy == arm and row.bin == wanted}


def _bin(label: str, name: str) -> str:
    return f"{ROUND}{label}" if name == "all" else f"{ROUND}{label},{name}"


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
