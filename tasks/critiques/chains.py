"""Steps and critiques as one text: the chain of a self-talk, and what it is compared with.

A solution is told step by step, each step followed by what the critic said of it. After a wrong
step the steps of the revision follow in the same way, from the one in place of the wrong one. What
came after a wrong step is left out. A chain ends with its answer: the last step is said again where
a critique stands behind it, so that the last answer in the text is the one that counts.

Deviation from arXiv:2411.16579: a revision whose critique finds an error before the place where it
went on is told by that critique alone, since the step stands in the chain already.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from schemas.rows import Critique, CritiqueStep, Trajectory
from tasks.critics.asking import ShownSolution
from tasks.critiques.revise import finds_error

SegmentType = Literal["step", "critique", "revision"]


class Segment(NamedTuple):
    """A piece of a self-talk."""

    type: SegmentType
    text: str
    """Without its separator."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A solution and its critique; the solution of a later turn is a revision."""

    solution: Trajectory
    critique: Critique | None
    """None for a revision that was not judged, since it has no end."""

    @property
    def shown(self) -> ShownSolution:
        """The solution as the critic read it."""
        return ShownSolution.of(self.solution)


Say = Callable[[CritiqueStep], str]
"""What a voice says instead of a line of a critique."""


class Words(NamedTuple):
    """What a voice says of a whole attempt."""

    right: str
    wrong: str
    again: str
    """Before another attempt; empty for nothing."""


def why_unfinished(turns: Sequence[Turn], max_rounds: int) -> str | None:
    """Why the turns of a solution end in no chain; None if the last critique finds no error."""
    last = turns[-1].critique
    if last is None:
        row = turns[-1].solution
        return f"its revision has the status {row.status}"
    if last.status != "finished" or last.fault is not None:
        return f"its critique cannot be read: {last.fault or last.status}"
    if finds_error(last):
        return f"an error is left after {max_rounds} rounds"
    return None


def write_chain(turns: Sequence[Turn], say: Say) -> list[Segment]:
    """The chain of a solution, whose last critique finds no error."""
    segments: list[Segment] = []
    start = 0
    for number, turn in enumerate(turns):
        shown, critique = turn.shown, turn.critique
        assert critique is not None
        kind: SegmentType = "revision" if number else "step"
        error = critique.first_error
        end = len(shown.steps) if error is None else error - shown.num_hidden + 1
        for index, (step, judged) in enumerate(
            zip(shown.steps[:end], critique.steps, strict=False)
        ):
            if index >= start:
                segments.append(Segment(kind, step))
            if index >= start or judged.verdict == "wrong":
                segments.append(Segment("critique", say(judged)))
        start = end - 1
    return _end_with_answer(segments, turns)


def write_correction(turns: Sequence[Turn], words: Words) -> list[Segment]:
    """Whole attempts, each followed by a bare verdict: correction of whole solutions.

    The attempts are those of the chain, so that both are learned from the same solutions.
    """
    segments: list[Segment] = []
    for number, turn in enumerate(turns):
        kind: SegmentType = "revision" if number else "step"
        segments += [Segment(kind, step) for step in turn.shown.steps]
        is_last = number + 1 == len(turns)
        segments.append(Segment("critique", words.right if is_last else words.wrong))
        if words.again and not is_last:
            segments.append(Segment("critique", words.again))
    return _end_with_answer(segments, turns)


def _end_with_answer(segments: list[Segment], turns: Sequence[Turn]) -> list[Segment]:
    kind: SegmentType = "revision" if len(turns) > 1 else "step"
    return [*segments, Segment(kind, turns[-1].shown.steps[-1])]
