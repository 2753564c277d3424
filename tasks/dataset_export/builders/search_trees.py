"""Search trees as preference pairs: the best path against what was pruned, where the two part.

The best path is the right candidate that the search's verifier scored highest (by its lowest
step). Every branch that was pruned and not found right leaves that path somewhere: up to there
both are one prefix, which ends the prompt, and the next steps are the pair.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from schemas.dataset_export import SearchTreesConfig
from schemas.rows import Step, Trajectory
from schemas.training_rows import PreferenceRow
from tasks.dataset_export.read import CleanPool
from tasks.steps.trees import whole_steps

_STEPWISE_SEARCHES = ("beam", "lookahead", "dvts", "rebase", "mcts", "tree_of_thoughts")


@dataclass(frozen=True, slots=True)
class Parting:
    """Where a pruned branch leaves the best path."""

    best: Trajectory
    branch: Trajectory
    place: int
    """How many steps the two have in common."""
    steps: Sequence[Step]
    """Of the best path."""
    branch_steps: Sequence[Step]


def build_search_trees(pool: CleanPool, config: SearchTreesConfig) -> Iterator[PreferenceRow]:
    """Pairs of a problem's searches, as many of a problem as may be."""
    for problem, searches in pool.searched(config.strategies):
        partings = (each for rows in searches for each in find_partings(rows, config.min_margin))
        for parting in islice(partings, config.per_problem):
            place = parting.place
            end = place + 1 if config.span == "step" else None
            yield PreferenceRow(
                prompt=pool.build_prompt(problem) + _join(parting.steps[:place]),
                chosen=_join(parting.steps[place:end]),
                rejected=_join(parting.branch_steps[place:end]),
                source_ids=(parting.best.trajectory_id, parting.branch.trajectory_id),
                problem_id=problem.problem_id,
                source=problem.source,
                level=problem.level,
                weight=1.0,
                reason=f"best path of {parting.best.strategy} against a pruned step {place}",
            )


def is_stepwise(strategy: str) -> bool:
    """Whether a strategy's rows continue the bare question, step by step."""
    return strategy.partition("[")[0] in _STEPWISE_SEARCHES


def find_partings(rows: Sequence[Trajectory], min_margin: float = 0.0) -> Iterator[Parting]:
    """Where the pruned branches of one search leave its best path, each different step once.

    Args:
        rows: all of the search.
        min_margin: least difference of the scores of the two steps, where both have one.
    """
    if not is_stepwise(rows[0].strategy):
        return
    by_id = {row.trajectory_id: row for row in rows}
    whole = {row.trajectory_id: whole_steps(row, by_id) for row in rows}
    right = [row for row in rows if row.status == "finished" and row.correct]
    if not right:
        return
    best = max(right, key=lambda row: _lowest_score(whole[row.trajectory_id]))
    steps = whole[best.trajectory_id]
    seen = set()
    for branch in rows:
        others = whole[branch.trajectory_id]
        place = _num_common(steps, others)
        if branch.status != "pruned" or branch.correct or place == min(len(steps), len(others)):
            continue
        rejected = others[place]
        if (place, rejected.text) in seen or _margin(steps[place], rejected) < min_margin:
            continue
        seen.add((place, rejected.text))
        yield Parting(best, branch, place, steps, others)


def _num_common(steps: Sequence[Step], others: Sequence[Step]) -> int:
    """How many steps two solutions begin with alike."""
    pairs = zip(steps, others, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0].text == pair[1].text, pairs))


def _lowest_score(steps: Sequence[Step]) -> float:
    return min((step.score for step in steps if step.score is not None), default=0.0)


def _margin(better: Step, worse: Step) -> float:
    """By how much one step is scored higher; without bound where a score is missing."""
    if better.score is None or worse.score is None:
        return float("inf")
    return better.score - worse.score


def _join(steps: Sequence[Step]) -> str:
    return "".join(step.text for step in steps)
