"""How a policy continues its own solutions: from the sampled ids, and from their text.

Solutions of a real model are cut at their step ends, and each prefix is continued three ways: from
its ids, as rollouts and searches do; from its text, encoded with the text that follows it, as
prefixes are whose ids are not known; and from its text encoded alone, as step-wise code commonly
does. A continuation is off-policy if the policy itself, after the ids it wrote, gives its first
token a probability below 1e-4; sampling at temperature 1 draws such tokens too, so the share of
those that the policy wrote there itself is printed beside it. Further columns compare the log
probability of the rest of each solution, and the share of rollouts that are right, with those of
the solution as it was written.

    python -m benchmarks.prefixes --model models/SmolLM2-135M-Instruct

The problems are sums in words, which a small model solves now and then; `--problems` takes a file
of GSM8K.
"""

import argparse
import asyncio
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice
from pathlib import Path

from schemas.engines import Completion, GenerationRequest, VLLMConfig
from schemas.graders import MathGraderConfig
from schemas.prompts import ChatPromptConfig
from schemas.rows import Problem
from schemas.units import derive_seed
from tasks.engines.vllm_engine import VLLMEngine, open_vllm_engine
from tasks.graders import Grader, grade_all, make_grader
from tasks.prompts.formats import PromptFormat, make_prompt_format
from tasks.steps.segmentation import measure_steps

OFF_POLICY = math.log(1e-4)
WAYS = ("ids", "text and what follows", "text alone")


@dataclass
class Figures:
    """What the continuations of one way add up to."""

    num_off_policy: int = 0
    num_continued: int = 0
    differences: list[float] = field(default_factory=list)
    """By how much the rest of a solution is less likely after this prefix than as written, in nats
    per token; the largest of its first eight tokens."""
    num_right: list[int] = field(default_factory=list)
    """Right rollouts of each prefix."""


@dataclass(frozen=True)
class Cut:
    """A solution and one of its step ends."""

    problem: Problem
    prompt: str
    completion: Completion
    prefix: str
    prefix_ids: tuple[int, ...]
    following: str


class Comparison:
    """Continues the solutions of one policy in every way."""

    def __init__(
        self,
        engine: VLLMEngine,
        grader: Grader,
        prompt_format: PromptFormat,
        *,
        temperature: float,
    ) -> None:
        self.engine = engine
        self._grader = grader
        self._format = prompt_format
        self._encode = engine.encoder
        self._temperature = temperature
        self.num_changed = 0
        self.written: list[float] = []
        """Log probability of what the policy wrote first after each step end."""

    async def solve(self, problem: Problem, *, num: int, max_tokens: int) -> list[Cut]:
        """The step ends of some solutions of a problem."""
        prompt = self._format.ask(problem.question)
        generation = await self.engine.generate(
            GenerationRequest(
                prompt=prompt,
                n=num,
                temperature=self._temperature,
                max_tokens=max_tokens,
                seed=derive_seed("prefixes", problem.problem_id),
                with_logprobs=True,
                has_chat_template=self._format.has_chat_template,
            )
        )
        cuts = []
        for completion in generation.completions:
            steps = measure_steps(completion, self._format.separator)
            for index, num_tokens in enumerate(accumulate(s.num_tokens for s in steps[:-1]), 1):
                cuts.append(
                    Cut(
                        problem,
                        prompt,
                        completion,
                        "".join(step.text for step in steps[:index]),
                        completion.token_ids[:num_tokens],
                        "".join(step.text for step in steps[index:]),
                    )
                )
        return cuts

    async def continue_cut(
        self, cut: Cut, figures: dict[str, Figures], *, num_rollouts: int, max_tokens: int
    ) -> None:
        """Continue one prefix in every way."""
        alone = tuple(self._encode.afresh(cut.prefix))
        self.num_changed += alone != cut.prefix_ids
        self.written.append((cut.completion.logprobs or ())[len(cut.prefix_ids)])
        known, _ = self._encode.beginning(cut.prefix, cut.following)
        for way, ids in zip(WAYS, (cut.prefix_ids, tuple(known), alone), strict=True):
            await self._continue(
                cut, ids, figures[way], num_rollouts=num_rollouts, max_tokens=max_tokens
            )

    async def _continue(
        self,
        cut: Cut,
        ids: tuple[int, ...],
        figures: Figures,
        *,
        num_rollouts: int,
        max_tokens: int,
    ) -> None:
        generation = await self.engine.generate(
            GenerationRequest(
                prompt=cut.prompt,
                prefix=cut.prefix,
                prefix_ids=ids,
                n=num_rollouts,
                temperature=self._temperature,
                max_tokens=max_tokens,
                seed=derive_seed("prefixes", cut.problem.problem_id, cut.prefix),
                has_chat_template=self._format.has_chat_template,
            )
        )
        start = [*self._encode(cut.prompt, add_special_tokens=not self._format.has_chat_template)]
        firsts = [completion.token_ids[0] for completion in generation.completions]
        for first in dict.fromkeys(firsts):
            logprob = (await self.engine.token_logprobs([*start, *cut.prefix_ids, first]))[-1]
            figures.num_off_policy += firsts.count(first) * (logprob < OFF_POLICY)
        figures.num_continued += len(firsts)
        rest = cut.completion.token_ids[len(cut.prefix_ids) :]
        after = (await self.engine.token_logprobs([*start, *ids, *rest]))[-len(rest) :]
        as_written = (cut.completion.logprobs or ())[len(cut.prefix_ids) :]
        pairs = zip(as_written, after, strict=True)
        figures.differences.append(max(abs(one - other) for one, other in islice(pairs, 8)))
        texts = [cut.prefix + completion.text for completion in generation.completions]
        grades = await grade_all(self._grader, texts, cut.problem)
        figures.num_right.append(sum(grade.correct is True for grade in grades))


async def compare(arguments: argparse.Namespace) -> str:
    """The table of one policy."""
    config = VLLMConfig(model=arguments.model, max_model_len=2048, cpu_kv_cache_gb=2)
    prompt_format = make_prompt_format(ChatPromptConfig(), config)
    engine = await open_vllm_engine(config, "policy", separator=prompt_format.separator)
    grader = make_grader(MathGraderConfig())
    begun, processor = time.monotonic(), time.process_time()
    try:
        comparison = Comparison(engine, grader, prompt_format, temperature=arguments.temperature)
        limits = {"max_tokens": arguments.max_tokens}
        solved = await asyncio.gather(
            *(
                comparison.solve(problem, num=arguments.solutions, **limits)
                for problem in choose_problems(arguments.problems, arguments.num_problems)
            )
        )
        cuts = [cut for each in solved for cut in each]
        figures = {way: Figures() for way in WAYS}
        await asyncio.gather(
            *(
                comparison.continue_cut(cut, figures, num_rollouts=arguments.rollouts, **limits)
                for cut in cuts
            )
        )
    finally:
        await engine.close()
        grader.close()
    seconds = (time.monotonic() - begun, time.process_time() - processor)
    return "\n".join(
        [
            f"{len(cuts)} step ends of {arguments.num_problems} problems, "
            f"{arguments.solutions} solutions each; at {comparison.num_changed} of them the text "
            "alone is other tokens than were sampled; after them the policy itself wrote "
            f"{sum(logprob < OFF_POLICY for logprob in comparison.written)} tokens below 1e-4",
            *table(figures, arguments.rollouts),
            f"{seconds[0]:.0f} s, {seconds[1]:.0f} processor seconds",
        ]
    )


def table(figures: dict[str, Figures], num_rollouts: int) -> list[str]:
    """A line per way."""
    reference = figures[WAYS[0]].num_right
    lines = [
        "| continued from | first token below 1e-4 | largest difference, nats (median) "
        "| right rollouts | mean difference of the labels |",
        "|---|---:|---:|---:|---:|",
    ]
    for way, each in figures.items():
        ordered = sorted(each.differences)
        apart = [
            abs(one - other) / num_rollouts
            for one, other in zip(each.num_right, reference, strict=True)
        ]
        total = each.num_continued
        lines.append(
            f"| {way} | {each.num_off_policy / total:.1%} of {total} "
            f"| {ordered[-1]:.3f} ({ordered[len(ordered) // 2]:.3f}) "
            f"| {sum(each.num_right) / total:.1%} | {sum(apart) / len(apart):.3f} |"
        )
    return lines


def choose_problems(path: Path | None, num: int) -> Sequence[Problem]:
    """Sums in words, or the first problems of a file of GSM8K."""
    if path is None:
        texts = [
            (
                f"Anna has {a} apples and buys {b} more. Then she eats {c} of them. "
                "How many apples does she have now?",
                str(a + b - c),
            )
            for a, b, c in ((2 + k, 1 + (3 * k) % 5, 1 + k % 2) for k in range(num))
        ]
        source = "sums"
    else:
        with path.open(encoding="utf-8") as file:
            records = [json.loads(line) for line in islice(file, num)]
        texts = [(r["question"], r["answer"].rpartition("####")[2].strip()) for r in records]
        source = path.stem
    return [
        Problem(
            problem_id=f"{source}-{index}",
            source=source,
            split="test",
            question=question,
            answer=answer,
        )
        for index, (question, answer) in enumerate(texts)
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--problems", type=Path)
    parser.add_argument("--num-problems", type=int, default=12)
    parser.add_argument("--solutions", type=int, default=2)
    parser.add_argument("--rollouts", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--temperature", type=float, default=0.7)
    print(asyncio.run(compare(parser.parse_args())))
