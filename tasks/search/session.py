"""The moves that every search is made of: draw steps, draw whole solutions, score prefixes.

A `Search` is one problem's search. Its moves keep the tree: what they drew, what it cost and what
failed, so a strategy only says what to draw next. A request that an engine rejects becomes a node
of state `error`; it takes the place in the budget that it was drawn for.

Seeds: continuation i of a node is drawn with a seed that depends on the search's seed, the node's
path and i alone, so the same engine, alone with one search, makes the same tree again.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from schemas.engines import Completion, GenerationRequest, ScoringRequest
from schemas.errors import RequestRejected
from schemas.rows import ModelRole, Step
from schemas.search import ScoreConfig, SearchLimits
from schemas.units import derive_seed
from tasks.engines.base import Engine
from tasks.engines.host import Counters
from tasks.prompts.formats import PromptFormat
from tasks.prompts.messages import Message, user
from tasks.search.ranking import rank_node
from tasks.search.tree import Cost, Node, State
from tasks.steps.segmentation import measure_steps

_Reading = tuple[tuple[str, ...], bool]
"""What a verifier reads: the steps of a prefix, and whether they are a whole solution."""
_MOST_BLANKS = 3
"""Separators in a row that a policy may write before a step, until the solution counts as cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchContext:
    """What the searches of many problems share."""

    engines: Mapping[ModelRole, Engine]
    """By role; every search has a policy."""
    prompt_formats: Mapping[ModelRole, PromptFormat]
    """Of every engine that generates, by role."""
    limits: SearchLimits
    score: ScoreConfig
    needs_likelihood: bool
    """Whether a continuation without log probabilities is of no use."""
    counters: Counters

    @property
    def policy(self) -> Engine:
        """The model that solves."""
        return self.engines["policy"]

    @property
    def prompt_format(self) -> PromptFormat:
        """How the policy is prompted, and what ends a step."""
        return self.prompt_formats["policy"]

    @property
    def verifier(self) -> Engine | None:
        """The model that scores steps, where there is one."""
        return self.engines.get("verifier")

    def writer(self, role: ModelRole) -> ModelRole:
        """The role itself where a model has it; else the policy, which stands in for it."""
        return role if role in self.prompt_formats else "policy"


class Search:
    """One problem, one strategy, one budget: the tree so far and the moves that make it grow."""

    def __init__(self, question: str, budget: int, context: SearchContext, *, seed: int) -> None:
        """An empty tree.

        Args:
            question: the problem's.
            budget: candidates to make (N).
            context: engines and limits.
            seed: of everything that is drawn.
        """
        self.question = question
        self.budget = budget
        self.context = context
        self.seed = seed
        self.roots: list[Node] = []
        self._readings: dict[_Reading, Node] = {}
        """The first node of each text that the verifier has read."""
        self.root = self.begin([user(question)])

    def begin(
        self,
        messages: Sequence[Message],
        *places: int,
        after: Node | None = None,
        role: str | None = None,
        writer: ModelRole = "policy",
    ) -> Node:
        """Another root: a prompt of its own, about the solution `after` (see Node).

        Args:
            messages: the dialogue that is continued there; it ends with a message of the user.
            places: tell this root from the others, whichever of them begins first.
            after: the solution it is about.
            role: see Node.
            writer: the role of the model that is to answer.
        """
        prompt = self.context.prompt_formats[writer].build(messages)
        path = (-1, *places) if places else ()
        root = Node(prompt=prompt, path=path, after=after, role=role, writer=writer)
        self.roots.append(root)
        return root

    async def expand(
        self,
        node: Node,
        num: int,
        *,
        temperature: float | None = None,
        with_scores: bool = True,
    ) -> list[Node]:
        """Draw `num` next steps of an open prefix, and score them.

        Args:
            node: the prefix.
            num: steps to draw.
            temperature: None for that of the limits.
            with_scores: False leaves the scoring to the caller.

        Returns:
            The new nodes in order of drawing, equal ones among them.

        Raises:
            EngineFailed: an engine is gone.
        """
        first, node.num_drawn = node.num_drawn, node.num_drawn + num
        children = await self._draw_steps(node, first, num, temperature)
        for child in children:
            child.temperature = temperature
        if with_scores:
            await self.score(children)
        return children

    async def expand_all(
        self, shares: Sequence[tuple[Node, int]], *, with_scores: bool = True
    ) -> list[Node]:
        """Draw next steps of several prefixes at once; all new nodes, prefix by prefix."""
        drawn = await asyncio.gather(
            *(self.expand(node, num, with_scores=with_scores) for node, num in shares)
        )
        return [child for children in drawn for child in children]

    async def complete(
        self,
        node: Node,
        num: int,
        *,
        with_scores: bool = True,
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> list[Node]:
        """Draw `num` whole continuations of a prefix; the last node of each.

        Limits of steps do not hold for them: they end by themselves or at `max_tokens`.

        Raises:
            EngineFailed: an engine is gone.
        """
        first, node.num_drawn = node.num_drawn, node.num_drawn + num
        limits = self.context.limits
        room = (max_tokens or limits.max_tokens) - node.num_tokens
        separator = self.context.prompt_formats[node.writer].separator
        ends: list[Node] = []
        drawn = await self._generate(node, first, num, room, temperature=temperature)
        for index, (completion, cost) in enumerate(drawn, first):
            seed = self._seed_of(node) + index
            if isinstance(completion, str):
                ends.append(
                    self._add(node, index, None, "error", cost, seed=seed, reason=completion)
                )
                continue
            steps = measure_steps(completion, separator)
            state: State = "finished" if completion.finish_reason == "stop" else "truncated"
            parent = node
            for place, step in enumerate(steps[:-1]):
                at = index if place == 0 else 0
                parent = self._add(parent, at, step, "open", cost, seed=seed)
                cost = Cost()
            at = index if parent is node else 0
            reason = None if state == "finished" else _why_cut(len(completion.token_ids), room)
            last = steps[-1] if steps else None
            ends.append(self._add(parent, at, last, state, cost, seed=seed, reason=reason))
        for end in ends:
            end.temperature = temperature
        if with_scores:
            await self.score(ends)
        return ends

    async def score(self, nodes: Sequence[Node]) -> None:
        """Have the verifier read what is unread of these prefixes, and rank them.

        A prefix whose scores cannot be had becomes an `error`.

        Raises:
            EngineFailed: the verifier is gone.
        """
        usable = [node for node in nodes if node.state != "error"]
        # Told before reading, which may make errors of them.
        keys = [_reading_of(node) for node in usable]
        first_of: dict[_Reading, Node] = {}
        for key, node in zip(keys, usable, strict=True):
            first_of.setdefault(key, self._readings.get(key, node))
        unread = {key: node for key, node in first_of.items() if key not in self._readings}
        await asyncio.gather(*(self._fill_scores(node) for node in unread.values()))
        self._readings |= unread
        for key, node in zip(keys, usable, strict=True):
            if (first := first_of[key]) is not node:
                _copy_scores(first, node)
            if node.state != "error":
                node.ranking = rank_node(node, self.context.score)

    async def _draw_steps(
        self, node: Node, first: int, num: int, temperature: float | None
    ) -> list[Node]:
        room = min(
            self.context.limits.max_step_tokens, self.context.limits.max_tokens - node.num_tokens
        )
        stop = (self.context.prompt_formats[node.writer].separator,)
        drawn = await self._generate(node, first, num, room, stop=stop, temperature=temperature)
        return list(
            await asyncio.gather(
                *(
                    self._step_node(node, first + offset, completion, cost, room, temperature)
                    for offset, (completion, cost) in enumerate(drawn)
                )
            )
        )

    async def _step_node(
        self,
        node: Node,
        index: int,
        completion: Completion | str,
        cost: Cost,
        room: int,
        temperature: float | None,
    ) -> Node:
        """The node of one drawn step; separators before it are part of it."""
        separator = self.context.prompt_formats[node.writer].separator
        seed = self._seed_of(node) + index
        text, num_tokens = "", 0
        logprob: float | None = 0.0
        for blank in range(_MOST_BLANKS + 1):
            if isinstance(completion, str):
                return self._add(node, index, None, "error", cost, seed=seed, reason=completion)
            text += completion.text
            num_tokens += len(completion.token_ids)
            told = completion.logprobs
            logprob = _add_logprobs(logprob, None if told is None else math.fsum(told))
            is_blank = completion.stop_string is not None and not text.strip()
            if not is_blank or blank == _MOST_BLANKS or num_tokens >= room:
                break
            ((completion, more),) = await self._generate(
                node,
                index,
                1,
                room - num_tokens,
                stop=(separator,),
                temperature=temperature,
                behind=text,
            )
            cost = _add_costs(cost, more)
        assert not isinstance(completion, str)
        step = Step(text=text, num_tokens=num_tokens, logprob=logprob) if text.strip() else None
        limits = self.context.limits
        state: State = "open"
        reason = None
        if completion.finish_reason == "length":
            is_long_step = num_tokens >= room == limits.max_step_tokens
            told = f"a step of more than {room} tokens" if is_long_step else None
            written = node.num_tokens + num_tokens
            state, reason = "truncated", told or _why_cut(written, limits.max_tokens)
        elif completion.stop_string is None:
            state = "finished"
        elif step is None:
            state, reason = "truncated", f"{_MOST_BLANKS + 1} separators in a row"
        child = self._add(node, index, step, state, cost, seed=seed, reason=reason)
        self._close_at_limits(child)
        return child

    async def _generate(
        self,
        node: Node,
        first: int,
        num: int,
        room: int,
        *,
        stop: tuple[str, ...] = (),
        temperature: float | None = None,
        behind: str = "",
    ) -> list[tuple[Completion | str, Cost]]:
        """Continuations of a prefix, each with its cost; or in each place why there is none."""
        limits, engine = self.context.limits, self.context.engines[node.writer]
        request = GenerationRequest(
            prompt=node.prompt,
            prefix=node.text + behind,
            n=num,
            temperature=limits.temperature if temperature is None else temperature,
            top_p=limits.top_p,
            max_tokens=max(room, 1),
            stop=stop,
            seed=self._seed_of(node, len(behind)) + first,
            with_logprobs=True,
            has_chat_template=self.context.prompt_formats[node.writer].has_chat_template,
        )
        try:
            generation = await engine.generate(request)
        except RequestRejected as rejection:
            return [(str(rejection), Cost()) for _ in range(num)]
        drawn: list[tuple[Completion | str, Cost]] = []
        for index, completion in enumerate(generation.completions):
            cost = Cost(generated_tokens=len(completion.token_ids))
            if index == 0:  # what the continuations share stands on the first
                cost.prompt_tokens = generation.prompt_tokens
                cost.cached_tokens = generation.cached_tokens
            self.context.counters.generated_tokens += cost.generated_tokens
            is_silent = (
                self.context.needs_likelihood
                and node.writer == "policy"
                and completion.logprobs is None
            )
            drawn.append((self._silent if is_silent else completion, cost))
        return drawn

    @property
    def _silent(self) -> str:
        return (
            f"the policy {self.context.policy.model_id} tells no log probabilities, and "
            f"score.by={self.context.score.by} needs them: set score.by=verifier"
        )

    async def _fill_scores(self, node: Node) -> None:
        """Fill in the scores of a prefix that are not there yet."""
        verifier = self.context.verifier
        lineage = [n for n in node.lineage() if n.step is not None]
        unread = [n for n in lineage if n.score is None]
        if verifier is None or not unread or lineage[-1].score is not None:
            return
        known = next(
            i for i in range(len(lineage), -1, -1) if not i or lineage[i - 1].score is not None
        )
        request = ScoringRequest(
            prompt=self.root.prompt,
            question=self.question,
            steps=tuple(n.step.text for n in lineage if n.step is not None),
            num_known=known,
            has_chat_template=self.context.prompt_format.has_chat_template,
            is_whole=node.state == "finished",
        )
        try:
            scoring = await verifier.score(request)
            computed = scoring.scored_tokens - scoring.cached_tokens
            node.cost.scored_tokens += computed
            self.context.counters.scored_tokens += computed
            scores = _check_scores(scoring.scores, len(lineage) - known)
        except RequestRejected as rejection:
            node.state, node.reason = "error", str(rejection)
            return
        # A model of whole solutions gives one value: it stands on the last step.
        for read, score in zip(lineage[len(lineage) - len(scores) :], scores, strict=True):
            read.score = score

    def _add(
        self,
        parent: Node,
        index: int,
        step: Step | None,
        state: State,
        cost: Cost,
        *,
        seed: int,
        reason: str | None = None,
    ) -> Node:
        """A new child; an end of text behind a separator is no step and changes no likelihood."""
        child = Node(
            prompt=parent.prompt,
            parent=parent,
            step=step,
            text=parent.text + (step.text if step else ""),
            num_tokens=parent.num_tokens + (step.num_tokens if step else 0),
            state=state,
            path=(*parent.path, index),
            seed=seed,
            logprob=_add_logprobs(parent.logprob, step.logprob if step else 0.0),
            reason=reason,
            role=parent.role,
            writer=parent.writer,
            cost=cost,
        )
        parent.children.append(child)
        return child

    def _seed_of(self, node: Node, num_behind: int = 0) -> int:
        """With which the first continuation of a prefix is drawn; the next ones count on."""
        return derive_seed(self.seed, *node.path, num_behind)

    def _close_at_limits(self, node: Node) -> None:
        """Cut an open prefix that has reached a limit."""
        limits = self.context.limits
        if not node.is_open:
            return
        if len(node.steps()) >= limits.max_steps:
            node.state, node.reason = "truncated", f"not finished after {limits.max_steps} steps"
        elif node.num_tokens >= limits.max_tokens:
            node.state, node.reason = "truncated", f"not finished after {limits.max_tokens} tokens"


def _why_cut(num_tokens: int, most: int) -> str:
    """Why a solution of so many tokens, of which it may have `most`, was not finished."""
    if num_tokens < most:
        return f"not finished after {num_tokens} tokens, which fill the policy's context"
    return f"not finished after {most} tokens"


def _reading_of(node: Node) -> _Reading:
    return tuple(step.text for step in node.steps()), node.state == "finished"


def _copy_scores(read: Node, node: Node) -> None:
    """Give a prefix the scores of one with the same text, which was read in its stead."""
    if read.state == "error":
        node.state, node.reason = read.state, read.reason
    scores = [n.score for n in read.lineage() if n.step is not None]
    steps = [n for n in node.lineage() if n.step is not None]
    for step, score in zip(steps, scores, strict=True):
        step.score = score if step.score is None else step.score


def _check_scores(scores: Sequence[float], num_expected: int) -> Sequence[float]:
    """Scores that may be used.

    Raises:
        RequestRejected: another number of them, or one that is no number in [0, 1].
    """
    if len(scores) not in (1, num_expected):
        raise RequestRejected(f"verifier: expected {num_expected} scores, got {len(scores)}")
    for index, score in enumerate(scores):
        if not (math.isfinite(score) and 0.0 <= score <= 1.0):
            raise RequestRejected(f"verifier: score {index}: expected one in [0, 1], got {score}")
    return scores


def _add_logprobs(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _add_costs(one: Cost, other: Cost) -> Cost:
    return replace(
        one,
        prompt_tokens=one.prompt_tokens + other.prompt_tokens,
        cached_tokens=one.cached_tokens + other.cached_tokens,
        generated_tokens=one.generated_tokens + other.generated_tokens,
        scored_tokens=one.scored_tokens + other.scored_tokens,
    )
