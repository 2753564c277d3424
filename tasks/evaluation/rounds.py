"""Figures of the policies of a loop, round by round: their accuracy, and what they were made from.

A figure's `arm` is the arm of the loop, its `bin` is `round=N` or, for problems of a level,
`round=N,level=L`. Round 0 is the policy that the loop began with. A policy's accuracies are
`pass@k` and `majority@k`; figures of what it was made from have strategy `pool`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from schemas.metric_names import Bin
from schemas.rows import Metric, now
from tasks.evaluation.figures import POOL

GROWN = (
    "num_problems",
    "num_solved",
    "num_solutions",
    "num_counted",
    "num_right",
    "num_texts",
    "num_paths",
    "num_tokens",
)
"""Columns of the view `rounds` from which the figures of a round are computed."""
_MEASURED = {"pass": "pass@", "majority": "majority@"}


def round_rows(
    arm: str,
    label: str,
    evaluated: Sequence[Metric],
    made_from: Mapping[str, float],
) -> list[Metric]:
    """The rows of one policy of an arm.

    Args:
        arm: the name of the arm.
        label: the round, such as `2`, or `2.1` for the first of its improve steps.
        evaluated: the figures from the evaluation of its solutions.
        made_from: figures of the solutions and the set from which it learned.

    Raises:
        ValueError: `evaluated` contains no accuracy.
    """
    rows = [
        replace(
            row,
            arm=arm,
            bin=str(replace(Bin.parse(row.bin), round=label)),
            metric=f"{_MEASURED[row.strategy]}{row.budget}",
            created_at=now(),
        )
        for row in evaluated
        if row.metric == "accuracy" and row.strategy in _MEASURED
    ]
    if not rows:
        raise ValueError(f"expected accuracies of a policy, got none among {len(evaluated)} rows")
    whole = next(row for row in rows if row.bin == str(Bin(round=label)))
    source = replace(whole, strategy=POOL.strategy, budget=None, ci_low=None, ci_high=None)
    return rows + [replace(source, metric=name, value=value) for name, value in made_from.items()]


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
        "grown_right_share": total["num_right"] / max(total["num_counted"], 1),
        "grown_solved_share": total["num_solved"] / max(total["num_problems"], 1),
        "texts_per_solved": total["num_texts"] / solved,
        "paths_per_solved": total["num_paths"] / solved,
        "set_rows": rows,
        "set_problems": _number(built["problems"]),
        "set_hard_share": hard / max(rows, 1),
    }


def pass_at_1(rows: Sequence[Metric]) -> float:
    """The share of right solutions, from the rows of one policy."""
    return next(
        row.value for row in rows if row.metric == "pass@1" and Bin.parse(row.bin).kind is None
    )


def arms_of(metrics: Sequence[Metric]) -> list[str]:
    """The arms in the order of their first measurements."""
    return list(dict.fromkeys(row.arm for row in metrics if row.arm is not None))


def labels_of(metrics: Sequence[Metric], arm: str) -> list[str]:
    """The rounds of an arm, in order."""
    bins = {Bin.parse(row.bin) for row in metrics if row.arm == arm}
    labels = [where.round for where in bins if where.kind is None and where.round is not None]
    return sorted(labels, key=round_order)


def round_order(label: str) -> tuple[int, ...]:
    """Sorts rounds and their improve steps: 2 before 2.1 before 10."""
    return tuple(map(int, label.split(".")))


def figures_of(metrics: Sequence[Metric], arm: str, label: str) -> dict[str, Metric]:
    """The figures of one policy over all problems, by name."""
    wanted = str(Bin(round=label))
    return {row.metric: row for row in metrics if row.arm == arm and row.bin == wanted}


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
