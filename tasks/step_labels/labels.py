"""Step labels from stored rows: Monte Carlo estimates, and the outcome alone.

Reads trajectories and their rollouts, makes step_labels. Nothing is generated, so labels can be
made again from the same rollouts with another N, rule or search. Soft estimate: the share of
graded rollouts that are right; hard: at least `min_correct` of them are (arXiv:2312.08935).
Deviation: a rollout without a verdict is left out of the estimate, not counted wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from schemas.rows import StepLabel, Trajectory
from schemas.step_labels import MonteCarloConfig, OutcomeConfig
from tasks.evaluation.statistics.intervals import wilson_interval
from tasks.step_labels.bisection import Bracket, bisect_first_error
from tasks.step_labels.estimates import Verdicts, count_verdicts, hard_label, right_share
from tasks.step_labels.omega import Tree, grow_tree
from tasks.step_labels.prefixes import (
    audited_trajectories,
    by_problem,
    prefix_keys,
    root_key,
)
from tasks.step_labels.progress import progress_labels
from tasks.step_labels.stored import StoredRollouts


def label_steps(
    trajectories: Sequence[Trajectory],
    rollouts: Sequence[Trajectory],
    config: MonteCarloConfig,
) -> list[StepLabel]:
    """Label every step of every trajectory, in order, by the config's method.

    The last step is labelled by the answer (evidence `answer`, no rollouts), tested steps by
    their rollouts, and what a bisection or a tree did not test by what it found (`inferred`, no
    soft estimate). Rollouts that a tree selected are labelled as well: all steps of the whole
    solution, under the rollout's id, if its text is not that of a given solution. A step about
    which nothing is known has neither label. `num_rollouts` counts those with a verdict, and
    solutions that the config counts as rollouts.

    Args:
        trajectories: the solutions to label.
        rollouts: rows that continue these solutions; more than the method needs are allowed.
        config: how to label.

    Returns:
        A label per step; after them those of a tree's rollouts; last, for the audited trajectories
        of a method that rests on an assumption, a second label per step by the plain method.

    Raises:
        ValueError: a rollout continues a missing solution, rollouts come from several
            policies, or a step has fewer than the method would have drawn.
    """
    if not trajectories:
        return []
    stored = StoredRollouts.of(trajectories, rollouts, config)
    labels: list[StepLabel] = []
    if config.search == "omega":
        labels += _label_trees(trajectories, stored, config)
    else:
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


def _label_trajectory(
    trajectory: Trajectory, stored: StoredRollouts, config: MonteCarloConfig
) -> list[StepLabel]:
    """One label per step of one trajectory, in order."""
    if not trajectory.steps:
        return []
    verdicts, bracket = _replay(trajectory, stored, config)
    is_searched = bracket is not None
    inferred = [bracket.verdict(i) if bracket else None for i in range(len(trajectory.steps))]
    by_answer = trajectory.correct is not None or not is_searched
    labels = _label_tested(
        trajectory, verdicts, inferred, config, stored.completer, by_answer=by_answer
    )
    if config.min_progress is None:
        return labels
    before = right_share(stored.verdicts(trajectory, 0, config))
    hard = progress_labels(before, [label.soft for label in labels], config.min_progress)
    return [replace(label, hard=h) for label, h in zip(labels, hard, strict=True)]


def _label_tested(
    trajectory: Trajectory,
    verdicts: Mapping[int, Verdicts],
    inferred: Sequence[bool | None],
    config: MonteCarloConfig,
    completer: str,
    *,
    by_answer: bool,
) -> list[StepLabel]:
    """A label per step: tested ones by their rollouts, the last by the answer, others inferred."""
    labels = []
    for index in range(len(trajectory.steps)):
        if index in verdicts:
            label = _label_by_rollouts(trajectory, index, verdicts[index], config, completer)
        elif index == len(trajectory.steps) - 1 and by_answer:
            label = _label_by_answer(trajectory, config.method, completer)
        else:
            label = _unlabelled(trajectory, index, config.method, completer)
            label = replace(label, evidence="inferred", hard=inferred[index])
        labels.append(label)
    return labels


def _label_trees(
    trajectories: Sequence[Trajectory], stored: StoredRollouts, config: MonteCarloConfig
) -> list[StepLabel]:
    """The labels of the solutions, in order, then of the rollouts that their trees selected."""
    trees = {
        problem_id: _replay_tree(solutions, stored, config)
        for problem_id, solutions in by_problem(trajectories).items()
    }
    given = {trajectory.trajectory_id for trajectory in trajectories}
    selected = [
        solution
        for tree in trees.values()
        for solution in tree.solutions.values()
        if solution.trajectory_id not in given
    ]
    labels: list[StepLabel] = []
    for solution in (*(t for t in trajectories if t.steps), *selected):
        tree = trees[solution.problem_id]
        tested = {
            index: tree.states[key].verdicts
            for index, key in enumerate(prefix_keys(solution))
            if key in tree.states
        }
        inferred = tree.verdicts(solution)
        by_answer = solution.correct is not None
        labels += _label_tested(
            solution, tested, inferred, config, stored.completer, by_answer=by_answer
        )
    return labels


def _replay_tree(
    solutions: Sequence[Trajectory], stored: StoredRollouts, config: MonteCarloConfig
) -> Tree:
    """The tree of a problem, grown from the stored rollouts."""
    known = stored.known(root_key(solutions[0].problem_id))
    growth = grow_tree(solutions, known, config)
    solution, num_steps = next(growth)
    while True:
        try:
            solution, num_steps = growth.send(stored.drawn(solution, num_steps, config))
        except StopIteration as end:
            return end.value


def _replay(
    trajectory: Trajectory, stored: StoredRollouts, config: MonteCarloConfig
) -> tuple[dict[int, Verdicts], Bracket | None]:
    """The verdicts that the method would have seen, by step, and what its search concluded."""
    num_steps = len(trajectory.steps)
    if config.search == "linear":
        return {i - 1: stored.verdicts(trajectory, i, config) for i in range(1, num_steps)}, None
    verdicts: dict[int, Verdicts] = {}
    search = bisect_first_error(num_steps, trajectory.correct)
    verdict: bool | None = None
    while True:
        try:
            num_kept = search.send(verdict)
        except StopIteration as end:
            return verdicts, end.value
        verdicts[num_kept - 1] = stored.verdicts(trajectory, num_kept, config)
        verdict = hard_label(verdicts[num_kept - 1], config)


def _label_by_rollouts(
    trajectory: Trajectory,
    index: int,
    verdicts: Verdicts,
    config: MonteCarloConfig,
    completer: str,
) -> StepLabel:
    label = _unlabelled(trajectory, index, config.method, completer)
    num_correct, num_graded = count_verdicts(verdicts)
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
    )
