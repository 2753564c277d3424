import pytest

from schemas.rows import Step
from tasks.steps.trees import whole_steps


def steps(*texts: str) -> tuple[Step, ...]:
    return tuple(Step(text=text, num_tokens=1) for text in texts)


@pytest.fixture
def rows(make_trajectory):
    trunk = make_trajectory("trunk", steps=steps("a", "b", "c"))
    branch = make_trajectory("branch", steps=steps("d", "e"), parent_id="trunk", branch_step=2)
    twig = make_trajectory("twig", steps=steps("f"), parent_id="branch", branch_step=3)
    early = make_trajectory("early", steps=steps("g"), parent_id="branch", branch_step=1)
    revision = make_trajectory("revision", steps=steps("h"), parent_id="twig", branch_step=0)
    return {row.trajectory_id: row for row in (trunk, branch, twig, early, revision)}


@pytest.mark.parametrize(
    ("row_id", "text"),
    [("trunk", "abc"), ("branch", "abde"), ("twig", "abdf"), ("early", "ag"), ("revision", "h")],
)
def test_a_branch_begins_with_its_parents_steps(rows, row_id, text):
    whole = whole_steps(rows[row_id], rows)
    assert "".join(step.text for step in whole) == text


def test_an_end_without_steps_of_its_own_has_its_parents(rows, make_trajectory):
    end = make_trajectory("end", steps=(), parent_id="trunk", branch_step=3)
    assert [step.text for step in whole_steps(end, rows)] == ["a", "b", "c"]


def test_a_parent_that_is_missing_or_too_short_is_refused(rows, make_trajectory):
    orphan = make_trajectory("orphan", parent_id="nobody", branch_step=1)
    with pytest.raises(ValueError, match=r"orphan: expected nobody.* among the 5 rows"):
        whole_steps(orphan, rows)
    long = make_trajectory("long", parent_id="branch", branch_step=9)
    with pytest.raises(ValueError, match=r"long: expected branch to have at least 9 steps, got 4"):
        whole_steps(long, rows)
