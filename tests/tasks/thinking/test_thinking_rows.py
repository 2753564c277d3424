"""Solutions of thinking models as rows: sampled, rolled out, and graded again."""

import asyncio
from typing import Any

import pytest

from schemas.engines import PlantedConfig
from schemas.graders import ExactGraderConfig, MathGraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.prompts import PlainPromptConfig
from schemas.rows import PROBLEMS, TRAJECTORIES, Trajectory
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.step_labels import MonteCarloConfig
from schemas.thinking import ThinkingConfig
from schemas.units import Unit
from tasks.graders import make_grader
from tasks.prompts.formats import make_prompt_format
from tasks.regrading.regrade import Regrader
from tasks.sampling.sample import sample_problem
from tasks.step_labels.rollouts import roll_out_trajectories

GRADER = make_grader(ExactGraderConfig())
ENDLESS = {"": "<think>", "<think>": "Answer: 5\n", "5\n": "Wait\n", "Wait\n": "Wait\n",
           "</think>\n\n": "Answer: 4", "4": "<end>"}  # fmt: skip


def job_of(*, num_samples: int = 1, max_tokens: int = 40, **thinking: Any) -> SamplingJob:
    return SamplingJob(
        problems=WorldProblemsConfig(),
        policy=PlantedConfig(),
        prompt=PlainPromptConfig(thinking=ThinkingConfig(**thinking)),
        grader=ExactGraderConfig(),
        sampling=SamplingConfig(num_samples=num_samples, max_tokens=max_tokens),
    )


def sample(engine, problem, job: SamplingJob) -> list[Trajectory]:
    prompt_format = make_prompt_format(job.prompt, job.policy)
    return asyncio.run(
        sample_problem(problem, engine, GRADER, prompt_format, job, scope="run/sampling")
    )


def test_an_ended_thought_is_a_row_that_says_so(script_engine, make_problem):
    engine = script_engine(ENDLESS)
    rows = sample(engine, make_problem(), job_of(num_samples=2, max_thinking_tokens=4))
    for row in rows:
        assert row.text == "<think>Answer: 5\nWait\nWait\n\n</think>\n\nAnswer: 4"
        assert row.steps[-1].text == "Answer: 4"
        assert (row.status, row.answer, row.correct) == ("finished", "4", True)
        assert row.reason == "its thought was ended after 4 tokens"
        given = len("\n</think>\n\n")
        assert row.thinking_tokens == 4 + given
        assert sum(step.num_tokens for step in row.steps) == 4 + given + 2
        assert row.generated_tokens == 6
        assert row.token_ids is not None
        assert engine.decode(row.token_ids) == row.text
    assert sum(row.generated_tokens for row in rows) == engine.num_written
    assert rows[0].prompt_tokens == rows[1].prompt_tokens + 1


@pytest.mark.parametrize("max_thinking_tokens", [None, 8, 99])
def test_a_thought_without_end_is_truncated_and_ungraded(
    script_engine, make_problem, max_thinking_tokens
):
    """Its text marks an answer, which does not count."""
    job = job_of(max_tokens=8, max_thinking_tokens=max_thinking_tokens)
    (row,) = sample(script_engine(ENDLESS), make_problem(), job)
    assert (row.status, row.answer, row.correct) == ("truncated", None, None)
    assert row.reason == "its thought did not end within 8 tokens"
    assert row.thinking_tokens == row.generated_tokens == 8


def test_a_thought_that_the_prompt_opened_and_that_was_cut_has_no_answer(
    script_engine, make_problem
):
    script = {"": "Answer: 4\n", "4\n": "Wait\n", "Wait\n": "Wait\n"}
    (cut,) = sample(script_engine(script), make_problem(), job_of(max_tokens=5, is_opened=True))
    assert (cut.status, cut.answer, cut.correct) == ("truncated", None, None)
    assert cut.reason == "its thought did not end within 5 tokens"
    (plain,) = sample(script_engine(script), make_problem(), job_of(max_tokens=5))
    assert (plain.status, plain.answer, plain.correct) == ("truncated", "4", True)
    assert (plain.thinking_tokens, plain.reason) == (0, None)


def test_a_text_that_ends_within_its_thought_is_wrong(script_engine, make_problem):
    script = {"": "<think>", "<think>": "Answer: 4", "4": "<end>"}
    (row,) = sample(script_engine(script), make_problem(), job_of())
    assert (row.status, row.answer, row.correct) == ("finished", None, False)
    assert row.reason == "it ended within its thought"


def test_rollouts_know_on_which_side_of_the_thought_they_are(script_engine, make_problem):
    script = {"": "<t>", "<t>": "5\n", "5\n": "6\n", "6\n": "</t>", "</t>": "Answer: ",
              "Answer: ": "4\n", "4\n": "So 4", "So 4": "<end>"}  # fmt: skip
    problem, engine = make_problem(), script_engine(script)
    job = job_of(start="<t>", end="</t>")
    (solution,) = sample(engine, problem, job)
    texts = [step.text for step in solution.steps]
    assert texts == ["<t>5\n", "6\n</t>", "Answer: 4\n", "So 4"]
    rollouts = asyncio.run(
        roll_out_trajectories(
            {problem.problem_id: problem},
            [solution],
            MonteCarloConfig(num_rollouts=1, max_rollout_tokens=20),
            engine=engine,
            grader=GRADER,
            prompt_format=make_prompt_format(job.prompt, job.policy),
            seed=0,
            scope="run/labels",
        )
    )
    assert [(row.branch_step, row.thinking_tokens, row.answer) for row in rollouts] == [
        (1, 2, "4"),
        (2, 0, "4"),
        (3, 0, "4"),
    ]
    cut = asyncio.run(
        roll_out_trajectories(
            {problem.problem_id: problem},
            [solution],
            MonteCarloConfig(num_rollouts=1, max_rollout_tokens=1),
            engine=engine,
            grader=GRADER,
            prompt_format=make_prompt_format(job.prompt, job.policy),
            seed=0,
            scope="run/labels",
        )
    )
    assert [(row.status, row.thinking_tokens, row.correct) for row in cut] == [
        ("truncated", 1, None),
        ("truncated", 0, None),
        ("truncated", 0, None),
    ]


def test_rows_are_graded_again_by_what_is_behind_their_thought(
    script_engine, make_problem, store, unit_of
):
    """The tags are the model's own, which no grader knows, and one thought was cut."""
    problem = make_problem()
    tags: dict[str, Any] = {"start": "<t>", "end": "</t>"}
    marks = {"": "Answer: 5\n", "5\n": "</t>", "</t>": "It is 4.", "4.": "<end>"}
    (whole,) = sample(script_engine(marks), problem, job_of(**tags, is_opened=True))
    marks["</t>"] = "Answer: 4"
    marks["Answer: 4"] = "<end>"
    (right,) = sample(script_engine(marks), problem, job_of(**tags, is_opened=True))
    (cut,) = sample(script_engine(marks), problem, job_of(max_tokens=1, **tags, is_opened=True))
    problems = unit_of(PROBLEMS.name)
    solutions = unit_of(TRAJECTORIES.name)
    store.commit(problems, [problem])
    store.commit(solutions, [whole, right, cut])
    regrader = Regrader(store, MathGraderConfig())
    try:
        unit = Unit(
            run_id="r1",
            stage="regrading",
            name="again",
            table="verdicts",
            inputs=(solutions.path, problems.path),
        )
        verdicts = asyncio.run(regrader.judge(unit))
    finally:
        regrader.close()
    assert [(v.answer, v.correct) for v in verdicts] == [(None, False), ("4", True), (None, None)]
