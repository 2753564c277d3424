import pytest

from tasks.step_labels.checker_labels import label_by_checker


def check_length(question, steps):
    """A checker for which a step is right while it is shorter than the question."""
    return [len(step) < len(question) for step in steps]


def test_every_step_gets_the_checkers_verdict(make_problem, make_trajectory):
    problem = make_problem("p0", question="ten chars?")
    labels = label_by_checker({"p0": problem}, [make_trajectory()], check_length)
    assert [(label.step_index, label.hard, label.soft) for label in labels] == [
        (0, False, 0.0),
        (1, True, 1.0),
    ]
    assert {(label.method, label.evidence) for label in labels} == {("checker", "checker")}


def test_what_does_not_fit_is_refused(make_problem, make_trajectory):
    with pytest.raises(ValueError, match="problem p0 is not among the 0"):
        label_by_checker({}, [make_trajectory()], check_length)
    with pytest.raises(ValueError, match="t0: expected 2 verdicts of the checker, got 1"):
        label_by_checker({"p0": make_problem()}, [make_trajectory()], lambda q, s: [True])
