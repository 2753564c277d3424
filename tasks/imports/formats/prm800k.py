"""PRM800K (arXiv:2305.20050): people rated each step -1, 0 or 1, with alternatives for some steps.

A row becomes several solutions. One follows the chosen steps to the end; every other completion of
a step ends a solution of its own, which shares the chosen steps before it. Of a row that ends at a
step without a chosen completion, only these alternatives are solutions.

* A step that people wrote themselves is right, as they were asked for a right one.
* 1 is right, -1 wrong; what 0 is, `neutral_label` says. A flagged step, which its rater could not
  judge, and one without a rating have no label.
* Only a solution whose row finishes with `solution` is whole; its answer is the right one.
* A row whose problem was reported as broken is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.imports import ImportsJob, NeutralLabel
from tasks.imports.formats.base import (
    LabelledQuestion,
    LabelledSolution,
    has_columns,
    read_list,
    read_text,
)
from tasks.problems.row_files import BadRow, shorten

_NEUTRAL: Mapping[NeutralLabel, bool | None] = {"right": True, "wrong": False, "none": None}
_ANSWER_MARK = "# Answer"
_ALTERNATIVE = "an alternative that was not followed"

_Step = tuple[str, bool | None]
"""A text and its label."""


def matches(row: dict[str, Any]) -> bool:
    """Whether a row has the columns `question` and `label` with their own fields."""
    question, label = row.get("question"), row.get("label")
    if not isinstance(question, dict) or not isinstance(label, dict):
        return False
    return has_columns(question, ["problem"]) and has_columns(label, ["steps"])


def read(row: dict[str, Any], job: ImportsJob) -> list[LabelledSolution]:
    """The solutions of a row: alternatives in the order of their steps, the chosen one last.

    Raises:
        BadRow: a step has no such completion as the chosen one, a rating is none, the problem was
            reported as broken, or nothing is rated.
    """
    question = _read_question(row.get("question"))
    label = row.get("label")
    if not isinstance(label, dict):
        raise BadRow(f"expected an object with steps as label, got {shorten(label)}")
    finish = label.get("finish_reason")
    if finish == "bad_problem":
        raise BadRow("the problem was reported as broken (finish_reason is 'bad_problem')")
    chosen: list[_Step] = []
    found: list[LabelledSolution] = []
    steps = read_list(label.get("steps"), "steps")
    is_contained = False  # whether alternatives contain all chosen steps
    for place, step in enumerate(steps):
        texts, next_step = _read_step(step, place, job.neutral_label)
        found += [_solution(question, [*chosen, text], reason=_ALTERNATIVE) for text in texts]
        if next_step is None:
            if place < len(steps) - 1:
                raise BadRow(f"step {place} has no chosen completion, but another step follows")
            is_contained = bool(texts)
            break
        chosen.append(next_step)
    if chosen and not is_contained:
        is_whole = finish == "solution"
        reason = None if is_whole else str(finish or "the set has no more of it")
        found.append(_solution(question, chosen, reason=reason, is_right=is_whole or None))
    if not found:
        raise BadRow("expected a step with a completion, got none")
    return found


def _read_question(value: Any) -> LabelledQuestion:
    if not isinstance(value, dict):
        raise BadRow(f"expected an object with a problem as question, got {shorten(value)}")
    gold, worked = value.get("ground_truth_answer"), value.get("ground_truth_solution")
    return LabelledQuestion(
        text=read_text(value.get("problem"), "question.problem"),
        gold="" if gold in (None, "") else read_text(gold, "question.ground_truth_answer"),
        worked=None if worked in (None, "") else read_text(worked, "ground_truth_solution"),
    )


def _read_step(step: Any, place: int, neutral: NeutralLabel) -> tuple[list[_Step], _Step | None]:
    """The completions of a step that were not followed, and the step that was; None if none was."""
    if not isinstance(step, dict):
        raise BadRow(f"expected an object as step {place}, got {shorten(step)}")
    given = step.get("completions") or []
    if not isinstance(given, list):
        raise BadRow(f"expected a list of completions of step {place}, got {shorten(given)}")
    completions = [
        _read_completion(each, f"completion {index} of step {place}", neutral)
        for index, each in enumerate(given)
    ]
    index, human = step.get("chosen_completion"), step.get("human_completion")
    if index is not None:
        if type(index) is not int or not 0 <= index < len(completions):
            raise BadRow(
                f"step {place} has {len(completions)} completions: expected the number of one as "
                f"chosen_completion, got {shorten(index)}"
            )
        return completions[:index] + completions[index + 1 :], completions[index]
    text = human.get("text") if isinstance(human, dict) else human
    if text is None:
        return completions, None
    return completions, (read_text(text, f"human_completion of step {place}"), True)


def _read_completion(value: Any, what: str, neutral: NeutralLabel) -> _Step:
    if not isinstance(value, dict):
        raise BadRow(f"expected an object as {what}, got {shorten(value)}")
    text, rating = read_text(value.get("text"), what), value.get("rating")
    if rating not in (None, -1, 0, 1) or isinstance(rating, bool):
        raise BadRow(f"expected -1, 0, 1 or null as rating of {what}, got {shorten(rating)}")
    if rating is None or value.get("flagged"):
        return text, None
    return text, _NEUTRAL[neutral] if rating == 0 else rating == 1


def _solution(
    question: LabelledQuestion,
    steps: Sequence[_Step],
    *,
    reason: str | None,
    is_right: bool | None = None,
) -> LabelledSolution:
    _, mark, answer = steps[-1][0].rpartition(_ANSWER_MARK)
    return LabelledSolution(
        question=question,
        steps=tuple(text for text, _ in steps),
        labels=tuple(label for _, label in steps),
        answer=(answer.strip() or None) if mark and reason is None else None,
        correct=is_right,
        reason=reason,
    )
