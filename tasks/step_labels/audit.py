"""What the assumption behind cheaper labels cost: the audited sample, labelled twice.

Reads step_labels. Bisection assumes that no step repairs an earlier error, and confidence
stopping assumes a prior; on the audited trajectories the plain method says what they missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from schemas.rows import StepLabel
from schemas.step_labels import MonteCarloConfig
from tasks.evaluation.statistics.intervals import wilson_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelAudit:
    """Hard labels of the cheap method against the plain one, where both have one."""

    num_trajectories: int
    """Audited trajectories with a step to compare."""
    num_steps: int
    """Steps compared; the last of a trajectory is not, as its answer labels it either way."""
    num_wrongly_right: int
    """Steps that only the cheap method calls right."""
    num_wrongly_wrong: int
    """Steps that only the cheap method calls wrong."""
    num_disagreeing_trajectories: int
    """Trajectories with at least one such step."""
    num_repaired_trajectories: int
    """Trajectories in which the plain method finds a right step behind a wrong one."""

    @property
    def num_disagreeing_steps(self) -> int:
        """Steps with different labels."""
        return self.num_wrongly_right + self.num_wrongly_wrong

    @property
    def disagreement_rate(self) -> float | None:
        """Share of the compared steps with different labels; None without any."""
        return self.num_disagreeing_steps / self.num_steps if self.num_steps else None

    def disagreement_interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """Wilson interval of that share, with steps taken as independent; None without any."""
        if not self.num_steps:
            return None
        return wilson_interval(self.num_disagreeing_steps, self.num_steps, confidence)


def audit_labels(labels: Sequence[StepLabel], config: MonteCarloConfig) -> LabelAudit:
    """Compare the two labels of every audited step.

    Args:
        labels: labels of any methods and trajectories; those of the config's method and of its
            plain one are compared wherever both stand.
        config: the cheap method.
    """
    plain = _hard_labels(labels, config.without_shortcuts().method)
    cheap = _hard_labels(labels, config.method)
    num_steps = num_wrongly_right = num_wrongly_wrong = 0
    num_trajectories = num_disagreeing = num_repaired = 0
    for trajectory_id, truths in plain.items():
        claims = cheap.get(trajectory_id, {})
        pairs = [(claims[i], truth) for i, truth in truths.items() if i in claims]
        wrongly_right = sum(claim and not truth for claim, truth in pairs)
        wrongly_wrong = sum(truth and not claim for claim, truth in pairs)
        num_steps += len(pairs)
        num_wrongly_right += wrongly_right
        num_wrongly_wrong += wrongly_wrong
        num_trajectories += bool(pairs)
        num_disagreeing += bool(wrongly_right or wrongly_wrong)
        num_repaired += _is_repaired(truths)
    return LabelAudit(
        num_trajectories=num_trajectories,
        num_steps=num_steps,
        num_wrongly_right=num_wrongly_right,
        num_wrongly_wrong=num_wrongly_wrong,
        num_disagreeing_trajectories=num_disagreeing,
        num_repaired_trajectories=num_repaired,
    )


def _hard_labels(labels: Sequence[StepLabel], method: str) -> dict[str, dict[int, bool]]:
    """Hard labels of one method by trajectory and step, those by the answer left out."""
    found: dict[str, dict[int, bool]] = {}
    for label in labels:
        if label.method == method and label.hard is not None and label.evidence != "answer":
            found.setdefault(label.trajectory_id, {})[label.step_index] = label.hard
    return found


def _is_repaired(hard_labels: dict[int, bool]) -> bool:
    """Whether a wrong step comes before a right one."""
    in_order = [hard_labels[index] for index in sorted(hard_labels)]
    return any(not first and then for first, then in pairwise(in_order))
