"""How a policy of the built-in world reviews solutions, and what a review does for its next try.

The policy's own greedy reviews of its solutions are compared with the exact ones. Then it tries
again: after the exact review, after its own, after a review that finds every line right, and
without a review.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.pretraining.sampling import sample_texts
from tasks.steps.segmentation import split_steps
from tasks.world.checker import check_steps
from tasks.world.problems import WorldProblem
from tasks.world.reviews import Review, again_prompt, nod, parse_review, review, review_prompt

SOLUTIONS_REVIEWED = 4
"""Solutions of each problem that are reviewed and tried again."""
RETRY_TEMPERATURE = 0.7


@dataclass(frozen=True, slots=True)
class ReviewScores:
    """How reviews compare with the exact ones; None where there is no such solution."""

    flags_wrong: float | None
    """Share of the wrong solutions found wrong."""
    passes_right: float | None
    """Share of the right solutions found right."""
    locates: float | None
    """Share of the wrong solutions in which the first wrong step is the one named."""


@dataclass(frozen=True, slots=True)
class RetryScores:
    """How often second attempts are right; None where there is no such solution."""

    after_wrong: float | None
    after_right: float | None


@dataclass(frozen=True, slots=True)
class TutoringScores:
    """A policy's own reviews, and its second attempts by what they follow."""

    num_solutions: int
    own_review: ReviewScores
    retries: dict[str, RetryScores]

    def as_metrics(self) -> dict[str, float]:
        """The figures by name, such as `own review locates`."""
        own = self.own_review
        metrics = {
            "own review flags wrong": own.flags_wrong,
            "own review passes right": own.passes_right,
            "own review locates": own.locates,
        }
        for name, retry in self.retries.items():
            metrics[f"second attempt, {name}: wrong to right"] = retry.after_wrong
            metrics[f"second attempt, {name}: right to right"] = retry.after_right
        return {name: value for name, value in metrics.items() if value is not None}


def measure_tutoring(
    model: Any,
    tokenizer: Any,
    problems: Sequence[WorldProblem],
    solutions: Sequence[Sequence[str]],
    *,
    seed: int,
) -> TutoringScores:
    """Review solutions and try again.

    Args:
        model: the policy.
        tokenizer: the policy's.
        problems: what the solutions are of.
        solutions: [num_problems][at least one] the policy's own; the first few count.
        seed: of the second attempts.
    """
    pairs = [
        (problem, text)
        for problem, texts in zip(problems, solutions, strict=True)
        for text in texts[:SOLUTIONS_REVIEWED]
    ]
    exact = [review(problem, text) for problem, text in pairs]
    was_right = [_is_right(problem, text) for problem, text in pairs]
    prompts = [review_prompt(problem.question, text) for problem, text in pairs]
    written = [texts[0] for texts in sample_texts(model, tokenizer, prompts)]
    read = [
        parse_review(text, len(split_steps(solution, "\n")))
        for text, (_, solution) in zip(written, pairs, strict=True)
    ]
    reviews: dict[str, list[str] | None] = {
        "the exact review": [found.text for found in exact],
        "its own review": written,
        'a review of nothing but "right"': [nod(text).text for _, text in pairs],
        "no review": None,
    }
    retries = {}
    for name, texts in reviews.items():
        prompts = [
            again_prompt(problem.question, text, texts[row] if texts else None)
            for row, (problem, text) in enumerate(pairs)
        ]
        again = sample_texts(model, tokenizer, prompts, seed=seed, temperature=RETRY_TEMPERATURE)
        is_right = [
            _is_right(problem, tried[0]) for (problem, _), tried in zip(pairs, again, strict=True)
        ]
        retries[name] = RetryScores(
            after_wrong=_share(is_right, was_right, lambda was: not was),
            after_right=_share(is_right, was_right, lambda was: was),
        )
    return TutoringScores(len(pairs), compare_reviews(read, exact, was_right), retries)


def compare_reviews(
    read: Sequence[Review], exact: Sequence[Review], was_right: Sequence[bool]
) -> ReviewScores:
    """Compare reviews with the exact ones of the same solutions.

    Args:
        read: reviews of any kind.
        exact: of the same solutions.
        was_right: whether each solution's answer is right.
    """
    return ReviewScores(
        flags_wrong=_share([r.verdict == "wrong" for r in read], was_right, lambda was: not was),
        passes_right=_share([r.verdict == "right" for r in read], was_right, lambda was: was),
        locates=_share(
            [r.first_error == e.first_error for r, e in zip(read, exact, strict=True)],
            was_right,
            lambda was: not was,
        ),
    )


def _share(
    hits: Sequence[bool], was_right: Sequence[bool], counts: Callable[[bool], bool]
) -> float | None:
    """The share of hits among the solutions that count."""
    counted = [hit for hit, was in zip(hits, was_right, strict=True) if counts(was)]
    return sum(counted) / len(counted) if counted else None


def _is_right(problem: WorldProblem, text: str) -> bool:
    return check_steps(problem, split_steps(text, "\n")).is_correct
