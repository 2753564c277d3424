"""A policy that runs on into a next question: one end and one grade, wherever it is sampled."""

import asyncio
from typing import Any

import pytest

from schemas.engines import Completion, Generation, GenerationRequest, PlantedConfig
from schemas.graders import MathGraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.prompts import PlainPromptConfig
from schemas.rows import Problem, Trajectory
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.search import ScoreConfig, SearchLimits
from schemas.step_labels import MonteCarloConfig
from tasks.engines.host import Counters
from tasks.graders import make_grader
from tasks.prompts.formats import PromptFormat, make_prompt_format
from tasks.sampling.sample import sample_problem
from tasks.search.context import SearchContext
from tasks.search.rows import make_rows
from tasks.search.session import Search
from tasks.step_labels.rollouts import roll_out_trajectories

TEMPLATE = "Question: 1 + 1?\nAnswer: 1 + 1 = 2\nThe answer is 2.\n\nQuestion: {question}\nAnswer:"
PIECES = (
    *(" 2 + 2", " = 4", "\n", "The answer", " is 4.", "\n", "\n", "Question", ":", " 5 + 5?", "\n"),
    *("Answer", ":", " The answer is 10.", "\n"),
)
"""What the policy writes, token by token."""
SOLUTION = " 2 + 2 = 4\nThe answer is 4.\n"
PROBLEM = Problem(problem_id="p", source="s", split="test", question="2 + 2?", answer="4")
GRADER = make_grader(MathGraderConfig())
KEPT_TOKENS, STOPPED_TOKENS = 6, 9


class RunsOn:
    """A policy that writes the pieces, from wherever its prefix ends."""

    name = model_id = "runs-on"
    vocabulary: str | None = None

    def __init__(self) -> None:
        self.requests: list[GenerationRequest] = []

    async def generate(self, request: GenerationRequest) -> Generation:
        self.requests.append(request)
        done = next(i for i in range(len(PIECES) + 1) if "".join(PIECES[:i]) == request.prefix)
        pieces: list[str] = []
        stop = None
        for piece in PIECES[done:]:
            pieces.append(piece)
            stop = next((s for s in request.stop if s in "".join(pieces)), None)
            if stop is not None:
                break
        completion = Completion(
            text="".join(pieces),
            token_ids=tuple(range(done, done + len(pieces))),
            logprobs=(-0.5,) * len(pieces),
            finish_reason="stop",
            stop_string=stop,
            token_texts=tuple(pieces),
        )
        return Generation(completions=(completion,) * request.n, prompt_tokens=9, cached_tokens=0)

    def encode_text(self, text: str) -> None:
        """Its texts have no tokens of their own."""

    async def score(self, request: Any) -> Any:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is held."""


def prompt_format(stop: Any) -> PromptFormat:
    return make_prompt_format(PlainPromptConfig(template=TEMPLATE, stop=stop), PlantedConfig())


def sample(prompt_stop: Any, **sampling: Any) -> tuple[Trajectory, RunsOn]:
    engine = RunsOn()
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=PlantedConfig(),
        sampling=SamplingConfig(num_samples=1, **sampling),
    )
    (row,) = asyncio.run(
        sample_problem(PROBLEM, engine, GRADER, prompt_format(prompt_stop), job, scope="run")
    )
    return row, engine


def search(prompt_stop: Any, *, by_step: bool, **limits: Any) -> tuple[list[Trajectory], RunsOn]:
    engine = RunsOn()
    context = SearchContext(
        engines={"policy": engine},
        prompt_formats={"policy": prompt_format(prompt_stop)},
        limits=SearchLimits(**limits),
        score=ScoreConfig(by="likelihood"),
        needs_likelihood=True,
        counters=Counters(),
    )

    async def run() -> list[Trajectory]:
        tree = Search(PROBLEM.question, 1, context, seed=0)
        ends = [tree.root]
        if by_step:
            while ends[0].is_open:
                ends = await tree.expand(ends[0], 1)
        else:
            ends = await tree.complete(tree.root, 1)
        return await make_rows(
            tree, ends, problem=PROBLEM, strategy="path", grader=GRADER, scope="run"
        )

    return asyncio.run(run()), engine


def test_without_stop_strings_the_invented_question_is_graded() -> None:
    row, _ = sample(())
    assert (row.answer, row.correct) == ("10", False)


def test_a_sampled_solution_ends_where_the_next_question_begins() -> None:
    row, engine = sample("auto")
    assert (row.text, row.status, row.answer, row.correct) == (SOLUTION, "finished", "4", True)
    assert row.generated_tokens == STOPPED_TOKENS  # paid for, though not kept
    assert sum(step.num_tokens for step in row.steps) == KEPT_TOKENS
    assert sum(step.logprob or 0 for step in row.steps) == -0.5 * KEPT_TOKENS
    (request,) = engine.requests
    assert request.stop == ("\nQuestion:",)
    assert not request.needs_stop_string


def test_a_users_stop_string_does_the_same() -> None:
    row, engine = sample((), stop=["Question"])
    assert (row.answer, row.correct) == ("4", True)
    assert engine.requests[0].stop == ("Question",)
    assert row.text == SOLUTION + "\n"


@pytest.mark.parametrize("by_step", [False, True])
def test_a_searched_solution_ends_there_too(by_step: bool) -> None:
    rows, engine = search("auto", by_step=by_step)
    (row,) = [row for row in rows if row.answer is not None]
    assert (row.text.rstrip(), row.status, row.correct) == (SOLUTION.rstrip(), "finished", True)
    stops = {request.stop for request in engine.requests}
    assert stops == ({("\n", "\nQuestion:")} if by_step else {("\nQuestion:",)})
    assert all(request.needs_stop_string is by_step for request in engine.requests)
    assert "Question" not in "".join(step.text for each in rows for step in each.steps)


@pytest.mark.parametrize("by_step", [False, True])
def test_a_search_without_stop_strings_runs_on(by_step: bool) -> None:
    rows, _ = search((), by_step=by_step)
    (row,) = [row for row in rows if row.answer is not None]
    assert (row.answer, row.correct) == ("10", False)


@pytest.mark.parametrize("num_steps", [1, 2])
def test_a_rollout_ends_there_even_where_the_stop_string_begins_in_its_prefix(
    num_steps: int, make_trajectory: Any
) -> None:
    from schemas.rows import Step

    texts = [" 2 + 2 = 4\n", "The answer is 4.\n\n", "So 4."][: num_steps + 1]
    solution = make_trajectory(
        "t", problem_id="p", steps=tuple(Step(text=t, num_tokens=3, logprob=None) for t in texts)
    )
    engine = RunsOn()
    rows = asyncio.run(
        roll_out_trajectories(
            {"p": PROBLEM},
            [solution],
            MonteCarloConfig(num_rollouts=1),
            engine=engine,
            grader=GRADER,
            prompt_format=prompt_format("auto"),
            seed=0,
            scope="run",
        )
    )
    row = rows[-1]
    assert row.branch_step == num_steps
    assert (row.status, row.answer, row.correct) == ("finished", "4", True)
    assert row.text == ("The answer is 4.\n" if num_steps == 1 else "")


def test_sampling_parameters_reach_the_request() -> None:
    fields = {"top_k": 20, "min_p": 0.1, "repetition_penalty": 1.1, "stop_ids": (7,)}
    _, engine = sample((), temperature=0.6, **fields)
    _, searcher = search((), by_step=True, temperature=0.6, **fields)
    for request in (*engine.requests, *searcher.requests):
        assert request.temperature == 0.6
        assert {name: getattr(request, name) for name in fields} == fields
