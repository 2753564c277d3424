"""What the verifier has read in one search: each text once, and of a prefix only the new steps."""

import asyncio
import math
from collections.abc import Sequence

from schemas.engines import ScoringRequest
from schemas.errors import RequestRejected
from tasks.search.context import SearchContext
from tasks.search.tree import Node

_Text = tuple[str, tuple[str, ...], bool]
"""What a verifier reads: a prompt, the steps of a prefix, and whether they are a whole solution."""


class Readings:
    """Fills in the verifier's scores of nodes; nodes with equal texts share one reading."""

    def __init__(self, question: str, prompt: str, context: SearchContext) -> None:
        """Nothing read yet.

        Args:
            question: the problem's.
            prompt: the policy's prompt for the bare question.
            context: the verifier, if any.
        """
        self._question = question
        self._prompt = prompt
        self._context = context
        self._first_nodes: dict[_Text, Node] = {}
        """The first node of each text that the verifier has read."""

    async def read(self, nodes: Sequence[Node], prompt: str | None = None) -> None:
        """Fill in the scores of these prefixes, read after a prompt; None for the bare question's.

        A prefix whose scores cannot be obtained becomes an `error`.

        Raises:
            EngineFailed: the verifier is gone.
        """
        asked = self._prompt if prompt is None else prompt
        texts = [_text_of(node, asked) for node in nodes]  # reading may change a node's state
        first_of: dict[_Text, Node] = {}
        for text, node in zip(texts, nodes, strict=True):
            first_of.setdefault(text, self._first_nodes.get(text, node))
        unread = {text: node for text, node in first_of.items() if text not in self._first_nodes}
        await asyncio.gather(*(self._fill_scores(node, asked) for node in unread.values()))
        self._first_nodes |= unread
        for text, node in zip(texts, nodes, strict=True):
            if (first := first_of[text]) is not node:
                _copy_scores(first, node)

    async def _fill_scores(self, node: Node, prompt: str) -> None:
        """Fill in the missing scores of a prefix."""
        context, verifier = self._context, self._context.verifier
        lineage = [n for n in node.lineage() if n.step is not None]
        unread = [n for n in lineage if n.score is None]
        if verifier is None or not unread or lineage[-1].score is not None:
            return
        known = next(
            i for i in range(len(lineage), -1, -1) if not i or lineage[i - 1].score is not None
        )
        request = ScoringRequest(
            prompt=prompt,
            question=self._question,
            steps=tuple(n.step.text for n in lineage if n.step is not None),
            step_ids=_step_ids(lineage),
            vocabulary=context.engines[node.writer].vocabulary,
            num_known=known,
            has_chat_template=context.prompt_format.has_chat_template,
            is_whole=node.state == "finished",
        )
        try:
            scoring = await verifier.score(request)
            computed = scoring.scored_tokens - scoring.cached_tokens
            node.cost.scored_tokens += computed
            node.cost.verifier_tokens += scoring.generated_tokens
            context.counters.scored_tokens += computed
            context.counters.generated_tokens += scoring.generated_tokens
            scores = _check_scores(scoring.scores, len(lineage) - known)
        except RequestRejected as rejection:
            node.state, node.reason = "error", str(rejection)
            return
        # A model of whole solutions gives one value, which goes to the last step.
        for read, score in zip(lineage[len(lineage) - len(scores) :], scores, strict=True):
            read.score = score


def _step_ids(lineage: Sequence[Node]) -> tuple[tuple[int, ...], ...] | None:
    known = [node.own_ids for node in lineage if node.own_ids is not None]
    return tuple(known) if len(known) == len(lineage) else None


def _text_of(node: Node, prompt: str) -> _Text:
    return prompt, tuple(step.text for step in node.steps()), node.state == "finished"


def _copy_scores(read: Node, node: Node) -> None:
    """Give a prefix the scores of another one with the same text."""
    if read.state == "error":
        node.state, node.reason = read.state, read.reason
    scores = [n.score for n in read.lineage() if n.step is not None]
    steps = [n for n in node.lineage() if n.step is not None]
    for step, score in zip(steps, scores, strict=True):
        step.score = score if step.score is None else step.score


def _check_scores(scores: Sequence[float], num_expected: int) -> Sequence[float]:
    """The scores, if they can be used.

    Raises:
        RequestRejected: the number of scores is wrong, or one is not a number in [0, 1].
    """
    if len(scores) not in (1, num_expected):
        raise RequestRejected(f"verifier: expected {num_expected} scores, got {len(scores)}")
    for index, score in enumerate(scores):
        if not (math.isfinite(score) and 0.0 <= score <= 1.0):
            raise RequestRejected(f"verifier: score {index}: expected one in [0, 1], got {score}")
    return scores
