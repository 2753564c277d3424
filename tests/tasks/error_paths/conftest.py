"""A policy that adds numbers one by one, exactly, and whose tokens are characters."""

import asyncio
import re
from collections.abc import Callable, Sequence

import pytest

from flows.error_paths import error_paths_units
from schemas.engines import (
    Completion,
    Generation,
    GenerationRequest,
    MarkovConfig,
    ScoringRequest,
    StepScoring,
)
from schemas.error_paths import ErrorPathsJob
from schemas.graders import ExactGraderConfig
from schemas.rows import Problem, Step, Trajectory
from storage import Store
from tasks.engines.base import Engine
from tasks.engines.host import Counters, UnitContext
from tasks.error_paths.make import make_error_paths

VOCABULARY = "characters"


class Adder:
    """`Add 3 4 5.` is solved by `3 + 4 = 7`, `7 + 5 = 12`, `Answer: 12`.

    It goes on from whatever number the last line ends with, and keeps every request.
    """

    name = "adder"
    model_id = "adder"
    vocabulary: str | None = VOCABULARY

    def __init__(self) -> None:
        self.requests: list[GenerationRequest] = []

    async def generate(self, request: GenerationRequest) -> Generation:
        self.requests.append(request)
        if request.prefix_ids is not None:
            assert "".join(map(chr, request.prefix_ids)) == request.prefix
        whole = solve(request.prompt, request.prefix)
        text = whole[: request.max_tokens]
        for stop in request.stop:
            if (place := text.find(stop)) >= 0:
                return answer(text[: place + len(stop)], request, "stop", stop)
        return answer(text, request, "stop" if text == whole else "length", None)

    async def score(self, request: ScoringRequest) -> StepScoring:
        raise NotImplementedError

    def encode_text(self, text: str) -> Sequence[int]:
        return tuple(map(ord, text))

    async def close(self) -> None:
        pass


def answer(text: str, request: GenerationRequest, end, stop_string) -> Generation:
    one = Completion(
        text=text,
        token_ids=tuple(map(ord, text)),
        logprobs=None,
        finish_reason=end,
        stop_string=stop_string,
        token_texts=tuple(text),
    )
    num_prompt = len(request.prompt) + len(request.prefix)
    return Generation(completions=(one,) * request.n, prompt_tokens=num_prompt, cached_tokens=0)


def solve(prompt: str, written: str = "") -> str:
    """What is left of the solution of the last question in a prompt."""
    numbers = [int(n) for n in re.findall(r"Add ([\d ]+)\.", prompt)[-1].split()]
    lines = written.splitlines()
    if any(line.startswith("Answer") for line in lines):
        return ""
    total = int(lines[-1].split("=")[1]) if lines else numbers[0]
    rest = ""
    for number in numbers[len(lines) + 1 :]:
        rest += f"{total} + {number} = {total + number}\n"
        total += number
    return f"{rest}Answer: {total}"


@pytest.fixture
def adder() -> Adder:
    return Adder()


@pytest.fixture
def make_sum(make_problem) -> Callable[..., Problem]:
    def make(problem_id: str, *numbers: int) -> Problem:
        question = f"Add {' '.join(map(str, numbers))}."
        return make_problem(problem_id, question=question, answer=str(sum(numbers)))

    return make


@pytest.fixture
def solution_of(make_trajectory) -> Callable[..., Trajectory]:
    """The adder's own solution of a problem, or another text, as a stored row."""

    def make(problem: Problem, text: str | None = None, **fields: object) -> Trajectory:
        text = solve(problem.question) if text is None else text
        values = {
            "problem_id": problem.problem_id,
            "policy": "adder",
            "steps": tuple(
                Step(text=line, num_tokens=len(line), logprob=-0.5, score=0.5)
                for line in text.splitlines(keepends=True)
            ),
            "token_ids": tuple(map(ord, text)),
            "vocabulary": VOCABULARY,
            "answer": problem.answer,
        }
        name = fields.pop("trajectory_id", f"t-{problem.problem_id}")
        return make_trajectory(name, **{**values, **fields})

    return make


@pytest.fixture
def make_paths(store: Store, unit_of) -> Callable[..., list[Trajectory]]:
    """The error paths of one way, made from stored problems and solutions."""

    def make(
        way,
        problems: Sequence[Problem],
        solutions: Sequence[Trajectory],
        policy: Engine,
        annotator: Engine | None = None,
        **fields: object,
    ) -> list[Trajectory]:
        store.commit(unit_of("problems", "train", stage="problems"), problems)
        path = store.commit(unit_of("trajectories", "train.00000"), solutions).path
        values = {
            "paths": (way,),
            "policy": MarkovConfig(num_steps=1, p_right=0.5),
            "grader": ExactGraderConfig(),
        }
        job = ErrorPathsJob.model_validate({**values, **fields})
        (unit,) = error_paths_units(job, job.paths[0], {path: []}, "run")
        engines = {"policy": policy, "annotator": annotator}
        held = {role: engine for role, engine in engines.items() if engine is not None}
        context = UnitContext(store, held, Counters())  # type: ignore[arg-type]
        rows = asyncio.run(make_error_paths(unit, job, context))
        assert context.counters.rows == len(rows)
        return rows

    return make
