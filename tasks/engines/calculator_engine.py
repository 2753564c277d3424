"""A policy that writes programs and cannot compute: what it earns with tools and without is exact.

The question `What is 2 times 3 times 4?` takes a step for each further number, `Step 1:` with a
block of Python that multiplies and prints. With probability `p_right` the program multiplies,
otherwise it adds. The policy copies the number that the last program printed into its answer, so
with every program run the answer is right with probability `p_right` ** steps; behind a program
without an output it writes that it does not know. Each character is a token, and its id is the
character's number, so outputs come back by ids.
"""

import asyncio
import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.engines import (
    CalculatorConfig,
    Completion,
    Generation,
    GenerationRequest,
    ScoringRequest,
    StepScoring,
)
from schemas.errors import RequestRejected
from schemas.rows import Problem
from schemas.units import derive_id, derive_seed
from tasks.engines.analytic_engine import draw_step

_QUESTION = re.compile(r"What is (\d+(?: times \d+)+)\?")
_OUTPUT = re.compile(r"\n?```output\n(.*?)\n```\n+", re.DOTALL)
_RIGHT, _WRONG = ord("*"), ord("+")
_UNKNOWN = "I do not know."


@dataclass(frozen=True, slots=True)
class _Written:
    """A solution after a prefix."""

    rest: str
    """What follows the prefix."""
    operators: tuple[str, ...]
    """Those that the prefix has."""
    drawn: tuple[int, ...]
    """Places in `rest` of the operators that were drawn."""


class CalculatorEngine:
    """The policy, and a verifier that knows its chance of success with tools."""

    name = "calculator"

    def __init__(self, config: CalculatorConfig) -> None:
        """An engine named after its chance of a right program."""
        self.model_id = f"calculator[{config.p_right:g}]"
        self.vocabulary: str | None = "characters"
        self._config = config
        self._p_next = {_RIGHT: config.p_right, _WRONG: 1 - config.p_right}

    async def generate(self, request: GenerationRequest) -> Generation:
        """Continue a prefix n times; continuation i of seed s is that of seed s + i alone.

        Raises:
            RequestRejected: prompt or prefix does not belong to this world, or the ids of the
                prefix are those of another text.
        """
        ids = request.prefix_ids
        if ids is not None and "".join(map(chr, ids)) != request.prefix:
            raise RequestRejected(
                f"calculator: expected ids of {request.prefix!r}, "
                f"got those of {''.join(map(chr, ids))!r}"
            )
        numbers = _numbers(request.prompt)
        await asyncio.sleep(0)  # let other requests run meanwhile, as a real engine does
        return Generation(
            completions=tuple(self._write(numbers, request, i) for i in range(request.n)),
            prompt_tokens=len(request.prompt) + len(request.prefix),
            cached_tokens=0,
        )

    async def score(self, request: ScoringRequest) -> StepScoring:
        """The success probability after each step, mixed with the configured noise.

        Raises:
            RequestRejected: prompt or steps do not belong to this world.
        """
        numbers = _numbers(request.prompt)
        noise = self._config.verifier_noise
        scores = []
        for num in range(request.num_known + 1, len(request.steps) + 1):
            text = "".join(request.steps[:num])
            random_score = derive_seed(request.prompt, text) / 2**31
            scores.append((1 - noise) * self.value(numbers, text) + noise * random_score)
        read = len(request.prompt) + sum(map(len, request.steps))
        await asyncio.sleep(0)
        return StepScoring(scores=tuple(scores), scored_tokens=read, cached_tokens=0)

    def value(self, numbers: Sequence[int], prefix: str) -> float:
        """The exact probability that a prefix ends in the right answer if its programs are run."""
        operators = _continue(numbers, prefix, lambda: _RIGHT).operators
        if "+" in operators or _UNKNOWN[:3] in prefix:
            return 0.0
        return self._config.p_right ** (len(numbers) - 1 - len(operators))

    def encode_text(self, text: str) -> tuple[int, ...]:
        """The characters' numbers."""
        return tuple(map(ord, text))

    async def close(self) -> None:
        """Do nothing: no resources are held."""

    def _write(self, numbers: Sequence[int], request: GenerationRequest, index: int) -> Completion:
        """Continuation `index` of a request."""
        seed = None if request.seed is None else derive_seed("analytic", request.seed + index)
        rng = random.Random(seed)
        written = _continue(numbers, request.prefix, lambda: draw_step(self._p_next, request, rng))
        text, stop_string = _until(written.rest, request.stop)
        is_cut = len(text) > request.max_tokens
        text = text[: request.max_tokens]
        stop_string = None if is_cut else stop_string
        logprobs = [0.0] * len(text)
        for place in written.drawn:
            if place < len(text):
                logprobs[place] = math.log(self._p_next[ord(text[place])])
        return Completion(
            text=text,
            token_ids=self.encode_text(text),
            logprobs=tuple(logprobs) if request.with_logprobs else None,
            finish_reason="length" if is_cut else "stop",
            stop_string=stop_string,
            token_texts=tuple(text),
            confidences=tuple(-p for p in logprobs) if request.num_alternatives else None,
        )


def products(num: int, seed: int, *, num_factors: int = 3, split: str = "eval") -> list[Problem]:
    """`num` questions for products of numbers that nobody knows by heart."""
    problems = []
    for row in range(num):
        rng = random.Random(derive_seed("products", seed, row))
        numbers = [rng.randrange(10**5, 10**6) for _ in range(num_factors)]
        problems.append(
            Problem(
                problem_id=derive_id("products", seed, row),
                source="products",
                split=split,
                question=f"What is {' times '.join(map(str, numbers))}?",
                answer=str(math.prod(numbers)),
            )
        )
    return problems


def _numbers(prompt: str) -> list[int]:
    """The factors of the last question in a prompt."""
    found = _QUESTION.findall(prompt)
    if not found:
        raise RequestRejected(f"calculator: expected 'What is 2 times 3?' in {prompt!r}")
    return [int(number) for number in found[-1].split(" times ")]


def _continue(numbers: Sequence[int], prefix: str, draw) -> _Written:
    """The solution behind a prefix, up to the program whose output is not known.

    Raises:
        RequestRejected: the prefix cannot begin a solution.
    """
    text, value, operators, drawn = "", "", [], []
    for step, factor in enumerate(numbers[1:], 1):
        text += f"Step {step}:\n```python\nx = {numbers[0] if step == 1 else 'x'} "
        if len(prefix) > len(text):
            operators.append(prefix[len(text)])
            text += prefix[len(text)]
        else:
            drawn.append(len(text) - len(prefix))
            text += chr(draw())
        text += f" {factor}\nprint(x)\n```\n"
        output = _OUTPUT.match(prefix, len(text))
        if output is None:
            text += _UNKNOWN
            break
        text, value = prefix[: output.end()], output[1]
    else:
        text += f"So \\boxed{{{value}}}."
    if not text.startswith(prefix):
        raise RequestRejected(f"calculator: {prefix!r} cannot begin a solution of this world")
    return _Written(text[len(prefix) :], tuple(operators), tuple(drawn))


def _until(text: str, stop: Sequence[str]) -> tuple[str, str | None]:
    """A text up to the end of the first stop string, and that one."""
    found = [(place + len(s), s) for s in stop if (place := text.find(s)) >= 0]
    if not found:
        return text, None
    end, string = min(found)
    return text[:end], string
