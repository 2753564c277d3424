"""Rows of `metrics` about critics (arXiv:2411.16579): every figure with its interval.

`verifier` is the critic, `arm` what it was told, `policy` the model that wrote the solutions. Rows
have strategy `critique`, or `retry` for second attempts without a critique, the control. Shares are
of critiques or of attempts, and their intervals resample problems.

* `num_critiques`: how many; `unreadable_rate`: those with a fault, in bins `fault=<fault>` those
  with this one; `leak_rate`: those that give the gold answer away; `critique_tokens`: generated
  tokens of one;
* `flags_wrong`: of critiques of solutions that are not right, those that call them wrong;
  `passes_right`: of right ones, those that call them right. One without a verdict does neither;
* `first_error_accuracy`, `flawless_accuracy`, `first_error_f1`: whether the first step that it
  judges wrong is the first wrong one by the truth in `against`, as for verifiers (2412.06559);
* `accuracy_before`, `accuracy_after`, and `gain_over` (`against` is `first_attempt`): mean over
  problems of the share of right solutions, of right second attempts, and their paired difference,
  over solutions with a second attempt that counts; `untried_rate`: solutions without one;
* `wrong_to_right`, `right_to_wrong`: of second attempts at wrong and at right solutions;
  `copy_rate`: attempts that repeat the first one; `attempt_tokens`: generated tokens of one;
* `gain_over` (`against` is `retry`): paired difference of `accuracy_after` from that of the
  control, over solutions with both.

Bins are those of `level` and `oracle_quintile`: fifths by the pass rate of the problem over all of
its samples. These include the critiqued solutions, so the change in a fifth contains regression to
the mean, as that of the control does.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.metric_names import CRITIQUE, FIRST_ATTEMPT, RETRY, Bin
from schemas.rows import Metric, Problem, Trajectory
from schemas.units import derive_seed
from tasks.critics.reading import fault_kind
from tasks.evaluation.critics.attempts import (
    Attempt,
    Batch,
    CriticKey,
    CritiquedSolution,
    is_right,
    join_attempts,
)
from tasks.evaluation.figures import About, FigureWriter, bounds_of
from tasks.evaluation.solutions.first_errors import first_wrong_step
from tasks.evaluation.solutions.truth import StepKinds
from tasks.evaluation.statistics.bootstrap import bootstrap_ratio
from tasks.evaluation.statistics.curves import FloatArray
from tasks.evaluation.statistics.difficulty import assign_levels, members_by_bin

_BINS = ("level", "oracle_quintile")
Trials = Iterable[bool | None]
"""Successes and failures; None does not count."""


def critic_figures(
    problems: Sequence[Problem],
    solutions: Sequence[Trajectory],
    batches: Sequence[Batch],
    truths: Mapping[str, StepKinds],
    config: EvaluationConfig,
) -> list[Metric]:
    """Every figure of every critic of a set.

    Args:
        problems: of the set.
        solutions: all sampled ones of the set, with their newest verdicts: they say how hard a
            problem is.
        batches: the units of critiques.
        truths: the kind of each step by the name of the truth; may be empty.
        config: bins, confidence, resamples and seed.
    """
    by_id = {row.trajectory_id: row for row in solutions}
    rows: list[Metric] = []
    for key, critiqued in sorted(join_attempts(by_id, batches).items()):
        samples = [row for row in solutions if row.policy == key.policy]
        bins = _bins(problems, samples, critiqued, config)
        rows += _CriticMeter(key, critiqued, config).rows(bins, truths)
    return rows


def _bins(
    problems: Sequence[Problem],
    samples: Sequence[Trajectory],
    critiqued: Sequence[CritiquedSolution],
    config: EvaluationConfig,
) -> dict[Bin, set[str]]:
    """The critiqued problems of each bin, by id, the bin of all first; no bin is empty."""
    outcomes: dict[str, list[bool]] = {}
    for row in samples:
        if (right := is_right(row)) is not None:
            outcomes.setdefault(row.problem_id, []).append(right)
    ids = {each.row.problem_id for each in critiqued}
    chosen = [problem for problem in problems if problem.problem_id in ids]
    rates = [
        sum(found) / len(found) if (found := outcomes.get(p.problem_id)) else None for p in chosen
    ]
    labels = {"level": [p.level for p in chosen], "oracle_quintile": assign_levels(rates)}
    bins = {Bin(): ids}
    for kind in config.bins:
        if kind in _BINS:
            texts = [None if label is None else str(label) for label in labels[kind]]
            members = members_by_bin(kind, texts)
            bins |= {b: {chosen[i].problem_id for i in at} for b, at in members.items()}
    return bins


class _CriticMeter:
    """Measures one critic."""

    def __init__(
        self, key: CriticKey, critiqued: Sequence[CritiquedSolution], config: EvaluationConfig
    ) -> None:
        self._figures = FigureWriter(key.policy, config)
        self._config = config
        self._about = About(CRITIQUE, verifier=key.critic, arm=key.arm)
        self._control = About(RETRY, verifier=key.critic, arm=key.arm)
        self._by_problem: dict[str, list[CritiquedSolution]] = {}
        for each in critiqued:
            self._by_problem.setdefault(each.row.problem_id, []).append(each)

    def rows(self, bins: Mapping[Bin, set[str]], truths: Mapping[str, StepKinds]) -> list[Metric]:
        """All figures, bin by bin."""
        rows = []
        for where, members in bins.items():
            groups = [of for name, of in self._by_problem.items() if name in members]
            rows += self._verdicts(groups, str(where))
            for name, truth in sorted(truths.items()):
                rows += self._first_errors(groups, name, truth, str(where))
            rows += self._attempts(groups, self._about, _refined, str(where))
            rows += self._attempts(groups, self._control, _retried, str(where))
            rows += self._gain_over_control(groups, str(where))
        return rows + self._faults(list(self._by_problem.values()))

    def _verdicts(self, groups: Sequence[Sequence[CritiquedSolution]], where: str) -> list[Metric]:
        written = [[c for each in of for c in each.critiques] for of in groups]
        judged = [[(each, c.verdict) for each in of for c in each.critiques] for of in groups]
        tokens = [[float(c.generated_tokens) for c in of] for of in written]
        num = sum(map(len, written))
        return [
            self._figures.row(
                self._about, "num_critiques", float(num), len(groups), bin_name=where
            ),
            *self._shares(
                {
                    "flags_wrong": [
                        [v is False for each, v in of if each.before is False] for of in judged
                    ],
                    "passes_right": [
                        [v is True for each, v in of if each.before is True] for of in judged
                    ],
                    "unreadable_rate": [[c.fault is not None for c in of] for of in written],
                    "leak_rate": [[c.leaks for c in of] for of in written],
                },
                self._about,
                where,
            ),
            *self._mean("critique_tokens", tokens, self._about, where),
        ]

    def _first_errors(
        self, groups: Sequence[Sequence[CritiquedSolution]], name: str, truth: StepKinds, where: str
    ) -> list[Metric]:
        found: list[list[bool]] = []
        passed: list[list[bool]] = []
        for of in groups:
            found.append([])
            passed.append([])
            for each in of:
                kinds = truth.get(each.row.trajectory_id)
                if kinds is None:
                    continue
                is_known, error = first_wrong_step(kinds, len(each.row.steps))
                for critique in each.critiques if is_known else ():
                    is_met = bool(critique.steps) and critique.first_error == error
                    (passed if error is None else found)[-1].append(is_met)
        about = replace(self._about, against=name)
        shares = {"first_error_accuracy": found, "flawless_accuracy": passed}
        rows = self._shares(shares, about, where)
        if len(rows) == len(shares):
            low, high = (row.value for row in rows)
            f1 = 2 * low * high / (low + high) if low + high else 0.0
            num = min(row.num_problems for row in rows)
            rows.append(self._figures.row(about, "first_error_f1", f1, num, bin_name=where))
        return rows

    def _attempts(
        self,
        groups: Sequence[Sequence[CritiquedSolution]],
        about: About,
        attempts_of: Callable[[CritiquedSolution], list[Attempt]],
        where: str,
    ) -> list[Metric]:
        made = [[(each, attempts_of(each)) for each in of] for of in groups]
        if not any(attempts for of in made for _, attempts in of):
            return []
        before, after = _paired(made)
        gain = replace(about, against=FIRST_ATTEMPT)
        found = [
            self._figures.means(column[:, None], [of], metric, bin_name=where)
            for metric, of, column in (
                ("accuracy_before", about, before),
                ("accuracy_after", about, after),
                ("gain_over", gain, after - before),
            )
        ]
        single = [[(e.before, a) for e, attempts in of for a in attempts] for of in made]
        shares = {
            "wrong_to_right": [[a.is_right for b, a in of if b is False] for of in single],
            "right_to_wrong": [
                [None if a.is_right is None else not a.is_right for b, a in of if b is True]
                for of in single
            ],
            "copy_rate": [[a.is_copy for _, a in of] for of in single],
            "untried_rate": [
                [
                    _share(a.is_right for a in attempts) is None
                    for each, attempts in of
                    if each.before is not None
                ]
                for of in made
            ],
        }
        tokens = [[float(a.num_tokens) for _, a in of] for of in single]
        rows = [row for rows in found for row in rows]
        rows += self._shares(shares, about, where)
        return rows + self._mean("attempt_tokens", tokens, about, where)

    def _gain_over_control(
        self, groups: Sequence[Sequence[CritiquedSolution]], where: str
    ) -> list[Metric]:
        gains = []
        for of in groups:
            pairs = [
                (_share(a.is_right for a in e.refined), _share(a.is_right for a in e.retried))
                for e in of
            ]
            known = [
                with_it - without
                for with_it, without in pairs
                if with_it is not None and without is not None
            ]
            gains.append(sum(known) / len(known) if known else np.nan)
        column = np.array(gains, dtype=float).reshape(-1, 1)
        about = replace(self._about, against=RETRY)
        return self._figures.means(column, [about], "gain_over", bin_name=where)

    def _faults(self, groups: Sequence[Sequence[CritiquedSolution]]) -> list[Metric]:
        """The share of critiques with each fault."""
        written = [[c for each in of for c in each.critiques] for of in groups]
        faults = Counter(
            fault_of(c.fault, c.status) for of in written for c in of if c.fault is not None
        )
        rows = []
        for name, _ in faults.most_common():
            flags = [
                [c.fault is not None and fault_of(c.fault, c.status) == name for c in of]
                for of in written
            ]
            where = str(Bin("fault", name))
            rows += self._shares({"unreadable_rate": flags}, self._about, where)
        return rows

    def _shares(
        self, trials: Mapping[str, Sequence[Trials]], about: About, where: str
    ) -> list[Metric]:
        """A share per metric; none where nothing was counted."""
        rows = []
        for metric, groups in trials.items():
            known = [[trial for trial in of if trial is not None] for of in groups]
            values = [[float(trial) for trial in of] for of in known]
            rows += self._mean(metric, values, about, where)
        return rows

    def _mean(
        self, metric: str, groups: Sequence[Sequence[float]], about: About, where: str
    ) -> list[Metric]:
        """The mean over all values of [num_problems][...], which resamples problems."""
        wholes = np.array([[len(of)] for of in groups], dtype=float).reshape(-1, 1)
        if not wholes.sum():
            return []
        means = bootstrap_ratio(
            np.array([[sum(of)] for of in groups], dtype=float),
            wholes,
            num_resamples=self._config.num_bootstrap,
            confidence=self._config.confidence,
            seed=derive_seed(self._config.seed, "bootstrap", where),
            bounds=bounds_of(metric),
        )
        return self._figures.columns(means, [about], metric, bin_name=where)


def fault_of(fault: str, status: str) -> str:
    """A fault as it is counted: without numbers, and engines' own words for a refusal left out."""
    return "refused by its engine" if status == "error" else fault_kind(fault)


def _refined(solution: CritiquedSolution) -> list[Attempt]:
    return solution.refined


def _retried(solution: CritiquedSolution) -> list[Attempt]:
    return solution.retried


def _paired(
    made: Sequence[Sequence[tuple[CritiquedSolution, list[Attempt]]]],
) -> tuple[FloatArray, FloatArray]:
    """[num_problems] the share of right solutions and of right attempts at the same ones; nan."""
    before, after = np.full(len(made), np.nan), np.full(len(made), np.nan)
    for index, of in enumerate(made):
        pairs = [
            (float(each.before), share)
            for each, attempts in of
            if each.before is not None
            and (share := _share(a.is_right for a in attempts)) is not None
        ]
        if pairs:
            before[index], after[index] = np.mean(pairs, axis=0)
    return before, after


def _share(trials: Trials) -> float | None:
    """The share of successes; None if nothing counts."""
    known = [trial for trial in trials if trial is not None]
    return sum(known) / len(known) if known else None
