"""The policy's training texts: fresh problems, each with a text of a fresh student.

Most are solutions; some are reviews of a solution, some second attempts, mostly after a review.

No text is seen twice. Examples come in refills; within a refill, texts of similar length share a
batch, so that little of it is padding.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.pretraining import TutoringConfig
from tasks.world.kinds import LEVELS
from tasks.world.problems import draw_problem
from tasks.world.reviewers import draw_key, draw_reviewer, review_with_key, try_again
from tasks.world.reviews import again_prompt, review_prompt
from tasks.world.students import solve, write_solution

if TYPE_CHECKING:
    import torch

REFILL_EXAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt with what answers it, as tokens."""

    token_ids: list[int]
    num_question_tokens: int
    """With the newline after it."""
    num_prompt_tokens: int
    """With the question; what else a prompt holds, a policy must not learn to write unasked."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples side by side, padded on the right."""

    token_ids: "torch.Tensor"
    """[num_examples, num_tokens]"""
    loss_weights: "torch.Tensor"
    """[num_examples, num_tokens] weight of each token as a target; 0 for the first and padding."""
    num_tokens: int
    """Without padding."""


def draw_examples(
    tokenizer: Any, rng: random.Random, *, max_level: int, tutoring: TutoringConfig
) -> list[Example]:
    """A refill of the train split, levels drawn uniformly up to `max_level`."""
    examples = []
    for _ in range(REFILL_EXAMPLES):
        prompt, text = draw_text(rng, max_level=max_level, tutoring=tutoring)
        question_ids = tokenizer(prompt[: prompt.index("\n") + 1])["input_ids"]
        prompt_ids = tokenizer(prompt)["input_ids"]
        text_ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        token_ids = [*prompt_ids, *text_ids, tokenizer.eos_token_id]
        examples.append(Example(token_ids, len(question_ids), len(prompt_ids)))
    return examples


def draw_text(rng: random.Random, *, max_level: int, tutoring: TutoringConfig) -> tuple[str, str]:
    """A prompt and what answers it: a solution, a review or a second attempt."""
    level = rng.randint(min(LEVELS), max_level)
    tutored_share = tutoring.review_share + tutoring.second_attempt_share
    draw = rng.random() if tutored_share else 1.0
    if draw < tutoring.review_share:
        return _draw_review(rng, level, tutoring)
    if draw < tutored_share:
        return _draw_second_attempt(rng, level, tutoring)
    problem = draw_problem(rng, level, "train")
    return problem.question + "\n", write_solution(problem, rng)


def _draw_review(rng: random.Random, level: int, tutoring: TutoringConfig) -> tuple[str, str]:
    problem = draw_problem(rng, level, "train")
    solution = write_solution(problem, rng)
    reviewers = {
        "p_all_seeing": tutoring.p_all_seeing,
        "p_sees_slips": tutoring.p_sees_slips,
        "p_nods": tutoring.p_nods,
    }
    key = draw_key(problem, rng) if rng.random() < tutoring.keyed_share else None
    if key is None:
        found = draw_reviewer(rng, **reviewers).review(problem, solution)
    else:
        found = review_with_key(problem, solution, key, rng, **reviewers)
    return review_prompt(problem.question, solution, key), found.text


def _draw_second_attempt(
    rng: random.Random, level: int, tutoring: TutoringConfig
) -> tuple[str, str]:
    is_reviewed = rng.random() >= tutoring.unreviewed_share
    is_made_wrong = is_reviewed and rng.random() < tutoring.wrong_share
    while True:
        problem = draw_problem(rng, level, "train")
        student, solution = solve(problem, rng)
        if not is_made_wrong or not solution.endswith(f"Answer: {problem.answer}"):
            break
    found = None
    if is_reviewed:
        reviewer = draw_reviewer(
            rng,
            p_all_seeing=tutoring.p_all_seeing,
            p_sees_slips=tutoring.p_sees_slips,
            p_nods=tutoring.p_nods_before_retry,
        )
        found = reviewer.review(problem, solution)
    prompt = again_prompt(problem.question, solution, found.text if found else None)
    return prompt, try_again(problem, student, solution, found)


def make_batches(
    examples: Sequence[Example],
    rng: random.Random,
    *,
    batch_tokens: int,
    question_loss_weight: float,
    pad_token_id: int,
) -> Iterator[Batch]:
    """Every example once, in batches of at most `batch_tokens`, in random order."""
    # Sorted by length, the newest example of a batch is its longest.
    by_length = sorted(examples, key=lambda example: (len(example.token_ids), rng.random()))
    groups: list[list[Example]] = [[]]
    for example in by_length:
        if groups[-1] and len(example.token_ids) * (len(groups[-1]) + 1) > batch_tokens:
            groups.append([])
        groups[-1].append(example)
    rng.shuffle(groups)
    for group in groups:
        yield _collate(group, question_loss_weight, pad_token_id)


def _collate(group: Sequence[Example], question_loss_weight: float, pad_token_id: int) -> Batch:
    import torch

    width = max(len(example.token_ids) for example in group)
    token_ids = torch.full((len(group), width), pad_token_id)
    loss_weights = torch.zeros(len(group), width)
    for row, example in enumerate(group):
        length = len(example.token_ids)
        token_ids[row, :length] = torch.tensor(example.token_ids)
        loss_weights[row, 1 : example.num_question_tokens] = question_loss_weight
        loss_weights[row, example.num_prompt_tokens : length] = 1.0
    return Batch(token_ids, loss_weights, sum(len(example.token_ids) for example in group))
