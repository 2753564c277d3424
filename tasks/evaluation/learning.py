"""How fast a training on drawn solutions learns, in generated tokens: from its stored rows.

The share of right solutions is a function of the tokens drawn so far, constant within a draw. Its
mean over the first B tokens is the area under the curve divided by B: of two trainings that end
alike, the one that learned earlier has the larger.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.rows import Metric, now
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
    num_problems: int = 0
    """The problems that they are of."""


def read_draws(store: Store, run_id: str) -> list[Draw]:
    """The draws of the training of a run, in order; those that could not be judged are left out."""
    with connect(store.url) as connection:
        found = ask(connection, "drawn_by_step", run_id=run_id)
    return [
        Draw(row["num_tokens"], row["num_right"] / row["num_judged"], row["num_problems"])
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


def learning_rows(
    draws: Sequence[Draw],
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
    `tokens_to_target` the tokens to a share of right solutions, the budget if it was not reached.

    Args:
        draws: of the training, in order.
        policy: the model that it started from.
        verifier: the reward model.
        credit: the strategy of the rows.
        seed: the arm of the rows, as in `seed=0`.
        budget: generated tokens that are compared.
        target: the share to reach.

    Raises:
        ValueError: the draws end before the budget.
    """
    num_problems = sum(draw.num_problems for draw in draws)
    figures = {
        ("mean_right", "all"): mean_right(draws, 0, budget),
        ("final_right", "all"): mean_right(draws, 0.8 * budget, budget),
        ("tokens_to_target", "all"): tokens_to_reach(draws, target, window=WINDOW, limit=budget),
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
            num_problems=num_problems,
            created_at=now(),
        )
        for (metric, where), value in figures.items()
    ]
