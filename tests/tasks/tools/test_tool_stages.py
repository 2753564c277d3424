"""Sampling, Monte Carlo labels and searches with the policy whose accuracy is known exactly."""

import asyncio
import math
from math import sqrt

import pytest

from schemas.engines import CalculatorConfig, GenerationRequest
from schemas.graders import MathGraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.prompts import PlainPromptConfig
from schemas.rows import PROBLEMS, TRAJECTORIES, Trajectory
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.search import ScoreConfig, SearchJob
from schemas.search.strategies import BeamConfig, BestOfNConfig, ConfidenceVoteConfig
from schemas.step_labels import MonteCarloConfig
from schemas.tools import ToolsConfig
from storage import Store
from tasks.engines.calculator_engine import CalculatorEngine, products
from tasks.engines.host import Counters, UnitContext
from tasks.graders import make_grader
from tasks.prompts.formats import make_prompt_format
from tasks.sampling.sample import sample_problem
from tasks.search.search import SearchTask, search_problems
from tasks.step_labels.labels import label_steps
from tasks.step_labels.rollouts import roll_out_trajectories
from tasks.tools.engine import ToolEngine

P = 0.6
CALCULATOR = CalculatorConfig(p_right=P)
PROMPT = PlainPromptConfig(separator="\n\n")
"""Without `tools`: the engine that is given runs the programs already."""


def with_runner(run, config: CalculatorConfig = CALCULATOR) -> ToolEngine:
    return ToolEngine(CalculatorEngine(config), ToolsConfig(), PROMPT.separator, run)


def sample(engine, num: int, problem) -> list[Trajectory]:
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=CALCULATOR,
        prompt=PROMPT,
        sampling=SamplingConfig(num_samples=num, max_tokens=1000),
    )
    grader = make_grader(MathGraderConfig())
    try:
        return asyncio.run(
            sample_problem(
                problem,
                engine,
                grader,
                make_prompt_format(PROMPT, CALCULATOR),
                job,
                scope="test",
            )
        )
    finally:
        grader.close()


def assert_share(found: list[bool], p: float) -> None:
    assert abs(sum(found) / len(found) - p) <= 4 * sqrt(p * (1 - p) / len(found))


def test_accuracy_is_that_of_the_programs_and_none_without_tools(remembering):
    (problem,) = products(1, 0)
    rows = sample(with_runner(remembering), 200, problem)
    for row in rows:
        assert row.correct == ("+" not in row.text)
        assert row.segments == ("step", "output", "step", "output", "step")
    assert_share([bool(row.correct) for row in rows], P**2)
    plain = sample(CalculatorEngine(CALCULATOR), 50, problem)
    assert [row.answer for row in plain] == [None] * 50
    assert {row.text.rpartition("```\n")[2] for row in plain} == {"I do not know."}


def test_solution_i_is_that_of_its_seed_whatever_is_drawn_beside_it(remembering):
    (problem,) = products(1, 0)
    engine = with_runner(remembering)
    request = GenerationRequest(prompt=problem.question, max_tokens=1000, seed=11, n=30)
    texts = [c.text for c in asyncio.run(engine.generate(request)).completions]
    assert len(set(texts)) == 4
    for index, text in enumerate(texts):
        one = GenerationRequest(prompt=problem.question, max_tokens=1000, seed=11 + index)
        assert asyncio.run(engine.generate(one)).completions[0].text == text


def test_labels_of_steps_are_the_exact_values(remembering):
    (problem,) = products(1, 1)
    engine = with_runner(remembering)
    solutions = sample(engine, 12, problem)
    config = MonteCarloConfig(num_rollouts=40, max_rollout_tokens=1000)
    grader = make_grader(MathGraderConfig())
    rollouts = asyncio.run(
        roll_out_trajectories(
            {problem.problem_id: problem},
            solutions,
            config,
            engine=engine,
            grader=grader,
            prompt_format=make_prompt_format(PROMPT, CALCULATOR),
            seed=0,
            scope="test",
        )
    )
    grader.close()
    numbers = [int(n) for n in problem.question[8:-1].split(" times ")]
    by_id = {solution.trajectory_id: solution for solution in solutions}
    labels = label_steps(solutions, rollouts, config)
    assert len(labels) == 5 * len(solutions)
    known = CalculatorEngine(CALCULATOR)
    after_output = []
    for label in labels:
        steps = by_id[label.trajectory_id].steps
        prefix = "".join(step.text for step in steps[: label.step_index + 1])
        value = known.value(numbers, prefix)
        if label.evidence == "rollouts" and 0 < value < 1:
            assert label.soft is not None
            assert abs(label.soft - value) <= 4.5 * sqrt(value * (1 - value) / 40)
            after_output.append(prefix.endswith("```\n\n"))
        else:
            assert label.soft == value
    assert set(after_output) == {True, False}
    # A rollout of a prefix that ends in a program begins with what the program printed.
    (first, *_) = [r for r in rollouts if r.branch_step == 1]
    assert first.segments is not None
    assert first.segments[0] == "output"
    assert first.steps[0].text == by_id[first.parent_id or ""].steps[1].text
    printed = sum(
        step.num_tokens
        for step, kind in zip(first.steps, first.segments, strict=True)
        if kind == "output"
    )
    assert first.tool_tokens == printed
    assert first.generated_tokens == sum(s.num_tokens for s in first.steps) - printed


def search(engine, store: Store, unit_of, strategy, problems, *, budget: int) -> list[Trajectory]:
    job = SearchJob(
        problems=WorldProblemsConfig(),
        policy=CALCULATOR,
        verifier=CALCULATOR,
        prompt=PROMPT,
        strategies=(strategy,),
        budgets=(budget,),
        score=ScoreConfig(by="verifier", reduction="last"),
    )
    problems_unit = unit_of(PROBLEMS.name, stage="problems", name="eval")
    store.commit(problems_unit, problems, seconds=0.0)
    unit = unit_of(
        TRAJECTORIES.name,
        stage="search",
        name="eval.x-n4-421984db8386.00000",
        inputs=(problems_unit.path,),
        rows=(0, len(problems)),
    )
    task = SearchTask(job=job, strategy=strategy, budget=budget, scope="scope")
    own = CalculatorEngine(CALCULATOR)
    context = UnitContext(store, {"policy": engine, "verifier": own}, Counters())

    async def run() -> list[Trajectory]:
        try:
            cell = "eval.x-n4-421984db8386"
            return await search_problems(unit, {cell: task}, context)
        finally:
            context.grader(job.grader).close()

    return asyncio.run(run())


def solved(rows: list[Trajectory], problems) -> list[bool]:
    right = {row.problem_id for row in rows if row.status == "finished" and row.correct}
    return [problem.problem_id in right for problem in problems]


@pytest.fixture
def same_problem():
    """One product under many ids, which a handful of programs solve."""
    from dataclasses import replace

    (problem,) = products(1, 2)
    return [replace(problem, problem_id=f"p{index}") for index in range(60)]


def test_the_best_of_n_is_right_as_often_as_one_of_n(store, unit_of, remembering, same_problem):
    rows = search(with_runner(remembering), store, unit_of, BestOfNConfig(), same_problem, budget=3)
    assert_share(solved(rows, same_problem), 1 - (1 - P**2) ** 3)
    best = {
        problem_id: max(
            (row for row in rows if row.problem_id == problem_id),
            key=lambda row: row.steps[-1].score or 0.0,
        )
        for problem_id in {row.problem_id for row in rows}
    }
    assert [best[p.problem_id].correct for p in same_problem] == solved(rows, same_problem)


def test_a_beam_goes_on_from_outputs_and_is_right_as_often_as_known(
    store, unit_of, remembering, same_problem
):
    """Two prefixes of a level: with an exact verifier, one right program of two is enough."""
    rows = search(
        with_runner(remembering), store, unit_of, BeamConfig(width=2), same_problem, budget=2
    )
    assert_share(solved(rows, same_problem), (1 - (1 - P) ** 2) ** 2)
    by_id = {row.trajectory_id: row for row in rows}

    def lineage(row: Trajectory) -> list:
        if row.parent_id is None:
            return list(zip(row.steps, row.segments or (), strict=False))
        before = lineage(by_id[row.parent_id])[: row.branch_step]
        own = row.segments or ("step",) * len(row.steps)
        return [*before, *zip(row.steps, own, strict=True)]

    for row in rows:
        if row.status == "finished":
            steps = lineage(row)
            assert [kind for _, kind in steps] == ["step", "output", "step", "output", "step"]
            assert row.correct == ("+" not in "".join(step.text for step, _ in steps))
        outputs = [s for s, k in zip(row.steps, row.segments or (), strict=False) if k == "output"]
        assert row.tool_tokens == (sum(s.num_tokens for s in outputs) if outputs else None)
        assert all(len(s.text) == s.num_tokens for s in row.steps)
        assert all(s.logprob == 0 for s in outputs)
    # Every character that the policy wrote is in one row.
    written = sum(
        step.num_tokens
        for row in rows
        for step, kind in zip(row.steps, row.segments or ("step",) * len(row.steps), strict=True)
        if kind == "step"
    )
    assert sum(row.generated_tokens for row in rows) == written


def test_confidence_is_that_of_written_tokens(store, unit_of, remembering, same_problem):
    strategy = ConfidenceVoteConfig(confidence="mean", num_alternatives=1)
    rows = search(with_runner(remembering), store, unit_of, strategy, same_problem[:4], budget=4)
    for row in rows:
        operators = [c for c in row.text if c in "+*"]
        wanted = -sum(math.log(P if c == "*" else 1 - P) for c in operators)
        assert row.steps[-1].value == pytest.approx(wanted / row.generated_tokens)


def test_pieces_of_solutions_and_tools_are_refused_together():
    with pytest.raises(ValueError, match=r"prompt.tools: expected none, as confidence_vote"):
        SearchJob(
            prompt=PlainPromptConfig(tools=ToolsConfig()),
            strategies=(ConfidenceVoteConfig(mode="online"),),
        )
