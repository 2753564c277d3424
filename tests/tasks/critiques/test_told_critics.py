"""Critics that are no model: against the exact checker, and against labels set by hand."""

import random
from dataclasses import replace
from itertools import islice

import pytest

from schemas.critique_formats import LinesCritiqueConfig, StepwiseCritiqueConfig
from schemas.rows import Problem, Step, StepLabel
from tasks.critiques.told_critics import judged_steps
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.steps.segmentation import split_steps
from tasks.world.checker import check_solution
from tasks.world.problems import iterate_problems
from tasks.world.students import write_solution

LABELS = {"type": "labels", "method": "monte_carlo[n=8]"}


@pytest.fixture(scope="module")
def world():
    """Problems of the built-in world, each with a student's solution."""
    rng = random.Random(5)
    return [(each, write_solution(each, rng)) for each in islice(iterate_problems(3, "dev"), 200)]


def as_rows(world, make_trajectory):
    problems, solutions = [], []
    for i, (each, text) in enumerate(world):
        problems.append(
            Problem(
                problem_id=f"p{i}",
                source="world",
                split="dev",
                question=each.question,
                answer=str(each.answer),
            )
        )
        steps = tuple(Step(text=step, num_tokens=9) for step in split_steps(text, "\n"))
        correct = check_solution(each.question, text).is_correct
        solutions.append(make_trajectory(f"t{i}", problem_id=f"p{i}", steps=steps, correct=correct))
    return problems, solutions


@pytest.mark.parametrize("judges", ["to_first_error", "all"])
@pytest.mark.parametrize("kind", [LinesCritiqueConfig, StepwiseCritiqueConfig])
def test_the_checkers_critique_says_what_the_checker_found(
    kind, judges, world, make_trajectory, make_job, write_critiques
):
    problems, solutions = as_rows(world, make_trajectory)
    job = make_job(critic={"type": "checker"}, format=kind(judges=judges))
    rows = write_critiques(job, problems, solutions)
    assert len(rows) == len(world)
    num_wrong = 0
    for row, (problem, text) in zip(rows, world, strict=True):
        check = check_solution(problem.question, text)
        num_wrong += check.first_error is not None
        assert row.fault is None
        assert row.first_error == check.first_error
        assert row.verdict == (check.first_error is None)
        verdicts = [step.verdict == "right" for step in row.steps]
        wanted = list(check.labels)
        if judges == "to_first_error" and check.first_error is not None:
            wanted = wanted[: check.first_error + 1]
        assert verdicts == wanted
    assert 40 < num_wrong < 160


def test_a_critique_without_a_model_costs_nothing_and_says_who_wrote_it(
    world, make_trajectory, make_job, write_critiques
):
    problems, solutions = as_rows(world[:3], make_trajectory)
    rows = write_critiques(make_job(critic={"type": "checker"}), problems, solutions)
    for row in rows:
        assert (row.critic, row.engine, row.told, row.status) == (
            *("checker", "checker"),
            *("nothing", "finished"),
        )
        assert (row.generated_tokens, row.prompt_tokens, row.temperature, row.seed) == (0, 0, 0, 0)
        assert row.token_ids is row.vocabulary is row.p_right is None


def test_the_checker_explains_in_both_formats(make_trajectory, make_job, write_critiques):
    question = (
        "Monday: Ana has 20 books. Tuesday: Ana buys 4 books. Wednesday: Ana sells 3 books. "
        "How many books does Ana have now?"
    )
    problem = Problem(problem_id="p", source="world", split="dev", question=question, answer="21")
    lines = ("Tuesday: [buys] 20 + 4 = 24\n", "Wednesday: [sells] 24 + 3 = 27\n", "Answer: 27")
    steps = tuple(Step(text=line, num_tokens=9) for line in lines)
    solution = make_trajectory("t", problem_id="p", steps=steps, correct=False)
    told = {}
    for config in (LinesCritiqueConfig(), StepwiseCritiqueConfig()):
        job = make_job(critic={"type": "checker"}, format=config)
        (row,) = write_critiques(job, [problem], [solution])
        told[config.type] = row.text
    assert told["lines"] == (
        "Tuesday: [buys] right\nWednesday: [sells] wrong, take away\nReview: wrong"
    )
    assert told["stepwise"] == (
        "Step 1: Tuesday: [buys] 20 + 4 = 24\nCorrectness: correct\n"
        "Step 2: Wednesday: [sells] 24 + 3 = 27\nCorrectness: wrong\nExplanation: take away\n"
        "Conclusion: wrong"
    )


def test_a_step_of_two_lines_is_one_step(world, make_trajectory, make_job, write_critiques):
    problems, solutions = as_rows(world[:1], make_trajectory)
    steps = (Step(text="Answer: 4\nReview:\n", num_tokens=4), Step(text="right", num_tokens=1))
    (row,) = write_critiques(
        make_job(critic={"type": "checker"}), problems, [replace(solutions[0], steps=steps)]
    )
    assert (row.first_error, row.verdict, row.fault) == (0, False, None)


def test_the_checker_judges_no_other_world(
    make_problem, make_trajectory, make_job, write_critiques
):
    job = make_job(critic={"type": "checker"})
    with pytest.raises(ValueError, match="expected a question of the built-in world"):
        write_critiques(job, [make_problem("p0")], [make_trajectory("t0")])


@pytest.mark.parametrize(
    ("hard", "first", "every"),
    [
        ([True, True], [True, True], [True, True]),
        ([True, False, False], [True, False], [True, False, False]),
        ([True, False, None], [True, False], [True, False, False]),
        ([True, False, True], [True, False], [True, False, False]),
        ([False], [False], [False]),
        ([True, None, False], None, None),
        ([None, False], None, None),
        ([True, None], None, None),
        ([None], None, None),
        ([], None, None),
    ],
)
def test_labels_are_a_critique_where_they_decide_the_first_error(hard, first, every):
    assert judged_steps(hard, with_all=False) == first
    assert judged_steps(hard, with_all=True) == every


def label(trajectory_id: str, index: int, hard: bool | None, method=LABELS["method"]) -> StepLabel:
    return StepLabel(
        trajectory_id=trajectory_id,
        step_index=index,
        method=method,
        completer="policy-0",
        evidence="rollouts",
        hard=hard,
    )


def test_labels_become_critiques_and_open_ones_are_left_out(
    store, unit_of, make_problem, make_trajectory, make_job, write_critiques
):
    labels = [
        *(label("wrong", 0, True), label("wrong", 1, False)),
        *(label("right", 0, True), label("right", 1, True)),
        *(label("open", 0, None), label("open", 1, False)),
        *(label("other", 0, False, "checker"), label("other", 1, False, "checker")),
    ]
    path = store.commit(unit_of("step_labels", "eval.00000-000", stage="step_labels"), labels).path
    solutions = [make_trajectory(name) for name in ("wrong", "right", "open", "other", "none")]
    problems = [make_problem("p0")]
    job = make_job(critic=LABELS, format=StepwiseCritiqueConfig())
    rows = write_critiques(job, problems, solutions, path)
    assert [row.trajectory_id for row in rows] == ["wrong", "right"]
    assert rows[0].text == (
        "Step 1: 2 + 2 = 4\nCorrectness: correct\nStep 2: Answer: 4\nCorrectness: wrong\n"
        "Conclusion: wrong"
    )
    assert [(row.first_error, row.verdict, row.fault) for row in rows] == [
        *((1, False, None), (None, True, None)),
    ]
    assert {(row.critic, row.engine) for row in rows} == {("labels[monte_carlo[n=8]]", "labels")}
    lines = write_critiques(make_job(critic=LABELS), problems, solutions, path)
    assert [row.text for row in lines] == [
        "right\nAnswer: wrong\nReview: wrong",
        "right\nAnswer: right\nReview: right",
    ]


def test_a_thought_is_not_judged(
    store, unit_of, make_problem, make_trajectory, make_job, write_critiques
):
    labels = [label("t", index, hard) for index, hard in enumerate((None, True, False))]
    path = store.commit(unit_of("step_labels", "eval.00000-000", stage="step_labels"), labels).path
    steps = (Step(text="<think>Hm.</think>\n", num_tokens=4), *make_trajectory().steps)
    solution = replace(make_trajectory("t"), steps=steps, thinking_tokens=4)
    (row,) = write_critiques(make_job(critic=LABELS), [make_problem("p0")], [solution], path)
    assert row.first_error == 2
    assert row.text.startswith("right\nAnswer: wrong")


class Asked(MarkovEngine):
    """Keeps the prompts."""

    def __init__(self, config):
        super().__init__(config)
        self.prompts: list[str] = []

    async def generate(self, request):
        self.prompts.append(request.prompt)
        return await super().generate(request)


def test_an_actor_that_thinks_reads_what_was_said_without_a_thought(
    make_trajectory, make_job, write_critiques, refine
):
    problems = markov_problems(1, seed=0)
    solutions = [make_trajectory("t0", problem_id=problems[0].problem_id, correct=False)]
    thinking = {"type": "plain", "thinking": {"is_opened": True}}
    job = make_job(critic={"type": "fixed", "text": "Review: wrong"}, prompt=thinking)
    critiques = write_critiques(job, problems, solutions)
    engine = Asked(job.policy)
    (attempt,) = refine(job, problems, solutions, critiques, engine)
    assert attempt.critique_id == critiques[0].critique_id
    assert "Review:\nReview: wrong\nAgain:" in engine.prompts[0]


def test_a_critique_that_is_all_thought_is_not_given_to_the_actor(
    make_trajectory, make_job, write_critiques, refine
):
    problems = markov_problems(1, seed=0)
    solutions = [make_trajectory("t0", problem_id=problems[0].problem_id, correct=False)]
    thinking = {"type": "plain", "thinking": {"is_opened": True}}
    job = make_job(critic={"type": "fixed", "text": "Let me see"}, prompt=thinking)
    (said,) = write_critiques(job, problems, solutions)
    cut = replace(said, engine="markov", status="truncated")
    again = replace(cut, critique_id="c1", text="Hm.</think>\nReview: wrong")
    engine = Asked(job.policy)
    attempts = refine(job, problems, solutions, [cut, again], engine)
    assert [row.critique_id for row in attempts] == ["c1"]
    assert "Review:\nReview: wrong\nAgain:" in engine.prompts[0]
