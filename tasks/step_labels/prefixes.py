"""The distinct prefixes of a set of solutions.

Solutions of one problem often begin alike. A prefix is rolled out once, and its rollouts are
attached to the first solution that has it; the others find them by problem and text. A solution
that the completer drew is also a rollout of its own prefixes, and can be counted as one. The empty
prefix, where labels depend on how often a problem is solved, always counts such solutions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from schemas.rows import Trajectory
from schemas.step_labels import MonteCarloConfig
from tasks.step_labels.bisection import is_audited

PrefixKey = tuple[str, str]
"""Problem id and the text so far."""

_SAMPLED = "sample"
"""Strategy of solutions that were drawn whole and independently, not found by a search."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """The first steps of one or more solutions."""

    key: PrefixKey
    parent: Trajectory
    """The first solution that begins with it."""
    num_steps: int
    """The number of the parent's steps that it keeps."""
    is_audited: bool
    """Whether a solution that begins with it is audited, so that it gets every rollout."""
    known: tuple[bool, ...] = ()
    """Verdicts of the solutions that begin with it and count as its first rollouts."""

    @property
    def is_root(self) -> bool:
        """Whether it is the empty prefix of a problem."""
        return self.num_steps == 0


def prefix_keys(trajectory: Trajectory) -> list[PrefixKey]:
    """[num_steps - 1] the whole prefixes of a solution; the last step is judged by the answer."""
    texts = accumulate(step.text for step in trajectory.steps[:-1])
    return [(trajectory.problem_id, text) for text in texts]


def prefix_key(trajectory: Trajectory, num_steps: int) -> PrefixKey:
    """The prefix of a solution that keeps so many steps."""
    text = "".join(step.text for step in trajectory.steps[:num_steps])
    return trajectory.problem_id, text


def root_key(problem_id: str) -> PrefixKey:
    """The empty prefix of a problem."""
    return problem_id, ""


def by_problem(trajectories: Sequence[Trajectory]) -> dict[str, list[Trajectory]]:
    """The solutions of each problem that have steps, in order."""
    found: dict[str, list[Trajectory]] = {}
    for trajectory in trajectories:
        if trajectory.steps:
            found.setdefault(trajectory.problem_id, []).append(trajectory)
    return found


def collect_prefixes(
    trajectories: Sequence[Trajectory], config: MonteCarloConfig, completer: str
) -> dict[PrefixKey, Prefix]:
    """Every prefix of the solutions, in the order in which they first appear.

    Before those of a problem comes the empty one, if the labels depend on it.
    """
    audited = {
        key
        for trajectory in audited_trajectories(trajectories, config)
        for key in prefix_keys(trajectory)
    }
    known: dict[PrefixKey, list[bool]] = {}
    for trajectory in sorted(trajectories, key=lambda t: t.trajectory_id):
        if trajectory.correct is not None and _is_rollout(trajectory, config, completer):
            keys = prefix_keys(trajectory) if config.reuse_solutions else []
            for key in (root_key(trajectory.problem_id), *keys):
                known.setdefault(key, []).append(trajectory.correct)
    prefixes: dict[PrefixKey, Prefix] = {}
    for trajectory in trajectories:
        root = root_key(trajectory.problem_id)
        if config.needs_root and root not in prefixes and trajectory.steps:
            prefixes[root] = Prefix(root, trajectory, 0, False, tuple(known.get(root, ())))
        for index, key in enumerate(prefix_keys(trajectory)):
            if key not in prefixes:
                prefixes[key] = Prefix(
                    key, trajectory, index + 1, key in audited, tuple(known.get(key, ()))
                )
    return prefixes


def audited_trajectories(
    trajectories: Sequence[Trajectory], config: MonteCarloConfig
) -> Iterator[Trajectory]:
    """The solutions that are also labelled fully, to check the assumption behind the labels."""
    if config.needs_audit:
        yield from (t for t in trajectories if is_audited(t, config.audit_fraction))


def _is_rollout(trajectory: Trajectory, config: MonteCarloConfig, completer: str) -> bool:
    """Whether a solution may count as a draw like the rollouts' own."""
    return (
        trajectory.strategy == _SAMPLED
        and trajectory.status == "finished"
        and trajectory.policy == completer
        and trajectory.temperature == config.temperature
        and trajectory.top_p == config.top_p
    )
