"""The stored rollouts of every prefix, as a method's stopping rule would have drawn them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from schemas.rows import Trajectory
from schemas.step_labels import MonteCarloConfig
from tasks.step_labels.estimates import Verdicts, right_share
from tasks.step_labels.prefixes import Prefix, PrefixKey, collect_prefixes, prefix_key
from tasks.step_labels.stopping import keep_until_stop, num_to_draw
from tasks.steps.trees import whole_steps


@dataclass(frozen=True, slots=True)
class StoredRollouts:
    """What is stored about the prefixes of a set of solutions."""

    completer: str
    prefixes: Mapping[PrefixKey, Prefix]
    rollouts: Mapping[PrefixKey, Sequence[Trajectory]]
    """By sample index, whichever solution they are attached to."""

    @classmethod
    def of(
        cls,
        trajectories: Sequence[Trajectory],
        rollouts: Sequence[Trajectory],
        config: MonteCarloConfig,
    ) -> Self:
        """Find the prefix of every rollout.

        Raises:
            ValueError: a rollout continues a missing solution, or rollouts come from several
                policies.
        """
        completer = _completer(rollouts) or trajectories[0].policy
        return cls(
            completer,
            collect_prefixes(trajectories, config, completer),
            _rollouts_by_prefix(trajectories, rollouts),
        )

    def known(self, key: PrefixKey) -> Verdicts:
        """The verdicts of solutions that count as the first rollouts of a prefix."""
        return self.prefixes[key].known if key in self.prefixes else ()

    def drawn(
        self, trajectory: Trajectory, num_steps: int, config: MonteCarloConfig
    ) -> Sequence[Trajectory]:
        """The rollouts of a prefix of a solution, as many as the stopping rule would have drawn.

        Raises:
            ValueError: there are fewer.
        """
        key = prefix_key(trajectory, num_steps)
        rows, known = self.rollouts.get(key, ()), self.known(key)
        rule = config if num_steps else config.without_shortcuts()
        if num_steps and config.rollouts_by_rate:
            rule = config.for_problem(right_share(self.verdicts(trajectory, 0, config)))
        verdicts = [*known, *(row.correct for row in rows)]
        kept = keep_until_stop(verdicts, rule, num_known=len(known))
        if num_to_draw(kept, rule) and not any(row.status == "error" for row in rows):
            raise ValueError(
                f"trajectory {trajectory.trajectory_id}, step {num_steps - 1}: {config.method} "
                f"needs more than the {len(rows)} rollouts given; they were made with another "
                "config"
            )
        return rows[: len(kept) - len(known)]

    def verdicts(
        self, trajectory: Trajectory, num_steps: int, config: MonteCarloConfig
    ) -> Verdicts:
        """The verdicts on a prefix of a solution, known ones first."""
        known = self.known(prefix_key(trajectory, num_steps))
        return [*known, *(row.correct for row in self.drawn(trajectory, num_steps, config))]


def _rollouts_by_prefix(
    trajectories: Sequence[Trajectory], rollouts: Sequence[Trajectory]
) -> dict[PrefixKey, list[Trajectory]]:
    """The rollouts of each prefix by sample index, whichever solution they are attached to."""
    by_id = {row.trajectory_id: row for row in (*rollouts, *trajectories)}
    by_prefix: dict[PrefixKey, dict[int, Trajectory]] = {}
    for row in rollouts:
        parent = by_id.get(row.parent_id or "")
        if parent is None or row.branch_step is None:
            raise ValueError(
                f"rollout {row.trajectory_id}: it continues trajectory {row.parent_id}, "
                f"which is not among the {len(trajectories)} given"
            )
        steps = whole_steps(parent, by_id)[: row.branch_step]
        key = parent.problem_id, "".join(step.text for step in steps)
        by_prefix.setdefault(key, {}).setdefault(row.sample_index, row)
    return {key: [rows[i] for i in sorted(rows)] for key, rows in by_prefix.items()}


def _completer(rollouts: Sequence[Trajectory]) -> str | None:
    """The policy that made the rollouts; None without rollouts."""
    policies = sorted({row.policy for row in rollouts})
    if len(policies) > 1:
        raise ValueError(f"expected the rollouts of one policy, got those of {policies}")
    return policies[0] if policies else None
