"""Figures of chains of attempts, turn by turn: RISE's evaluation (arXiv:2407.18219).

"Without oracle" a problem's answer is the majority over the turns; "with oracle" it is right if any
turn is. A turn counts as the macro `outcome` says; one that cannot be judged is left out, and so is
the vote or the choice of a chain that hangs on it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.metric_names import Bin
from schemas.rows import Metric, Trajectory
from tasks.evaluation.figures import About, FigureWriter
from tasks.graders.verdicts import outcome

TURNS = "turns"
"""The strategy of these figures."""


def chains_of(rows: Sequence[Trajectory]) -> list[list[Trajectory]]:
    """The attempts of each chain in a `revisions` search of one problem, the first attempt first.

    Args:
        rows: all rows of the search. Judgements and attempts that did not fit are left out.
    """
    own = [row for row in rows if row.role is None and row.status != "pruned"]
    by_id = {row.trajectory_id: row for row in own}
    chains: dict[str, list[Trajectory]] = {}
    for row in own:
        first = row
        while first.parent_id in by_id:
            first = by_id[first.parent_id]
        chains.setdefault(first.trajectory_id, []).append(row)
    return list(chains.values())


def turn_values(
    rows: Sequence[Trajectory], majority_of: Callable[[Sequence[Trajectory]], float | None]
) -> dict[str, dict[str, float]]:
    """By name of a figure and by problem, its mean over the problem's chains.

    Args:
        rows: the rows of a `revisions` search, of any number of problems.
        majority_of: from the attempts of a chain to the chance that a vote among them is right;
            None where that is unknown.

    Returns:
        `turn_N`, whether the Nth attempt is right; `turns_majority` and `turns_any`, of the vote
        over a chain's attempts, and of an oracle's choice among them; `turns_tokens`, tokens
        generated per chain. A problem without a value is missing.
    """
    by_problem: dict[str, list[Trajectory]] = defaultdict(list)
    for row in rows:
        by_problem[row.problem_id].append(row)
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for problem_id, tree in by_problem.items():
        found: dict[str, list[float]] = defaultdict(list)
        for chain in chains_of(tree):
            for name, value in _values_of(chain):
                found[name].append(value)
            if (right := majority_of(chain)) is not None:
                found["turns_majority"].append(right)
        for name, drawn in found.items():
            values[name][problem_id] = fmean(drawn)
    return {name: values[name] for name in sorted(values)}


def _values_of(chain: Sequence[Trajectory]) -> Iterator[tuple[str, float]]:
    """The figures of one chain but the vote."""
    outcomes = [
        outcome(row.status, has_answer=row.answer is not None, correct=row.correct) for row in chain
    ]
    for turn, is_right in enumerate(outcomes, 1):
        if is_right is not None:
            yield f"turn_{turn}", float(is_right)
    if any(outcomes) or None not in outcomes:
        yield "turns_any", float(any(outcomes))
    yield "turns_tokens", float(sum(row.generated_tokens for row in chain))


def turn_rows(
    arm: str,
    label: str,
    policy: str,
    values: Mapping[str, Mapping[str, float]],
    config: EvaluationConfig,
) -> list[Metric]:
    """The means of `turn_values` over problems, with intervals, as figures of a loop's policy.

    Args:
        arm: the arm of the loop.
        label: its round.
        policy: the id of the policy.
        values: by figure and problem.
        config: the intervals.
    """
    writer = FigureWriter(policy, config)
    bin_name = str(Bin(round=label))
    rows = []
    for name, by_problem in values.items():
        column = np.array(list(by_problem.values()))[:, None]
        about = About(TURNS, arm=arm)
        rows += writer.means(column, [about], name, bin_name=bin_name)
    return rows
