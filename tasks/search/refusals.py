"""What a search cannot do without, and an engine does not report."""

from schemas.engines import Completion
from schemas.rows import ModelRole
from tasks.search.context import SearchContext


def refusal(
    context: SearchContext, writer: ModelRole, completion: Completion, num_alternatives: int
) -> str | None:
    """Why a continuation cannot be used; None if it has all that was asked for."""
    if num_alternatives and completion.confidences is None and completion.token_ids:
        return (
            f"the {writer} {context.engines[writer].model_id} reports no log probabilities of its "
            "most likely tokens, and this strategy needs them: choose an engine that reports them, "
            "or another strategy"
        )
    if context.needs_likelihood and writer == "policy" and completion.logprobs is None:
        return (
            f"the policy {context.policy.model_id} reports no log probabilities, and "
            f"score.by={context.score.by} needs them: set score.by=verifier"
        )
    return None
