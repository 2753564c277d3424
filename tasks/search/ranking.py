"""The value by which a search ranks a prefix; higher is better."""

from schemas.search import ScoreConfig
from tasks.search.tree import Node
from tasks.verifiers.reductions import join_likelihood, reduce_scores


def verifier_value(node: Node, config: ScoreConfig) -> float | None:
    """The reduced step scores of a prefix, in [0, 1]; None if no step was scored."""
    scores = node.scores()
    return reduce_scores(scores, config.how) if scores else None


def rank_node(node: Node, config: ScoreConfig) -> float | None:
    """The value that the prefix is ranked by; None if a score or likelihood it needs is missing."""
    if config.by == "likelihood":
        return node.logprob
    value = verifier_value(node, config)
    if value is None or node.logprob is None or config.by == "verifier":
        return value if config.by == "verifier" else None
    return join_likelihood(node.logprob, value, config.weight)
