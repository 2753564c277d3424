"""Audits of cheaper labelling methods, on a sample that the plain method labelled as well.

Reads step_labels. Bisection assumes that no step repairs an earlier error, and confidence
stopping assumes a prior; the audited trajectories show the wrong labels that this causes.

In each figure, `strategy` is the cheap method and `against` the plain one:

* `audited_solutions`, `audited_steps`: the number of solutions and steps compared;
* `audit_disagreement`: share of the compared steps with different labels, over all steps and, in
  bins `position=<n>`, at the n-th step;
* `audit_wrongly_right`, `audit_wrongly_wrong`: the two kinds of disagreement, as shares of the
  same steps;
* `audit_repaired_rate`: share of the audited solutions in which the plain method finds a right step
  after a wrong one.

Wilson intervals treat steps as independent, which steps of one solution are not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from schemas.evaluation import EvaluationConfig
from schemas.metric_names import Bin
from schemas.rows import Metric, StepLabel
from schemas.step_labels import is_derived_method
from tasks.evaluation.figures import About, FigureWriter

POSITION = "position"
"""The kind of the bins by the position of a step, counted from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelAudit:
    """The hard labels of the cheap and the plain method, for steps that both labelled."""

    pairs: Mapping[tuple[str, int], tuple[bool, bool]]
    """The cheap and the plain label, by trajectory and step. The last step of a trajectory is left
    out, since both methods label it by the answer."""
    repaired: frozenset[str]
    """Compared trajectories in which the plain method finds a right step after a wrong one."""

    @property
    def num_steps(self) -> int:
        """The number of steps compared."""
        return len(self.pairs)

    @property
    def trajectories(self) -> frozenset[str]:
        """The trajectories with at least one compared step."""
        return frozenset(trajectory for trajectory, _ in self.pairs)

    @property
    def num_wrongly_right(self) -> int:
        """The number of steps that only the cheap method labels right."""
        return sum(cheap and not plain for cheap, plain in self.pairs.values())

    @property
    def num_wrongly_wrong(self) -> int:
        """The number of steps that only the cheap method labels wrong."""
        return sum(plain and not cheap for cheap, plain in self.pairs.values())

    @property
    def disagreement_rate(self) -> float | None:
        """Share of the compared steps with different labels; None if no step was compared."""
        num = self.num_wrongly_right + self.num_wrongly_wrong
        return num / self.num_steps if self.num_steps else None


def audit_labels(labels: Sequence[StepLabel], cheap: str, plain: str) -> LabelAudit:
    """Compare the two labels of every audited step.

    Args:
        labels: labels by any methods, of any trajectories.
        cheap: the method that relies on an assumption.
        plain: the method without it; steps that both labelled are compared.
    """
    truths, claims = _hard_labels(labels, plain), _hard_labels(labels, cheap)
    pairs = {
        (trajectory, index): (claims[trajectory][index], truth)
        for trajectory, steps in truths.items()
        for index, truth in steps.items()
        if index in claims.get(trajectory, {})
    }
    compared = {trajectory for trajectory, _ in pairs}
    return LabelAudit(
        pairs=pairs, repaired=frozenset(t for t in compared if _is_repaired(truths[t]))
    )


def measure_audits(
    labels: Sequence[StepLabel],
    problem_of: Mapping[str, str],
    config: EvaluationConfig,
    *,
    policy: str,
) -> list[Metric]:
    """The figures of every audit among the labels of a set; none if no method was audited.

    Args:
        labels: labels by any methods.
        problem_of: the problem of each trajectory, by id.
        config: confidence of the intervals.
        policy: the model that wrote the solutions.
    """
    figures = FigureWriter(policy, config)
    rows: list[Metric] = []
    for cheap, plain in _audited_methods(labels):
        audit = audit_labels(labels, cheap, plain)
        if not audit.pairs:
            continue
        about = About(cheap, against=plain)
        num_problems = len({problem_of[t] for t in audit.trajectories})
        counts = {"audited_solutions": len(audit.trajectories), "audited_steps": audit.num_steps}
        rows += [figures.row(about, name, float(num), num_problems) for name, num in counts.items()]
        num_wrong = audit.num_wrongly_right + audit.num_wrongly_wrong
        for name, num_successes, num_trials in (
            ("audit_disagreement", num_wrong, audit.num_steps),
            ("audit_wrongly_right", audit.num_wrongly_right, audit.num_steps),
            ("audit_wrongly_wrong", audit.num_wrongly_wrong, audit.num_steps),
            ("audit_repaired_rate", len(audit.repaired), len(audit.trajectories)),
        ):
            rows += figures.share(about, name, num_successes, num_trials, num_problems)
        for position in sorted({index for _, index in audit.pairs}):
            at = {t: pair for (t, index), pair in audit.pairs.items() if index == position}
            rows += figures.share(
                about,
                "audit_disagreement",
                sum(claim != truth for claim, truth in at.values()),
                len(at),
                len({problem_of[t] for t in at}),
                bin_name=str(Bin(POSITION, str(position + 1))),
            )
    return rows


def _audited_methods(labels: Sequence[StepLabel]) -> list[tuple[str, str]]:
    """Pairs of a cheap and a plain method; the plain one labelled all or some of its solutions.

    If both labelled exactly the same solutions, the plain one is that with more rollouts. The
    labels of a checker are the truth, not an audit, and a consensus has figures of its own.
    """
    solutions: dict[str, set[str]] = {}
    num_rollouts: dict[str, int] = {}
    for label in labels:
        if label.evidence != "checker" and not is_derived_method(label.method):
            solutions.setdefault(label.method, set()).add(label.trajectory_id)
            num_rollouts[label.method] = num_rollouts.get(label.method, 0) + label.num_rollouts

    def cost(method: str) -> tuple[int, int, str]:
        return -len(solutions[method]), num_rollouts[method], method

    methods = sorted(solutions, key=cost)
    return [
        (cheap, plain)
        for place, cheap in enumerate(methods)
        for plain in methods[place + 1 :]
        if solutions[plain] <= solutions[cheap]
    ]


def _hard_labels(labels: Sequence[StepLabel], method: str) -> dict[str, dict[int, bool]]:
    """Hard labels of one method by trajectory and step, without those based on the answer."""
    found: dict[str, dict[int, bool]] = {}
    for label in labels:
        if label.method == method and label.hard is not None and label.evidence != "answer":
            found.setdefault(label.trajectory_id, {})[label.step_index] = label.hard
    return found


def _is_repaired(hard_labels: dict[int, bool]) -> bool:
    """Whether a wrong step comes before a right one."""
    in_order = [hard_labels[index] for index in sorted(hard_labels)]
    return any(not first and then for first, then in pairwise(in_order))
