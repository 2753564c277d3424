"""Tokens per second of the sampling stage, against vLLM's own offline `LLM.generate`.

Both get the same requests (token ids, sampling parameters, seeds, log probabilities), each on its
own copy of the model with the same settings. They take turns in one process, and a different one
goes first each round; every round has its own problems, so that no prompt is cached. The stage's
time is that of a unit of work: problems read from the store, solutions sampled, cut into steps,
graded, and committed as a file. Prints one JSON object on its last line.

    python -m benchmarks.sampling --quick
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS, TRAJECTORIES, Problem
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.units import Unit
from storage import Store
from tasks.engines.base import Engine
from tasks.engines.host import Counters, UnitContext
from tasks.engines.vllm_arguments import engine_arguments, is_cpu_build
from tasks.engines.vllm_engine import open_vllm_engine
from tasks.models.folders import resolve_model
from tasks.problems.load import load_problems
from tasks.sampling.sample import sample_problems, sampling_seed

SEPARATOR = "\n"


@dataclass(frozen=True, slots=True)
class Timing:
    """One contestant's run over one set of requests."""

    num_tokens: int
    seconds: float
    processor_s: float
    """Processor seconds of this process, steadier than the wall clock on a busy machine."""

    @property
    def tokens_per_s(self) -> float:
        """Generated tokens per second of wall clock."""
        return self.num_tokens / self.seconds


class Contestant(Protocol):
    """One way to solve problems."""

    name: str

    async def run(self, problems: Sequence[Problem]) -> int:
        """Sample solutions of all problems at once; the number of tokens generated."""
        ...


class Stage:
    """A unit of the sampling stage, from the problems in the store to the committed file."""

    name = "stage"

    def __init__(self, engine: Engine, job: SamplingJob, store: Store) -> None:
        self._job = job
        self._context = UnitContext(store, {"policy": engine}, Counters())
        self._num_units = 0

    async def run(self, problems: Sequence[Problem]) -> int:
        """Do one unit (see Contestant)."""
        self._num_units += 1
        store, name = self._context.store, f"{self._job.set_name}.{self._num_units:05d}"
        source = Unit(run_id="benchmark", stage="problems", name=name, table=PROBLEMS.name)
        store.commit(source, problems)
        unit = Unit(
            run_id="benchmark",
            stage="sampling",
            name=name,
            table=TRAJECTORIES.name,
            inputs=(source.path,),
        )
        rows = await sample_problems(unit, self._job, self._context)
        return store.commit(unit, rows).generated_tokens


class Offline:
    """vLLM's offline `LLM.generate`, returning the text and the log probabilities."""

    name = "vllm"

    def __init__(self, arguments: dict[str, Any], job: SamplingJob) -> None:
        from vllm import LLM

        self._job = job
        self._llm = LLM(**arguments)
        self._tokenizer = self._llm.get_tokenizer()

    async def run(self, problems: Sequence[Problem]) -> int:
        """Generate for all problems at once (see Contestant)."""
        from vllm import SamplingParams

        sampling = self._job.sampling
        prompts: Any = [
            {"prompt_token_ids": self._tokenizer(problem.question + SEPARATOR)["input_ids"]}
            for problem in problems
        ]
        params = [
            SamplingParams(
                n=sampling.num_samples,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_tokens=sampling.max_tokens,
                seed=sampling_seed(self._job, problem),
                logprobs=0 if sampling.with_logprobs else None,
            )
            for problem in problems
        ]
        outputs = self._llm.generate(prompts, params, use_tqdm=False)
        return sum(len(one.token_ids) for output in outputs for one in output.outputs)


async def measure(
    contestants: Sequence[Contestant], rounds: Sequence[Sequence[Problem]]
) -> list[dict[str, Timing]]:
    """Let the contestants take turns on each round's problems, starting with a different one."""
    timings = []
    for index, problems in enumerate(rounds):
        turn = index % len(contestants)
        timing = {}
        for contestant in [*contestants[turn:], *contestants[:turn]]:
            wall, processor = time.perf_counter(), time.process_time()
            num_tokens = await contestant.run(problems)
            timing[contestant.name] = Timing(
                num_tokens, time.perf_counter() - wall, time.process_time() - processor
            )
        timings.append(timing)
    return timings


def report(timings: Sequence[dict[str, Timing]], arguments: argparse.Namespace) -> dict[str, Any]:
    """The figures of all rounds; ratios are the stage's speed relative to vLLM's own."""
    ratios = [timing["stage"].tokens_per_s / timing["vllm"].tokens_per_s for timing in timings]
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
            timing["stage"].num_tokens == timing["vllm"].num_tokens for timing in timings
        ),
    }
    if (
        is_cpu_build()
    ):  # on a GPU the work is done by processes and devices that are not counted here
        ratios = [timing["vllm"].processor_s / timing["stage"].processor_s for timing in timings]
        figures["processor_ratios"] = [round(ratio, 3) for ratio in ratios]
        figures["median_processor_ratio"] = round(statistics.median(ratios), 3)
    return figures


async def compare(arguments: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Open both contestants, warm them up, and measure them."""
    share = 0.9 if is_cpu_build() else 0.42  # both hold their own copy of the model
    config = VLLMConfig(model=arguments.model, gpu_memory_utilization=share)
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=config,
        sampling=SamplingConfig(
            num_samples=arguments.samples, max_tokens=160, with_logprobs=arguments.logprobs
        ),
    )
    engine = await open_vllm_engine(config, "policy", separator=SEPARATOR)
    folder = resolve_model(arguments.model)
    offline = Offline(engine_arguments(config, str(folder), "policy"), job)
    contestants = [Stage(engine, job, store), offline]

    def problems(seed: int, number: int) -> list[Problem]:
        return load_problems(WorldProblemsConfig(split="train", num_problems=number, seed=seed))[0]

    await measure(contestants, [problems(10_000, 16)])
    rounds = [problems(seed, arguments.problems) for seed in range(arguments.rounds)]
    timings = await measure(contestants, rounds)
    await engine.close()
    return report(timings, arguments)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description="Tokens per second against vLLM's LLM.generate.")
    parser.add_argument("--quick", action="store_true", help="fewer problems and rounds")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--model", default=SHIPPED_POLICY, help="folder or Hugging Face id")
    parser.add_argument("--problems", type=int, help="problems per round")
    parser.add_argument("--samples", type=int, default=16, help="solutions per problem")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--logprobs", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    arguments.problems = arguments.problems or (32 if arguments.quick else 200)
    arguments.rounds = arguments.rounds or (10 if arguments.quick else 8)
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(compare(arguments, Store(folder)))
    if arguments.format == "text":
        print(f"{'round':>5} {'stage':>9} {'vllm':>9} {'ratio':>6}   tokens/s")
        speeds = figures["tokens_per_s"]
        for index, ratio in enumerate(figures["ratios"]):
            ours, theirs = speeds["stage"][index], speeds["vllm"][index]
            print(f"{index:>5} {ours:>9,} {theirs:>9,} {ratio:>6.3f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
