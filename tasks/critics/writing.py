"""Write a critique that no model wrote, in the words of a critique format."""

from collections.abc import Sequence

from schemas.critique_formats import CritiqueFormatConfig
from tasks.world.reviews import Review, StepReview


def write_review(review: Review, steps: Sequence[str], config: CritiqueFormatConfig) -> str:
    """A review as a critique of this format, without a line break at its end.

    Args:
        review: a line per step, up to the first wrong one or for all; the verdict.
        steps: the solution, as it is shown.
        config: the format.
    """
    if config.type == "lines":
        return review.text
    told = [
        f"Step {number}: {step.strip()}\n{_judgement(line)}"
        for number, (step, line) in enumerate(zip(steps, review.lines, strict=False), 1)
    ]
    if review.verdict is not None:
        told.append(f"Conclusion: {'correct' if review.verdict == 'right' else 'wrong'}")
    return "\n".join(told)


def _judgement(line: StepReview) -> str:
    """What is said of a step."""
    if line.verdict == "right":
        return "Correctness: correct"
    why = f"{line.label}is missing" if line.verdict == "missing" else ""
    words = ", ".join(filter(None, (why, line.hint)))
    return "Correctness: wrong" + (f"\nExplanation: {words}" if words else "")
