"""The views and streams that training sets are built from."""

import pytest

from schemas.rows import Step, StepLabel, StepScores
from storage import connect, query
from storage.solutions import StoredSolutions, problem_ids
from tasks.verifiers.reductions import reduce_scores

PROBLEMS = "problems/run_id=run/stage=problems/eval.parquet"


@pytest.fixture
def solved(store, unit_of, make_problem, make_trajectory):
    """Two problems; a finished and a cut solution, a refused one, a rollout, a search's row."""
    problems = [make_problem("p0"), make_problem("p1", split="test")]
    store.commit(unit_of("problems", name="eval", stage="problems"), problems)
    rows = [
        make_trajectory("done"),
        make_trajectory("cut", status="truncated", correct=None),
        make_trajectory("refused", status="error", steps=(), correct=None),
        make_trajectory("empty", steps=(), correct=False),
        make_trajectory("other", problem_id="p1", correct=False, policy="policy-1"),
    ]
    store.commit(unit_of("trajectories"), rows)
    rollout = make_trajectory("rolled", strategy="rollout", parent_id="done", branch_step=1)
    store.commit(unit_of("trajectories", stage="step_labels"), [rollout])
    found = make_trajectory("found", strategy="beam", steps=(Step(text="a", num_tokens=1),))
    store.commit(unit_of("trajectories", stage="search"), [found])
    scores = {"done": (0.5, 0.25), "other": (1.0, 0.75), "cut": (0.5,)}
    rows = [
        StepScores(trajectory_id=t, verifier="v", scores=s, scored_tokens=1, cached_tokens=0)
        for t, s in scores.items()
    ]
    failed = StepScores(
        trajectory_id="empty", verifier="v", scores=(), scored_tokens=0, cached_tokens=0, error="no"
    )
    store.commit(unit_of("step_scores", stage="scoring"), [*rows, failed])
    return store


@pytest.fixture
def pool(solved):
    opened = StoredSolutions(solved, problem_ids(solved, [PROBLEMS]), verifier="v")
    yield opened
    opened.close()


def rows_of(batches):
    return [row for batch in batches for row in batch.to_pylist()]


def ids(batches):
    return [row["trajectory_id"] for row in rows_of(batches)]


def test_solutions_are_whole_and_sampled(solved):
    found = query(
        connect(solved.url), "select trajectory_id, count(*) from sampled_solutions group by all"
    )
    assert sorted(found.fetchall()) == [("cut", 1), ("done", 1), ("other", 1)]


def test_scores_are_reduced_as_rankers_reduce_them(solved):
    found = query(connect(solved.url), "select * from solution_scores order by trajectory_id")
    rows = found.to_arrow_table().to_pylist()
    assert [row["trajectory_id"] for row in rows] == ["cut", "done", "other"]
    for row, scores in zip(rows, ((0.5,), (0.5, 0.25), (1.0, 0.75)), strict=True):
        for how in ("min", "prod", "last", "mean"):
            assert row[f"{how}_score"] == reduce_scores(scores, how)


def test_a_survey_counts_finished_solutions(pool):
    survey = pool.survey()
    assert (survey.num_problems, survey.num_solutions, survey.num_scored) == (2, 2, 2)
    assert (survey.num_right, survey.num_wrong, survey.num_mixed_problems) == (1, 1, 0)
    assert survey.max_score == 0.75
    assert pool.policies() == ["policy-0", "policy-1"]
    assert pool.splits() == ["dev", "test"]
    assert pool.verifiers() == ["v"]
    assert pool.strategies() == ["beam"]
    assert pool.num_originals() == 0


def test_solutions_come_by_problem(pool):
    assert ids(pool.solutions("any")) == ["done", "other"]
    assert ids(pool.solutions("right")) == ["done"]
    assert ids(pool.solutions("any", min_score=0.5)) == ["other"]
    (first, _) = rows_of(pool.solutions("graded"))
    assert first["steps"] == ["2 + 2 = 4\n", "Answer: 4"]
    assert first["score"] == 0.25
    assert ids(pool.trees(None)) == ["found"]
    assert ids(pool.trees(["dvts"])) == []


def test_a_stream_may_be_left_early_and_another_opened(pool):
    early = pool.solutions("any")
    next(early)
    early.close()
    assert [row["problem_id"] for row in rows_of(pool.problems())] == ["p0", "p1"]


def test_a_share_of_the_scores_is_below(store, unit_of, make_problem, make_trajectory):
    """Nine scores 0.1 to 0.9; ceil(share x 9) of them are below, never all."""
    store.commit(unit_of("problems", name="eval", stage="problems"), [make_problem()])
    names = [str(i) for i in range(1, 10)]
    store.commit(unit_of("trajectories"), [make_trajectory(name) for name in names])
    scores = [
        StepScores(
            trajectory_id=n, verifier="v", scores=(int(n) / 10,), scored_tokens=1, cached_tokens=0
        )
        for n in names
    ]
    store.commit(unit_of("step_scores", stage="scoring"), scores)
    pool = StoredSolutions(store, problem_ids(store, [PROBLEMS]), verifier="v")
    found = {share: pool.score_at(share) for share in (0.0, 0.1, 0.5, 0.7, 0.99)}
    pool.close()
    assert found == {0.0: 0.1, 0.1: 0.2, 0.5: 0.6, 0.7: 0.8, 0.99: 0.9}


def test_labelled_rollouts_are_whole_solutions_of_labels_alone(solved, unit_of, make_trajectory):
    def rollout(name, parent, branch_step, *texts, ids=None, vocabulary="v"):
        steps = tuple(Step(text=text, num_tokens=1) for text in texts)
        return make_trajectory(
            name,
            strategy="rollout",
            role="rollout",
            parent_id=parent,
            branch_step=branch_step,
            correct=False,
            steps=steps,
            token_ids=ids,
            vocabulary=vocabulary if ids else None,
        )

    rows = [
        rollout("second", "done", 1, "b\n", "c\n", "d", ids=(3, 4, 5, 0)),
        rollout("third", "second", 2, "e\n", "f"),
        rollout("root", "done", 0, "g\n", "h", ids=(1, 2, 0)),
        rollout("fourth", "root", 1, "i", ids=(7, 0)),
        rollout("fifth", "root", 1, "i", ids=(8, 0), vocabulary="another"),
        rollout("unlabelled", "done", 1, "j"),
    ]
    solved.commit(unit_of("trajectories", name="tree", stage="step_labels"), rows)
    labels = [
        StepLabel(
            trajectory_id=name,
            step_index=index,
            method="m[omega]",
            completer="policy-0",
            evidence="rollouts",
            num_rollouts=4,
            num_correct=2,
            soft=0.5,
            hard=True,
            ci_low=None,
            ci_high=None,
        )
        for name, num_steps in (
            ("done", 2),
            ("second", 4),
            ("third", 4),
            ("root", 2),
            ("fourth", 2),
            ("fifth", 2),
        )
        for index in range(num_steps)
    ]
    solved.commit(unit_of("step_labels", name="tree", stage="step_labels"), labels)
    pool = StoredSolutions(solved, problem_ids(solved, [PROBLEMS]))
    first = "2 + 2 = 4\n"
    found = {row["trajectory_id"]: row for row in rows_of(pool.labelled("m[omega]"))}
    assert {name: row["steps"] for name, row in found.items()} == {
        "done": [first, "Answer: 4"],
        "second": [first, "b\n", "c\n", "d"],
        "third": [first, "b\n", "e\n", "f"],
        "root": ["g\n", "h"],
        "fourth": ["g\n", "i"],
        "fifth": ["g\n", "i"],
    }
    # The tokens of both parts, where both are known and of one vocabulary.
    assert {name: row["token_ids"] for name, row in found.items()} == {
        "done": None,
        "second": None,
        "third": None,
        "root": [1, 2, 0],
        "fourth": [1, 7, 0],
        "fifth": None,
    }
    assert found["fourth"]["num_tokens"] == [1, 1]
    assert all(len(row["steps"]) == len(row["labels"]) for row in found.values())
    assert found["third"]["correct"] is False
    assert sorted(ids(pool.labelled("m[omega]", with_unlabelled=True))) == sorted(
        ["cut", "other", *found]
    )
    assert ids(pool.solutions("any")) == ["done", "other"]
    pool.close()
