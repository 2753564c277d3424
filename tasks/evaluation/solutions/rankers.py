"""The strategies that choose an answer, and how often each is right at each budget.

Names: `pass` (any candidate is right), `majority`, `likelihood[sum]`, `likelihood[mean]` (best of N
by log probability, in total and per token), and with a verifier `best_of_n[min]`, `weighted[min]`
(one per reduction), `gated[min]` (best of N among popular answers), `filter[min]` (majority of
those that score high enough), `likelihood+logit[min]` (best of N by summed log probability +
weight x logit of the score). At each budget the weight is chosen on one half of the problems and
used on the other, so that no problem influences the weight it is measured with.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from schemas.evaluation import EvaluationConfig, Reduction
from schemas.metric_names import Name
from schemas.units import derive_seed
from tasks.evaluation.solutions.candidates import Candidates, measured_budgets
from tasks.evaluation.statistics.curves import (
    FloatArray,
    best_of_n_curve,
    majority_curve,
    pass_curve,
)
from tasks.evaluation.statistics.subsets import Votes, draw_subsets
from tasks.verifiers.reductions import join_likelihood, reduce_scores

MAX_EXACT_VOTES = 256
"""Maximum number of candidates for an exact majority curve; above, it is based on subsets."""
NUM_FOLDS = 2
JOINED = "likelihood+logit"
_READ_VERIFIER = ("best_of_n", "weighted", "gated", "filter", JOINED)


@dataclass(frozen=True, slots=True, eq=False)
class AccuracyTable:
    """Expected correctness per problem, strategy and budget."""

    strategies: tuple[str, ...]
    budgets: tuple[int, ...]
    values: FloatArray
    """[num_problems][num_strategies][num_budgets]; nan if it cannot be measured."""
    chosen_weights: dict[str, FloatArray] = field(default_factory=dict)
    """By strategy, [NUM_FOLDS][num_budgets]: the weight used for the results of the fold."""

    def of(self, strategy: str) -> FloatArray:
        """[num_problems][num_budgets] the values of one strategy."""
        return self.values[:, self.strategies.index(strategy)]


def reads_verifier(strategy: str) -> bool:
    """Whether a strategy needs a verifier's scores."""
    return Name.parse(strategy).base in _READ_VERIFIER


def counts_votes(strategy: str) -> bool:
    """Whether a strategy needs to know which answers are equal."""
    return strategy == "majority" or strategy.startswith(("weighted[", "gated[", "filter["))


def fold_of(problem_id: str) -> int:
    """The fold of a problem. It depends only on the id, so it is the same in every run."""
    return hashlib.sha256(problem_id.encode()).digest()[0] % NUM_FOLDS


def accuracy_table(candidates: Sequence[Candidates], config: EvaluationConfig) -> AccuracyTable:
    """The expected correctness of every strategy on every problem at every budget.

    The budgets are those of `measured_budgets`. If fewer rows were drawn for a problem, or
    exclusions (see `candidates.py`) leave fewer candidates than the budget, all that it has are
    used: otherwise one failed row would remove the problem from the largest budget, and the points
    of a curve would be based on different problems. A problem without candidates is not measured.

    Strategies that use likelihoods or scores are left out if no candidate has any, and those that
    count votes are left out if answers cannot be compared.
    """
    has_logprobs = any(p.logprobs[i] is not None for p in candidates for i in p.usable())
    has_scores = any(p.scores[i] is not None for p in candidates for i in p.usable())
    names = _strategy_names(config, has_logprobs=has_logprobs, has_scores=has_scores)
    if not all(problem.has_votes for problem in candidates):
        names = [name for name in names if not counts_votes(name)]
    ks = measured_budgets(candidates, config.budgets)
    values = np.full((len(candidates), len(names), len(ks)), np.nan)
    shape = (len(candidates), len(config.likelihood_weights), len(ks))
    joined: dict[Reduction, FloatArray] = {
        how: np.full(shape, np.nan) for how in config.mixed_reductions
    }
    for row, problem in enumerate(candidates):
        pool = _Pool.of(problem)
        budgets = [min(k, pool.size) for k in ks]
        if not pool.size or not budgets:
            continue
        seed = derive_seed(config.seed, "subsets", problem.problem_id)
        subsets = draw_subsets(pool.size, budgets, config.num_subsets, seed)
        votes = Votes(pool.classes, pool.correct, subsets)
        curves = _plain_curves(pool, budgets, votes)
        if has_scores:
            curves |= _verifier_curves(pool, budgets, votes, config)
        for column, name in enumerate(names):
            values[row, column] = curves[name]
        if has_logprobs and has_scores:
            for how, curves_of in joined.items():
                curves_of[row] = _joined_curves(pool, budgets, config, how)
    table = AccuracyTable(tuple(names), ks, values)
    if has_logprobs and has_scores:
        for how, curves_of in joined.items():
            table = _add_joined(table, str(Name(JOINED, how)), curves_of, candidates, config)
    return table


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    """The candidates of a problem without the excluded rows."""

    classes: list[int | None]
    correct: list[bool]
    logprobs: list[float | None]
    mean_logprobs: list[float | None]
    scores: list[tuple[float, ...] | None]

    @classmethod
    def of(cls, problem: Candidates) -> "_Pool":
        rows = problem.usable()
        logprobs = [problem.logprobs[i] for i in rows]
        lengths = [max(problem.num_tokens[i], 1) for i in rows]
        return cls(
            classes=[problem.classes[i] for i in rows],
            correct=[problem.correct[i] is True for i in rows],
            logprobs=logprobs,
            mean_logprobs=[
                None if total is None else total / length
                for total, length in zip(logprobs, lengths, strict=True)
            ],
            scores=[problem.scores[i] for i in rows],
        )

    @property
    def size(self) -> int:
        return len(self.classes)

    def reduced(self, how: Reduction) -> list[float | None]:
        return [None if s is None else reduce_scores(s, how) for s in self.scores]


def _strategy_names(config: EvaluationConfig, *, has_logprobs: bool, has_scores: bool) -> list[str]:
    names = ["pass", "majority"]
    if has_logprobs:
        names += ["likelihood[sum]", "likelihood[mean]"]
    if has_scores:
        names += [f"best_of_n[{how}]" for how in config.reductions]
        names += [f"weighted[{how}]" for how in config.reductions]
        for how in config.mixed_reductions:
            names += [f"gated[{how}]", f"filter[{how}]"]
    return names


def _plain_curves(pool: _Pool, budgets: Sequence[int], votes: Votes) -> dict[str, FloatArray]:
    """[num_budgets] the curve of every strategy without a verifier."""
    exact = pool.size <= MAX_EXACT_VOTES
    return {
        "pass": pass_curve(pool.correct, budgets),
        "majority": majority_curve(pool.classes, pool.correct, budgets)
        if exact
        else votes.majority(),
        "likelihood[sum]": best_of_n_curve(pool.logprobs, pool.correct, budgets),
        "likelihood[mean]": best_of_n_curve(pool.mean_logprobs, pool.correct, budgets),
    }


def _verifier_curves(
    pool: _Pool, budgets: Sequence[int], votes: Votes, config: EvaluationConfig
) -> dict[str, FloatArray]:
    """[num_budgets] the curve of every strategy with a verifier but no weight to choose."""
    curves = {}
    for how in config.reductions:
        scores = pool.reduced(how)
        curves[f"best_of_n[{how}]"] = best_of_n_curve(scores, pool.correct, budgets)
        curves[f"weighted[{how}]"] = votes.weighted(scores)
    for how in config.mixed_reductions:
        scores = pool.reduced(how)
        keep = [score is not None and score >= config.filter_threshold for score in scores]
        curves[f"gated[{how}]"] = votes.gated(scores, config.gate_share)
        curves[f"filter[{how}]"] = votes.filtered(keep)
    return curves


def _joined_curves(
    pool: _Pool, budgets: Sequence[int], config: EvaluationConfig, how: Reduction
) -> FloatArray:
    """[num_weights][num_budgets] curves of best of N by log likelihood + weight x logit(score)."""
    pairs = list(zip(pool.logprobs, pool.reduced(how), strict=True))
    return np.array(
        [
            best_of_n_curve(
                [
                    None if lp is None or score is None else join_likelihood(lp, score, weight)
                    for lp, score in pairs
                ],
                pool.correct,
                budgets,
            )
            for weight in config.likelihood_weights
        ]
    )


def _add_joined(
    table: AccuracyTable,
    name: str,
    joined: FloatArray,
    candidates: Sequence[Candidates],
    config: EvaluationConfig,
) -> AccuracyTable:
    """The table with a joined strategy added; unchanged if no weight can be chosen.

    At each budget, the results of each fold use the weight that is best on the other fold; among
    equally good weights, the first in the config.
    """
    folds = np.array([fold_of(problem.problem_id) for problem in candidates])
    values = np.full((len(candidates), len(table.budgets)), np.nan)
    chosen = np.full((NUM_FOLDS, len(table.budgets)), np.nan)
    for fold in range(NUM_FOLDS):
        for column in range(len(table.budgets)):
            seen = joined[(folds != fold), :, column]
            seen = seen[~np.isnan(seen).any(axis=1)]
            if len(seen):
                best = int(np.argmax(seen.mean(axis=0).round(12)))
                chosen[fold, column] = config.likelihood_weights[best]
                values[folds == fold, column] = joined[folds == fold, best, column]
    if np.isnan(values).all():
        return table
    return AccuracyTable(
        (*table.strategies, name),
        table.budgets,
        np.concatenate([table.values, values[:, None]], axis=1),
        {**table.chosen_weights, name: chosen},
    )
