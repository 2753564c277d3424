"""The first errors in the solutions that a verifier picks, by kind.

Strong optimisation against a verifier selects solutions that it misjudges: rare, unusual ones
unlike those it was trained on. The expected number of picks with each kind of first error, over all
subsets of N candidates, shows which errors those are. At N = 1 it describes the policy itself.
"""

from collections.abc import Sequence

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.metric_names import Bin, Name
from schemas.rows import Metric
from schemas.units import derive_seed
from tasks.evaluation.figures import POOL, About, FigureWriter
from tasks.evaluation.solutions.candidates import Candidates, measured_budgets
from tasks.evaluation.solutions.truth import NO_ERROR
from tasks.evaluation.statistics.bootstrap import bootstrap_ratio
from tasks.evaluation.statistics.curves import best_of_n_curve
from tasks.verifiers.reductions import reduce_scores

FIRST_ERROR = "first_error"
"""The kind of the bins of picks."""


def measure_picks(
    candidates: Sequence[Candidates],
    first_errors: Sequence[Sequence[str]],
    config: EvaluationConfig,
    *,
    policy: str,
    verifier: str,
) -> list[Metric]:
    """Metric `picks`: the number of problems whose best of N has each first error, at every budget.

    The strategy is best of N by the config's first reduction, with the same candidates and the
    same treatment of ties as for its accuracy. The counts at a budget add up to the number of
    problems measured at it.

    Args:
        candidates: one per problem, with scores.
        first_errors: [num_problems][num_drawn] as named by `truth.first_error`.
        config: budgets and reductions.
        policy: the model that wrote the candidates.
        verifier: the model that scored them.
    """
    how = config.reductions[0]
    kinds = sorted({kind for row in first_errors for kind in row})
    ks = measured_budgets(candidates, config.budgets)
    counts = np.zeros((len(ks), len(kinds)))
    num_problems = np.zeros(len(ks), dtype=int)
    for problem, errors in zip(candidates, first_errors, strict=True):
        usable = problem.usable()
        scores = [problem.scores[i] for i in usable]
        if not ks or all(steps is None for steps in scores):
            continue
        reduced = [None if steps is None else reduce_scores(steps, how) for steps in scores]
        budgets = [min(k, len(usable)) for k in ks]
        num_problems += 1
        for place, kind in enumerate(kinds):
            has_kind = [errors[i] == kind for i in usable]
            if any(has_kind):
                counts[:, place] += best_of_n_curve(reduced, has_kind, budgets)
    figures, strategy = FigureWriter(policy, config), str(Name("best_of_n", how))
    return [
        figures.row(
            About(strategy, budget, verifier),
            "picks",
            float(counts[row, place]),
            int(num_problems[row]),
            bin_name=str(Bin(FIRST_ERROR, kind)),
        )
        for row, budget in enumerate(ks)
        if num_problems[row]
        for place, kind in enumerate(kinds)
    ]


def measure_right_answers(
    candidates: Sequence[Candidates],
    first_errors: Sequence[Sequence[str]],
    config: EvaluationConfig,
    *,
    policy: str,
) -> list[Metric]:
    """Metric `right_through_wrong_step`: the share of right answers reached with a wrong step."""
    rights = np.zeros((len(candidates), 1))
    hidden = np.zeros((len(candidates), 1))
    for row, (problem, errors) in enumerate(zip(candidates, first_errors, strict=True)):
        right = [i for i in problem.usable() if problem.correct[i] is True]
        rights[row] = len(right)
        hidden[row] = sum(errors[i] != NO_ERROR for i in right)
    if not rights.sum():
        return []
    means = bootstrap_ratio(
        hidden,
        rights,
        num_resamples=config.num_bootstrap,
        confidence=config.confidence,
        seed=derive_seed(config.seed, "right_through_wrong_step"),
    )
    return FigureWriter(policy, config).columns(means, [POOL], "right_through_wrong_step")
