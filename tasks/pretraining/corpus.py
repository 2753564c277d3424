"""The policy's training texts: fresh problems, each with the solution of a fresh student.

No text is seen twice. Examples come in refills; within a refill, texts of similar length share a
batch, so that little of it is padding.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.world.kinds import LEVELS
from tasks.world.problems import draw_problem
from tasks.world.students import write_solution

if TYPE_CHECKING:
    import torch

REFILL_EXAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Example:
    """A question with a student's solution, as tokens."""

    token_ids: list[int]
    num_prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples side by side, padded on the right."""

    token_ids: "torch.Tensor"
    """[num_examples, num_tokens]"""
    loss_weights: "torch.Tensor"
    """[num_examples, num_tokens] weight of each token as a target; 0 for the first and padding."""
    num_tokens: int
    """Without padding."""


def draw_examples(tokenizer: Any, rng: random.Random, *, max_level: int) -> list[Example]:
    """A refill of the train split, levels drawn uniformly up to `max_level`."""
    examples = []
    for _ in range(REFILL_EXAMPLES):
        problem = draw_problem(rng, rng.randint(min(LEVELS), max_level), "train")
        solution = write_solution(problem, rng)
        prompt_ids = tokenizer(problem.question + "\n")["input_ids"]
        solution_ids = tokenizer(solution, add_special_tokens=False)["input_ids"]
        token_ids = [*prompt_ids, *solution_ids, tokenizer.eos_token_id]
        examples.append(Example(token_ids, len(prompt_ids)))
    return examples


def make_batches(
    examples: Sequence[Example],
    rng: random.Random,
    *,
    batch_tokens: int,
    prompt_loss_weight: float,
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
        yield _collate(group, prompt_loss_weight, pad_token_id)


def _collate(group: Sequence[Example], prompt_loss_weight: float, pad_token_id: int) -> Batch:
    import torch

    width = max(len(example.token_ids) for example in group)
    token_ids = torch.full((len(group), width), pad_token_id)
    loss_weights = torch.zeros(len(group), width)
    for row, example in enumerate(group):
        length = len(example.token_ids)
        token_ids[row, :length] = torch.tensor(example.token_ids)
        loss_weights[row, 1 : example.num_prompt_tokens] = prompt_loss_weight
        loss_weights[row, example.num_prompt_tokens : length] = 1.0
    return Batch(token_ids, loss_weights, sum(len(example.token_ids) for example in group))
