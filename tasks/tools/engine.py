"""An engine whose solutions run programs: ToRA (arXiv:2309.17452), for every stage that draws.

Where a continuation ends in a closed block of code, the sandbox runs it, and what it printed is put
behind it by token ids, as a block of its own; then the model goes on. A prefix that ends in a block
that was not run yet is treated likewise, once for all continuations. What is known is read from the
text alone, so a continuation of a prefix is what the whole solution would have been.

A step-wise request, which stops at the step separator, ends behind an output, as a step ends there.
A model that ends its text behind a block of code is shown the output, too: its end of text is taken
back, and counts as generated. Everything counts against `max_tokens`; an output for which there is
no room cuts the solution. A sandbox that cannot run programs, or an engine that does not tell which
token wrote what, ends the solution with an error.

Deviation from ToRA: it is stopped at the end of the block of code, not at the word `output`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas.engines import (
    Completion,
    Generation,
    GenerationRequest,
    ScoringRequest,
    StepScoring,
)
from schemas.errors import AnswerRejected, RequestRejected
from schemas.prompts import PromptConfig
from schemas.tools import ToolsConfig
from schemas.units import derive_seed
from tasks.engines.base import Engine, PlainEncoder
from tasks.steps.outputs import num_written
from tasks.steps.pieces import cut, given, join
from tasks.steps.token_ids import known_ids
from tasks.tools.blocks import CLOSING, output_block, programs_to_run
from tasks.tools.programs import RunProgram, printed, program_text
from tasks.tools.sandbox import sandbox_runner


def with_tools(engine: Engine, prompt: PromptConfig) -> Engine:
    """The engine as a prompt's solutions need it: itself, if they run no programs."""
    if prompt.tools is None:
        return engine
    return ToolEngine(engine, prompt.tools, prompt.separator, sandbox_runner(prompt.tools))


class ToolEngine:
    """Generates with an engine, and runs the programs that it writes."""

    def __init__(
        self, engine: Engine, config: ToolsConfig, separator: str, run: RunProgram
    ) -> None:
        """Wrap an engine.

        Args:
            engine: the policy's.
            config: which programs are run.
            separator: what ends a step of its solutions.
            run: runs a program.
        """
        self.name, self.model_id, self.vocabulary = engine.name, engine.model_id, engine.vocabulary
        self._engine, self._config, self._separator, self._run = engine, config, separator, run

    async def generate(self, request: GenerationRequest) -> Generation:
        """Continuations with the outputs of their programs (see Engine).

        The costs are those of all requests that it took.
        """
        begun = await self._output(request.prefix, request)
        if begun is not None and len(begun.token_ids) > request.max_tokens:
            begun = replace(cut(begun, 0), num_written=0)
            return Generation(completions=(begun,) * request.n, prompt_tokens=0, cached_tokens=0)
        if begun is not None and begun.error is None and self._ends_step(request):
            begun = replace(begun, finish_reason="stop", stop_string=self._separator)
            return Generation(completions=(begun,) * request.n, prompt_tokens=0, cached_tokens=0)
        if begun is not None and (begun.error or len(begun.token_ids) == request.max_tokens):
            return Generation(completions=(begun,) * request.n, prompt_tokens=0, cached_tokens=0)
        generation = await self._engine.generate(self._following(request, begun))
        drawn = await asyncio.gather(
            *(
                self._continue(request, begun, first, index)
                for index, first in enumerate(generation.completions)
            )
        )
        return Generation(
            completions=tuple(each.completion for each in drawn),
            prompt_tokens=generation.prompt_tokens + sum(each.prompt_tokens for each in drawn),
            cached_tokens=generation.cached_tokens + sum(each.cached_tokens for each in drawn),
        )

    async def score(self, request: ScoringRequest) -> StepScoring:
        """The engine's own scores."""
        return await self._engine.score(request)

    def encode_text(self, text: str) -> Sequence[int] | None:
        """The engine's own tokens."""
        return self._engine.encode_text(text)

    async def close(self) -> None:
        """Release the engine's resources."""
        await self._engine.close()

    async def _continue(
        self, request: GenerationRequest, begun: Completion | None, first: Completion, index: int
    ) -> "_Drawn":
        """One continuation to its end."""
        drawn = _Drawn(first if begun is None else join(begun, first))
        piece = first
        while drawn.completion.error is None:
            so_far = drawn.completion
            output = None
            if piece.finish_reason == "stop":
                output = await self._output(request.prefix + so_far.text, request, so_far)
            if output is not None:
                drawn.completion, is_over = self._with_output(so_far, output, request)
                so_far = drawn.completion
                if is_over:
                    return drawn
            elif piece.stop_string is None or (own := _own_stop(piece, request)) is not None:
                own = None if piece.stop_string is None else own
                drawn.completion = replace(so_far, stop_string=own)
                return drawn
            else:
                # The separator may begin here and end in the next piece, unseen by the engine.
                so_far = replace(so_far, outputs=_marks(so_far))
            drawn.completion = so_far = replace(so_far, finish_reason="length", stop_string=None)
            if len(so_far.token_ids) >= request.max_tokens:
                return drawn
            seed = request.seed
            seed = None if seed is None else derive_seed(seed + index, len(so_far.token_ids))
            asked = replace(self._following(request, so_far), n=1, seed=seed)
            try:
                generation = await self._engine.generate(asked)
            except AnswerRejected as rejection:
                drawn.completion = replace(so_far, error=str(rejection))
                return drawn
            except RequestRejected:  # its context is full
                return drawn
            (piece,) = generation.completions
            drawn.prompt_tokens += generation.prompt_tokens
            drawn.cached_tokens += generation.cached_tokens
            if not piece.token_ids:
                return drawn
            drawn.completion = join(so_far, piece)
        return drawn

    def _following(
        self, request: GenerationRequest, so_far: Completion | None
    ) -> GenerationRequest:
        """The request for what comes after a part of the continuation."""
        stop = tuple(dict.fromkeys((*request.stop, CLOSING)))
        request = replace(request, stop=stop, needs_stop_string=True)
        if so_far is None:
            return request
        ids = known_ids(so_far, self.vocabulary)
        is_known = ids is not None and (not request.prefix or request.prefix_ids is not None)
        return replace(
            request,
            prefix=request.prefix + so_far.text,
            prefix_ids=(*(request.prefix_ids or ()), *(ids or ())) if is_known else None,
            following="",
            max_tokens=request.max_tokens - len(so_far.token_ids),
        )

    async def _output(
        self, text: str, request: GenerationRequest, so_far: Completion | None = None
    ) -> Completion | None:
        """What the program at the end of a text printed; None if it does not end in one."""
        programs = programs_to_run(text, self._config)
        if programs is None:
            return None
        if so_far is not None and so_far.token_texts is None:
            return _failed(
                f"{self.name}: expected an engine that tells which token wrote what, to put the "
                "outputs of programs between them"
            )
        run = await self._run(program_text(programs))
        if run.fault is not None:
            return _failed(f"its program could not be run: {run.fault}")
        shown = printed(run, self._config)
        engine = self._engine
        encode = engine.encode_plain if isinstance(engine, PlainEncoder) else engine.encode_text
        block = given(output_block(shown, before=text, separator=self._separator), encode)
        return replace(
            block,
            outputs=(True,) * len(block.token_ids),
            num_written=0,
            logprobs=block.logprobs if request.with_logprobs else None,
            confidences=(0.0,) * len(block.token_ids) if request.num_alternatives else None,
        )

    def _with_output(
        self, so_far: Completion, output: Completion, request: GenerationRequest
    ) -> tuple[Completion, bool]:
        """A continuation and the output of its last program, if there is room; whether it ends."""
        if output.error is not None:
            failed = replace(so_far, finish_reason="length", stop_string=None, error=output.error)
            return failed, True
        kept = replace(cut(so_far, len(so_far.text)), num_written=num_written(so_far))
        if len(kept.token_ids) + len(output.token_ids) > request.max_tokens:
            return kept, True
        whole = join(kept, output)
        if self._ends_step(request):
            return replace(whole, finish_reason="stop", stop_string=self._separator), True
        return whole, False

    def _ends_step(self, request: GenerationRequest) -> bool:
        """Whether a request is for one step."""
        return self._separator in request.stop


@dataclass(slots=True)
class _Drawn:
    """A continuation, and the costs of the requests after the first."""

    completion: Completion
    prompt_tokens: int = 0
    cached_tokens: int = 0


def _failed(words: str) -> Completion:
    """The end of a continuation that cannot go on."""
    return Completion(
        text="",
        token_ids=(),
        logprobs=(),
        finish_reason="length",
        stop_string=None,
        token_texts=(),
        error=words,
    )


def _marks(completion: Completion) -> tuple[bool, ...]:
    """Which tokens programs printed, told even if none did: its steps are then read from it."""
    return completion.outputs or (False,) * len(completion.token_ids)


def _own_stop(piece: Completion, request: GenerationRequest) -> str | None:
    """The caller's stop string at which a piece ended; None if there is none."""
    return next((string for string in request.stop if string in piece.text), None)
