"""What a verifier learns from a row of a set, and which rows it is measured on; without torch."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.errors import NothingToLearn
from schemas.training.prm import PrmTrainingConfig
from schemas.units import derive_seed


def step_targets(
    row: Mapping[str, Any], config: PrmTrainingConfig
) -> tuple[list[float | None], list[float | None]]:
    """[num_steps] the targets from the step labels, and those with the answer's verdict."""
    hard = [None if label is None else float(label) for label in row["labels"]]
    soft = row.get("soft") or [None] * len(hard)
    if config.data == "orm":
        by_step: list[float | None] = [None] * len(hard)
    elif config.targets == "soft":
        by_step = [h if s is None else s for s, h in zip(soft, hard, strict=True)]
    else:
        by_step = hard
    labels = list(by_step)
    correct = row.get("correct")
    if config.data != "prm" and labels[-1] is None and correct is not None:
        labels[-1] = float(correct)
    return by_step, labels


def choose_heldout(problem_ids: Sequence[str], *, eval_fraction: float, seed: int) -> set[str]:
    """The problems to measure on.

    Whether a problem is held out depends only on its id and the seed, so more data never moves
    a held-out problem into training. If the set is so small that the rule holds out none, the
    problem closest to the threshold is held out, unless it is the only one.
    """
    if eval_fraction == 0:
        return set()
    places = {
        problem_id: derive_seed("held-out", seed, problem_id) / 2**31 for problem_id in problem_ids
    }
    held_out = {problem_id for problem_id, place in places.items() if place < eval_fraction}
    if not held_out and len(places) > 1:
        held_out = {min(places, key=places.__getitem__)}
    return held_out


def choose_outcomes(
    used: Sequence[int], is_outcome: Sequence[bool], config: PrmTrainingConfig
) -> set[int]:
    """Outcome rows to drop at random, so that their share does not exceed `outcome_share`."""
    outcomes = [index for index in used if is_outcome[index]]
    share = config.outcome_share
    allowed = round((len(used) - len(outcomes)) * share / (1 - share))
    rng = random.Random(derive_seed("outcome rows", config.seed))
    return set(rng.sample(outcomes, max(0, len(outcomes) - allowed)))


def check_labels(rows: Any) -> None:
    """Refuse training rows whose labels cannot train anything.

    Args:
        rows: with a column `labels`, [num_rows][num_steps]; None for a step without a target.

    Raises:
        NothingToLearn: no step has a label, or all labels are equal.
    """
    labels = [label for labels in rows["labels"] for label in labels if label is not None]
    if not labels:
        raise NothingToLearn(
            f"expected labelled steps to train on, got none in {len(rows['labels'])} rows: raise "
            "max_tokens if solutions or rollouts were cut, or label more solutions"
        )
    if min(labels) == max(labels):
        advice = "harder problems or" if labels[0] > 0 else "easier problems, a larger max_tokens,"
        raise NothingToLearn(
            f"expected right and wrong steps to train on, got {len(labels)} labels that all are "
            f"{labels[0]:g}: use {advice} more solutions of each problem"
        )
