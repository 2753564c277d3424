"""One rule for texts that were cut or failed, wherever a row is graded."""

import asyncio

import pytest

from schemas.engines import Completion, Generation, GenerationRequest, PlantedConfig
from schemas.errors import RequestRejected
from schemas.graders import ExactGraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS, TRAJECTORIES, VERDICTS, Step
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.search import ScoreConfig, SearchLimits
from schemas.search.strategies import MajorityConfig
from schemas.step_labels import MonteCarloConfig
from schemas.units import Unit
from tasks.engines.host import Counters
from tasks.graders import Grade, make_grader
from tasks.graders.verdicts import verdict
from tasks.prompts.formats import make_prompt_format
from tasks.regrading.regrade import Regrader
from tasks.sampling.sample import sample_problem
from tasks.search.context import SearchContext
from tasks.search.rows import make_rows
from tasks.search.session import Search
from tasks.search.strategies.majority import sample_for_majority
from tasks.step_labels.rollouts import roll_out_trajectories

JOB = SamplingJob(
    problems=WorldProblemsConfig(),
    policy=PlantedConfig(),
    grader=ExactGraderConfig(),
    sampling=SamplingConfig(num_samples=1),
)
FORMAT = make_prompt_format(JOB.prompt, JOB.policy)
GRADER = make_grader(JOB.grader)
RIGHT, WRONG, NULL = ("4", True), ("5", False), (None, None)

# text, ends, expected for a solution, expected for a rollout
CASES = [
    ("Answer: 4", "stop", RIGHT, RIGHT),
    ("Answer: 5", "stop", WRONG, WRONG),
    ("I give up", "stop", (None, False), (None, False)),
    ("Answer: 4\nand", "length", RIGHT, NULL),
    ("Answer: 5\nand", "length", WRONG, NULL),
    ("2 + 2", "length", NULL, NULL),
    ("", "rejected", NULL, NULL),
]


class OneText:
    """A policy that writes one text, ended by itself or by a limit, or that no prompt fits."""

    name = model_id = "one-text"
    vocabulary: str | None = None

    def __init__(self, text: str, ends: str) -> None:
        self._text, self._ends = text, ends

    async def generate(self, request: GenerationRequest) -> Generation:
        if self._ends == "rejected":
            raise RequestRejected("too long")
        completion = Completion(
            text=self._text,
            token_ids=(1,),
            logprobs=None,
            finish_reason="stop" if self._ends == "stop" else "length",
            stop_string=None,
        )
        return Generation(completions=(completion,) * request.n, prompt_tokens=1, cached_tokens=0)

    async def score(self, request):
        raise NotImplementedError

    def encode_text(self, text: str) -> None:
        return None

    async def close(self) -> None:
        """Nothing is held."""


def sample(problem, engine):
    rows = asyncio.run(sample_problem(problem, engine, GRADER, FORMAT, JOB, scope="run"))
    assert len(rows) == 1
    return rows[0]


def search(problem, engine):
    context = SearchContext(
        engines={"policy": engine},
        prompt_formats={"policy": FORMAT},
        limits=SearchLimits(),
        score=ScoreConfig(by="likelihood"),
        needs_likelihood=False,
        counters=Counters(),
    )

    async def run():
        tree = Search(problem.question, 1, context, seed=0)
        ends = await sample_for_majority(tree, MajorityConfig())
        return await make_rows(
            tree, ends, problem=problem, strategy="majority", grader=GRADER, scope="run"
        )

    (row,) = asyncio.run(run())
    return row


def roll_out(problem, engine, solution):
    (row,) = asyncio.run(
        roll_out_trajectories(
            {problem.problem_id: problem},
            [solution],
            MonteCarloConfig(num_rollouts=1),
            engine=engine,
            grader=GRADER,
            prompt_format=FORMAT,
            seed=0,
            scope="run",
        )
    )
    return row


@pytest.fixture
def regrade(store, unit_of):
    """The verdict on a row of a run; None where the row gets no verdict."""

    def judge(problem, row, *others):
        problems = unit_of(PROBLEMS.name, stage="problems")
        store.commit(problems, [problem])
        solutions = unit_of(TRAJECTORIES.name, name="u0", stage="sampling")
        store.commit(solutions, others)
        graded = unit_of(TRAJECTORIES.name, name="u1", stage="step_labels")
        store.commit(graded, [row])
        unit = Unit(
            run_id="run",
            stage="regrading",
            name="u1-000-0123456789abcdef",
            table=VERDICTS.name,
            inputs=(graded.path, problems.path, solutions.path),
        )
        found = asyncio.run(Regrader(store, JOB.grader).judge(unit))
        return next(((v.answer, v.correct) for v in found), None)

    return judge


@pytest.mark.parametrize(("text", "ends", "of_solution", "of_rollout"), CASES)
def test_cut_and_failed_texts_are_graded_by_one_rule(
    text, ends, of_solution, of_rollout, make_problem, make_trajectory, regrade
):
    problem, engine = make_problem(answer="4"), OneText(text, ends)
    sampled, searched = sample(problem, engine), search(problem, engine)
    assert (sampled.answer, sampled.correct) == of_solution
    assert (searched.answer, searched.correct) == of_solution
    rolled = roll_out(problem, engine, make_trajectory())
    assert (rolled.answer, rolled.correct) == of_rollout
    assert regrade(problem, sampled) == (None if ends == "rejected" else of_solution)


@pytest.mark.parametrize(("text", "ends", "of_solution", "of_rollout"), CASES)
def test_a_rollout_keeps_its_verdict_when_it_is_graded_again(
    text, ends, of_solution, of_rollout, make_problem, make_trajectory, regrade
):
    problem, solution = make_problem(answer="4"), make_trajectory()
    rolled = roll_out(problem, OneText(text, ends), solution)
    assert regrade(problem, rolled, solution) == (None if ends == "rejected" else of_rollout)


def test_a_rollout_is_graded_again_by_its_whole_text(make_problem, make_trajectory, regrade):
    """The prefix may already hold the answer, and the continuation only the end of text."""
    texts = ("Answer: 4\n", "Let me look again.")
    solution = make_trajectory(steps=tuple(Step(text=text, num_tokens=3) for text in texts))
    rolled = roll_out(make_problem(answer="4"), OneText("That is all.", "stop"), solution)
    assert (rolled.answer, rolled.correct) == RIGHT
    assert regrade(make_problem(answer="4"), rolled, solution) == RIGHT


def test_a_rollout_without_its_solution_is_refused(make_problem, make_trajectory, regrade):
    rolled = roll_out(make_problem(), OneText("Answer: 4", "stop"), make_trajectory())
    with pytest.raises(ValueError, match="expected t0, which it continues"):
        regrade(make_problem(), rolled)


@pytest.mark.parametrize("status", ["pruned", "error", "open"])
def test_a_text_that_did_not_come_to_an_end_counts_for_nothing(status):
    assert verdict(Grade("4", True), status, "solution") == Grade(None, None)
    assert verdict(None, "finished", "solution") == Grade(None, None)
