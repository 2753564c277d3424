"""The moves that every search is made of: draw steps, draw whole solutions, score prefixes.

A `Search` is the search of one problem. Its moves record in the tree what they drew, what it cost
and what failed, so a strategy only decides what to draw next. A request that an engine rejects
becomes a node of state `error`, which still counts against the budget.

Seeds: continuation i of a node is drawn with a seed that depends only on the search's seed, the
node's path and i. So an engine that runs one search at a time makes the same tree again.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from schemas.engines import Completion, GenerationRequest
from schemas.errors import RequestRejected
from schemas.rows import ModelRole, Step
from schemas.steps import StepRule
from tasks.prompts.messages import Message, user
from tasks.search.answers import Answers
from tasks.search.context import SearchContext
from tasks.search.endings import MAX_BLANKS, close_at_limits, ending_of, why_cut
from tasks.search.ranking import rank_node
from tasks.search.readings import Readings
from tasks.search.refusals import refusal
from tasks.search.seeds import PathSeeds
from tasks.search.traces import Drawn, Watch, draw_traces
from tasks.search.tree import Cost, Node, State, add_costs, add_logprobs, join_ids
from tasks.steps.outputs import STEP, kinds_of, num_written
from tasks.steps.pieces import drawn_steps, join
from tasks.steps.segmentation import is_complete, measure_steps
from tasks.steps.stop_strings import end_at_stop
from tasks.steps.token_ids import known_ids, split_ids


class Search:
    """One problem, one strategy, one budget: the tree so far, and the moves that extend it."""

    def __init__(
        self,
        question: str,
        budget: int,
        context: SearchContext,
        *,
        seed: int,
        answers: Answers | None = None,
        asked: str | None = None,
        documents: tuple[str, ...] | None = None,
    ) -> None:
        """Start with an empty tree.

        Args:
            question: the question as models read it, with any documents shown before it.
            budget: candidates to make (N).
            context: engines and limits.
            seed: the seed of everything that is drawn.
            answers: the problem's, for strategies that compare answers and for the rows.
            asked: the question as retrievers read it; None for the same.
            documents: the ids of the documents shown; None for a search without documents.
        """
        self.answers = answers
        self.question = question
        self.asked = question if asked is None else asked
        self.budget = budget
        self.context = context
        self.seed = seed
        self.roots: list[Node] = []
        self._seeds = PathSeeds(seed)
        self.root = self.begin([user(question)])
        self.root.documents = documents
        self._readings = Readings(question, self.root.prompt, context)

    def begin(
        self,
        messages: Sequence[Message],
        *places: int,
        after: Node | None = None,
        given: Node | None = None,
        role: str | None = None,
        writer: ModelRole = "policy",
    ) -> Node:
        """Add a root with another prompt, about the solution `after` (see Node).

        Args:
            messages: the dialogue to continue; it ends with a message of the user.
            places: identify this root among the others, in whichever order they are added.
            after: the solution it is about.
            given: the critique that it shows.
            role: see Node.
            writer: the role of the model that answers.
        """
        prompt = self.context.prompt_formats[writer].build(messages)
        path = (-1, *places) if places else ()
        ids = None if self.context.engines[writer].vocabulary is None else ()
        root = Node(prompt=prompt, path=path, role=role, writer=writer, own_ids=ids)
        root.after, root.given = after, given
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
            temperature: None for the one in the limits.
            with_scores: False leaves the scoring to the caller.

        Returns:
            The new nodes in order of drawing, including equal ones.

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
        """Draw next steps of several prefixes concurrently; all new nodes, prefix by prefix."""
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
        watch: Watch | None = None,
    ) -> list[Node]:
        """Draw `num` whole continuations of a prefix; the last node of each.

        The limits of steps do not apply: a continuation ends by itself or at `max_tokens`. One that
        the watch gives up stays open.

        Raises:
            EngineFailed: an engine is gone.
        """
        first, node.num_drawn = node.num_drawn, node.num_drawn + num
        limits = self.context.limits
        room = (max_tokens or limits.max_tokens) - node.num_tokens
        rule = self._rule_after(node)
        ends: list[Node] = []
        generate = partial(self._generate, node, temperature=temperature)
        knows_ids = self.context.engines[node.writer].vocabulary is not None
        drawn = await draw_traces(generate, first, num, room, watch, knows_ids=knows_ids)
        for index, (completion, cost) in enumerate(drawn, first):
            if isinstance(completion, str):
                seed = self._seed_of(node) + index
                ends.append(
                    self._add(node, index, None, "error", cost, seed=seed, reason=completion)
                )
                continue
            state: State = "finished" if completion.finish_reason == "stop" else "truncated"
            if watch is not None and watch.gives_up(completion):
                state = "open"
            reason = why_cut(len(completion.token_ids), room) if state == "truncated" else None
            steps = measure_steps(completion, rule)
            end = self._add_steps(node, index, completion, steps, state, cost, reason=reason)
            end.confidences = completion.confidences
            ends.append(end)
        for end in ends:
            end.temperature = temperature
        if with_scores:
            await self.score(ends)
        return ends

    async def classes(self, nodes: Sequence[Node]) -> list[int | None]:
        """The number of each solution's answer, equal for equal answers (see `Answers.classes`).

        Raises:
            ValueError: the search was begun without the problem's answers.
        """
        if self.answers is None:
            raise ValueError("expected a search with the answers of its problem, got one without")
        texts = [self.context.answer_text(node.writer, node.text) for node in nodes]
        is_whole = [node.state == "finished" for node in nodes]
        return await self.answers.classes(
            [text if whole else None for text, whole in zip(texts, is_whole, strict=True)]
        )

    async def score(self, nodes: Sequence[Node], *, prompt: str | None = None) -> None:
        """Have the verifier read the unread steps of these prefixes, and rank the prefixes.

        A prefix whose scores cannot be obtained becomes an `error`. The verifier reads them after
        the prompt of the bare question, or after another `prompt`.

        Raises:
            EngineFailed: the verifier is gone.
        """
        usable = [node for node in nodes if node.state != "error"]
        await self._readings.read(usable, prompt)
        for node in usable:
            if node.state != "error":
                node.ranking = rank_node(node, self.context.score)

    async def _draw_steps(
        self, node: Node, first: int, num: int, temperature: float | None
    ) -> list[Node]:
        limits, rule = self.context.limits, self._rule_after(node)
        room = limits.max_tokens - node.num_tokens
        stop: tuple[str, ...] = ()
        if rule.max_steps != 1:  # the last step goes on to the end
            room, stop = min(limits.max_step_tokens, room), (rule.separator,)
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
        """The node of one drawn step, which includes the separators before it.

        The policy is stopped at the separator, and goes on until a step is complete. If more than
        one was written by then, each is a node, and the last one is returned.
        """
        rule = self._rule_after(node)
        whole: Completion | None = None
        num_blanks = 0
        while True:
            if isinstance(completion, str):
                seed = self._seed_of(node) + index
                return self._add(node, index, None, "error", cost, seed=seed, reason=completion)
            whole = completion if whole is None else join(whole, completion)
            room_left = room - len(whole.token_ids)
            num_blanks += not whole.text.strip()
            is_done = whole.stop_string is None or is_complete(whole.text, rule)
            if is_done or num_blanks > MAX_BLANKS or room_left <= 0:
                break
            ((completion, more),) = await self._generate(
                node,
                index,
                1,
                room_left,
                stop=(rule.separator,),
                temperature=temperature,
                after=whole.text,
                after_ids=self._ids(node, whole),
            )
            cost = add_costs(cost, more)
        steps = drawn_steps(whole, rule)
        limits = self.context.limits
        state, reason = ending_of(node, whole, steps, room=room, limits=limits, is_complete=is_done)
        child = self._add_steps(node, index, whole, steps, state, cost, reason=reason)
        close_at_limits(child, limits)
        return child

    def _add_steps(
        self,
        node: Node,
        index: int,
        completion: Completion,
        steps: Sequence[Step],
        state: State,
        cost: Cost,
        *,
        reason: str | None,
    ) -> Node:
        """A child for each step, below one another; the last has the state and the reason."""
        seed, parent = self._seed_of(node) + index, node
        ids = self._ids_of_steps(node, completion, steps)
        kinds = kinds_of(completion, steps)
        for place, step in enumerate(steps[:-1]):
            at = index if place == 0 else 0
            parent = self._add(parent, at, step, "open", cost, seed=seed, own_ids=ids[place])
            parent.kind = STEP if kinds is None else kinds[place]
            cost = Cost()
        at = index if parent is node else 0
        last = steps[-1] if steps else None
        end = self._add(parent, at, last, state, cost, seed=seed, reason=reason, own_ids=ids[-1])
        end.kind = kinds[-1] if kinds else STEP
        return end

    def _rule_after(self, node: Node) -> StepRule:
        """What ends the steps that continue a prefix."""
        rule = self.context.prompt_formats[node.writer].step_rule
        return rule if rule.max_steps is None else rule.after(node.num_steps)

    async def _generate(
        self,
        node: Node,
        first: int,
        num: int,
        room: int,
        *,
        stop: tuple[str, ...] = (),
        temperature: float | None = None,
        after: str = "",
        after_ids: tuple[int, ...] | None = (),
        num_alternatives: int = 0,
    ) -> list[Drawn]:
        """Continuations of a prefix and `after`: the completion or its error, and the cost."""
        limits, engine = self.context.limits, self.context.engines[node.writer]
        ends = self.context.prompt_formats[node.writer].ends(limits.stop)
        fields = limits.request_fields()
        if temperature is not None:
            fields["temperature"] = temperature
        request = GenerationRequest(
            prompt=node.prompt,
            prefix=node.text + after,
            prefix_ids=join_ids(node.token_ids, after_ids),
            n=num,
            **fields,
            max_tokens=max(room, 1),
            stop=(*stop, *ends),
            needs_stop_string=bool(stop),
            seed=self._seed_of(node, len(after)) + first,
            with_logprobs=True,
            num_alternatives=num_alternatives,
            has_chat_template=self.context.prompt_formats[node.writer].has_chat_template,
            thought_tags=self.context.prompt_formats[node.writer].thought_tags,
            takes_errors=True,
        )
        try:
            generation = await engine.generate(request)
        except RequestRejected as rejection:
            return [(str(rejection), Cost()) for _ in range(num)]
        drawn: list[Drawn] = []
        for index, completion in enumerate(generation.completions):
            cost = Cost(generated_tokens=num_written(completion))
            if index == 0:  # the first one carries what all of them share
                cost.prompt_tokens = generation.prompt_tokens
                cost.cached_tokens = generation.cached_tokens
            self.context.counters.generated_tokens += cost.generated_tokens
            problem = completion.error or refusal(
                self.context, node.writer, completion, num_alternatives
            )
            ended = end_at_stop(completion, ends, prefix=node.text + after)
            drawn.append((problem or ended, cost))
        return drawn

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
        own_ids: tuple[int, ...] | None = None,
    ) -> Node:
        """A new child; an end of text after a separator adds no step and no likelihood."""
        child = Node(
            prompt=parent.prompt,
            parent=parent,
            step=step,
            text=parent.text + (step.text if step else ""),
            num_tokens=parent.num_tokens + (step.num_tokens if step else 0),
            own_ids=own_ids,
            state=state,
            path=(*parent.path, index),
            seed=seed,
            logprob=add_logprobs(parent.logprob, step.logprob if step else 0.0),
            reason=reason,
            role=parent.role,
            writer=parent.writer,
            cost=cost,
        )
        parent.children.append(child)
        return child

    def _ids(self, node: Node, completion: Completion) -> tuple[int, ...] | None:
        return known_ids(completion, self.context.engines[node.writer].vocabulary)

    def _ids_of_steps(
        self, node: Node, completion: Completion, steps: Sequence[Step]
    ) -> Sequence[tuple[int, ...] | None]:
        """The tokens of each step; one entry if there is no step."""
        num = max(len(steps), 1)
        ids = self._ids(node, completion)
        if ids is None:
            return [None] * num
        return split_ids(ids, [step.num_tokens for step in steps] or [len(ids)])

    def _seed_of(self, node: Node, num_after: int = 0) -> int:
        """The seed of the first continuation of a prefix; each further one adds 1."""
        return self._seeds.derive(node, num_after)
