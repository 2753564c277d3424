"""A set that cannot be built is refused before anything is read."""

import pytest

from schemas.dataset_export import DatasetExportJob
from tasks.dataset_export.sources import open_sources

SOLVED = [("r", "p", "2 + 2\nAnswer: 4", True), ("w", "q", "2 + 2\nAnswer: 5", False)]
BOTH = {"p": {}, "q": {}}


@pytest.fixture
def refuse(store, make_plan):
    def refused(builder, **job):
        with pytest.raises(ValueError) as caught, open_sources(store, make_plan(builder, **job)):  # noqa: PT011
            pass
        return str(caught.value)

    return refused


def test_a_set_without_solutions(fill, refuse):
    fill(BOTH)
    assert "expected finished solutions in the set train of run run, got none" in refuse(
        {"type": "rest"}
    )


def test_a_run_without_right_answers(fill, refuse):
    fill(BOTH, SOLVED[1:])
    for kind in ("rest", "rest_em", "reverse_curriculum", "revisions", "v_star"):
        message = refuse({"type": kind})
        assert message.startswith(f"{kind}: expected right answers in the set train")
        assert (
            "got 1 solutions of 1 problems, 0 of them right, 1 wrong: of 1 solutions 0" in message
        )
        assert message.endswith(
            "sample easier problems, more solutions of each, or a stronger policy"
        )


def test_no_problem_with_both_grades(fill, refuse):
    fill(BOTH, SOLVED)
    for kind in ("preference", "v_star", "stitched"):
        assert "expected a problem with right and wrong answers" in refuse({"type": kind})


def test_a_threshold_that_nothing_passes(fill, refuse):
    fill(BOTH, SOLVED, scores={"r": (0.9, 0.6), "w": (0.5,)})
    message = refuse({"type": "rest", "by": "score", "thresholds": [0.2, 0.7], "improve_step": 1})
    assert "rest: nothing passes the threshold 0.7: the best of 2 scored solutions" in message
    assert message.endswith("has 0.6")


def test_scores_of_no_or_of_another_verifier(fill, refuse):
    fill(BOTH, SOLVED)
    margin = {"type": "preference", "by": "margin"}
    assert "expected scores by one verifier of the set train of run run, got none" in refuse(margin)


def test_an_unknown_verifier_and_method_are_named_with_those_there(fill, refuse):
    fill(BOTH, SOLVED, scores={"r": (0.9,)}, labels={"r": [True]})
    message = refuse({"type": "rest", "by": "score"}, source={"verifier": "orm"})
    assert "scores by 'orm'" in message
    assert message.endswith("got prm")
    assert refuse({"type": "stepwise", "method": "checker"}).endswith("got mc")


def test_labels_of_no_method(fill, refuse):
    fill(BOTH, SOLVED)
    assert "expected labels of one method in the set train" in refuse({"type": "stepwise"})


def test_a_set_to_measure_on_is_no_source(fill, refuse):
    fill({"p": {"split": "test"}, "q": {}}, SOLVED)
    message = refuse({"type": "rest"})
    assert "has problems of the split test, expected train" in message
    assert "must not be trained on" in message


def test_other_splits_can_be_allowed(fill, build):
    fill({"p": {"split": "dev"}, "q": {}}, SOLVED)
    assert len(build({"type": "rest"}, source={"splits": ["train", "dev"]})[0]) == 1


def test_no_original_data(fill, refuse):
    fill(BOTH, SOLVED)
    assert "expected problems with worked solutions" in refuse({"type": "rest", "mix_in": 0.5})
    fill({"o": {}}, [("x", "o", "Answer: 1", False)], set_name="old")
    mixed = {"type": "rest", "mix_in": 0.5, "mix_set": "old"}
    assert "expected right solutions in the set 'old'" in refuse(mixed, mix_set="old")


def test_no_searches(fill, refuse, unit_of, make_trajectory, store):
    fill(BOTH, SOLVED)
    assert refuse({"type": "search_trees"}).endswith("got none")
    row = make_trajectory("s", problem_id="p", strategy="majority")
    store.commit(unit_of("trajectories", stage="search"), [row])
    assert refuse({"type": "search_trees"}).endswith("got majority")


def test_policies_and_rounds_choose_solutions(fill, build, store, unit_of, make_trajectory):
    fill({"p": {}}, [("t0", "p", "first way\nAnswer: 4", True)])
    later = make_trajectory("t1", problem_id="p", policy="policy-1", round=1)
    store.commit(unit_of("trajectories", name="train.00001"), [later])
    for source, expected in (
        ({}, {"t0", "t1"}),
        ({"policies": ["policy-1"]}, {"t1"}),
        ({"rounds": [1]}, {"t1"}),
        ({"policies": ["policy-0"]}, {"t0"}),
    ):
        rows, built = build({"type": "rest"}, source=source)
        assert {row["source_ids"][0] for row in rows} == expected
    assert built.facts["policies"] == ["policy-0"]


def test_what_checks_leave_is_nothing(fill, build):
    fill(BOTH, SOLVED)
    with pytest.raises(ValueError, match=r"checks left none: left out .*'few_steps': 1"):
        build({"type": "rest"}, checks={"min_steps": 3})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"builder": {"type": "rest", "thresholds": [0.5, 0.5]}},
            "thresholds: expected them to rise",
        ),
        (
            {"builder": {"type": "rest", "improve_step": 6}},
            "improve_step: expected less than the 6",
        ),
        ({"builder": {"type": "reverse_curriculum", "stage": 1}}, "expected one in mode staged"),
        (
            {"builder": {"type": "reverse_curriculum", "mode": "staged", "stage": 9}},
            "stage: expected at most 5",
        ),
        ({"builder": {"type": "reverse_curriculum", "shares": [1, 2]}}, "shares: expected 5"),
        ({"builder": {"type": "revisions", "template": "{question}"}}, r"expected \{attempts\}"),
        ({"checks": {"test_sets": ["train"]}}, "expected sets that are not sources, got train"),
    ],
)
def test_a_config_that_cannot_be_meant(values, message):
    with pytest.raises(ValueError, match=message):
        DatasetExportJob.from_partial(values)
