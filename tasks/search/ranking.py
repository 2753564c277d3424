"""What a prefix is worth to a search: a number, higher is better."""

from schemas.search import ScoreConfig
from tasks.search.tree import Node
from tasks.verifiers.reductions import join_likelihood, reduce_scores


def verifier_value(node: Node, config: ScoreConfig) -> float | None:
    """The reduced step scores of a prefix, in [0, 1]; None where none was read."""
    scores = node.scores()
    return reduce_scores(scores, config.how) if scores else None


def rank_node(node: Node, config: ScoreConfig) -> float | None:
    """The prefix's worth; None where it needs a score that is not there."""
    if config.by == "likelihood":
        return node.logprob
    value = verifier_value(node, config)
    if value is None or node.logprob is None or config.by == "verifier":
        return value if config.by == "verifier" else None
    return join_likelihood(node.logprob, value, config.weight)
