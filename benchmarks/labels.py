"""What step labels cost and how accurate they are: 8 rollouts everywhere, and cheaper methods.

Every method labels the same solutions; the exact checker is the truth. OmegaPRM labels rollouts as
well: the first agreement is over all steps of the given solutions, where a step without a label
agrees with neither, the second over the labels of all different prefixes, also of rollouts. There
are two worlds: the built-in one with the shipped policy on real vLLM, and the Markov chain, whose
first error is fatal.

    python -m benchmarks.labels --quick
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from schemas.engines import (
    SHIPPED_POLICY,
    EngineConfig,
    GenerationRequest,
    MarkovConfig,
    VLLMConfig,
)
from schemas.graders import ExactGraderConfig
from schemas.prompts import PlainPromptConfig
from schemas.rows import Problem, StepLabel, Trajectory, now
from schemas.step_labels import MonteCarloConfig, RolloutsByRateConfig, TreeConfig
from schemas.units import derive_id, derive_seed
from tasks.engines.base import Engine
from tasks.engines.markov_engine import check_walk, markov_problems
from tasks.engines.open import open_engine
from tasks.evaluation.solutions.audits import audit_labels
from tasks.graders import Grader, make_grader
from tasks.prompts.formats import PromptFormat, make_prompt_format
from tasks.step_labels.checker_labels import CheckSteps, label_by_checker
from tasks.step_labels.labels import label_steps
from tasks.step_labels.rollouts import roll_out_trajectories
from tasks.steps.segmentation import measure_steps
from tasks.steps.trees import whole_rows
from tasks.world.checker import check_steps
from tasks.world.problems import iterate_problems, parse_question

_MAX_TOKENS = 128

PLAIN = MonteCarloConfig(max_rollout_tokens=_MAX_TOKENS)
METHODS = {
    "plain": PLAIN,
    "first hit": PLAIN.with_fields(stopping="first_hit"),
    "first hit, reuse": PLAIN.with_fields(stopping="first_hit", reuse_solutions=True),
    "confidence": PLAIN.with_fields(stopping="confidence"),
    "confidence, reuse": PLAIN.with_fields(stopping="confidence", reuse_solutions=True),
    "bisection": PLAIN.with_fields(search="bisection"),
    "bisection, first hit": PLAIN.with_fields(search="bisection", stopping="first_hit"),
    "relative progress .8": PLAIN.with_fields(min_progress=0.8),
    "16/8/4 by pass rate": PLAIN.with_fields(
        rollouts_by_rate=RolloutsByRateConfig(hard=16, medium=8, easy=4)
    ),
    "OmegaPRM, 4 searches": PLAIN.with_fields(search="omega", tree=TreeConfig(max_searches=4)),
    "OmegaPRM, 16 searches": PLAIN.with_fields(search="omega", tree=TreeConfig(max_searches=16)),
}
"""The audits of the defaults are included and counted."""


@dataclass(frozen=True)
class World:
    """Problems, a policy that solves some of them, and the truth about its steps."""

    name: str
    problems: dict[str, Problem]
    engine: Engine
    check: CheckSteps
    grader: Grader
    prompt_format: PromptFormat


async def open_world(name: str, config: EngineConfig, num_problems: int) -> World:
    """A world with its policy's engine."""
    if name == "markov":
        problems, check = markov_problems(num_problems, seed=1), check_walk
    else:
        problems, check = _make_problems(num_problems), _check_world
    prompt = PlainPromptConfig()
    return World(
        name=name,
        problems={problem.problem_id: problem for problem in problems},
        engine=await open_engine(config, "policy", separator=prompt.separator),
        check=check,
        grader=make_grader(ExactGraderConfig()),
        prompt_format=make_prompt_format(prompt, config),
    )


async def measure_world(world: World) -> dict[str, object]:
    """The figures of every method on one world."""
    solutions = list(
        await asyncio.gather(*(_solve(problem, world) for problem in world.problems.values()))
    )
    truth = label_by_checker(world.problems, solutions, world.check)
    num_steps = sum(len(solution.steps) for solution in solutions)
    methods: dict[str, dict[str, object]] = {}
    for name, config in METHODS.items():
        start = time.perf_counter()
        rollouts = await roll_out_trajectories(
            world.problems,
            solutions,
            config,
            engine=world.engine,
            grader=world.grader,
            prompt_format=world.prompt_format,
            seed=1,
            scope="benchmark",
        )
        seconds = time.perf_counter() - start
        labels = label_steps(solutions, rollouts, config)
        num_tokens = sum(row.generated_tokens for row in rollouts)
        methods[name] = {
            "tokens_per_step": num_tokens / num_steps,
            **_compare(labels, truth, config),
            **_measure_labels(labels, [*solutions, *rollouts], num_tokens, config, world),
            "num_rollouts": len(rollouts),
            "prompt_tokens": sum(row.prompt_tokens for row in rollouts),
            "seconds": seconds,
            "tokens_per_s": num_tokens / seconds,
        }
        if name == "plain":  # later methods find its prefixes cached, too
            methods[name]["cached_tokens"] = sum(row.cached_tokens for row in rollouts)
        if config.needs_audit:
            audit = audit_labels(labels, config.method, config.without_shortcuts().method)
            methods[name]["audited_steps"] = audit.num_steps
            methods[name]["audit_disagreement"] = audit.disagreement_rate
    plain = methods["plain"]
    for figures in methods.values():
        figures["cost"] = figures["tokens_per_step"] / plain["tokens_per_step"]  # type: ignore[operator]
        figures["agreement_against_plain"] = figures["agreement"] - plain["agreement"]  # type: ignore[operator]
    return {
        "policy": world.engine.model_id,
        "engine": world.engine.name,
        "num_solutions": len(solutions),
        "num_steps": num_steps,
        "methods": methods,
    }


def _compare(
    labels: Sequence[StepLabel], truth: Sequence[StepLabel], config: MonteCarloConfig
) -> dict[str, object]:
    """Hard labels against the checker's; a step without a label agrees with neither."""
    claims = {
        (label.trajectory_id, label.step_index): label.hard
        for label in labels
        if label.method == config.method
    }
    pairs = [(claims[label.trajectory_id, label.step_index], label.hard) for label in truth]
    num_both = sum(claim is True and is_right is True for claim, is_right in pairs)
    return {
        "agreement": sum(claim is is_right for claim, is_right in pairs) / len(pairs),
        "precision": num_both / sum(claim is True for claim, _ in pairs),
        "recall": num_both / sum(is_right is True for _, is_right in pairs),
        "unlabelled_steps": sum(claim is None for claim, _ in pairs),
    }


def _measure_labels(
    labels: Sequence[StepLabel],
    rows: Sequence[Trajectory],
    num_tokens: int,
    config: MonteCarloConfig,
    world: World,
) -> dict[str, object]:
    """The labels of different prefixes, of a tree's own rollouts as well, against the checker's."""
    made = [label for label in labels if label.method == config.method]
    wholes = whole_rows({label.trajectory_id for label in made}, rows)
    truth = {
        (label.trajectory_id, label.step_index): label.hard
        for label in label_by_checker(world.problems, wholes, world.check)
    }
    by_id = {row.trajectory_id: row for row in wholes}
    different: dict[tuple[str, str], StepLabel] = {}
    for label in made:
        row = by_id[label.trajectory_id]
        text = "".join(step.text for step in row.steps[: label.step_index + 1])
        different.setdefault((row.problem_id, text), label)
    hard = [label for label in different.values() if label.hard is not None]
    num_tested = sum(x.evidence == "rollouts" and x.soft is not None for x in different.values())
    num_agreed = sum(x.hard is truth[x.trajectory_id, x.step_index] for x in hard)
    return {
        "num_labels": len(hard),
        "tokens_per_label": num_tokens / len(hard),
        "agreement_of_labels": num_agreed / len(hard),
        "num_estimates": num_tested,
        "tokens_per_estimate": num_tokens / num_tested,
    }


async def _solve(problem: Problem, world: World) -> Trajectory:
    """One solution by the policy."""
    seed = derive_seed("solution", problem.problem_id)
    generation = await world.engine.generate(
        GenerationRequest(
            prompt=world.prompt_format.ask(problem.question), max_tokens=_MAX_TOKENS, seed=seed
        )
    )
    (completion,) = generation.completions
    is_finished = completion.finish_reason == "stop"
    grade = world.grader.grade(completion.text, problem) if is_finished else None
    return Trajectory(
        trajectory_id=derive_id("benchmark", problem.problem_id),
        problem_id=problem.problem_id,
        policy=world.engine.model_id,
        strategy="sample",
        sample_index=0,
        status="finished" if is_finished else "truncated",
        steps=measure_steps(completion, world.prompt_format.separator),
        answer=grade.answer if grade else None,
        correct=grade.correct if grade else None,
        grader=world.grader.name,
        temperature=1.0,
        top_p=1.0,
        seed=seed,
        prompt_tokens=generation.prompt_tokens,
        cached_tokens=generation.cached_tokens,
        generated_tokens=len(completion.token_ids),
        engine=world.engine.name,
        created_at=now(),
    )


def _make_problems(num: int) -> list[Problem]:
    return [
        Problem(
            problem_id=derive_id("benchmark", row, problem.question),
            source="world",
            split="dev",
            question=problem.question,
            answer=str(problem.answer),
            level=problem.level,
        )
        for row, problem in enumerate(islice(iterate_problems(1, "dev", (1, 2, 3, 4, 5)), num))
    ]


def _check_world(question: str, steps: Sequence[str]) -> Sequence[bool]:
    return check_steps(parse_question(question), steps).labels


def _print_table(worlds: dict[str, dict]) -> None:
    for name, figures in worlds.items():
        print(f"\n{name}: {figures['num_solutions']} solutions, {figures['num_steps']} steps")
        print(
            f"{'method':22}{'cost':>7}{'tokens/step':>13}{'agreement':>11}{'against plain':>15}"
            f"{'labels':>8}{'tokens/label':>14}{'agreement':>11}{'estimates':>11}"
        )
        for method, row in figures["methods"].items():
            print(
                f"{method:22}{row['cost']:7.2f}{row['tokens_per_step']:13.1f}"
                f"{row['agreement']:11.3f}{row['agreement_against_plain']:+15.3f}"
                f"{row['num_labels']:8}{row['tokens_per_label']:14.1f}"
                f"{row['agreement_of_labels']:11.3f}{row['num_estimates']:11}"
            )


async def _measure(policy: str, num_problems: int, only: str | None) -> dict[str, dict]:
    engines: dict[str, EngineConfig] = {
        "markov": MarkovConfig(num_steps=6, p_right=0.85),
        "built-in": VLLMConfig(model=policy),
    }
    worlds = {}
    for name, config in engines.items():
        if only not in (None, name):
            continue
        world = await open_world(name, config, num_problems)
        worlds[name] = await measure_world(world)
        await world.engine.close()
    return worlds


def main() -> None:
    """Measure both worlds; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="at most two minutes")
    parser.add_argument("--policy", default=SHIPPED_POLICY, help="policy of the built-in world")
    parser.add_argument("--problems", type=int, help="problems per world (quick: 150, else 1000)")
    parser.add_argument(
        "--world", choices=("markov", "built-in"), help="the only world to measure; default: both"
    )
    parser.add_argument("--format", choices=("table", "json"), default="table")
    arguments = parser.parse_args()
    num_problems = arguments.problems or (150 if arguments.quick else 1000)
    worlds = asyncio.run(_measure(arguments.policy, num_problems, arguments.world))
    if arguments.format == "table":
        _print_table(worlds)
    print(json.dumps({"benchmark": "labels", "quick": arguments.quick, "worlds": worlds}))


if __name__ == "__main__":
    main()
