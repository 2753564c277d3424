"""How often two labellers agree, from the labels that a consensus stored.

Reads step_labels. In each figure, `strategy` is the consensus and `against` the other labeller:

* `consensus_agreement`: share of the steps that both labelled to which they give the same label;
* `consensus_kept`: share of the labelled solutions that are kept.

Both leave out the steps that the first labeller labels by the answer, and solutions without others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric, StepLabel
from schemas.step_labels import consensus_method, is_derived_method, is_second_method
from tasks.evaluation.figures import About, FigureWriter

_KEPT = ("solutions", "steps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The labels of two methods on the same steps, and what was kept of them."""

    method: str
    """The method of the labels that were kept."""
    second: str
    """The method of the other labeller."""
    pairs: Mapping[tuple[str, int], tuple[bool, bool]]
    """Both hard labels, by trajectory and step, where both exist."""
    solutions: frozenset[str]
    """The trajectories that the first labeller labelled."""
    kept: frozenset[str]
    """The trajectories of which labels were kept."""

    @property
    def num_agreed(self) -> int:
        """The number of steps with the same label by both."""
        return sum(first is second for first, second in self.pairs.values())

    def __str__(self) -> str:
        """In words for a terminal."""
        return (
            f"{self.num_agreed} of {len(self.pairs)} steps have the same label by {self.second}; "
            f"{len(self.kept)} of {len(self.solutions)} solutions are kept"
        )


def count_agreement(labels: Sequence[StepLabel]) -> list[Agreement]:
    """Compare the two labellers of every consensus among these labels; none without one.

    If a consensus kept nothing, its first labeller is the one that labelled most solutions.
    """
    by_method: dict[str, list[StepLabel]] = {}
    for label in labels:
        by_method.setdefault(label.method, []).append(label)
    firsts = sorted(
        (method for method in by_method if not is_derived_method(method)),
        key=lambda method: len({label.trajectory_id for label in by_method[method]}),
        reverse=True,
    )
    found = []
    for second in (method for method in by_method if is_second_method(method)):
        names = [(f, consensus_method(f, second, keep)) for f in firsts for keep in _KEPT]
        made = [(first, method) for first, method in names if method in by_method]
        found += [
            _compare(method, second, by_method[first], by_method[second], by_method.get(method, []))
            for first, method in made or names[:1]
        ]
    return found


def measure_consensus(
    labels: Sequence[StepLabel],
    problem_of: Mapping[str, str],
    config: EvaluationConfig,
    *,
    policy: str,
) -> list[Metric]:
    """The figures of every consensus among the labels of a set.

    Args:
        labels: labels by any methods.
        problem_of: the problem of each trajectory, by id.
        config: confidence of the intervals.
        policy: the model that wrote the solutions.
    """
    figures = FigureWriter(policy, config)
    rows: list[Metric] = []
    for found in count_agreement(labels):
        about = About(found.method, against=found.second)
        num_problems = len({problem_of[trajectory] for trajectory in found.solutions})
        for name, num_successes, num_trials in (
            ("consensus_agreement", found.num_agreed, len(found.pairs)),
            ("consensus_kept", len(found.kept), len(found.solutions)),
        ):
            rows += figures.share(about, name, num_successes, num_trials, num_problems)
    return rows


def _compare(
    method: str,
    second: str,
    first_labels: Sequence[StepLabel],
    second_labels: Sequence[StepLabel],
    kept: Sequence[StepLabel],
) -> Agreement:
    there = {(label.trajectory_id, label.step_index): label.hard for label in second_labels}
    before_answer = [label for label in first_labels if label.evidence != "answer"]
    pairs = {
        key: (label.hard, theirs)
        for label in before_answer
        if label.hard is not None
        and (theirs := there.get(key := (label.trajectory_id, label.step_index))) is not None
    }
    return Agreement(
        method=method,
        second=second,
        pairs=pairs,
        solutions=frozenset(label.trajectory_id for label in first_labels),
        kept=frozenset(label.trajectory_id for label in kept),
    )
