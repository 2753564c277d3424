"""Search trees as preference pairs: the best path against pruned branches, where they diverge.

The best path is the right candidate that the search's verifier scored highest (by its lowest
step). Every pruned branch that was not found right leaves that path somewhere: the common prefix
ends the prompt, and the next steps of the two are the pair.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, takewhile
from typing import TypedDict

from schemas.dataset_export.builders import SearchTreesConfig
from schemas.rows import Step, Trajectory
from schemas.search.strategies import draws_stepwise
from schemas.training_rows import PreferenceRow
from tasks.dataset_export.read import CheckedSource
from tasks.steps.token_ids import whole_step_ids
from tasks.steps.trees import whole_steps

StepIds = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class Parting:
    """The point where a pruned branch leaves the best path."""

    best: Trajectory
    branch: Trajectory
    place: int
    """The number of steps that the two have in common."""
    steps: Sequence[Step]
    """The steps of the best path."""
    branch_steps: Sequence[Step]
    ids: StepIds | None
    """[num_steps] the tokens of each step of the best path; None if some are not known."""
    branch_ids: StepIds | None


def build(source: CheckedSource, config: SearchTreesConfig) -> Iterator[PreferenceRow]:
    """Pairs from the searches of each problem, at most `per_problem` of them."""
    for problem, searches in source.searched(config.searches):
        partings = (each for rows in searches for each in find_partings(rows, config.min_margin))
        for parting in islice(partings, config.per_problem):
            place = parting.place
            end = place + 1 if config.span == "step" else None
            yield PreferenceRow(
                prompt=source.build_prompt(problem) + _join(parting.steps[:place]),
                chosen=_join(parting.steps[place:end]),
                rejected=_join(parting.branch_steps[place:end]),
                **_token_columns(parting, end),
                source_ids=(parting.best.trajectory_id, parting.branch.trajectory_id),
                problem_id=problem.problem_id,
                source=problem.source,
                level=problem.level,
                weight=1.0,
                reason=f"best path of {parting.best.strategy} against a pruned step {place}",
            )


class _TokenColumns(TypedDict, total=False):
    chosen_ids: Sequence[int]
    rejected_ids: Sequence[int]
    prompt_prefix: str
    prompt_prefix_ids: Sequence[int]
    vocabulary: str | None


def _token_columns(parting: Parting, end: int | None) -> _TokenColumns:
    """The columns of a row that hold its tokens; none if some are not known."""
    ids, others, place = parting.ids, parting.branch_ids, parting.place
    if ids is None or others is None or parting.best.vocabulary != parting.branch.vocabulary:
        return _TokenColumns()
    return _TokenColumns(
        chosen_ids=list(chain(*ids[place:end])),
        rejected_ids=list(chain(*others[place:end])),
        prompt_prefix=_join(parting.steps[:place]),
        prompt_prefix_ids=list(chain(*ids[:place])),
        vocabulary=parting.best.vocabulary,
    )


def find_partings(rows: Sequence[Trajectory], min_margin: float = 0.0) -> Iterator[Parting]:
    """The points where pruned branches of a search leave its best path, each different step once.

    Args:
        rows: all rows of the search.
        min_margin: minimum difference of the two steps' scores, if both have one.
    """
    if not draws_stepwise(rows[0].strategy):
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
        ids, other_ids = (whole_step_ids(each, by_id) for each in (best, branch))
        yield Parting(best, branch, place, steps, others, ids, other_ids)


def _num_common(steps: Sequence[Step], others: Sequence[Step]) -> int:
    """The number of first steps that two solutions have in common."""
    pairs = zip(steps, others, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0].text == pair[1].text, pairs))


def _lowest_score(steps: Sequence[Step]) -> float:
    return min((step.score for step in steps if step.score is not None), default=0.0)


def _margin(better: Step, worse: Step) -> float:
    """By how much one step scores higher; infinite if a score is missing."""
    if better.score is None or worse.score is None:
        return float("inf")
    return better.score - worse.score


def _join(steps: Sequence[Step]) -> str:
    return "".join(step.text for step in steps)
