"""Particle filtering: N prefixes, resampled after every step by their scores (arXiv:2502.01618).

REBASE's stochastic cousin. All N particles take a step; then N are drawn from them, with
replacement, by a softmax of the log odds of the verifier's reduced scores. Ended particles take
part with the score of their last step, and a copy of one costs nothing. Copies of an open one share
its nodes: a prefix is written once and continued as often as it was drawn. The search ends when all
particles have.
Deviation: the answer is a vote weighted with the verifier's scores; the authors take the particle
with the best score, which is the pick `best_of_n`. A particle that was cut or refused is drawn only
if there are no others. Log odds are those of scores at least 1e-6 from 0 and 1.
"""

import math
import random
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

from schemas.search.strategies import ParticleFilteringConfig
from schemas.units import derive_seed
from tasks.search.ranking import verifier_value
from tasks.search.session import Search
from tasks.search.tree import Node, prune
from tasks.verifiers.reductions import logit

Resampling = Literal["multinomial", "systematic"]


async def particle_filtering(search: Search, config: ParticleFilteringConfig) -> list[Node]:
    """The ends of the particles without repetition; `visits` counts the particles of each."""
    particles = [(node, 1) for node in await search.expand(search.root, search.budget)]
    num_rounds = 0
    while any(node.is_open for node, _ in particles):
        num_rounds += 1
        weights = _weights(search, particles, config.weight_temperature)
        rng = random.Random(derive_seed(search.seed, "resample", num_rounds))
        copies = resample(weights, search.budget, rng, config.resampling)
        drawn = [(n, num) for (n, _), num in zip(particles, copies, strict=True) if num]
        for (node, _), num in zip(particles, copies, strict=True):
            if not num:
                prune(node, f"not drawn in round {num_rounds}")
        children = await search.expand_all([(node, num) for node, num in drawn if node.is_open])
        particles = [(node, num) for node, num in drawn if not node.is_open]
        particles += [(child, 1) for child in children]
    for node, num in particles:
        node.visits = num
    return [node for node, _ in particles]


def resample(weights: Sequence[float], num: int, rng: random.Random, how: Resampling) -> list[int]:
    """How often each of the particles is drawn, in all `num` times.

    Either way the expectation is `num` times its share of the weights. `systematic` draws each at
    least the whole part of that often, and at most once more.

    Args:
        weights: [num_particles] at least 0, not all 0.
        num: particles to draw.
        rng: makes `num` random numbers, or one.
        how: each on its own, or all at one distance.

    Raises:
        ValueError: no weight is above 0.
    """
    ends = list(accumulate(weights))
    if not ends or not 0 < ends[-1] < math.inf:
        raise ValueError(f"expected weights with a finite sum above 0, got {list(weights)}")
    if how == "multinomial":
        points = sorted(rng.random() for _ in range(num))
    else:
        start = rng.random()
        points = [(start + place) / num for place in range(num)]
    last = max(index for index, weight in enumerate(weights) if weight > 0)
    copies = [0] * len(weights)
    index = 0
    for point in points:
        while index < last and ends[index] <= point * ends[-1]:
            index += 1
        copies[index] += 1
    return copies


def _weights(
    search: Search, particles: Sequence[tuple[Node, int]], temperature: float
) -> list[float]:
    """[num_particles] proportional to the odds of their scores, times their copies."""
    values = [verifier_value(node, search.context.score) for node, _ in particles]
    is_out = [n.state in ("truncated", "error") for n, _ in particles]
    logs = [
        -math.inf if value is None or out else logit(value) / temperature
        for value, out in zip(values, is_out, strict=True)
    ]
    top = max(logs)
    return [num * math.exp(log - top) for log, (_, num) in zip(logs, particles, strict=True)]
