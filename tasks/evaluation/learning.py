"""How fast a training on drawn solutions learns, in generated tokens: from its stored rows.

The share of right solutions is a function of the tokens drawn so far, constant within a draw. Its
mean over the first B tokens is the area under the curve divided by B: of two trainings that end
alike, the one that learned earlier has the larger.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.rows import PROBLEMS, Metric, Problem, now
from schemas.units import Stage
from storage import Store, connect
from storage.queries import ask

WINDOW = 5
"""Draws whose mean share of right solutions is compared with a target."""
POINTS = 12
"""Parts of the tokens for each of which the curve has a point."""
CURVE = "p_right"
"""The name of the curve's figures; their bins are `tokens=N`, where a part ends."""


@dataclass(frozen=True, slots=True)
class Draw:
    """The solutions that were drawn from one policy of a training."""

    num_tokens: int
    p_right: float
    """The share of right ones among those that could be judged."""


def read_draws(store: Store, run_id: str) -> list[Draw]:
    """The draws of the training of a run, in order; those that could not be judged are left out."""
    with connect(store.url) as connection:
        found = ask(connection, "drawn_by_step", run_id=run_id)
    return [
        Draw(row["num_tokens"], row["num_right"] / row["num_judged"])
        for row in found
        if row["num_judged"] and row["num_tokens"]
    ]


def mean_right(draws: Sequence[Draw], begin: float, end: float) -> float:
    """The mean share of right solutions between two numbers of tokens.

    Args:
        draws: of one training, in order.
        begin: tokens before the part that counts.
        end: tokens up to its end; a draw that goes beyond it counts for its part.

    Raises:
        ValueError: nothing was drawn there.
    """
    place = area = covered = 0.0
    for draw in draws:
        overlap = min(place + draw.num_tokens, end) - max(place, begin)
        if overlap > 0:
            area += overlap * draw.p_right
            covered += overlap
        place += draw.num_tokens
    if not covered:
        raise ValueError(f"expected draws between {begin:g} and {end:g} tokens, got {place:g}")
    return area / covered


def tokens_to_reach(draws: Sequence[Draw], target: float, *, window: int, limit: float) -> float:
    """Tokens after which the mean over the last draws was at least a share of right solutions.

    Args:
        draws: of one training, in order.
        target: the share.
        window: draws that are averaged.
        limit: what is returned where it was not reached, and at most.
    """
    total = 0.0
    for index, draw in enumerate(draws):
        total += draw.num_tokens
        last = draws[max(0, index + 1 - window) : index + 1]
        tokens = sum(each.num_tokens for each in last)
        if len(last) == window and (
            sum(each.num_tokens * each.p_right for each in last) >= target * tokens
        ):
            return min(total, limit)
    return limit


def solved_share(store: Store, run_id: str, policy: str, set_name: str) -> dict[str, float]:
    """The share of right solutions of each problem of a set, by a policy in a run.

    Raises:
        ValueError: the run has no such problems or solutions.
    """
    problems: list[Problem] = [
        row
        for path in store.files(PROBLEMS.name, run_id=run_id, stage=Stage.PROBLEMS, prefix=set_name)
        for row in store.read(path)
    ]
    ids = [problem.problem_id for problem in problems]
    with connect(store.url) as connection:
        found = ask(connection, "solved_by_problem", run_id=run_id, policy=policy, problems=ids)
    if not found:
        raise ValueError(f"run {run_id}: expected solutions of {set_name} by {policy}, got none")
    return {row["problem_id"]: row["p_right"] for row in found}


def learning_rows(
    draws: Sequence[Draw],
    solved: dict[str, float],
    *,
    policy: str,
    verifier: str,
    credit: str,
    seed: int,
    budget: int,
    target: float,
) -> list[Metric]:
    """The figures of one training: how fast it learned, where it ended, and its curve.

    `mean_right` is over all tokens up to the budget, `final_right` over the last fifth of them,
    `tokens_to_target` the tokens to a share of right solutions (the budget if it was not reached),
    `pass@1` of the trained policy on held-out problems.

    Args:
        draws: of the training, in order.
        solved: by held-out problem, the share of the trained policy's solutions that are right.
        policy: the model that it started from.
        verifier: the reward model.
        credit: the strategy of the rows.
        seed: the arm of the rows, as in `seed=0`.
        budget: generated tokens that are compared.
        target: the share to reach.
    """
    figures = {
        ("mean_right", "all"): mean_right(draws, 0, budget),
        ("final_right", "all"): mean_right(draws, 0.8 * budget, budget),
        ("tokens_to_target", "all"): tokens_to_reach(draws, target, window=WINDOW, limit=budget),
        ("pass@1", "all"): sum(solved.values()) / len(solved),
    }
    for part in range(POINTS):
        begin, end = (budget * each / POINTS for each in (part, part + 1))
        figures[CURVE, f"tokens={end:.0f}"] = mean_right(draws, begin, end)
    return [
        Metric(
            policy=policy,
            verifier=verifier,
            strategy=credit,
            budget=None,
            arm=f"seed={seed}",
            bin=where,
            metric=metric,
            value=value,
            ci_low=None,
            ci_high=None,
            num_problems=len(solved),
            created_at=now(),
        )
        for (metric, where), value in figures.items()
    ]
