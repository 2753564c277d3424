"""Attempts of revision searches, the earlier ones in their prompts, labelled by their outcomes."""

import pytest

from schemas.rows import Step

LABEL = "revisions[sequential=3]"


@pytest.fixture
def chain(make_trajectory):
    """A chain of three attempts: wrong, cut off, right; and another chain of one."""

    def attempt(name, text, correct, parent, **fields):
        steps = tuple(Step(text=t, num_tokens=1) for t in text.splitlines(keepends=True))
        return make_trajectory(
            name,
            strategy=LABEL,
            steps=steps,
            correct=correct,
            parent_id=parent,
            branch_step=None if parent is None else 0,
            budget=4,
            **fields,
        )

    return [
        attempt("t0", "2 + 3\nAnswer: 6", False, None, token_ids=(7, 8, 2), vocabulary="v"),
        attempt("t1", "2 + 3 = 1", None, "t0", status="truncated"),
        attempt("t2", "2 + 3 = 5\nAnswer: 5", True, "t1"),
        attempt("t3", "Answer: 5", True, None),
    ]


def test_a_row_has_the_finished_attempts_before_it_and_one_label(chain, fill, build, unit_of):
    store = fill({"p0": {"question": "2 + 3?"}})
    store.commit(unit_of("trajectories", name="train.rev", stage="search"), chain)
    rows, built = build({"type": "revision_outcomes", "template": "{question}\n{attempts}\nAgain:"})
    found = {row["source_ids"][0]: row for row in rows}
    assert set(found) == {"t0", "t2", "t3"}
    assert found["t0"]["prompt"] == "2 + 3?\n"
    assert found["t2"]["prompt"] == "2 + 3?\n2 + 3\nAnswer: 6\nAgain:\n"
    assert found["t2"]["source_ids"] == ["t2", "t0"]
    assert found["t2"]["completions"] == ["2 + 3 = 5", "Answer: 5"]
    assert [found[name]["labels"] for name in ("t0", "t2", "t3")] == [
        [None, False],
        [None, True],
        [True],
    ]
    assert found["t0"]["completions_ids"] == [[7], [8, 2]]
    assert found["t2"]["completions_ids"] is None
    assert built.facts["form"] == "stepwise"


def test_prompts_by_template_are_those_of_the_search(chain, fill, build, unit_of):
    store = fill({"p0": {"question": "2 + 3?"}})
    store.commit(unit_of("trajectories", name="train.rev", stage="search"), chain)
    template = "{question} Before: {attempts} Better:"
    rows, _ = build({"type": "revision_outcomes", "template": template, "context": 1})
    prompts = {row["source_ids"][0]: row["prompt"] for row in rows}
    assert prompts["t2"] == "2 + 3? Before: 2 + 3\nAnswer: 6 Better:\n"


def test_other_searches_are_refused_by_name(chain, fill, build, unit_of, make_trajectory):
    store = fill({"p0": {}})
    other = make_trajectory("b", strategy="beam", budget=4)
    store.commit(unit_of("trajectories", name="train.beam", stage="search"), [other])
    with pytest.raises(ValueError, match=r"expected searches of .* by revisions, got beam"):
        build({"type": "revision_outcomes"})
