import pytest

from tasks.problems.halves import halve


def test_every_second_problem_is_in_the_second_half(make_problem):
    problems = [make_problem(f"p{i}", level=1 + i % 5) for i in range(11)]
    first, second = halve(problems)
    assert [p.problem_id for p in first] == ["p0", "p2", "p4", "p6", "p8", "p10"]
    assert [p.problem_id for p in second] == ["p1", "p3", "p5", "p7", "p9"]
    assert {p.level for p in first} == {p.level for p in second} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("num_problems", [0, 1])
def test_an_empty_half_is_refused(make_problem, num_problems):
    problems = [make_problem("p")] * num_problems
    with pytest.raises(ValueError, match=f"at least two problems to halve, got {num_problems}"):
        halve(problems)
