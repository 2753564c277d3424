"""RATP: a tree search over thoughts, each made of earlier thoughts and retrieved documents.

arXiv:2402.07812. A thought is what the policy writes about the question and some documents. An
action makes a new thought from an old one: with more documents, which a query made of the thought
finds, or with another thought, whose documents it then reads too. UCT chooses the thought to go on
from, and the value of the new one is averaged into those it came from. The answer is that of the
best thought.

Choices that the paper leaves open: the first thoughts read about as many documents as the job's
`num_documents` (that many, one fewer, one more, ...), later ones one, two, ... more than the one
that they come from; one query is made per thought that is gone on from. No two thoughts of a
tree read the same documents; without a tree the lists of documents are gone through again. Among
thoughts of equal value the more likely one, by its mean log probability, is the better. A thought
that was not finished is worth 0. Equal limits and seeds make the same tree.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.engines import RetrievalRequest, RetrievedDocument
from schemas.search.ratp import RatpConfig
from tasks.prompts.messages import user
from tasks.search.critics import critique
from tasks.search.documents import ids_of, in_order, show_documents
from tasks.search.ranking import verifier_value
from tasks.search.session import Search
from tasks.search.strategies.mcts import uct
from tasks.search.tree import Node

_THOUGHT, _CRITIQUE = 0, 1
"""The last part of the places of a root."""


@dataclass(slots=True, eq=False)
class Thought:
    """A thought, or the bare question, which has no end and reads nothing."""

    documents: tuple[RetrievedDocument, ...] = ()
    end: Node | None = None
    value: float = 0.0
    parents: "tuple[Thought, ...]" = ()
    children: "list[Thought]" = field(default_factory=list)
    total: float = 0.0
    num_visits: int = 0
    actions: "list[tuple[tuple[RetrievedDocument, ...], Thought | None]] | None" = None
    """What can still be made from it: documents and the thought that is combined; None before its
    query."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be made from it or from what came from it."""
        return self.actions == [] and all(child.is_closed for child in self.children)


async def thought_search(search: Search, config: RatpConfig) -> list[Node]:
    """The ends of all thoughts, the best first."""
    thoughts = await _Thoughts(search, config).grow()
    return [thought.end for thought in sorted(thoughts, key=_order) if thought.end is not None]


def first_sizes(num_documents: int, num: int, most: int) -> list[int]:
    """Numbers of documents for the first thoughts: `num_documents`, one fewer, one more, ..."""
    near = sorted(range(1, most + 1), key=lambda size: (abs(size - num_documents), size))
    return near[:num]


class _Thoughts:
    """The tree of one search."""

    def __init__(self, search: Search, config: RatpConfig) -> None:
        assert search.context.retrieval is not None
        self._search, self._config = search, config
        self._retrieval = search.context.retrieval
        self._question = Thought()
        self._thoughts: list[Thought] = []
        self._known: set[frozenset[str]] = set()
        """The documents of every thought, in whichever order."""
        self._num_retrievals = self._new_retrievals = 0

    async def grow(self) -> list[Thought]:
        """All thoughts, in the order made."""
        num = self._config.num_solutions(self._search.budget)
        while len(self._thoughts) < num and not self._question.is_closed:
            origin = self._choose()
            if origin.actions is None:
                await self._find_actions(origin)
            if not origin.actions:
                continue
            documents, other = origin.actions.pop(0)
            key = frozenset(ids_of(documents))
            if key in self._known and self._config.select == "uct":
                continue
            self._known.add(key)
            thought = await self._think(documents, origin, other)
            if self._is_enough(thought):
                break
        return self._thoughts

    def _choose(self) -> Thought:
        """The thought to go on from: the first on UCT's way with something to make from it."""
        thought = self._question
        if self._config.select == "chain":
            last = self._thoughts[-1] if self._thoughts else thought
            return thought if last.actions == [] else last
        while thought.actions == []:
            open_ones = [child for child in thought.children if not child.is_closed]
            visits = max(thought.num_visits, 1)
            thought = max(
                open_ones,
                key=lambda child: uct(
                    child.total / child.num_visits,
                    child.num_visits,
                    visits,
                    self._config.exploration,
                ),
            )
        return thought

    async def _find_actions(self, origin: Thought) -> None:
        """Make the query of a thought; what can be made from it then is known."""
        config, held = self._config, origin.documents
        origin.actions = []
        is_tree = config.select == "uct"
        if config.select == "flat" and origin is not self._question:
            return
        room = config.max_documents - len(held)
        if room > 0 and self._num_retrievals < config.max_retrievals:
            self._num_retrievals += 1
            self._new_retrievals += 1
            request = RetrievalRequest(
                query=self._query(origin), num=room, without=frozenset(ids_of(held))
            )
            found = tuple(await self._search.context.retriever.retrieve(request))
            most = len(found)
            if origin is not self._question:
                sizes = list(range(1, min(config.width if is_tree else 1, most) + 1))
            elif is_tree:
                sizes = first_sizes(self._retrieval.num_documents, config.width, most)
            else:
                sizes = first_sizes(self._retrieval.num_documents, most, most)
                sizes *= math.ceil(self._search.budget / max(most, 1))
            origin.actions += [((*held, *found[:size]), None) for size in sizes]
        if not is_tree:
            return
        if origin is not self._question and (combined := self._combine(origin)) is not None:
            origin.actions.append(combined)

    def _combine(self, origin: Thought) -> tuple[tuple[RetrievedDocument, ...], Thought] | None:
        """The documents of a thought and of the best other one that makes a new set with them."""
        held = set(ids_of(origin.documents))
        for other in sorted(self._thoughts, key=_order):
            more = tuple(d for d in other.documents if d.document_id not in held)
            both = (*origin.documents, *more)
            is_new = frozenset(ids_of(both)) not in self._known
            if more and is_new and len(both) <= self._config.max_documents:
                return both, other
        return None

    def _query(self, origin: Thought) -> str:
        parts = {
            "question": self._search.asked,
            "documents": "\n".join(document.text for document in origin.documents),
            "thought": self._text(origin.end),
        }
        return "\n".join(parts[name] for name in self._config.query if parts[name])

    async def _think(
        self, documents: Sequence[RetrievedDocument], origin: Thought, other: Thought | None
    ) -> Thought:
        """A new thought, valued; its value is counted in all that it came from."""
        search, number = self._search, len(self._thoughts)
        shown = in_order(documents, self._retrieval)
        question = show_documents(search.asked, shown, self._retrieval)
        root = search.begin([user(question)], number, _THOUGHT, after=origin.end)
        root.documents = ids_of(shown)
        root.num_retrievals, self._new_retrievals = self._new_retrievals, 0
        (end,) = await search.complete(root, 1, with_scores=False)
        parents = (origin,) if other is None else (origin, other)
        thought = Thought(tuple(documents), end, parents=parents)
        thought.value = await self._value(end, question, root, number)
        if end.state == "error":
            thought.actions = []
        self._thoughts.append(thought)
        origin.children.append(thought)
        for ancestor in _with_ancestors(thought):
            ancestor.total += thought.value
            ancestor.num_visits += 1
        if end.step is not None:
            end.value, end.visits = thought.value, 1
        return thought

    async def _value(self, end: Node, question: str, root: Node, number: int) -> float:
        """What a thought is worth, in [0, 1]."""
        search, scorer = self._search, self._config.scorer
        if end.state != "finished":
            return 0.0
        if scorer == "likelihood":
            mean = _mean_logprob(end)
            return 0.0 if mean is None else math.exp(mean)
        if scorer == "verifier":
            await search.score([end], prompt=root.prompt)
            return verifier_value(end, search.context.score) or 0.0
        if scorer == "oracle":
            if search.answers is None:
                raise ValueError("expected a search with the answers of its problem, got none")
            (grade,) = await search.answers.grade([self._text(end)])
            return float(grade.correct is True)
        written = await critique(
            search,
            end,
            self._config.format,
            number,
            _CRITIQUE,
            role="critic",
            max_tokens=self._config.max_critique_tokens,
            temperature=0.0,
            question=question,
        )
        return 0.5 if written.verdict is None else float(written.verdict)

    def _is_enough(self, thought: Thought) -> bool:
        """Whether the search ends at this thought."""
        least = 1.0 if self._config.scorer == "oracle" else self._config.stop_score
        return least is not None and thought.value >= least

    def _text(self, end: Node | None) -> str:
        return "" if end is None else self._search.context.answer_text(end.writer, end.text)


def _with_ancestors(thought: Thought) -> list[Thought]:
    """A thought and everything that it came from, each once."""
    found: dict[Thought, None] = {}
    waiting = [thought]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found[one] = None
            waiting.extend(one.parents)
    return list(found)


def _mean_logprob(end: Node) -> float | None:
    if end.logprob is None or not end.num_tokens:
        return None
    return end.logprob / end.num_tokens


def _order(thought: Thought) -> tuple[bool, float, float]:
    """The best first; equal ones in the order made."""
    assert thought.end is not None
    mean = _mean_logprob(thought.end)
    return (
        thought.end.state != "finished",
        -thought.value,
        math.inf if mean is None else -mean,
    )
