"""What one search costs besides its models, by the number of its steps: linear, or their square?

Beam search of one problem with engines that answer at once: the policy writes one of two steps and
never ends, the verifier scores each step by its text. The processor time is that of the search
alone, rows included. Prints one JSON object on its last line.

    python -m benchmarks.deep_search --steps 250 500 1000 2000
"""

import argparse
import asyncio
import json
import time
import zlib

from schemas.engines import (
    Completion,
    Generation,
    GenerationRequest,
    ScoringRequest,
    StepScoring,
)
from schemas.graders import ExactGraderConfig
from schemas.rows import Problem, Trajectory
from schemas.search import ScoreConfig, SearchLimits
from schemas.search.strategies import BeamConfig
from tasks.engines.host import Counters
from tasks.graders import make_grader
from tasks.prompts.formats import PromptFormat
from tasks.search.answers import Answers
from tasks.search.context import SearchContext
from tasks.search.rows import make_rows
from tasks.search.session import Search
from tasks.search.strategies.beam import beam_search

_FORMAT = PromptFormat(
    build=lambda messages: messages[0].text, has_chat_template=False, separator="\n"
)
_PROBLEM = Problem(problem_id="p", source="s", split="test", question="1 + 1?", answer="2")
_TOKENS_PER_STEP = 10


class InstantEngine:
    """A policy and a verifier that take no time."""

    name = "instant"
    model_id = "instant-0"
    vocabulary: str | None = "instant"

    async def generate(self, request: GenerationRequest) -> Generation:
        """One of two steps, by the seed."""
        assert request.seed is not None
        return Generation(
            completions=tuple(self.write(request.seed + index) for index in range(request.n)),
            prompt_tokens=1,
            cached_tokens=0,
        )

    def write(self, seed: int) -> Completion:
        """The step of a seed."""
        text = "1 + 1 = 2\n" if seed % 2 else "2 + 1 = 3\n"
        return Completion(
            text=text,
            token_ids=tuple(range(_TOKENS_PER_STEP)),
            logprobs=(-0.5,) * _TOKENS_PER_STEP,
            finish_reason="stop",
            stop_string="\n",
            token_texts=tuple(text),
        )

    async def score(self, request: ScoringRequest) -> StepScoring:
        """A score in [0, 1] of each unread step."""
        unread = request.steps[request.num_known :]
        scores = tuple(zlib.crc32(step.encode()) / 2**32 for step in unread)
        return StepScoring(scores=scores, scored_tokens=len(scores), cached_tokens=0)

    def encode_text(self, text: str) -> None:
        """No tokens are known."""

    async def close(self) -> None:
        """Nothing is held."""


async def search_deep(
    num_steps: int, budget: int = 4, engine: InstantEngine | None = None
) -> list[Trajectory]:
    """The rows of a beam search that is cut after `num_steps` steps."""
    engine = engine or InstantEngine()
    context = SearchContext(
        engines={"policy": engine, "verifier": engine},
        prompt_formats={"policy": _FORMAT},
        limits=SearchLimits(max_steps=num_steps, max_tokens=num_steps * _TOKENS_PER_STEP + 1),
        score=ScoreConfig(by="verifier", reduction="last"),
        needs_likelihood=False,
        counters=Counters(),
    )
    grader = make_grader(ExactGraderConfig())
    search = Search(_PROBLEM.question, budget, context, seed=0, answers=Answers(grader, _PROBLEM))
    ends = await beam_search(search, BeamConfig(width=2))
    return await make_rows(
        search, ends, problem=_PROBLEM, strategy="beam", grader=grader, scope="benchmark"
    )


def main() -> None:
    """Measure; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, nargs="+", default=[250, 500, 1000, 2000])
    arguments = parser.parse_args()
    asyncio.run(search_deep(20))  # imports
    found = {}
    for num_steps in arguments.steps:
        start = time.process_time()
        rows = asyncio.run(search_deep(num_steps))
        spent = time.process_time() - start
        found[num_steps] = {"cpu_s": round(spent, 3), "rows": len(rows)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
