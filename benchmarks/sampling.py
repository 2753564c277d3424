"""Tokens per second of sampling, against vLLM's own offline `LLM.generate`.

Both get the same requests (token ids, sampling parameters, seeds, log probabilities), each on its
own copy of the model with the same settings. They take turns in one process, and which goes first
changes from round to round; every round has problems of its own, so that no prompt is cached. The
engine's time includes what the sampling stage does with each continuation: its text, its steps
with their log probabilities, its answer. Prints one JSON object on its last line.

    python -m benchmarks.sampling --quick
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from schemas.engines import Completion, Generation, GenerationRequest, VLLMConfig
from schemas.units import derive_seed
from tasks.engines.vllm_drivers import engine_arguments, is_cpu_build
from tasks.engines.vllm_engine import VLLMEngine, open_vllm_engine
from tasks.graders.extraction import extract_answer
from tasks.models import resolve_model
from tasks.segmentation import measure_steps
from tasks.world.problems import iterate_problems

PROJECT = Path(__file__).resolve().parents[1]
WORLD_POLICY = PROJECT / "tasks" / "pretraining" / "world-policy"
SEPARATOR = "\n"


@dataclass(frozen=True, slots=True)
class Timing:
    """One contestant's run over one set of requests."""

    num_tokens: int
    seconds: float
    processor_s: float
    """Processor seconds of this process; on a busy machine steadier than the wall clock."""

    @property
    def tokens_per_s(self) -> float:
        """Generated tokens per second of wall clock."""
        return self.num_tokens / self.seconds


class Contestant(Protocol):
    """One way to have requests continued."""

    name: str

    async def run(self, requests: Sequence[GenerationRequest]) -> int:
        """Continue all requests at once; the number of tokens generated."""
        ...


class Engine:
    """The project's engine, and what the sampling stage does with each continuation."""

    name = "engine"

    def __init__(self, engine: VLLMEngine) -> None:
        self._engine = engine

    async def run(self, requests: Sequence[GenerationRequest]) -> int:
        """Continue all requests at once (see Contestant)."""
        return sum(await asyncio.gather(*map(self._sample, requests)))

    async def _sample(self, request: GenerationRequest) -> int:
        generation: Generation = await self._engine.generate(request)
        return sum(map(self._digest, generation.completions))

    def _digest(self, completion: Completion) -> int:
        steps = measure_steps(completion, SEPARATOR)
        extract_answer(completion.text)
        return sum(step.num_tokens for step in steps)


class Offline:
    """vLLM's offline `LLM.generate`, which gives the text and the log probabilities."""

    name = "vllm"

    def __init__(self, arguments: dict[str, Any]) -> None:
        from vllm import LLM

        self._llm = LLM(**arguments)
        self._tokenizer = self._llm.get_tokenizer()

    async def run(self, requests: Sequence[GenerationRequest]) -> int:
        """Continue all requests at once (see Contestant)."""
        from vllm import SamplingParams

        prompts: Any = [
            {"prompt_token_ids": self._tokenizer(request.prompt)["input_ids"]}
            for request in requests
        ]
        params = [
            SamplingParams(
                n=request.n,
                temperature=request.temperature,
                top_p=request.top_p,
                max_tokens=request.max_tokens,
                seed=request.seed,
                logprobs=0 if request.with_logprobs else None,
            )
            for request in requests
        ]
        outputs = self._llm.generate(prompts, params, use_tqdm=False)
        return sum(len(one.token_ids) for output in outputs for one in output.outputs)


async def measure(
    contestants: Sequence[Contestant], rounds: Sequence[Sequence[GenerationRequest]]
) -> list[dict[str, Timing]]:
    """Let the contestants take turns over each round's requests, the first one changing."""
    timings = []
    for index, requests in enumerate(rounds):
        turn = index % len(contestants)
        timing = {}
        for contestant in [*contestants[turn:], *contestants[:turn]]:
            wall, processor = time.perf_counter(), time.process_time()
            num_tokens = await contestant.run(requests)
            timing[contestant.name] = Timing(
                num_tokens, time.perf_counter() - wall, time.process_time() - processor
            )
        timings.append(timing)
    return timings


def make_requests(
    seed: int, *, num_problems: int, num_samples: int, with_logprobs: bool
) -> list[GenerationRequest]:
    """Requests for solutions of problems that no other seed brings."""
    return [
        GenerationRequest(
            prompt=problem.question + SEPARATOR,
            n=num_samples,
            max_tokens=160,
            seed=derive_seed("benchmark", seed, index),
            with_logprobs=with_logprobs,
        )
        for index, problem in enumerate(islice(iterate_problems(seed, "train"), num_problems))
    ]


def report(timings: Sequence[dict[str, Timing]], arguments: argparse.Namespace) -> dict[str, Any]:
    """The figures of all rounds; ratios are the engine's speed over vLLM's own."""
    ratios = [timing["engine"].tokens_per_s / timing["vllm"].tokens_per_s for timing in timings]
    figures: dict[str, Any] = {
        "benchmark": "sampling",
        "model": Path(arguments.model).name,
        "device": "cpu" if is_cpu_build() else "gpu",
        "num_problems": arguments.problems,
        "num_samples": arguments.samples,
        "with_logprobs": arguments.logprobs,
        "tokens_per_s": {
            name: [round(timing[name].tokens_per_s) for timing in timings] for name in timings[0]
        },
        "ratios": [round(ratio, 3) for ratio in ratios],
        "median_ratio": round(statistics.median(ratios), 3),
        "same_num_tokens": all(
            timing["engine"].num_tokens == timing["vllm"].num_tokens for timing in timings
        ),
    }
    if is_cpu_build():  # elsewhere the work is done by processes and devices not counted here
        ratios = [timing["vllm"].processor_s / timing["engine"].processor_s for timing in timings]
        figures["processor_ratios"] = [round(ratio, 3) for ratio in ratios]
        figures["median_processor_ratio"] = round(statistics.median(ratios), 3)
    return figures


async def compare(arguments: argparse.Namespace) -> dict[str, Any]:
    """Open both contestants, warm them up, and measure them."""
    share = 0.9 if is_cpu_build() else 0.42  # both hold their own copy of the model
    config = VLLMConfig(model=arguments.model, gpu_memory_utilization=share)
    engine = await open_vllm_engine(config, "policy", separator=SEPARATOR)
    folder = resolve_model(arguments.model)
    contestants = [Engine(engine), Offline(engine_arguments(config, str(folder), "policy"))]

    def requests(seed: int, num_problems: int) -> list[GenerationRequest]:
        return make_requests(
            seed,
            num_problems=num_problems,
            num_samples=arguments.samples,
            with_logprobs=arguments.logprobs,
        )

    await measure(contestants, [requests(10_000, 16)])
    timings = await measure(
        contestants, [requests(seed, arguments.problems) for seed in range(arguments.rounds)]
    )
    await engine.close()
    return report(timings, arguments)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description="Tokens per second against vLLM's LLM.generate.")
    parser.add_argument("--quick", action="store_true", help="fewer problems and rounds")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--model", default=str(WORLD_POLICY), help="folder or Hugging Face id")
    parser.add_argument("--problems", type=int, help="problems per round")
    parser.add_argument("--samples", type=int, default=16, help="solutions per problem")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--logprobs", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    arguments.problems = arguments.problems or (32 if arguments.quick else 200)
    arguments.rounds = arguments.rounds or (10 if arguments.quick else 8)
    figures = asyncio.run(compare(arguments))
    if arguments.format == "text":
        print(f"{'round':>5} {'engine':>9} {'vllm':>9} {'ratio':>6}   tokens/s")
        speeds = figures["tokens_per_s"]
        for index, ratio in enumerate(figures["ratios"]):
            ours, theirs = speeds["engine"][index], speeds["vllm"][index]
            print(f"{index:>5} {ours:>9,} {theirs:>9,} {ratio:>6.3f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
