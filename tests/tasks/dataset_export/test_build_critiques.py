"""Sets from critiques: what is learned, what is left out and why, by hand-written pools."""

from datetime import UTC, datetime

import pytest

from schemas.errors import NothingToLearn
from schemas.rows import Verdict
from tasks.dataset_export.sources import open_sources

WRONG = "one: 1\nAnswer: 5"
RIGHT = "one: 2\nAnswer: 4"
FLAGS = "one: wrong, add\nReview: wrong"
PASSES = "one: right\nAnswer: right\nReview: right"


@pytest.fixture
def pool(fill):
    """Two problems, each with a wrong and a right solution."""
    return fill(
        {"p0": {}, "p1": {}},
        [
            ("w0", "p0", WRONG, False),
            ("r0", "p0", RIGHT, True),
            ("w1", "p1", WRONG, False),
            ("r1", "p1", RIGHT, True),
        ],
    )


def left_out(built, what="critiques"):
    return built.facts["counts"]["left_out"][what]


def test_a_critique_follows_question_and_solution(pool, criticise, build):
    criticise([("c0", "w0", "p0", FLAGS), ("c1", "r0", "p0", PASSES)])
    rows, built = build({"type": "critique"})
    assert [(row["prompt"], row["completion"]) for row in rows] == [
        (f"What is p0?\n{WRONG}\nReview:\n", FLAGS),
        (f"What is p0?\n{RIGHT}\nReview:\n", PASSES),
    ]
    assert [row["source_ids"] for row in rows] == [["w0", "c0"], ["r0", "c1"]]
    assert built.facts["critics"] == ["critic-0"]
    assert built.facts["ends_with_text"]
    assert "| critics | `critic-0` |" in (built.folder / "README.md").read_text()


def test_what_the_teacher_was_told_is_not_in_the_prompt(pool, criticise, build):
    criticise([("c0", "w0", "p0", FLAGS)], told="answer")
    rows, _ = build({"type": "critique"})
    assert rows[0]["prompt"] == f"What is p0?\n{WRONG}\nReview:\n"


def test_faulty_critiques_are_counted_by_reason(pool, criticise, build):
    criticise(
        [
            ("c0", "w0", "p0", "one: wrong"),
            ("c1", "r0", "p0", "one: right\nReview: right"),
            ("c2", "w1", "p1", FLAGS),
        ]
    )
    rows, built = build({"type": "critique"})
    assert [row["source_ids"] for row in rows] == [["w1", "c2"]]
    assert left_out(built) == {"it_has_no_verdict": 1, "it_judges_N_steps_of_N": 1}
    kept, built = build({"type": "critique", "faultless": False})
    assert sorted(row["source_ids"][1] for row in kept) == ["c1", "c2"]
    assert left_out(built) == {"verdict_against_grade": 1}


def test_cut_leaking_and_repeated_critiques_are_left_out(pool, criticise, build):
    criticise([("c0", "w0", "p0", FLAGS)], name="train.00000-0000000000000001", leaks=True)
    criticise([("c1", "w0", "p0", FLAGS)], name="train.00000-0000000000000002", status="truncated")
    criticise([("c2", "w0", "p0", FLAGS), ("c3", "w0", "p0", FLAGS + "\n")])
    rows, built = build({"type": "critique", "per_solution": None})
    assert [row["source_ids"][1] for row in rows] == ["c2"]
    assert left_out(built) == {"leaks_answer": 1, "cut": 1, "equal_text": 1}
    checks = {"leakage": "off", "duplicates": "keep"}
    rows, _ = build({"type": "critique", "per_solution": None}, checks=checks)
    assert [row["source_ids"][1] for row in rows] == ["c0", "c2", "c3"]


def test_a_verdict_must_agree_with_the_newest_grade(pool, criticise, build, unit_of):
    criticise([("c0", "w0", "p0", FLAGS), ("c1", "r0", "p0", FLAGS)])
    rows, built = build({"type": "critique"})
    assert [row["source_ids"][1] for row in rows] == ["c0"]
    assert left_out(built) == {"verdict_against_grade": 1}
    again = [
        Verdict(
            trajectory_id=name,
            grader="other",
            answer="4",
            correct=correct,
            created_at=datetime(2026, 2, 1, tzinfo=UTC),
        )
        for name, correct in (("w0", True), ("r0", False))
    ]
    pool.commit(unit_of("verdicts", name="train.00000-000-942a4af785d435cb"), again)
    rows, _ = build({"type": "critique"})
    assert [row["source_ids"][1] for row in rows] == ["c1"]
    rows, _ = build({"type": "critique", "verdict_agrees": False})
    assert len(rows) == 2


def test_the_filter_counts_second_attempts_that_are_right(pool, criticise, build):
    second = "one: 3\nAnswer: 4"
    attempts = [
        *((f"a{n}", "c0", "w0", "p0", second, n == 0) for n in range(4)),  # 1 of 4
        *((f"b{n}", "c1", "w1", "p1", second, n < 2) for n in range(4)),  # 2 of 4
        ("retry", None, "w0", "p0", second, True),
        ("ungraded", "c1", "w1", "p1", second, None),
    ]
    criticise(
        [("c0", "w0", "p0", FLAGS), ("c1", "w1", "p1", FLAGS), ("c2", "r1", "p1", PASSES)],
        attempts,
    )

    def kept(**options):
        rows, built = build({"type": "critique", **options})
        return [row["source_ids"][1] for row in rows], left_out(built)

    assert kept() == (["c0", "c1", "c2"], {})
    assert kept(min_solved=0.25) == (["c0", "c1", "c2"], {})
    assert kept(min_solved=0.3) == (["c1", "c2"], {"helps_too_seldom": 1})
    assert kept(min_solved=0.25, min_trials=5) == (["c2"], {"few_second_attempts": 2})
    rows, _ = build({"type": "critique", "min_solved": 0.5})
    assert rows[0]["reason"] == (
        "critique of a wrong solution by critic-0, 2 of 4 second attempts right"
    )


def test_right_solutions_keep_within_their_share(fill, criticise, build):
    names = [f"p{n}" for n in range(8)]
    solutions = [(f"w{n}", n, WRONG, False) for n in names[:6]]
    solutions += [(f"r{n}", n, RIGHT, True) for n in names]
    fill({name: {} for name in names}, solutions)
    criticise([(f"c-{s}", s, p, PASSES if right else FLAGS) for s, p, _, right in solutions])
    for share, num_right in ((None, 8), (0.0, 0), (0.25, 2), (0.5, 6)):
        rows, built = build({"type": "critique", "right_share": share})
        assert sum("right solution" in row["reason"] for row in rows) == num_right
        assert len(rows) == 6 + num_right
        assert left_out(built, "rows").get("over_right_share", 0) == 8 - num_right


def test_limits_per_solution_and_problem(pool, criticise, build):
    texts = [f"one: wrong, {hint}\nReview: wrong" for hint in ("add", "multiply", "the sum")]
    criticise(
        [(f"c{n}", "w0", "p0", text) for n, text in enumerate(texts)] + [("d", "r0", "p0", PASSES)]
    )
    assert len(build({"type": "critique"})[0]) == 2
    rows, _ = build({"type": "critique", "per_solution": 2, "per_problem": 2})
    assert [row["source_ids"][1] for row in rows] == ["c0", "c1"]


def test_critiques_of_error_paths_are_learned_from(
    pool, criticise, build, make_trajectory, unit_of
):
    made = make_trajectory("e0", role="error_path", parent_id="r0", branch_step=0, correct=False)
    name = "train.00000-rg3-5f0c61d2a7b3e894"
    pool.commit(unit_of("trajectories", name=name, stage="error_paths"), [made])
    criticise([("c0", "e0", "p0", "2: wrong\nReview: wrong")], name=f"{name}-7a1be3d90c52f468")
    rows, _ = build({"type": "critique"})
    assert [row["source_ids"] for row in rows] == [["e0", "c0"]]
    assert "\n2 + 2 = 4\nAnswer: 4\nReview:\n" in rows[0]["prompt"]


def test_sampled_tokens_are_kept_where_prompts_end_alike(pool, criticise, build):
    criticise(
        [("c0", "w0", "p0", FLAGS)], token_ids=(5, 6, 7), vocabulary="words", generated_tokens=3
    )
    rows, _ = build({"type": "critique"})
    assert (rows[0]["completion_ids"], rows[0]["vocabulary"]) == ([5, 6, 7], "words")
    other = {"type": "plain", "template": "{question} Go:"}
    rows, _ = build({"type": "critique"}, prompt=other)
    assert (rows[0]["completion_ids"], rows[0]["vocabulary"]) == (None, None)
    assert rows[0]["prompt"].endswith("\nReview: Go:")


def test_test_questions_are_not_critiqued_in_training(pool, criticise, build, fill):
    fill({"t0": {"split": "dev", "question": "What is p0?"}}, set_name="eval")
    criticise([("c0", "w0", "p0", FLAGS), ("c1", "w1", "p1", FLAGS)])
    rows, built = build({"type": "critique"}, test_sets=["eval"])
    assert [row["source_ids"][1] for row in rows] == ["c1"]
    assert left_out(built, "problems") == {"test_question": 1}


def test_runs_without_the_wanted_critiques_are_refused_by_name(pool, criticise, build, make_plan):
    with pytest.raises(NothingToLearn, match=r"builder\.critics: expected critiques by one critic"):
        build({"type": "critique"})
    criticise([("c0", "w0", "p0", FLAGS)])
    criticise([("c1", "w0", "p0", FLAGS)], name="train.00000-0000000000000001", critic="critic-1")
    with pytest.raises(ValueError, match=r"by one critic .* got critic-0, critic-1"):
        build({"type": "critique"})
    with pytest.raises(NothingToLearn, match=r"by nobody .* got none"):
        build({"type": "critique", "critics": ["nobody"]})
    rows, _ = build({"type": "critique", "critics": ["critic-1"]})
    assert [row["source_ids"][1] for row in rows] == ["c1"]
    criticise(
        [("c2", "w1", "p1", FLAGS)],
        name="train.00000-0000000000000002",
        critic="critic-1",
        told="solution",
    )
    with pytest.raises(ValueError, match=r"builder\.told: .* got nothing, solution"):
        build({"type": "critique", "critics": ["critic-1"]})
    rows, _ = build({"type": "critique", "critics": ["critic-1"], "told": "solution"})
    assert [row["source_ids"][1] for row in rows] == ["c2"]
    with pytest.raises(NothingToLearn, match=r"expected right second attempts .* got 0 second"):
        build({"type": "refinement", "critics": ["critic-0"]})
    with open_sources(pool, make_plan({"type": "rest_em"})) as sources:
        assert sources.critiques is None


def test_requests_ask_about_graded_solutions_without_any_critique(pool, build):
    rows, built = build({"type": "critique_requests"})
    assert [(row["prompt"], row["question"], row["attempt"]) for row in rows[:2]] == [
        (f"What is {p}?\n{text}\nReview:\n", f"What is {p}?", text.split("\n"))
        for p, text in (("p0", WRONG), ("p0", RIGHT))
    ]
    assert [(row["answer"], row["prefix"], row["source_ids"]) for row in rows[::2]] == [
        ("4", "", ["w0"]),
        ("4", "", ["w1"]),
    ]
    assert built.facts["form"] == "prompt_only"
    (only, _) = build({"type": "critique_requests", "which": "right", "per_problem": 1})
    assert [row["source_ids"] for row in only] == [["r0"], ["r1"]]
    rows, built = build({"type": "critique_requests", "right_share": 0.34})
    assert [row["reason"].split()[1] for row in rows] == ["wrong", "wrong", "right"]
    assert left_out(built, "rows") == {"over_right_share": 1}
