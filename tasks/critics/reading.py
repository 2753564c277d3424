"""Read a critique: the verdict on each step, the verdict on the whole, and what is wrong with it.

Nothing that a model writes raises. What could be read is kept, and a `fault` says why a critique
cannot be learned from.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

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


@dataclass(frozen=True, slots=True)
class PlacedVerdict:
    """Where a critique says whether a step is right."""

    verdict: StepVerdict
    begin: int
    """Index of the first character of the verdict's word."""
    end: int
    """Index after its last character."""
    part: tuple[int, int]
    """Begin and end of all that is said about the step."""

    def moved(self, by: int) -> Self:
        """The same in a text that has so many characters before this one."""
        part = (self.part[0] + by, self.part[1] + by)
        return replace(self, begin=self.begin + by, end=self.end + by, part=part)


def read_critique(text: str, num_steps: int, config: CritiqueFormatConfig) -> CritiqueReading:
    """What a critique of a solution with so many steps says."""
    placed, verdict = place_verdicts(text, config)
    steps = tuple(
        CritiqueStep(verdict=each.verdict, text=text[slice(*each.part)].strip()) for each in placed
    )
    return CritiqueReading(steps, verdict, _fault(steps, verdict, num_steps, config.judges))


def place_verdicts(
    text: str, config: CritiqueFormatConfig
) -> tuple[list[PlacedVerdict], bool | None]:
    """The verdicts on the steps, in the order written, and the one on the whole, if any."""
    return (_place_lines if config.type == "lines" else _place_stepwise)(text)


def _place_lines(text: str) -> tuple[list[PlacedVerdict], bool | None]:
    placed: list[PlacedVerdict] = []
    begin = 0
    for line in text.split("\n"):
        end = begin + len(line)
        if final := _FINAL_LINE.fullmatch(line.strip()):
            return placed, final[1].lower() == "right"  # what follows is not the critique's
        if judged := list(_JUDGED.finditer(text, begin, end)):
            placed.append(_place(judged[-1], (begin, end)))
        begin = end + 1
    return placed, None


def _place_stepwise(text: str) -> tuple[list[PlacedVerdict], bool | None]:
    conclusions = list(_CONCLUSION.finditer(text))
    verdict = conclusions[-1][1].lower() in ("correct", "right") if conclusions else None
    last = conclusions[-1].start() if conclusions else len(text)
    starts = [found.start() for found in _STEP.finditer(text, 0, last)]
    placed = []
    for begin, end in pairwise([*starts, last]):
        if judged := _CORRECTNESS.search(text, begin, end):
            placed.append(_place(judged, (begin, end)))
    return placed, verdict


def _place(judged: re.Match[str], part: tuple[int, int]) -> PlacedVerdict:
    is_right = judged[1].lower() in ("right", "correct")
    return PlacedVerdict("right" if is_right else "wrong", *judged.span(1), part)


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
