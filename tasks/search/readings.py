"""What the verifier has read in one search: each text once, and of a prefix only the new steps."""

import asyncio
import math
from collections.abc import Sequence

from schemas.engines import ScoringRequest
from schemas.errors import RequestRejected
from tasks.search.context import SearchContext
from tasks.search.tree import Node

_Text = tuple[str, int, bool]
"""What a verifier reads: a prompt, the number of the steps of a prefix (see `Readings`), and
whether they are a whole solution."""
_Steps = tuple[tuple[str, ...], tuple[tuple[int, ...], ...] | None]
"""The texts of a prefix's steps, and their tokens if all are known."""
_MAX_KEPT_STEPS = 512


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
        # Equal steps have equal numbers: one more step is looked up by the number of those before.
        self._longer: dict[tuple[int, str], int] = {}
        self._numbers: dict[Node, int] = {}
        self._steps: dict[Node, _Steps] = {}

    async def read(self, nodes: Sequence[Node], prompt: str | None = None) -> None:
        """Fill in the scores of these prefixes, read after a prompt; None for the bare question's.

        A prefix whose scores cannot be obtained becomes an `error`.

        Raises:
            EngineFailed: the verifier is gone.
        """
        asked = self._prompt if prompt is None else prompt
        texts = [self._text_of(node, asked) for node in nodes]  # reading may change a node's state
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
        unread = _unread(node)
        if verifier is None or not unread:
            return
        steps, step_ids = self._steps_of(node)
        request = ScoringRequest(
            prompt=prompt,
            question=self._question,
            steps=steps,
            step_ids=step_ids,
            vocabulary=context.engines[node.writer].vocabulary,
            num_known=len(steps) - len(unread),
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
            scores = _check_scores(scoring.scores, len(unread))
        except RequestRejected as rejection:
            node.state, node.reason = "error", str(rejection)
            return
        # A model of whole solutions gives one value, which goes to the last step.
        for read, score in zip(unread[len(unread) - len(scores) :], scores, strict=True):
            read.score = score

    def _text_of(self, node: Node, prompt: str) -> _Text:
        """What the verifier reads of a node; equal for equal texts in equal steps."""
        waiting: list[Node] = []
        at = node
        while at.parent is not None and at not in self._numbers:
            waiting.append(at)
            at = at.parent
        number = self._numbers.get(at, 0)
        for each in reversed(waiting):
            if each.step is not None:
                longer = (number, each.step.text)
                number = self._longer.setdefault(longer, len(self._longer) + 1)
            self._numbers[each] = number
        return prompt, number, node.state == "finished"

    def _steps_of(self, node: Node) -> _Steps:
        """The steps of a prefix, which go on from those of a shorter one that was read lately."""
        waiting: list[Node] = []
        at = node
        while at.parent is not None and at not in self._steps:
            waiting.append(at)
            at = at.parent
        texts, ids = self._steps.get(at, ((), ()))
        own = [n for n in reversed(waiting) if n.step is not None]
        texts += tuple(n.step.text for n in own if n.step is not None)
        known = tuple(n.own_ids for n in own if n.own_ids is not None)
        ids = None if ids is None or len(known) < len(own) else ids + known
        self._steps[node] = texts, ids
        if len(self._steps) > _MAX_KEPT_STEPS:
            del self._steps[next(iter(self._steps))]
        return texts, ids


def _unread(node: Node) -> list[Node]:
    """The steps of a prefix after the last one with a score, in order."""
    unread: list[Node] = []
    at = node
    while at.parent is not None and at.score is None:
        if at.step is not None:
            unread.append(at)
        at = at.parent
    return unread[::-1]


def _copy_scores(read: Node, node: Node) -> None:
    """Give a prefix the scores of another one with the same steps, down to where they part."""
    if read.state == "error":
        node.state, node.reason = read.state, read.reason
    source, target = _with_step(read), _with_step(node)
    while source is not target and source.parent is not None and target.parent is not None:
        if target.score is None:
            target.score = source.score
        source, target = _with_step(source.parent), _with_step(target.parent)


def _with_step(node: Node) -> Node:
    """The last node of a prefix that has a step; the root if none has."""
    while node.parent is not None and node.step is None:
        node = node.parent
    return node


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
