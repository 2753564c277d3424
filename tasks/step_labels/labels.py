"""Step labels from stored rows: Monte Carlo estimates, and the outcome alone.

Reads trajectories and their rollouts, makes step_labels. Nothing is generated, so labels can be
made again from the same rollouts with another N, rule or search. Soft estimate: the share of
graded rollouts that are right; hard: at least `min_correct` of them are (arXiv:2312.08935).
Deviation: a rollout without a verdict is left out of the estimate, not counted wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from schemas.rows import StepLabel, Trajectory
from schemas.step_labels import MonteCarloConfig, OutcomeConfig
from tasks.evaluation.statistics.intervals import wilson_interval
from tasks.step_labels.bisection import Bracket, bisect_first_error
from tasks.step_labels.prefixes import (
    Prefix,
    PrefixKey,
    audited_trajectories,
    collect_prefixes,
    prefix_key,
    prefix_keys,
)
from tasks.step_labels.stopping import keep_until_stop, num_to_draw


def label_steps(
    trajectories: Sequence[Trajectory],
    rollouts: Sequence[Trajectory],
    config: MonteCarloConfig,
) -> list[StepLabel]:
    """Label every step of every trajectory, in order, by the config's method.

    The last step is labelled by the answer (evidence `answer`, no rollouts), tested steps by
    their rollouts, and what a bisection did not test by what it found (`inferred`, no soft
    estimate). A step about which nothing is known has neither label. `num_rollouts` counts those
    with a verdict, and solutions that the config counts as rollouts.

    Args:
        trajectories: the solutions to label.
        rollouts: rows that continue these solutions; more than the method needs are allowed.
        config: how to label.

    Returns:
        A label per step; after them, for the audited trajectories of a method that rests on an
        assumption, a second label per step by the plain method.

    Raises:
        ValueError: a rollout continues a missing solution, rollouts come from several
            policies, or a step has fewer than the method would have drawn.
    """
    if not trajectories:
        return []
    completer = _completer(rollouts) or trajectories[0].policy
    stored = _Stored(
        completer,
        collect_prefixes(trajectories, config, completer),
        _rollouts_by_prefix(trajectories, rollouts),
    )
    labels: list[StepLabel] = []
    for trajectory in trajectories:
        labels += _label_trajectory(trajectory, stored, config)
    plain = config.without_shortcuts()
    for trajectory in audited_trajectories(trajectories, config):
        labels += _label_trajectory(trajectory, stored, plain)
    return labels


def label_outcomes(trajectories: Sequence[Trajectory]) -> list[StepLabel]:
    """Label the last step of each trajectory by its answer; the steps before it get no label."""
    method = OutcomeConfig().method
    return [
        _unlabelled(trajectory, index, method, trajectory.policy)
        if index < len(trajectory.steps) - 1
        else _label_by_answer(trajectory, method, trajectory.policy)
        for trajectory in trajectories
        for index in range(len(trajectory.steps))
    ]


def hard_label(verdicts: Sequence[bool | None], config: MonteCarloConfig) -> bool | None:
    """The hard label that verdicts give; None if there are too few of them."""
    num_correct, num_graded = _count(verdicts)
    if num_correct >= config.min_correct:
        return True
    return None if num_graded < config.min_correct else False


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is stored about a set of solutions."""

    completer: str
    prefixes: Mapping[PrefixKey, Prefix]
    rollouts: Mapping[PrefixKey, Sequence[Trajectory]]
    """By sample index, whichever solution they are attached to."""


def _label_trajectory(
    trajectory: Trajectory, stored: _Stored, config: MonteCarloConfig
) -> list[StepLabel]:
    """One label per step of one trajectory, in order."""
    if not trajectory.steps:
        return []
    completer = stored.completer
    verdicts, bracket = _replay(trajectory, stored, config)
    labels = []
    for index in range(len(trajectory.steps)):
        is_last = index == len(trajectory.steps) - 1
        if index in verdicts:
            label = _label_by_rollouts(trajectory, index, verdicts[index], config, completer)
        elif is_last and (trajectory.correct is not None or bracket is None):
            label = _label_by_answer(trajectory, config.method, completer)
        else:
            label = _unlabelled(trajectory, index, config.method, completer)
            hard = bracket.verdict(index) if bracket else None
            label = replace(label, evidence="inferred", hard=hard)
        labels.append(label)
    return labels


def _replay(
    trajectory: Trajectory, stored: _Stored, config: MonteCarloConfig
) -> tuple[dict[int, Sequence[bool | None]], Bracket | None]:
    """The verdicts that the method would have seen, by step, and what its search concluded."""
    if config.search == "linear":
        keys = prefix_keys(trajectory)
        return {i: _verdicts(trajectory, i, stored, config) for i in range(len(keys))}, None
    verdicts: dict[int, Sequence[bool | None]] = {}
    search = bisect_first_error(len(trajectory.steps), trajectory.correct)
    verdict: bool | None = None
    while True:
        try:
            num_steps = search.send(verdict)
        except StopIteration as end:
            return verdicts, end.value
        seen = _verdicts(trajectory, num_steps - 1, stored, config)
        verdicts[num_steps - 1] = seen
        verdict = hard_label(seen, config)


def _verdicts(
    trajectory: Trajectory, step_index: int, stored: _Stored, config: MonteCarloConfig
) -> Sequence[bool | None]:
    """The verdicts on a step, as many as the stopping rule would have drawn."""
    key = prefix_key(trajectory, step_index + 1)
    rows, known = stored.rollouts.get(key, ()), stored.prefixes[key].known
    verdicts = [*known, *(row.correct for row in rows)]
    kept = keep_until_stop(verdicts, config, num_known=len(known))
    if num_to_draw(kept, config) and not any(row.status == "error" for row in rows):
        raise ValueError(
            f"trajectory {trajectory.trajectory_id}, step {step_index}: {config.method} needs "
            f"more than the {len(rows)} rollouts given; they were made with another config"
        )
    return kept


def _rollouts_by_prefix(
    trajectories: Sequence[Trajectory], rollouts: Sequence[Trajectory]
) -> dict[PrefixKey, list[Trajectory]]:
    """The rollouts of each prefix by sample index, whichever solution they are attached to."""
    by_id = {trajectory.trajectory_id: trajectory for trajectory in trajectories}
    by_prefix: dict[PrefixKey, dict[int, Trajectory]] = {}
    for row in rollouts:
        parent = by_id.get(row.parent_id or "")
        if parent is None or row.branch_step is None:
            raise ValueError(
                f"rollout {row.trajectory_id}: it continues trajectory {row.parent_id}, "
                f"which is not among the {len(trajectories)} given"
            )
        key = prefix_key(parent, row.branch_step)
        by_prefix.setdefault(key, {}).setdefault(row.sample_index, row)
    return {key: [rows[i] for i in sorted(rows)] for key, rows in by_prefix.items()}


def _completer(rollouts: Sequence[Trajectory]) -> str | None:
    """The policy that made the rollouts; None without rollouts."""
    policies = sorted({row.policy for row in rollouts})
    if len(policies) > 1:
        raise ValueError(f"expected the rollouts of one policy, got those of {policies}")
    return policies[0] if policies else None


def _label_by_rollouts(
    trajectory: Trajectory,
    index: int,
    verdicts: Sequence[bool | None],
    config: MonteCarloConfig,
    completer: str,
) -> StepLabel:
    label = _unlabelled(trajectory, index, config.method, completer)
    num_correct, num_graded = _count(verdicts)
    if num_graded == 0:
        return label
    ci_low, ci_high = wilson_interval(num_correct, num_graded)
    return replace(
        label,
        num_rollouts=num_graded,
        num_correct=num_correct,
        soft=num_correct / num_graded,
        hard=hard_label(verdicts, config),
        ci_low=ci_low,
        ci_high=ci_high,
    )


def _label_by_answer(trajectory: Trajectory, method: str, completer: str) -> StepLabel:
    """The label of the last step."""
    label = _unlabelled(trajectory, len(trajectory.steps) - 1, method, completer)
    soft = None if trajectory.correct is None else float(trajectory.correct)
    return replace(label, evidence="answer", soft=soft, hard=trajectory.correct)


def _unlabelled(trajectory: Trajectory, index: int, method: str, completer: str) -> StepLabel:
    """The label of a step about which nothing is known."""
    return StepLabel(
        trajectory_id=trajectory.trajectory_id,
        step_index=index,
        method=method,
        completer=completer,
        evidence="rollouts",
        num_rollouts=0,
        num_correct=0,
        soft=None,
        hard=None,
        ci_low=None,
        ci_high=None,
    )


def _count(verdicts: Sequence[bool | None]) -> tuple[int, int]:
    """How many are right, and how many there are at all."""
    return sum(v is True for v in verdicts), sum(v is not None for v in verdicts)
