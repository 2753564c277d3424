"""Confidence vote: the most confident solutions vote, by their confidence (DeepConf, 2508.15260).

`offline` draws N solutions and keeps those at or above the percentile of their confidences.
`online` draws `warmup` solutions whole; the percentile of their confidences is the threshold of all
later ones, which are drawn piece by piece and given up where a full group falls below it. The
leading answer ends the search once it has `consensus` of the weight of all votes.
A solution's confidence is the `value` of its last step. Cut solutions and those without an answer
do not vote. If none that votes has an answer, all finished ones vote.
Deviation: the authors' engine looks after every token, this one after `chunk_tokens`; the tokens in
between are counted. Percentiles are over finished solutions if there are any, the authors' over the
whole warm-up.
"""

from collections import defaultdict
from collections.abc import Sequence

from schemas.search.strategies import ConfidenceVoteConfig
from tasks.search.confidences import keep_threshold, trace_confidence
from tasks.search.session import Search
from tasks.search.traces import Watch
from tasks.search.tree import Node, prune


async def confidence_vote(search: Search, config: ConfidenceVoteConfig) -> list[Node]:
    """The solutions that vote, and those that were cut or refused, in the order of drawing."""
    is_online = config.mode == "online"
    num_whole = config.warmup if is_online else search.budget
    ends = await _draw(search, config, num_whole, Watch(num_alternatives=config.num_alternatives))
    values = [(end.state == "finished", end.value) for end in ends if end.value is not None]
    finished = [value for is_finished, value in values if is_finished]
    known = finished or [value for _, value in values]
    if not known:
        return ends
    threshold = keep_threshold(known, config.keep)
    if is_online:
        ends += await _draw_watched(search, config, ends, threshold)
    return await _keep(search, ends, threshold)


async def _draw_watched(
    search: Search, config: ConfidenceVoteConfig, warmup: Sequence[Node], threshold: float
) -> list[Node]:
    """Later solutions, until N are drawn or the votes agree."""
    watch = Watch(
        num_alternatives=config.num_alternatives,
        chunk_tokens=config.chunk_tokens,
        window=config.window,
        threshold=threshold,
    )
    ends: list[Node] = []
    while (left := search.budget - len(warmup) - len(ends)) > 0:
        if await _consensus(search, [*warmup, *ends], threshold) >= config.consensus:
            break
        ends += await _draw(search, config, min(config.round_size, left), watch)
    return ends


async def _draw(search: Search, config: ConfidenceVoteConfig, num: int, watch: Watch) -> list[Node]:
    """New solutions with their confidences."""
    ends = await search.complete(search.root, num, with_scores=False, watch=watch)
    for end in ends:
        if end.confidences:
            end.value = trace_confidence(end.confidences, config.window, config.confidence)
    return ends


async def _consensus(search: Search, ends: Sequence[Node], threshold: float) -> float:
    """The leading answer's share of the weight of all votes; 1 if all agree, 0 without a vote."""
    weights: dict[int, float] = defaultdict(float)
    for end, answer in zip(ends, await search.classes(ends), strict=True):
        if answer is not None and end.value is not None and end.value >= threshold:
            weights[answer] += end.value
    if len(weights) == 1:
        return 1.0
    total = sum(weights.values())
    return max(weights.values()) / total if total else 0.0


async def _keep(search: Search, ends: Sequence[Node], threshold: float) -> list[Node]:
    """Prune what was given up and what is not confident enough to vote."""
    for end in ends:
        if end.is_open:
            prune(end, f"given up: confidence {end.value:.4g} below {threshold:.4g}")
    whole = [end for end in ends if not end.is_open]
    classes = await search.classes(whole)
    unsure = [e for e in whole if e.state == "finished" and (e.value or 0.0) < threshold]
    has_vote = any(
        answer is not None and end not in unsure for end, answer in zip(whole, classes, strict=True)
    )
    if not has_vote:
        return whole
    for end in unsure:
        prune(end, f"confidence {end.value or 0.0:.4g} below {threshold:.4g}")
    return [end for end in whole if end not in unsure]
