import pytest

from schemas.rows import Step
from schemas.step_labels import MonteCarloConfig
from tasks.step_labels.prefixes import collect_prefixes, prefix_key, prefix_keys

CONFIG = MonteCarloConfig(audit_fraction=0)


@pytest.fixture
def make_solution(make_trajectory):
    def make(trajectory_id, texts, **fields):
        steps = tuple(Step(text=f"{text}\n", num_tokens=1) for text in texts)
        return make_trajectory(trajectory_id, steps=steps, **fields)

    return make


def test_a_prefix_keeps_whole_steps_and_never_the_last(make_solution):
    solution = make_solution("t0", "abc")
    assert prefix_keys(solution) == [("p0", "a\n"), ("p0", "a\nb\n")]
    assert prefix_key(solution, 2) == ("p0", "a\nb\n")
    assert prefix_keys(make_solution("t1", "a")) == []
    assert prefix_keys(make_solution("t2", "")) == []


def test_equal_prefixes_of_a_problem_are_one_and_belong_to_the_first(make_solution):
    solutions = [
        make_solution("t0", "abc"),
        make_solution("t1", "abd"),
        make_solution("t2", "axy"),
        make_solution("t3", "abc", problem_id="p1"),
    ]
    prefixes = collect_prefixes(solutions, CONFIG, "policy-0")
    assert [(p.key, p.parent.trajectory_id, p.num_steps) for p in prefixes.values()] == [
        (("p0", "a\n"), "t0", 1),
        (("p0", "a\nb\n"), "t0", 2),
        (("p0", "a\nx\n"), "t2", 2),
        (("p1", "a\n"), "t3", 1),
        (("p1", "a\nb\n"), "t3", 2),
    ]
    assert not any(p.known or p.is_audited for p in prefixes.values())


def test_solutions_that_count_are_known_verdicts_by_id(make_solution):
    solutions = [
        make_solution("t1", "abd", correct=True),
        make_solution("t0", "abc", correct=False),
        make_solution("t2", "axy", correct=True),
    ]
    config = CONFIG.with_fields(reuse_solutions=True)
    prefixes = collect_prefixes(solutions, config, "policy-0")
    assert [prefix.known for prefix in prefixes.values()] == [
        (False, True, True),
        (False, True),
        (True,),
    ]
    of_another = collect_prefixes(solutions, config, "policy-1")
    assert [prefix.known for prefix in of_another.values()] == [(), (), ()]


def test_an_audited_solution_marks_its_prefixes(make_solution):
    solutions = [make_solution("t0", "abc"), make_solution("t1", "abd")]
    config = MonteCarloConfig(search="bisection", audit_fraction=1)
    assert all(p.is_audited for p in collect_prefixes(solutions, config, "policy-0").values())
    linear = config.with_fields(search="linear")
    assert not any(p.is_audited for p in collect_prefixes(solutions, linear, "policy-0").values())
