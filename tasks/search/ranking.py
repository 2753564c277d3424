"""The value by which a search ranks a prefix; higher is better."""

from schemas.search import ScoreConfig
from tasks.search.tree import Node
from tasks.verifiers.reductions import NO_SCORES, ScoreTotals, join_likelihood, reduce_scores


def verifier_value(node: Node, config: ScoreConfig) -> float | None:
    """The reduced step scores of a prefix, in [0, 1]; None if no step was scored."""
    totals = totals_of(node)
    if totals is None:
        scores = node.scores()
        return reduce_scores(scores, config.how) if scores else None
    return totals.reduce(config.how) if totals.num_scores else None


def totals_of(node: Node) -> ScoreTotals | None:
    """The totals of a prefix, which go on from those of a shorter one; None if scores are missing.

    A score never changes, so the totals of a prefix are kept once all its steps have one.
    """
    unknown: list[Node] = []
    at = node
    while at.totals is None and at.parent is not None:
        unknown.append(at)
        at = at.parent
    totals = at.totals or NO_SCORES
    for each in reversed(unknown):
        if each.step is not None:
            if each.score is None:
                return None
            totals = totals.with_score(each.score)
        each.totals = totals
    return totals


def rank_node(node: Node, config: ScoreConfig) -> float | None:
    """The value that the prefix is ranked by; None if a score or likelihood it needs is missing."""
    if config.by == "likelihood":
        return node.logprob
    value = verifier_value(node, config)
    if value is None or node.logprob is None or config.by == "verifier":
        return value if config.by == "verifier" else None
    return join_likelihood(node.logprob, value, config.weight)
