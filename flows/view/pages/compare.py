"""Two runs, problem by problem: won, lost, both, and the difference with its paired interval."""

from collections.abc import Mapping
from typing import Any

from flows.tables.comparison import comparison_sentence
from flows.view.site import NotThere, View
from tasks.evaluation.comparison import compare_rates

_MAX_SHOWN = 100


def build(view: View) -> Mapping[str, Any]:
    """The page of two runs and one strategy, told by the questions that both have."""
    first, second = view.need("run"), view.need("with")
    key = {"first": first, "second": second}
    strategies = [row["strategy"] for row in view.snapshot.ask("shared_strategies", **key)]
    if not strategies:
        raise NotThere(f"runs {first} and {second} have no solutions by the same strategy")
    strategy = view.get("strategy") or ("sample" if "sample" in strategies else strategies[0])
    rows = view.snapshot.ask("compared_problems", **key, strategy=strategy)
    if not rows:
        raise NotThere(f"runs {first} and {second} have no graded problem in common by {strategy}")
    found = compare_rates(
        first,
        second,
        {row["question"]: row["first_rate"] for row in rows},
        {row["question"]: row["second_rate"] for row in rows},
    )
    lost = [row for row in rows if row["second_rate"] < row["first_rate"]]
    won = [row for row in reversed(rows) if row["second_rate"] > row["first_rate"]]
    same = [row for row in rows if row["second_rate"] == row["first_rate"]]
    return {
        **key,
        "strategy": strategy,
        "strategies": strategies,
        "comparison": found,
        "sentence": comparison_sentence(found),
        "tables": [
            (f"{second} solves more often", won),
            (f"{first} solves more often", lost),
            ("as often in both", same),
        ],
        "shown": _MAX_SHOWN,
    }
