"""Labels on which two labellers agree (Qwen2.5-Math-PRM, arXiv:2501.07301, section 3.2).

Monte Carlo labels estimate a value, other labellers judge a step; where both find the same first
error, the label is kept. The labels of both stay stored, so that the filter can be measured.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from schemas.rows import Problem, StepLabel, Trajectory
from schemas.step_labels import ConsensusConfig
from storage.labels import StoredLabels


def agreed_labels(
    first: Sequence[StepLabel], second: Sequence[StepLabel], config: ConsensusConfig
) -> list[StepLabel]:
    """The labels of the first labeller that the second confirms, in order.

    Args:
        first: labels by rollouts; those of an audit are ignored.
        second: labels of the same steps.
        config: what both must agree on.

    Returns:
        A label per step of every solution that is kept, with neither a hard nor a soft value where
        the two do not agree; nothing of other solutions.
    """
    others = _by_solution(second, config.second_method)
    kept: list[StepLabel] = []
    for trajectory_id, labels in _by_solution(first, config.first.method).items():
        there = {label.step_index: label.hard for label in others.get(trajectory_id, [])}
        pairs = [(label.hard, there.get(label.step_index)) for label in labels]
        agreed = [ours if ours is theirs else None for ours, theirs in pairs]
        if config.keep == "solutions":
            ours, theirs = (first_error([pair[i] for pair in pairs]) for i in (0, 1))
            if ours is None or ours != theirs:
                continue
        if any(label is not None for label in agreed):
            kept += [
                replace(label, method=config.method, hard=hard)
                if hard is not None
                else replace(label, method=config.method, hard=None, soft=None)
                for label, hard in zip(labels, agreed, strict=True)
            ]
    return kept


def first_error(hard: Sequence[bool | None]) -> int | None:
    """Index of the first wrong step, the number of steps without one; None if it is not known."""
    for index, label in enumerate(hard):
        if label is not True:
            return index if label is False else None
    return len(hard)


def match_labels(
    problems: Mapping[str, Problem],
    solutions: Iterable[Trajectory],
    stored: Iterable[StoredLabels],
    method: str,
) -> list[StepLabel]:
    """Labels of solutions, taken from stored labels of the same question and text.

    White space does not count. Where solutions with the same text have different labels, the step
    has none.

    Args:
        problems: by problem id.
        solutions: whole solutions.
        stored: labels of any solutions of the same questions.
        method: the method of the result.
    """
    known: dict[tuple[str, str], bool | None] = {}
    completer = "stored"
    for row in stored:
        completer = row.completer
        for text, hard in zip(_texts(row.steps), row.hard, strict=True):
            key = (row.question, text)
            known[key] = hard if known.get(key, hard) is hard else None
    labels = []
    for solution in solutions:
        question = problems[solution.problem_id].question
        for index, text in enumerate(_texts([step.text for step in solution.steps])):
            hard = known.get((question, text))
            labels.append(
                StepLabel(
                    trajectory_id=solution.trajectory_id,
                    step_index=index,
                    method=method,
                    completer=completer,
                    evidence="inferred",
                    hard=hard,
                )
            )
    return labels


def _by_solution(labels: Iterable[StepLabel], method: str) -> dict[str, list[StepLabel]]:
    """The labels of one method by solution."""
    found: dict[str, list[StepLabel]] = {}
    for label in labels:
        if label.method == method:
            found.setdefault(label.trajectory_id, []).append(label)
    return found


def _texts(steps: Iterable[str]) -> list[str]:
    """The text up to the end of each step, without white space."""
    text, texts = "", []
    for step in steps:
        text += "".join(step.split())
        texts.append(text)
    return texts
