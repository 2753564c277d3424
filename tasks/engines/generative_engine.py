"""A language model as a verifier: it writes critiques, and their verdicts are the steps' scores.

Any engine that generates can be one: a critic in vLLM, or a model on a server. A search that asks
for the next step of a prefix has its critiques continued, so the verdicts on known steps are not
written again. `scored_tokens` are those of all prompts, `generated_tokens` those of the critiques.
"""

import asyncio
from collections.abc import Mapping, Sequence

from schemas.engines import (
    Completion,
    EngineConfig,
    Generation,
    GenerationRequest,
    ScoringRequest,
    StepScoring,
)
from schemas.errors import RequestRejected
from schemas.generative import GenerativeConfig, GenPrmLayoutConfig
from schemas.units import derive_seed
from tasks.critics.reading import PlacedVerdict
from tasks.engines.base import Engine
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import make_prompt_format
from tasks.prompts.messages import Message
from tasks.steps.stop_strings import end_at_stop
from tasks.verifiers.chains import (
    NO_VERDICT,
    Chain,
    KnownChains,
    Spent,
    ask_for_turn,
    ask_for_verdicts,
    mean_scores,
    stops_at_error,
)
from tasks.verifiers.layout import step_bodies
from tasks.verifiers.verdicts import WORDS, VerdictTokens, find_verdicts, read_verdict

_REMEMBERED_PREFIXES = 1 << 13


class GenerativeEngine:
    """An `Engine` (see tasks.engines.base) that scores by what another one writes."""

    def __init__(
        self,
        writer: Engine,
        config: GenerativeConfig,
        model: EngineConfig,
        model_id: str,
        *,
        can_continue: bool = True,
        vocabulary: Mapping[str, int] | None = None,
    ) -> None:
        """A verifier made of an open engine.

        Args:
            writer: writes the critiques.
            config: how it is asked and read.
            model: the writer's config.
            model_id: the value of the `verifier` column.
            can_continue: whether the writer can continue the beginning of an answer; if not, each
                critique is written from its beginning.
            vocabulary: the writer's ids by token, where it can tell the log probabilities of given
                tokens; None to read its likeliest tokens, or the words alone.

        Raises:
            ModelUnusable: the model has no chat template, and its prompt is a chat.
        """
        self.name = writer.name
        self.model_id = model_id
        self.vocabulary = writer.vocabulary
        self._writer = writer
        self._config = with_recommended(config, model)
        self._layout = config.layout
        self._format = make_prompt_format(config.own_prompt, model)
        self._words = WORDS[config.layout.type]
        self._tokens = VerdictTokens(frozenset(), frozenset())
        if vocabulary is not None:
            self._tokens = VerdictTokens.of(writer.encode_text, self._words, vocabulary)
        self._can_continue = can_continue
        self._known = KnownChains(_REMEMBERED_PREFIXES)

    async def generate(self, request: GenerationRequest) -> Generation:
        """Refuse: a verifier scores.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"{self.model_id} is a verifier: expected a policy to generate with")

    async def score(self, request: ScoringRequest) -> StepScoring:
        """Score the steps of one solution that have no known score, by critiques of it so far.

        Raises:
            RequestRejected: the question is missing, a step is empty, or the writer refuses.
            EngineFailed: the writer is gone.
        """
        if not request.question:
            raise RequestRejected("expected the bare question, which a critic is shown, got none")
        try:
            steps = step_bodies(request.steps)
        except ValueError as error:
            raise RequestRejected(str(error)) from error
        num, known = self._config.num_chains, None
        if request.num_known and (self._can_continue or self._layout.type == "genprm"):
            known = self._known.get(request.question, steps[: request.num_known])
        spent = Spent()
        begun = known or (Chain(),) * num
        if self._layout.type == "genprm":
            layout = self._layout
            chains = await asyncio.gather(
                *(
                    self._write_turns(request.question, steps, chain, index, layout, spent)
                    for index, chain in enumerate(begun)
                )
            )
        else:
            chains = await self._write_critiques(request.question, steps, begun, spent)
        if not request.is_whole:
            self._known.add(request.question, steps, chains)
        return StepScoring(
            scores=tuple(mean_scores(chains, len(steps))[request.num_known :]),
            scored_tokens=spent.prompt_tokens,
            cached_tokens=spent.cached_tokens,
            generated_tokens=spent.generated_tokens,
        )

    def encode_text(self, text: str) -> Sequence[int] | None:
        """The tokens of a text alone (see Engine)."""
        return self._writer.encode_text(text)

    async def close(self) -> None:
        """Close the writer."""
        await self._writer.close()

    async def _write_critiques(
        self, question: str, steps: Sequence[str], begun: Sequence[Chain], spent: Spent
    ) -> list[Chain]:
        """Chains of one critique each, continued until they have judged all steps."""
        messages = ask_for_verdicts(self._layout, question, steps)
        seed = derive_seed(self._config.seed, question, *steps)
        if not any(chain.texts for chain in begun):
            written = await self._write(messages, "", seed, len(begun), spent)
            return [self._read(c, "", Chain(), len(steps)) for c in written]

        async def go_on(index: int, chain: Chain) -> Chain:
            if chain.has_failed or len(chain.scores) >= len(steps):
                return chain
            before = "".join(chain.texts)
            (completion,) = await self._write(messages, before, seed + index, 1, spent)
            return self._read(completion, before, chain, len(steps))

        return list(await asyncio.gather(*(go_on(i, chain) for i, chain in enumerate(begun))))

    async def _write_turns(
        self,
        question: str,
        steps: Sequence[str],
        chain: Chain,
        index: int,
        layout: GenPrmLayoutConfig,
        spent: Spent,
    ) -> Chain:
        """A chain with a turn for each step."""
        texts, scores = [*chain.texts], [*chain.scores]
        for num in range(len(texts) + 1, len(steps) + 1):
            opening = layout.opening.replace("{step}", str(num)) if self._can_continue else ""
            messages = ask_for_turn(layout, question, steps[:num], texts)
            seed = derive_seed(self._config.seed, question, *steps[:num]) + index
            (completion,) = await self._write(messages, opening, seed, 1, spent)
            text = opening + completion.text
            texts.append(text)
            scores.append(NO_VERDICT)
            for verdict in find_verdicts(text, layout)[-1:]:
                if verdict.begin >= len(opening):
                    scores[-1] = read_verdict(
                        completion, verdict, len(opening), self._words, self._tokens
                    )
        return Chain(tuple(texts), tuple(scores))

    async def _write(
        self, messages: Sequence[Message], prefix: str, seed: int, num: int, spent: Spent
    ) -> list[Completion]:
        """`num` continuations of a prefix of the answer."""
        config = self._config
        stop = self._format.ends(config.stop)
        made = await self._writer.generate(
            GenerationRequest(
                prompt=self._format.build(messages),
                prefix=prefix,
                n=num,
                **config.request_fields(),
                max_tokens=config.max_tokens,
                stop=stop,
                needs_stop_string=False,
                seed=seed,
                named_ids=self._tokens.ids,
                num_told=0 if self._tokens.ids else config.num_alternatives,
                has_chat_template=self._format.has_chat_template,
                thought_tags=self._format.thought_tags,
            )
        )
        spent.prompt_tokens += made.prompt_tokens
        spent.cached_tokens += made.cached_tokens
        spent.generated_tokens += sum(len(each.token_ids) for each in made.completions)
        return [end_at_stop(each, stop, prefix=prefix) for each in made.completions]

    def _read(self, completion: Completion, before: str, chain: Chain, num_steps: int) -> Chain:
        """A chain with the verdicts that were written after `before`."""
        text, scores, has_failed = before + completion.text, [*chain.scores], False
        end = len(before)
        for verdict in self._find_said(text):
            if verdict.begin < len(before):
                continue
            if has_failed or len(scores) == num_steps:
                break
            scores.append(read_verdict(completion, verdict, len(before), self._words, self._tokens))
            has_failed = verdict.verdict == "wrong" and stops_at_error(self._layout)
            end = verdict.part[1]
        said = text[:end]
        if said and self._layout.type != "thinkprm":
            said = said.rstrip("\n") + "\n"
        return Chain((said,) if said else (), tuple(scores), has_failed)

    def _find_said(self, text: str) -> list[PlacedVerdict]:
        """The verdicts outside of the critic's thoughts; ThinkPRM's chain is a thought."""
        thoughts = self._format.thoughts
        if thoughts is None or self._layout.type == "thinkprm":
            return find_verdicts(text, self._layout)
        # What a thought rehearses, such as a whole critique with its last line, is not read.
        first = text.rfind(thoughts.end) + len(thoughts.end) if thoughts.end in text else 0
        found = find_verdicts(thoughts.answer(text), self._layout)
        return [verdict.moved(first) for verdict in found]
