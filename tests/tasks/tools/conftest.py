"""A policy that knows how to write a program, not what it prints, and a runner for its programs."""

import asyncio
import math
import re
import sys
from collections.abc import Callable, Sequence

import pytest

from schemas.engines import Completion, Generation, GenerationRequest, ScoringRequest, StepScoring
from schemas.rows import Problem
from tasks.tools.programs import ProgramRun

_ASKED = re.compile(r"What is (\d+) times (\d+)\?")
_PIECES = re.compile(r"```\n|.", re.DOTALL)


def questions(num: int) -> list[Problem]:
    """Products that nobody knows by heart."""
    return [
        Problem(
            problem_id=f"p{index}",
            source="products",
            split="eval",
            question=f"What is {1000003 + index} times {998244353 - 7 * index}?",
            answer=str((1000003 + index) * (998244353 - 7 * index)),
        )
        for index in range(num)
    ]


class Calculator:
    """Writes the program of a product, then copies the number that follows it.

    Every character is a token, but the fence that ends a line is one. With `slips`, every third
    seed writes a sum instead. Without an output it says that it does not know. It reads
    `prefix_ids` where they are given, and they must say what the text says.
    """

    name = "calculator"
    model_id = "calculator-0"

    def __init__(
        self, *, separator: str = "\n", slips: bool = False, ends_at_code: bool = False
    ) -> None:
        self.vocabulary: str | None = "characters"
        self.requests: list[GenerationRequest] = []
        self.num_written = 0
        self._separator, self._slips, self._ends_at_code = separator, slips, ends_at_code

    def encode_text(self, text: str) -> tuple[int, ...]:
        return tuple(ord(piece) if len(piece) == 1 else 1 for piece in _PIECES.findall(text))

    def decode(self, ids: Sequence[int]) -> str:
        return "".join({0: "", 1: "```\n"}.get(each, chr(each)) for each in ids)

    async def generate(self, request: GenerationRequest) -> Generation:
        self.requests.append(request)
        await asyncio.sleep(0)
        ids = request.prefix_ids
        if ids is not None and self.decode(ids) != request.prefix:
            raise AssertionError((self.decode(ids), request.prefix))
        return Generation(
            completions=tuple(
                self._write(request, (request.seed or 0) + index) for index in range(request.n)
            ),
            prompt_tokens=1 + len(self.encode_text(request.prefix)),
            cached_tokens=0,
        )

    async def score(self, request: ScoringRequest) -> StepScoring:
        return StepScoring(
            scores=(0.5,) * (len(request.steps) - request.num_known),
            scored_tokens=1,
            cached_tokens=0,
        )

    async def close(self) -> None:
        """Nothing is held."""

    def _next(self, request: GenerationRequest, seed: int) -> str:
        """All that is still to be written after a prefix."""
        found = _ASKED.search(request.prompt)
        assert found is not None
        sign = "+" if self._slips and seed % 3 == 0 else "*"
        begin = f"I compute it.{self._separator}```python\nx = {found[1]}"
        prefix = request.prefix
        if len(prefix) < len(begin):
            return begin[len(prefix) :] + f" {sign} {found[2]}\nprint(x)\n```\n" + self._blind()
        if "```output" not in prefix:
            if "print(x)\n```" in prefix:
                return self._blind()
            line = f" {sign} {found[2]}\nprint(x)\n```\n"
            tails = [line.replace(sign, other) for other in "+*"]
            done = prefix[len(begin) :]
            return next(t[len(done) :] for t in tails if t.startswith(done)) + self._blind()
        number = prefix.rpartition("```output\n")[2].split("\n")[0]
        answer = f"So \\boxed{{{number}}}."
        behind = prefix.rpartition("\n```")[2].lstrip("\n")
        return answer[len(behind) :]

    def _blind(self) -> str:
        return "" if self._ends_at_code else "I do not know."

    def _write(self, request: GenerationRequest, seed: int) -> Completion:
        pieces: list[str] = []
        stop = None
        for piece in _PIECES.findall(self._next(request, seed)):
            if len(pieces) == request.max_tokens or stop is not None:
                break
            pieces.append(piece)
            written = "".join(pieces)
            stop = next((s for s in request.stop if written.endswith(s)), None)
        is_over = stop is None and len(pieces) < request.max_tokens
        pieces += [""] * is_over
        self.num_written += len(pieces)
        ids = self.encode_text("".join(pieces)) + (0,) * is_over
        return Completion(
            text="".join(pieces),
            token_ids=ids,
            logprobs=(math.log(0.5),) * len(ids) if request.with_logprobs else None,
            finish_reason="stop" if is_over or stop else "length",
            stop_string=stop,
            token_texts=tuple(pieces),
        )


@pytest.fixture
def calculator() -> Callable[..., Calculator]:
    return Calculator


@pytest.fixture
def products() -> Callable[[int], list[Problem]]:
    return questions


async def run_here(source: str) -> ProgramRun:
    """Runs a program of these tests, which is trusted, without a sandbox."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-", stdin=-1, stdout=-1, stderr=-1
    )
    stdout, stderr = await process.communicate(source.encode())
    return ProgramRun(stdout=stdout.decode(), stderr=stderr.decode())


@pytest.fixture
def runner() -> Callable:
    return run_here
