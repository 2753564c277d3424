"""Pairs by a judge's mean score: the best against the worst solution (arXiv:2401.10020, 2.4).

The score of a solution is the mean over its critiques, whatever their faults. Where the best and
the worst are equal there is no pair. No grade is read.
"""

from collections.abc import Iterator, Sequence

from schemas.dataset_export.judge_builders import SelfRewardingConfig
from schemas.training_rows import PreferenceRow
from tasks.critics.judging import judgement, mean_judgement
from tasks.dataset_export.critiqued import CritiquedSolution
from tasks.dataset_export.read import CheckedSource
from tasks.dataset_export.rows import preference_row


def build(source: CheckedSource, config: SelfRewardingConfig) -> Iterator[PreferenceRow]:
    """At most one pair per problem."""
    for critiqued in source.critiqued(as_drawn=True):
        scored = []
        for solution in critiqued.solutions:
            if (score := score_solution(solution, config.min_judgements)) is None:
                source.left_out["not_judged"] += 1
            else:
                scored.append((score, solution))
        best = max(_of(scored, config, is_rejected=False), key=_score, default=None)
        worst = min(_of(scored, config, is_rejected=True), key=_score, default=None)
        if best is None or worst is None or best[0] <= worst[0]:
            source.left_out["no_pair"] += 1
        elif best[0] - worst[0] < config.min_margin:
            source.left_out["small_margin"] += 1
        else:
            reason = f"judged {best[0]:.4f} against {worst[0]:.4f}"
            better, worse = best[1].solution, worst[1].solution
            yield preference_row(source, critiqued.problem, better, worse, reason)


def score_solution(solution: CritiquedSolution, min_judgements: int = 1) -> float | None:
    """The mean score of a solution; None if too few of its critiques have one."""
    said = [(each.row.p_right, each.row.verdict) for each in solution.critiques]
    if sum(judgement(*each) is not None for each in said) < min_judgements:
        return None
    return mean_judgement(said)


_Scored = tuple[float, CritiquedSolution]


def _of(
    scored: Sequence[_Scored], config: SelfRewardingConfig, *, is_rejected: bool
) -> list[_Scored]:
    """The solutions that may be the rejected one of a pair, or those that may be the chosen one."""
    if config.rejected is None:
        return list(scored)
    return [each for each in scored if (each[1].policy in config.rejected) == is_rejected]


def _score(scored: _Scored) -> float:
    return scored[0]
