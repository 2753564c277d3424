"""The truth about each step, and how step labels compare with it.

The truth is from an exact checker if the problems have one (`check_solutions`), otherwise from
stored step labels (`kinds_of_labels`). Either way it is a kind per step: `ok` for a right step,
`after` for a step after the first error, None if unknown; any other kind is that of an error.

Precision and recall count right steps as positive. Wilson intervals treat steps as independent,
which steps of one solution are not: with many solutions per problem they are too narrow. The
interval of the AUC resamples problems.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric, Problem, StepLabel, Trajectory
from schemas.units import derive_seed
from tasks.evaluation.figures import About, FigureWriter
from tasks.evaluation.solutions.audits import measure_audits
from tasks.evaluation.solutions.consensus import measure_consensus
from tasks.evaluation.statistics.ranking import bootstrap_auc

Kinds = Callable[[str, Sequence[str]], Sequence[str]]
"""Maps a question and the texts of steps to a kind per step, which no later step affects."""
StepKinds = Mapping[str, Sequence[str | None]]
"""The kind of each step, by trajectory id."""

RIGHT = "ok"
AFTER = "after"
WRONG = "wrong"
"""The kind of a first error that is known only from labels."""
UNFINISHED = "unfinished"
"""The first error of a solution whose steps are right but which does not reach the right answer."""
NO_ERROR = "none"

BEFORE_ANSWER = "steps=before_answer"
"""The bin without the steps that are labelled by the answer, which needs no rollouts."""


def check_solutions(
    problems: Sequence[Problem], trajectories: Sequence[Trajectory], kinds: Kinds
) -> dict[str, tuple[str | None, ...]]:
    """Check every solution; solutions with equal steps are checked once.

    The last step of a truncated solution may be incomplete, so its kind is unknown.

    Raises:
        ValueError: a trajectory's problem is missing, or the checker does not give one kind per
            step.
    """
    questions = {problem.problem_id: problem.question for problem in problems}
    checked: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
    found: dict[str, tuple[str | None, ...]] = {}
    for row in trajectories:
        if row.problem_id not in questions:
            raise ValueError(
                f"trajectory {row.trajectory_id}: its problem {row.problem_id} is not among the "
                f"{len(questions)} given"
            )
        steps = tuple(step.text for step in row.steps)
        key = (row.problem_id, steps)
        if key not in checked:
            checked[key] = tuple(kinds(questions[row.problem_id], steps))
        if len(checked[key]) != len(steps):
            raise ValueError(
                f"trajectory {row.trajectory_id}: expected {len(steps)} kinds of the checker, "
                f"got {len(checked[key])}"
            )
        is_cut = row.status == "truncated" and steps
        found[row.trajectory_id] = (*checked[key][:-1], None) if is_cut else checked[key]
    return found


def kinds_of_labels(labels: Sequence[StepLabel]) -> dict[str, tuple[str | None, ...]]:
    """The truth according to the hard labels of one method: `ok`, `wrong`, then `after`."""
    hard: dict[str, dict[int, bool | None]] = {}
    for label in labels:
        hard.setdefault(label.trajectory_id, {})[label.step_index] = label.hard
    found: dict[str, tuple[str | None, ...]] = {}
    for trajectory_id, steps in hard.items():
        kinds: list[str | None] = []
        for index in range(max(steps) + 1):
            is_right = steps.get(index)
            wrong = AFTER if WRONG in kinds else WRONG
            kinds.append(None if is_right is None else RIGHT if is_right else wrong)
        found[trajectory_id] = tuple(kinds)
    return found


def first_error(kinds: Sequence[str | None], *, is_correct: bool) -> str:
    """The kind of a solution's first wrong step, or `unfinished`, or `none` if it has no error."""
    wrong = next((kind for kind in kinds if kind is not None and kind != RIGHT), None)
    return wrong or (NO_ERROR if is_correct else UNFINISHED)


def measure_labels(
    trajectories: Sequence[Trajectory],
    labels: Sequence[StepLabel],
    true_kinds: StepKinds,
    config: EvaluationConfig,
    *,
    policy: str,
) -> list[Metric]:
    """The quality of each method's labels; the method is the `strategy` of its rows.

    `labelled_steps`, `unlabelled_rate` and the figures of audits and of a consensus (see
    `audits.py` and `consensus.py`) need no truth.
    `label_agreement`, `label_precision`, `label_recall` (of hard labels) and `soft_auc` (of soft
    labels) cover the steps whose truth is known: in bin `all` all of them, in another bin only
    those that are not labelled by the answer.

    Args:
        trajectories: the labelled solutions, each with all its steps.
        labels: labels by any methods; a step may have one by each.
        true_kinds: by trajectory id; the truth about others is unknown.
        config: confidence, resamples and seed.
        policy: the model that wrote the solutions.

    Raises:
        ValueError: a label's solution is not given, or has no such step.
    """
    by_id = {row.trajectory_id: row for row in trajectories}
    by_method: dict[str, list[StepLabel]] = {}
    for label in labels:
        row = by_id.get(label.trajectory_id)
        if row is None or label.step_index >= len(row.steps):
            raise ValueError(
                f"label of step {label.step_index} of trajectory {label.trajectory_id}: expected "
                f"one of the {len(by_id)} solutions given, got "
                + ("another" if row is None else f"one of {len(row.steps)} steps")
            )
        by_method.setdefault(label.method, []).append(label)
    problem_of = {row.trajectory_id: row.problem_id for row in trajectories}
    metrics: list[Metric] = []
    for method, rows in sorted(by_method.items()):
        meter = _LabelMeter(policy, method, problem_of, true_kinds, config)
        metrics += meter.coverage(rows)
        metrics += meter.quality(rows, "all")
        metrics += meter.quality([r for r in rows if r.evidence != "answer"], BEFORE_ANSWER)
    metrics += measure_audits(labels, problem_of, config, policy=policy)
    return metrics + measure_consensus(labels, problem_of, config, policy=policy)


class _LabelMeter:
    """Measures the labels of one method."""

    def __init__(
        self,
        policy: str,
        method: str,
        problem_of: Mapping[str, str],
        true_kinds: StepKinds,
        config: EvaluationConfig,
    ) -> None:
        self._figures = FigureWriter(policy, config)
        self._about = About(method)
        self._problem_of = problem_of
        self._true_kinds = true_kinds

    def coverage(self, labels: Sequence[StepLabel]) -> list[Metric]:
        """The number of steps with a hard label, and the share without one."""
        num_labelled = sum(label.hard is not None for label in labels)
        num_problems = self._count_problems(labels)
        num_unlabelled = len(labels) - num_labelled
        return [
            self._figures.row(self._about, "labelled_steps", float(num_labelled), num_problems),
            *self._figures.share(
                self._about, "unlabelled_rate", num_unlabelled, len(labels), num_problems
            ),
        ]

    def quality(self, labels: Sequence[StepLabel], bin_name: str) -> list[Metric]:
        """Hard and soft labels compared with the truth, for steps where it is known."""
        known = [(label, kind == RIGHT) for label in labels if (kind := self._kind(label))]
        hard = [(label.hard, truth) for label, truth in known if label.hard is not None]
        num_problems = self._count_problems([r for r, _ in known if r.hard is not None])
        num_hits = sum(claim and truth for claim, truth in hard)
        counts = {
            "label_agreement": (sum(claim == truth for claim, truth in hard), len(hard)),
            "label_precision": (num_hits, sum(claim for claim, _ in hard)),
            "label_recall": (num_hits, sum(truth for _, truth in hard)),
        }
        rows = [
            row
            for name, (num_successes, num_trials) in counts.items()
            for row in self._figures.share(
                self._about, name, num_successes, num_trials, num_problems, bin_name=bin_name
            )
        ]
        return rows + self._soft_auc([r for r in known if r[0].soft is not None], bin_name)

    def _soft_auc(self, known: Sequence[tuple[StepLabel, bool]], bin_name: str) -> list[Metric]:
        is_right = np.array([truth for _, truth in known], dtype=bool)
        if is_right.all() or not is_right.any():
            return []
        config = self._figures.config
        means = bootstrap_auc(
            [label.soft for label, _ in known if label.soft is not None],
            is_right,
            [self._problem_of[label.trajectory_id] for label, _ in known],
            (~is_right)[:, None],
            num_resamples=config.num_bootstrap,
            confidence=config.confidence,
            seed=derive_seed(config.seed, "soft_auc", self._about.strategy, bin_name),
        )
        num_problems = self._count_problems([label for label, _ in known])
        value, interval = float(means.value[0]), means.interval(0)
        return [
            self._figures.row(
                self._about, "soft_auc", value, num_problems, bin_name=bin_name, interval=interval
            )
        ]

    def _kind(self, label: StepLabel) -> str | None:
        kinds = self._true_kinds.get(label.trajectory_id)
        return None if kinds is None else kinds[label.step_index]

    def _count_problems(self, labels: Sequence[StepLabel]) -> int:
        return len({self._problem_of[label.trajectory_id] for label in labels})
