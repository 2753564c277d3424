"""Language models as graders: the message, the verdict in a judgement, and several combined.

Nothing that a judge writes raises: a judgement without a verdict, with both, or with another word
where the verdict should be, has none and says why. A solution without any verdict is ungraded.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.judging import JudgeGraderConfig
from schemas.rows import Problem
from tasks.graders.base import Grade, Incomparable
from tasks.prompts.messages import Message, user
from tasks.prompts.render import render

_WORD = re.compile(r"[^\W_]+")
_MAX_SHOWN = 40


class JudgeGrader(Incomparable):
    """Refuses to grade: a judge is a model, which runs on the engines of `stepmill regrade`."""

    def __init__(self, config: JudgeGraderConfig) -> None:
        self.name = f"judge-1+{config.config_hash()[:8]}"

    def grade(self, text: str, problem: Problem) -> Grade:
        """Nothing is graded.

        Raises:
            ValueError: always; it says how judges grade.
        """
        raise ValueError(REFUSAL)

    def check_gold(self, problem: Problem) -> str | None:
        """None: a judge needs no gold answer."""
        return None

    def close(self) -> None:
        """Nothing was started."""


REFUSAL = (
    "grader: expected one that needs no model, got a judge: grade with another grader here, and "
    "with the judge by `stepmill regrade --grader judge` afterwards"
)


@dataclass(frozen=True, slots=True)
class JudgementReading:
    """The verdict of a judgement, or why it has none."""

    verdict: bool | None
    fault: str | None


def ask_judge(
    config: JudgeGraderConfig, question: str, solution: str, reference: str | None
) -> list[Message]:
    """Ask for a verdict on a solution; with the reference if there is one."""
    layout = config.layout
    fields = {"question": question, "solution": solution}
    if layout.rubric_text is not None:
        fields["rubric"] = layout.rubric_text
    if reference is None:
        return [user(render(layout.template, **fields))]
    return [user(render(layout.key_template, **fields, reference=reference))]


def find_reference(config: JudgeGraderConfig, problem: Problem) -> tuple[str, str | None]:
    """What the judge is told, behind its name in the `told` column."""
    if config.told == "solution" and problem.solution and problem.solution.strip():
        return "solution", problem.solution.strip()
    if config.told != "nothing" and problem.answer and problem.answer.strip():
        return "answer", f"Answer: {problem.answer.strip()}"
    return "nothing", None


def read_judgement(text: str, config: JudgeGraderConfig) -> JudgementReading:
    """The verdict of a judgement, without its thoughts.

    A verdict is the first word of what the layout's expression finds. Verdicts that contradict each
    other, or a line that has words of both kinds, are none.
    """
    layout = config.layout
    right = {word.casefold() for word in layout.right_words}
    wrong = {word.casefold() for word in layout.wrong_words}
    found: set[bool] = set()
    strange: str | None = None
    for match in re.finditer(layout.verdict, text):
        words = [word.casefold() for word in _WORD.findall(match[1] or "")]
        kinds = {word in right for word in words if word in right or word in wrong}
        if not words or (words[0] not in right and words[0] not in wrong):
            strange = (match[1] or "").strip()[:_MAX_SHOWN]
        else:
            found |= kinds
    if len(found) == 2:
        return JudgementReading(None, "it has both verdicts")
    if strange is not None:
        return JudgementReading(None, f"its verdict is neither right nor wrong: {strange!r}")
    if not found:
        return JudgementReading(None, "it has no verdict")
    return JudgementReading(found.pop(), None)


def combine_judgements(verdicts: Sequence[bool | None], config: JudgeGraderConfig) -> bool | None:
    """The verdict of several judgements of a solution; None without any, or at a tie."""
    said = [verdict for verdict in verdicts if verdict is not None]
    if not said:
        return None
    if config.combine == "average":
        return sum(said) >= config.min_share * len(said) - 1e-9
    return None if 2 * sum(said) == len(said) else 2 * sum(said) > len(said)
