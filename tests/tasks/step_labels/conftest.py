"""A world of analytic solvers for rollouts."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from schemas.engines import (
    GenerationRequest,
    MarkovConfig,
)
from schemas.graders import ExactGraderConfig
from schemas.rows import Trajectory
from schemas.step_labels import MonteCarloConfig
from tasks.engines.markov_engine import MarkovEngine, check_walk, markov_problems
from tasks.graders import make_grader
from tasks.prompts.formats import PromptFormat
from tasks.step_labels.rollouts import roll_out_trajectories
from tasks.steps.segmentation import measure_steps

GRADER = make_grader(ExactGraderConfig())
FORMAT = PromptFormat(
    build=lambda messages: messages[-1].text, has_chat_template=False, separator="\n"
)


class World:
    """A Markov world with solutions of its policy."""

    def __init__(self, config: MarkovConfig, num_problems: int, num_samples: int = 1) -> None:
        self.config = config
        self.engine = MarkovEngine(config)
        self.problems = {p.problem_id: p for p in markov_problems(num_problems, seed=0)}
        self.num_samples = num_samples

    def solutions(self, make_trajectory) -> list[Trajectory]:
        rows = []
        for number, problem in enumerate(self.problems.values()):
            request = GenerationRequest(
                prompt=problem.question, n=self.num_samples, max_tokens=100, seed=1000 * number
            )
            completions = asyncio.run(self.engine.generate(request)).completions
            rows += [
                make_trajectory(
                    f"{problem.problem_id}-{index}",
                    problem_id=problem.problem_id,
                    policy=self.engine.model_id,
                    steps=measure_steps(completion, "\n"),
                    correct=GRADER.grade(completion.text, problem).correct,
                )
                for index, completion in enumerate(completions)
            ]
        return rows

    def roll_out(
        self, trajectories: Sequence[Trajectory], config: MonteCarloConfig, engine=None
    ) -> list[Trajectory]:
        return asyncio.run(
            roll_out_trajectories(
                self.problems,
                trajectories,
                config,
                engine=engine or self.engine,
                grader=GRADER,
                prompt_format=FORMAT,
                seed=7,
                scope="run",
            )
        )

    def states(self, trajectory: Trajectory) -> list[bool]:
        question = self.problems[trajectory.problem_id].question
        return check_walk(question, [step.text for step in trajectory.steps])


@pytest.fixture
def make_world() -> Callable[..., World]:
    return World
