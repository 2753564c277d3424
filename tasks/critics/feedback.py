"""Rule filters of hinted critiques, and critiques of right solutions written by rule (SCORE).

A critic that was told a right solution writes about a wrong one. What it writes is kept only if it
fits the solution step by step and does not give the answer away (arXiv:2404.17140, and the filter
of its repository). Deviations: a critique may end with the first wrong step, where its format says
so; and an item that holds the gold answer is removed rather than demanded unless the caller says
so, since our prompts do not ask for it.
"""

import re
from collections.abc import Sequence

from schemas.critique_formats import CritiqueFormatConfig
from schemas.rows import Critique, CritiqueStep
from tasks.critics.asking import ShownSolution
from tasks.critics.reading import leaks_answer

_LABEL = re.compile(r"(?:[^\W\d_][\w ]{0,20}: )?(?:\[[^\]\n]*\] )?")
"""What a line begins with before its content: `Tuesday: [buys] `, `Answer: ` or nothing."""
_NUMBERED = re.compile(r"\W*step\s*(\d+)\b\W*(.*)", re.IGNORECASE)


class Rejected(Exception):
    """A critique that a rule rejects; the message says why, in a few words."""


def clean_feedback(
    critique: Critique,
    solution: ShownSolution,
    gold: str,
    question: str,
    config: CritiqueFormatConfig,
    *,
    demands_answer: bool = False,
) -> str:
    """A critique of a wrong solution as it can be learned from.

    Args:
        critique: as it was written.
        solution: what it is about.
        gold: the right answer.
        question: the problem's question.
        config: the format of the critique.
        demands_answer: whether the last item must hold the gold answer, which is then removed.

    Raises:
        Rejected: a rule says why.
    """
    if critique.status != "finished":
        raise Rejected("critique cut" if critique.status == "truncated" else "no critique")
    items = list(critique.steps)
    wrong = [index for index, item in enumerate(items) if item.verdict == "wrong"]
    if not wrong:
        raise Rejected("critique finds no error")
    wanted = wrong[0] + 1 if config.judges == "to_first_error" else len(solution.steps)
    if len(items) < wanted or wanted > len(solution.steps):
        raise Rejected("critique has another number of items than steps")
    del items[wanted:]
    wrong = [index for index in wrong if index < wanted]
    if config.type == "stepwise":
        _check_copies(items, solution.steps)

    def tells(text: str, *known: str) -> bool:
        return leaks_answer(text, gold, question, *known)

    has_answer = tells(items[-1].text, *solution.steps)
    if demands_answer and not has_answer:
        raise Rejected("last item lacks the answer")
    if has_answer:
        del items[-1]
        wrong = [index for index in wrong if index < len(items)]
        if not wrong:
            raise Rejected("critique tells the answer")
    last = wrong[-1]
    if tells(items[last].text) or tells(solution.steps[last]):
        raise Rejected("last wrong step has the answer")
    text = write_critique(config, items, is_right=False)
    if tells(text, *solution.steps):
        raise Rejected("critique tells the answer")
    return text


def approve(config: CritiqueFormatConfig, solution: ShownSolution) -> str:
    """The critique that finds every step of a solution right."""
    items = []
    for number, step in enumerate(solution.steps, 1):
        if config.type == "lines":
            label = _LABEL.match(step.strip())
            text = f"{label[0] if label else ''}right"
        else:
            text = (
                f"Step {number}: {step.strip()}\nCorrectness: correct\n"
                "Explanation: This step is correct."
            )
        items.append(CritiqueStep(verdict="right", text=text))
    return write_critique(config, items, is_right=True)


def write_critique(
    config: CritiqueFormatConfig, items: Sequence[CritiqueStep], *, is_right: bool
) -> str:
    """A critique of these items with its verdict, as its format is written."""
    if config.type == "lines":
        verdict = f"Review: {'right' if is_right else 'wrong'}"
    else:
        verdict = f"Conclusion: {'correct' if is_right else 'wrong'}"
    return "\n".join([*(item.text for item in items), verdict])


def _check_copies(items: Sequence[CritiqueStep], steps: Sequence[str]) -> None:
    """Refuse items that do not name and repeat their steps in order."""
    for number, (item, step) in enumerate(zip(items, steps, strict=False), 1):
        found = _NUMBERED.match(item.text)
        if found is None or int(found[1]) != number:
            raise Rejected("steps are not numbered in order")
        if _squeeze(step) not in _squeeze(item.text):
            raise Rejected("step is not repeated word for word")


def _squeeze(text: str) -> str:
    return " ".join(text.split())
