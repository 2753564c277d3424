"""Exact figures of a mixture of skills on the planted subsequence (arXiv:2502.12118, section 7).

A solution is H symbols and is right when it holds the K gold symbols as an ordered subsequence. A
skill gamma writes the next gold symbol with probability gamma, so the symbol at which the gold is
complete, the hitting time t, is negative binomial, and a mixture averages its skills. The reward is
`bilevel`, H - t + 1 for a right solution and 0 for a wrong one, or `binary`, 1 and 0.

With unlimited data, imitation of right solutions reaches the mean reward of a right one
(`imitation_limit`), and training on a perfect verifier the reward of the gold written straight
away (`verifier_limit`). Heterogeneity is the variance of the reward. It equals the summed variance
of the action value under the mixture's posterior (`stepwise_variance`), as only symbols are random.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import comb, sqrt

from schemas.experiments.planted import Hold, RewardKind, check_horizon
from tasks.engines.planted_engine import NUM_GOLD

_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Mixture:
    """Skills in (0, 1) and their probabilities; a whole solution is written with one skill."""

    gammas: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            ValueError: a skill is not in (0, 1), or the weights are no distribution over skills.
        """
        for gamma in self.gammas:
            if not 0 < gamma < 1:
                raise ValueError(f"expected gammas in (0, 1), got {gamma:g}")
        if not self.gammas or len(self.weights) != len(self.gammas):
            raise ValueError(
                f"expected a weight for each of {len(self.gammas)} gammas, at least one of them, "
                f"got {len(self.weights)}"
            )
        if min(self.weights) < 0 or abs(sum(self.weights) - 1) > 1e-9:
            raise ValueError(f"expected weights from 0 that sum to 1, got {self.weights}")

    @classmethod
    def equal(cls, *gammas: float) -> "Mixture":
        """Equally likely skills."""
        return cls(gammas, tuple(1 / len(gammas) for _ in gammas))

    @property
    def mean_gamma(self) -> float:
        """The mean skill."""
        return self._mean(lambda gamma: gamma)

    def p_hitting_times(self, horizon: int, num_gold: int = NUM_GOLD) -> list[float]:
        """[horizon] probability that the gold is complete exactly at symbol 1, ..., H."""
        return [
            self._mean(lambda gamma, t=time: _p_hits_at(t, gamma, num_gold))
            for time in range(1, horizon + 1)
        ]

    def p_success(self, horizon: int, num_gold: int = NUM_GOLD) -> float:
        """Probability that a solution of H symbols holds the gold."""
        return sum(self.p_hitting_times(horizon, num_gold))

    def p_rewards(
        self, horizon: int, reward: RewardKind, num_gold: int = NUM_GOLD
    ) -> dict[float, float]:
        """Probability of each reward, the wrong solution's 0 first."""
        times = self.p_hitting_times(horizon, num_gold)
        found = {0.0: 1 - sum(times)}
        for time, p in enumerate(times, start=1):
            if time >= num_gold:
                value = reward_of(time, horizon, reward)
                found[value] = found.get(value, 0.0) + p
        return found

    def posterior(self, num_hits: int, num_misses: int) -> list[float]:
        """[num_skills] probability of each skill after hits and misses before the gold is whole."""
        likely = [
            weight * gamma**num_hits * (1 - gamma) ** num_misses
            for gamma, weight in zip(self.gammas, self.weights, strict=True)
        ]
        total = sum(likely)
        return [each / total for each in likely]

    def p_hit(self, num_hits: int, num_misses: int) -> float:
        """Probability that the next symbol is the next gold one, under the posterior."""
        posterior = self.posterior(num_hits, num_misses)
        return sum(p * gamma for p, gamma in zip(posterior, self.gammas, strict=True))

    def _mean(self, value: Callable[[float], float]) -> float:
        return sum(w * value(g) for g, w in zip(self.gammas, self.weights, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """What is known exactly about a mixture at a horizon under one reward."""

    p_success: float
    mean_reward: float
    heterogeneity: float
    """Variance of the reward of a solution (sigma squared)."""
    imitation_limit: float
    """Mean reward of a right solution: unlimited right solutions, imitated perfectly."""
    verifier_limit: float
    """Largest reward: a perfect verifier, maximised."""


def exact_figures(
    mixture: Mixture, horizon: int, reward: RewardKind, num_gold: int = NUM_GOLD
) -> Exact:
    """The exact figures.

    Raises:
        ValueError: the horizon is shorter than the gold.
    """
    check_horizon(horizon, num_gold)
    rewards = mixture.p_rewards(horizon, reward, num_gold)
    p_success = mixture.p_success(horizon, num_gold)
    mean = sum(value * p for value, p in rewards.items())
    return Exact(
        p_success=p_success,
        mean_reward=mean,
        heterogeneity=sum(p * (value - mean) ** 2 for value, p in rewards.items()),
        imitation_limit=mean / p_success,
        verifier_limit=reward_of(num_gold, horizon, reward),
    )


def anti_concentration(
    mixture: Mixture,
    horizon: int,
    reward: RewardKind,
    epsilon: float,
    num_gold: int = NUM_GOLD,
) -> float:
    """P(r >= E r + sigma sqrt(epsilon)): how often a solution is much better than the mean."""
    exact = exact_figures(mixture, horizon, reward, num_gold)
    least = exact.mean_reward + sqrt(exact.heterogeneity * epsilon)
    rewards = mixture.p_rewards(horizon, reward, num_gold)
    return sum(p for value, p in rewards.items() if value >= least - _TOLERANCE)


def stepwise_variance(
    mixture: Mixture, horizon: int, reward: RewardKind, num_gold: int = NUM_GOLD
) -> float:
    """The sum over symbols of E[Var(Q)], with Q under the posterior over skills.

    Every wrong symbol leads to the same state, so the value has two branches. It equals the
    variance of the reward.

    Raises:
        ValueError: the horizon is shorter than the gold.
    """
    check_horizon(horizon, num_gold)

    @cache
    def value(num_hits: int, num_misses: int) -> float:
        time = num_hits + num_misses
        if num_hits == num_gold:
            return reward_of(time, horizon, reward)
        if time == horizon:
            return 0.0
        p = mixture.p_hit(num_hits, num_misses)
        return p * value(num_hits + 1, num_misses) + (1 - p) * value(num_hits, num_misses + 1)

    reached = {(0, 0): 1.0}
    total = 0.0
    for _ in range(horizon):
        following: dict[tuple[int, int], float] = {}
        for (hits, misses), p_state in reached.items():
            if hits == num_gold:
                continue
            p = mixture.p_hit(hits, misses)
            spread = value(hits + 1, misses) - value(hits, misses + 1)
            total += p_state * p * (1 - p) * spread**2
            for state, p_next in (((hits + 1, misses), p), ((hits, misses + 1), 1 - p)):
                following[state] = following.get(state, 0.0) + p_state * p_next
        reached = following
    return total


def reward_of(time: int | None, horizon: int, reward: RewardKind) -> float:
    """The reward of a solution whose gold was complete at symbol `time`; None if it never was."""
    if time is None:
        return 0.0
    return 1.0 if reward == "binary" else float(horizon - time + 1)


def mixture_like(
    reference: float, spread: float, hold: Hold, horizon: int, num_gold: int = NUM_GOLD
) -> Mixture:
    """Skills `reference - spread` and `reference + spread` that have something in common with one.

    Their weights are chosen so that what is held equals that of the single skill `reference`. The
    rewards and right solutions meant are those of the bilevel reward; under the binary one equal
    success is equal reward, and every right solution earns the same.

    Args:
        reference: the single skill.
        spread: 0 for the single skill itself.
        hold: what is held equal. The mean reward of a right solution (`expert`) rises and falls
            with the weight of the higher skill; the mixture with the larger weight is taken.
        horizon: symbols of a solution.
        num_gold: symbols of the gold.

    Raises:
        ValueError: a skill would not be in (0, 1), or no weights hold it equal.
    """
    check_horizon(horizon, num_gold)
    if spread == 0:
        return Mixture((reference,), (1.0,))
    low, high = round(reference - spread, 9), round(reference + spread, 9)

    def held(weight: float) -> float:
        return _held(Mixture((low, high), (1 - weight, weight)), hold, horizon, num_gold)

    wanted = _held(Mixture((reference,), (1.0,)), hold, horizon, num_gold)
    weight = _solve(held, wanted)
    if weight is None:
        raise ValueError(
            f"no weights of the gammas {low:g} and {high:g} have the {hold} of {reference:g} "
            f"at horizon {horizon} ({wanted:.4g}): it is between {held(0.0):.4g} and "
            f"{held(1.0):.4g}"
        )
    return Mixture((low, high), (1 - weight, weight))


def _held(mixture: Mixture, hold: Hold, horizon: int, num_gold: int) -> float:
    if hold == "gamma":
        return mixture.mean_gamma
    exact = exact_figures(mixture, horizon, "bilevel", num_gold)
    return {
        "success": exact.p_success,
        "reward": exact.mean_reward,
        "expert": exact.imitation_limit,
    }[hold]


def _solve(held: Callable[[float], float], wanted: float) -> float | None:
    """The weight in (0, 1) at which an increasing function takes a value; None without one."""
    low, high = 0.0, 1.0
    if not held(low) < wanted < held(high):
        return None
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if held(middle) < wanted else (low, middle)
    return (low + high) / 2


def _p_hits_at(time: int, gamma: float, num_gold: int) -> float:
    if time < num_gold:
        return 0.0
    ways = comb(time - 1, num_gold - 1)
    return ways * gamma**num_gold * (1 - gamma) ** (time - num_gold)
