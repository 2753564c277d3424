"""ReST and ReST-EM: which solutions pass, how often, and what is mixed in."""

import math

import pytest

# Four right and two wrong solutions of p, one right of q; scores by their lowest step.
PROBLEMS = {
    "p": {"answer": "4", "level": 1, "solution": "It is 4.\n#### 4"},
    "q": {"answer": "7", "level": 3, "solution": "It is 7.\n#### 7"},
}
SOLUTIONS = [
    *((f"a{i}", "p", f"by way {i}{i}\nAnswer: 4", True) for i in range(4)),
    ("w0", "p", "by guess\nAnswer: 5", False),
    ("w1", "p", "by luck\nAnswer: 6", False),
    ("b0", "q", "by sum\nAnswer: 7", True),
    ("u0", "q", "by hand\nAnswer: 8", None),
]
SCORES = {
    "a0": (0.9, 0.9), "a1": (0.8, 0.7), "a2": (0.6, 0.5), "a3": (0.9, 0.1),
    "w0": (0.9, 0.8), "w1": (0.3, 0.2), "b0": (0.4, 0.6), "u0": (0.3, 0.9),
}  # fmt: skip


@pytest.fixture
def pool(fill):
    return fill(PROBLEMS, SOLUTIONS, scores=SCORES)


def ids(rows):
    return sorted(row["source_ids"][0] for row in rows if row["source_ids"])


def test_a_grade_keeps_right_answers_with_their_prompt(pool, build):
    rows, built = build({"type": "rest"})
    assert ids(rows) == ["a0", "a1", "a2", "a3", "b0"]
    (row,) = (row for row in rows if row["source_ids"] == ["b0"])
    assert row == {
        "prompt": "What is q?\n",
        "completion": "by sum\nAnswer: 7",
        "completion_ids": None,
        "vocabulary": None,
        "source_ids": ["b0"],
        "problem_id": "q",
        "source": "test",
        "level": 3,
        "weight": 1.0,
        "reason": "right answer",
    }
    assert built.facts["counts"]["by_level"] == {"1": 4, "3": 1}
    assert built.facts["policy"] == "policy-0"


@pytest.mark.parametrize(
    ("threshold", "kept"),
    [(0.0, "a0 a1 a2 a3 b0 u0 w0 w1"), (0.5, "a0 a1 a2 w0"), (0.8, "a0 w0"), (0.9, "a0")],
)
def test_a_score_passes_that_is_at_least_the_threshold(pool, build, threshold, kept):
    config = {"type": "rest", "by": "score", "thresholds": [threshold], "per_problem": None}
    assert ids(build(config)[0]) == kept.split()


@pytest.mark.parametrize(("step", "num_kept"), [(0, 8), (1, 4), (2, 2), (3, 1)])
def test_percentiles_rise_with_the_improve_step(pool, build, step, num_kept):
    """Eight scored solutions: half, a quarter and an eighth pass the shares below."""
    config = {"type": "rest", "by": "percentile", "thresholds": [0.0, 0.5, 0.75, 0.99]}
    rows, _ = build({**config, "improve_step": step, "per_problem": None})
    best = sorted(SCORES, key=lambda name: -min(SCORES[name]))[:num_kept]
    assert ids(rows) == sorted(best)


@pytest.mark.parametrize(
    ("reduction", "score_of"),
    [("prod", math.prod), ("last", lambda s: s[-1]), ("mean", lambda s: sum(s) / len(s))],
)
def test_a_score_is_reduced_as_asked(pool, build, reduction, score_of):
    config = {"type": "rest", "by": "score", "thresholds": [0.6], "per_problem": None}
    rows, _ = build({**config, "reduction": reduction})
    assert ids(rows) == sorted(n for n, s in SCORES.items() if score_of(s) >= 0.6 - 1e-12)


def test_right_only_keeps_what_is_right_and_scored_high(pool, build):
    config = {"type": "rest", "by": "score", "thresholds": [0.5], "right_only": True}
    assert ids(build(config)[0]) == ["a0", "a1", "a2"]


def test_of_one_problem_the_best_scored_are_kept(pool, build):
    config = {"type": "rest", "by": "score", "thresholds": [0.1], "per_problem": 2}
    assert ids(build(config)[0]) == ["a0", "b0", "u0", "w0"]


def test_what_is_drawn_from_a_problem_depends_on_the_seed_alone(pool, build):
    config = {"type": "rest", "per_problem": 2}
    drawn = {tuple(ids(build(config, seed=seed)[0])) for seed in range(12)}
    assert len(drawn) > 2
    assert all(len(names) == 3 and "b0" in names for names in drawn)
    assert build(config, seed=5)[0] == build(config, seed=5)[0]


def test_no_filter_keeps_all_that_came_to_an_end(pool, build):
    assert len(build({"type": "rest", "by": "none", "per_problem": None})[0]) == 8


def test_original_data_gets_its_share_and_weight(pool, build):
    """Three sampled rows and a share of a quarter: one worked solution."""
    config = {"type": "rest", "per_problem": 2, "mix_in": 0.25, "mix_weight": 0.5}
    rows, _ = build(config)
    (original,) = (row for row in rows if row["reason"] == "original data")
    assert len(rows) == 4
    assert original["source_ids"] == []
    assert original["weight"] == 0.5
    assert original["completion"] in ("It is 4.\n#### 4", "It is 7.\n#### 7")


def test_a_set_of_right_solutions_can_be_the_original_data(pool, fill, build):
    fill({"r": {}}, [("c0", "r", "by rule\nAnswer: 1", True)], set_name="first")
    rows, _ = build({"type": "rest", "mix_in": 0.5, "mix_set": "first"}, mix_set="first")
    assert [row["source_ids"] for row in rows if row["reason"] == "original data"] == [["c0"]]


def test_rest_em_keeps_ten_right_of_a_problem_by_default(fill, build):
    fill({"p": {}}, [(f"t{i:02d}", "p", f"way {i}{i}\nAnswer: 4", True) for i in range(14)])
    assert len(build({"type": "rest_em"})[0]) == 10
    assert len(build({"type": "rest_em", "per_problem": None})[0]) == 14


def test_most_rows_are_drawn_from_all(pool, build):
    rows, built = build({"type": "rest"}, max_rows=2)
    assert len(rows) == built.num_rows == 2
    assert built.facts["counts"]["left_out"]["rows"] == {"over_share_or_max_rows": 3}
    assert len({tuple(ids(build({"type": "rest"}, max_rows=2, seed=s)[0])) for s in range(8)}) > 2


def test_rows_fill_files_in_order(pool, build):
    whole, _ = build({"type": "rest"})
    parts, _ = build({"type": "rest"}, rows_per_file=2)
    assert parts == whole


def test_newest_verdicts_count(pool, build, unit_of):
    from datetime import UTC, datetime

    from schemas.rows import Verdict

    verdict = Verdict(
        trajectory_id="b0",
        grader="new",
        answer="9",
        correct=False,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    pool.commit(unit_of("verdicts", stage="regrading"), [verdict])
    assert ids(build({"type": "rest"})[0]) == ["a0", "a1", "a2", "a3"]
