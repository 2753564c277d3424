"""Error paths on policies whose answers and probabilities are known."""

import math
from dataclasses import replace

import pytest
from pydantic import ValidationError

from schemas.engines import MarkovConfig
from schemas.error_paths import (
    ErrorPathsJob,
    HotConfig,
    InjectedConfig,
    ModelErrorsConfig,
    RisingConfig,
    RuleErrorsConfig,
)
from schemas.rows import Step
from tasks.engines.markov_engine import MarkovEngine, check_walk, markov_problems
from tasks.error_paths.templates import TemplatePool

CHAIN = MarkovConfig(num_steps=4, p_right=0.8, p_recover=0.3)
RIGHT_WALK = tuple(Step(text=f"Step {n}: ok 0\n", num_tokens=1) for n in (1, 2, 3, 4))


def at_temperature(p: float, temperature: float) -> float:
    """The probability of the first of two outcomes, each of ten equally likely texts."""
    one, other = p ** (1 / temperature), (1 - p) ** (1 / temperature)
    return one / (one + other)


def is_close(count: int, num: int, p: float) -> bool:
    """Within four standard errors."""
    return abs(count / num - p) < 4 * math.sqrt(p * (1 - p) / num)


def walks(num: int, make_trajectory):
    problems = markov_problems(num, seed=0)
    solutions = [
        make_trajectory(
            f"t{i}",
            problem_id=problem.problem_id,
            steps=(*RIGHT_WALK, Step(text=f"Answer: {problem.answer}", num_tokens=1)),
            answer=problem.answer,
        )
        for i, problem in enumerate(problems)
    ]
    return problems, solutions


def test_whole_solutions_are_drawn_at_their_temperature(make_paths, make_trajectory):
    problems, solutions = walks(20, make_trajectory)
    way = HotConfig(num_paths=100, temperature=2.0)
    rows = make_paths(way, problems, solutions, MarkovEngine(CHAIN))
    questions = {problem.problem_id: problem.question for problem in problems}
    assert len(rows) == 2000
    assert len({row.trajectory_id for row in rows}) == 2000
    assert {(row.strategy, row.role, row.parent_id, row.error_step) for row in rows} == {
        ("rg1", "error_path", None, None)
    }
    first = [check_walk(questions[r.problem_id], [s.text for s in r.steps])[0] for r in rows]
    assert is_close(sum(first), 2000, at_temperature(0.8, 2.0))
    assert {row.temperature for row in rows} == {2.0}


def test_each_further_step_is_drawn_hotter(make_paths, make_trajectory):
    problems, solutions = walks(20, make_trajectory)
    way = RisingConfig(
        num_paths=100, kept_share=0.2, temperature=0.5, temperature_rise=0.75, max_temperature=1.5
    )
    rows = make_paths(way, problems, solutions, MarkovEngine(CHAIN))
    questions = {problem.problem_id: problem.question for problem in problems}
    assert len(rows) == 2000
    assert {(row.error_step, row.branch_step, len(row.steps)) for row in rows} == {(1, 0, 5)}
    assert {row.parent_id for row in rows} == {solution.trajectory_id for solution in solutions}
    found = [check_walk(questions[r.problem_id], [s.text for s in r.steps]) for r in rows]
    assert all(verdicts[0] for verdicts in found)
    for place, temperature in enumerate((0.5, 1.25, 1.5), start=1):
        before = [verdicts for verdicts in found if verdicts[place - 1]]
        right = sum(verdicts[place] for verdicts in before)
        assert is_close(right, len(before), at_temperature(0.8, temperature)), place
    assert {row.temperature for row in rows} == {1.5}
    assert all(row.correct == verdicts[-1] for row, verdicts in zip(rows, found, strict=True))


def test_the_number_of_kept_steps_is_drawn(make_paths, make_trajectory):
    problems, solutions = walks(30, make_trajectory)
    rows = make_paths(RisingConfig(num_paths=20), problems, solutions, MarkovEngine(CHAIN))
    counts = [sum(row.error_step == n for row in rows) for n in (1, 2, 3, 4)]
    assert sum(counts) == 600
    assert all(is_close(count, 600, 0.25) for count in counts)
    again = make_paths(RisingConfig(num_paths=20), problems, solutions, MarkovEngine(CHAIN))
    assert [(r.trajectory_id, r.steps) for r in again] == [(r.trajectory_id, r.steps) for r in rows]


def test_each_step_continues_the_tokens_that_were_sampled(make_paths, make_sum, solution_of, adder):
    problem = make_sum("p", 3, 4, 5, 6)
    template = solution_of(problem)
    way = RisingConfig(num_paths=1, kept_share=0.3)
    (row,) = make_paths(way, [problem], [template], adder)
    prefixes = ["3 + 4 = 7\n", "3 + 4 = 7\n7 + 5 = 12\n", "3 + 4 = 7\n7 + 5 = 12\n12 + 6 = 18\n"]
    assert [request.prefix for request in adder.requests] == prefixes
    assert [request.prefix_ids for request in adder.requests] == [
        tuple(map(ord, prefix)) for prefix in prefixes
    ]
    assert [request.temperature for request in adder.requests] == [1.0, 1.2, 1.4]
    assert len({request.seed for request in adder.requests}) == 3
    assert row.text == template.text
    assert row.token_ids == template.token_ids
    assert row.vocabulary == template.vocabulary
    assert row.generated_tokens == len(row.text) - len(prefixes[0])
    assert row.prompt_tokens == sum(len(r.prompt) + len(r.prefix) for r in adder.requests)
    assert row.steps[0] == Step(text="3 + 4 = 7\n", num_tokens=10, logprob=-0.5)
    assert (row.correct, row.error_step) == (True, 1)
    assert row.error_note is not None
    assert "right solution" in row.error_note


def test_tokens_of_another_vocabulary_are_not_passed_off_as_the_policys(
    make_paths, make_sum, solution_of, adder
):
    problem = make_sum("p", 3, 4, 5)
    template = replace(solution_of(problem), vocabulary="of another model")
    (row,) = make_paths(RisingConfig(num_paths=1), [problem], [template], adder)
    assert adder.requests[0].prefix_ids is None
    assert adder.requests[0].following == template.text.removeprefix(adder.requests[0].prefix)
    assert row.token_ids is row.vocabulary is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("sign", "9 + 4 = 13\n13 - 5 = 8\n8 + 6 = 14\nAnswer: 14"),
        ("operator", "9 + 4 = 13\n13 * 5 = 65\n65 + 6 = 71\nAnswer: 71"),
        ("left_out", "9 + 4 = 13\n13 + 6 = 19\n19 + 6 = 25\nAnswer: 25"),
    ],
)
def test_the_policy_goes_on_from_the_error(
    kind, expected, make_paths, make_sum, solution_of, adder
):
    problem = make_sum("p", 9, 4, 5, 6)
    way = InjectedConfig(num_paths=12, errors=RuleErrorsConfig(kinds=(kind,)))
    rows = make_paths(way, [problem], [solution_of(problem)], adder)
    at_1 = [row for row in rows if row.error_step == 1]
    assert {row.text for row in at_1} == {expected}
    for row in rows:
        assert row.error_note is not None
        assert row.error_note.startswith(f"{kind}: ")
        assert (row.status, row.correct, row.branch_step) == ("finished", False, 0)
        assert row.token_ids is row.vocabulary is None  # not all of it is the policy's
        assert row.steps[row.error_step or 0].logprob is None
        assert row.generated_tokens == sum(len(s.text) for s in row.steps[row.error_step + 1 :])
    assert {request.n for request in adder.requests} == {1}
    assert all(request.prefix_ids for request in adder.requests)


def test_an_error_that_ends_a_solution_is_not_continued(make_paths, make_sum, solution_of, adder):
    problem = make_sum("p", 3, 4, 5)
    template = solution_of(problem, "3 + 4 = 7\nSo 7 + 5 = 12")
    way = InjectedConfig(num_paths=1, errors=RuleErrorsConfig(kinds=("left_out",)))
    (row,) = make_paths(way, [problem], [template], adder)
    assert (row.text, row.status, row.error_step) == ("So 3 + 5 = 8", "finished", 0)
    assert adder.requests == []


class Rewriter:
    """Answers every request with one text."""

    name = model_id = "rewriter"
    vocabulary = None

    def __init__(self, text: str, adder) -> None:
        self.text, self.adder = text, adder
        self.requests = []

    async def generate(self, request):
        self.requests.append(request)
        from schemas.engines import Completion, Generation
        from schemas.errors import RequestRejected

        if self.text == "refuse":
            raise RequestRejected("too long")
        text = self.text[: request.max_tokens]
        end = "stop" if text == self.text else "length"
        one = Completion(
            text=text, token_ids=(-1,) * 3, logprobs=None, finish_reason=end, stop_string=None
        )
        return Generation(completions=(one,), prompt_tokens=50, cached_tokens=0)


def model_way(**fields):
    engine = MarkovConfig(num_steps=1, p_right=0.5)
    kinds = {"calculation": "a calculation with a wrong result"}
    errors = ModelErrorsConfig(engine=engine, kinds=kinds, **fields)
    return InjectedConfig(num_paths=1, errors=errors)


def test_a_model_puts_an_error_in(make_paths, make_sum, solution_of, adder):
    problem = make_sum("p", 3, 4, 5)
    rewriter = Rewriter(" 9 + 9 = 20 ", adder)
    (row,) = make_paths(model_way(), [problem], [solution_of(problem)], adder, rewriter)
    (asked,) = rewriter.requests
    step = ["3 + 4 = 7", "7 + 5 = 12"][row.error_step]
    assert problem.question in asked.prompt
    assert f"Its next step:\n{step}\n" in asked.prompt
    assert "a calculation with a wrong result" in asked.prompt
    assert row.steps[row.error_step].text == "9 + 9 = 20\n"
    assert (
        row.error_note
        == f"calculation: a calculation with a wrong result; the right step was '{step}'"
    )
    assert row.steps[-1].text == ("Answer: 20" if row.error_step else "Answer: 25")
    assert row.prompt_tokens > 50
    assert row.correct is False


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "wrote no step"),
        ("3 + 4 = 7\n7 + 5 = 12", "wrote 2 steps instead of one"),
        ("refuse", "was refused: too long"),
        ("9" * 600, "was cut at 512 tokens"),
    ],
)
def test_what_a_model_fails_to_write_is_a_row(
    text, reason, make_paths, make_sum, solution_of, adder
):
    problem = make_sum("p", 3, 4, 5)
    (row,) = make_paths(
        model_way(), [problem], [solution_of(problem)], adder, Rewriter(text, adder)
    )
    assert (row.status, row.steps, row.correct) == ("error", (), None)
    assert row.error is not None
    assert reason in row.error
    assert adder.requests == []


def test_a_step_that_the_model_left_as_it_was_is_no_error(make_paths, make_sum, solution_of, adder):
    problem = make_sum("p", 3, 4)
    rewriter = Rewriter("3 +  4 = 7", adder)
    (row,) = make_paths(model_way(), [problem], [solution_of(problem)], adder, rewriter)
    assert row.error == "the annotator wrote the step without an error"


def test_what_has_no_template_is_counted_and_the_rest_goes_on(
    make_paths, make_sum, solution_of, adder
):
    solved, unsolved, short = (make_sum(name, 3, 4, 5) for name in ("a", "b", "c"))
    plain = make_sum("d", 3, 4)
    solutions = [
        solution_of(solved, trajectory_id="right"),
        solution_of(solved, trajectory_id="right again"),
        solution_of(unsolved, trajectory_id="wrong", correct=False, answer="1"),
        solution_of(unsolved, trajectory_id="cut", status="truncated"),
        solution_of(short, "Answer: 12", trajectory_id="one step"),
        solution_of(plain, "It is\nAnswer: 7", trajectory_id="words"),
    ]
    job = ErrorPathsJob()
    pool = TemplatePool.of(solutions, job)
    assert [row.trajectory_id for row in pool.templates] == ["right", "words"]
    counts = (pool.num_templates, pool.num_problems, pool.num_without, pool.num_one_step)
    assert counts == (2, 4, 1, 1)
    wrong = TemplatePool.of(solutions, job.with_fields(templates="wrong"))
    assert [row.trajectory_id for row in wrong.templates] == ["wrong"]
    several = TemplatePool.of(solutions, job.with_fields(templates_per_problem=2))
    assert several.num_templates == 3

    problems = [solved, unsolved, short, plain]
    way = InjectedConfig(num_paths=2, errors=RuleErrorsConfig(kinds=("arithmetic",)))
    rows = make_paths(way, problems, solutions, adder)
    assert [row.parent_id for row in rows] == ["right", "right"]  # no kind fits the words


def test_an_empty_pool_makes_no_rows(make_paths, make_sum, solution_of, adder):
    problem = make_sum("p", 3, 4, 5)
    wrong = solution_of(problem, correct=False, answer="1")
    for way in (RisingConfig(), InjectedConfig()):
        assert make_paths(way, [problem], [wrong], adder) == []
    assert len(make_paths(HotConfig(num_paths=3), [problem], [wrong], adder)) == 3


def test_a_path_that_is_longer_than_its_limit_is_cut(make_paths, make_sum, solution_of, adder):
    problem = make_sum("p", 3, 4, 5, 6, 7)
    way = RisingConfig(num_paths=1, kept_share=0.1, max_tokens=15)
    (row,) = make_paths(way, [problem], [solution_of(problem)], adder)
    assert (row.status, row.generated_tokens, row.correct) == ("truncated", 15, None)
    assert row.text == "3 + 4 = 7\n7 + 5 = 12\n12 +"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"paths": ()}, "at least 1"),
        ({"paths": ({"type": "rg1"}, {"type": "rg1"})}, "one of them twice"),
        ({"paths": ({"type": "rg2", "temperature": 3.0},)}, "at most max_temperature"),
        ({"paths": ({"type": "rg1", "stop": ("\n",)},)}, "not in the step separator"),
        (
            {"paths": ({"type": "rg3", "errors": {"type": "model", "template": "Spoil it."}},)},
            "exactly once",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        ErrorPathsJob.model_validate(fields)
