"""Read a critique: the verdict on each step, the verdict on the whole, and what is wrong with it.

Nothing that a model writes raises. What could be read is kept, and a `fault` says why a critique
cannot be learned from.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from schemas.critique_formats import CritiqueFormatConfig
from schemas.rows import CritiqueStep
from schemas.rows.critiques import StepVerdict

_FINAL_LINE = re.compile(r"Review:\s*(right|wrong)\s*", re.IGNORECASE)
_JUDGED = re.compile(r"\b(right|wrong|missing)\b", re.IGNORECASE)
_MARKS = r"[^\w\n]{0,20}"
"""What a model may put around a heading: a few marks, such as those of Markdown."""
_SAID = rf"{_MARKS}(?:(?:the|this)\s(?:\w+\s){{0,2}}is\b{_MARKS})?(incorrect|correct|right|wrong)\b"
_STEP = re.compile(rf"^{_MARKS}step\s{{0,3}}(\d+)\b", re.IGNORECASE | re.MULTILINE)
_CORRECTNESS = re.compile(rf"^{_MARKS}correctness{_SAID}", re.IGNORECASE | re.MULTILINE)
_CONCLUSION = re.compile(rf"^{_MARKS}conclusion{_SAID}", re.IGNORECASE | re.MULTILINE)
_STEP_NUMBER = re.compile(r"\bstep\s{0,3}\d+\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class CritiqueReading:
    """What a critique says."""

    steps: tuple[CritiqueStep, ...]
    """In the order of the solution's steps; it may end with the first wrong one."""
    verdict: bool | None
    """Whether it calls the solution right; None if it does not say."""
    fault: str | None
    """Why it cannot be learned from; None for one without fault."""

    @property
    def first_error(self) -> int | None:
        """Index of the first step judged wrong; None if none is."""
        wrong = (index for index, step in enumerate(self.steps) if step.verdict == "wrong")
        return next(wrong, None)


def read_critique(text: str, num_steps: int, config: CritiqueFormatConfig) -> CritiqueReading:
    """What a critique of a solution with so many steps says."""
    read = _read_lines if config.type == "lines" else _read_stepwise
    steps, verdict = read(text)
    return CritiqueReading(steps, verdict, _fault(steps, verdict, num_steps, config.judges))


def _read_lines(text: str) -> tuple[tuple[CritiqueStep, ...], bool | None]:
    verdict: bool | None = None
    steps = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        if final := _FINAL_LINE.fullmatch(line):
            verdict = final[1].lower() == "right"
            break  # what follows is not the critique's
        if judged := _JUDGED.findall(line):
            steps.append(_step(judged[-1], line))
    return tuple(steps), verdict


def _read_stepwise(text: str) -> tuple[tuple[CritiqueStep, ...], bool | None]:
    conclusions = list(_CONCLUSION.finditer(text))
    verdict = conclusions[-1][1].lower() in ("correct", "right") if conclusions else None
    body = text[: conclusions[-1].start()] if conclusions else text
    starts = [found.start() for found in _STEP.finditer(body)]
    steps = []
    for begin, end in pairwise([*starts, len(body)]):
        if judged := _CORRECTNESS.search(body, begin, end):
            steps.append(_step(judged[1], body[begin:end].strip()))
    return tuple(steps), verdict


def _step(word: str, text: str) -> CritiqueStep:
    verdict: StepVerdict = "right" if word.lower() in ("right", "correct") else "wrong"
    return CritiqueStep(verdict=verdict, text=text)


def _fault(
    steps: Sequence[CritiqueStep], verdict: bool | None, num_steps: int, judges: str
) -> str | None:
    """Why a critique cannot be learned from."""
    if not steps:
        return "it judges no step"
    if verdict is None:
        return "it has no verdict"
    wrong = [index for index, step in enumerate(steps) if step.verdict == "wrong"]
    wanted = wrong[0] + 1 if wrong and judges == "to_first_error" else num_steps
    if len(steps) != wanted or wanted > num_steps:
        return f"it judges {len(steps)} steps of {num_steps}"
    if verdict == bool(wrong):
        return "its verdict contradicts its steps"
    return None


def fault_kind(fault: str) -> str:
    """A fault without its numbers, so that equal faults can be counted together."""
    return _NUMBER.sub("N", fault)


def leaks_answer(text: str, gold: str, *known: str) -> bool:
    """Whether a critique gives the gold answer, which none of the `known` texts contains.

    The numbers of steps are no answers.
    """
    if not gold.strip():
        return False
    whole = re.compile(rf"(?<![\w.]){re.escape(gold.strip())}(?!\w|\.\d)")
    said = _STEP_NUMBER.sub("step", text)
    return bool(whole.search(said)) and not any(whole.search(each) for each in known)
