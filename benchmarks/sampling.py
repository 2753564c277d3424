"""Tokens per second of the sampling stage, against vLLM's own offline `LLM.generate`.

Both get the same requests (token ids, sampling parameters, seeds, log probabilities), each on its
own copy of the model with the same settings. They take turns in one process, and a different one
goes first each round; every round has its own problems, so that no prompt is cached. The stage's
time is that of a unit of work: problems read from the store, solutions sampled, cut into steps,
graded, and committed as a file. Prints one JSON object on its last line.

    python -m benchmarks.sampling --quick
    python -m benchmarks.sampling --config benchmarks/real_line.yaml --problems 8 --rounds 3

The second takes policy, prompt, problems and sampling of a factory's evaluation.
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

import yaml

from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.factory import FactoryConfig
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
from tasks.prompts.formats import make_prompt_format
from tasks.sampling.sample import sample_problems, sampling_seed


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
        self._format = make_prompt_format(job.prompt, job.policy)
        self._llm = LLM(**arguments)
        self._tokenizer = self._llm.get_tokenizer()

    async def run(self, problems: Sequence[Problem]) -> int:
        """Generate for all problems at once (see Contestant)."""
        from vllm import SamplingParams

        sampling = self._job.sampling
        prompts: Any = [
            {
                "prompt_token_ids": self._tokenizer(
                    self._format.ask(problem.question),
                    add_special_tokens=not self._format.has_chat_template,
                )["input_ids"]
            }
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


def world_job(arguments: argparse.Namespace) -> SamplingJob:
    """The shipped policy, or another one, on the built-in world."""
    return SamplingJob(
        problems=WorldProblemsConfig(),
        policy=VLLMConfig(model=arguments.model),
        sampling=SamplingConfig(
            num_samples=arguments.samples, max_tokens=160, with_logprobs=arguments.logprobs
        ),
    )


def job_of(arguments: argparse.Namespace) -> SamplingJob:
    """The sampling of a factory's evaluation."""
    values = yaml.safe_load(arguments.config.read_text(encoding="utf-8"))
    config = FactoryConfig.from_partial({k: v for k, v in values.items() if k != "flow"})
    arguments.samples = config.eval_sampling.num_samples
    return SamplingJob(
        problems=config.eval_problems,
        policy=config.policy,
        prompt=config.prompt,
        grader=config.grader,
        sampling=config.eval_sampling,
    )


def choose_problems(job: SamplingJob, arguments: argparse.Namespace) -> list[list[Problem]]:
    """Problems to warm up with, then those of each round; none is in two."""
    if arguments.config is None:
        seeds = [10_000, *range(arguments.rounds)]
        return [
            load_problems(
                WorldProblemsConfig(
                    split="train", num_problems=arguments.problems if index else 16, seed=seed
                )
            )[0]
            for index, seed in enumerate(seeds)
        ]
    found, _ = load_problems(job.problems)
    size = arguments.problems
    parts = [found[begin : begin + size] for begin in range(0, (arguments.rounds + 1) * size, size)]
    if len(parts[-1]) < size:
        raise ValueError(
            f"expected {(arguments.rounds + 1) * size} problems, {size} for each round and to warm "
            f"up with, got {len(found)}"
        )
    return parts


async def compare(arguments: argparse.Namespace, store: Store) -> dict[str, Any]:
    """Open both contestants, warm them up, and measure them."""
    job = world_job(arguments) if arguments.config is None else job_of(arguments)
    config = job.policy
    if not isinstance(config, VLLMConfig):
        raise ValueError(f"expected a policy of type vllm, got {config.type}")
    if not is_cpu_build():  # both hold their own copy of the model
        config = config.with_fields(gpu_memory_utilization=0.42)
        job = job.with_fields(policy=config)
    engine = await open_vllm_engine(config, "policy", separator=job.prompt.step_rule)
    folder = resolve_model(config.model)
    arguments.model = config.model
    offline = Offline(engine_arguments(config, str(folder), "policy"), job)
    contestants = [Stage(engine, job, store), offline]

    warm_up, *rounds = choose_problems(job, arguments)
    await measure(contestants, [warm_up])
    timings = await measure(contestants, rounds)
    await engine.close()
    return report(timings, arguments)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description="Tokens per second against vLLM's LLM.generate.")
    parser.add_argument("--quick", action="store_true", help="fewer problems and rounds")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--model", default=SHIPPED_POLICY, help="folder or Hugging Face id")
    parser.add_argument("--config", type=Path, help="config of a factory instead")
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
