"""Views over search trees: whole solutions, decisions, and views that must not count trees."""

from datetime import UTC, datetime

import pytest

from schemas.rows import Decision, DecisionStatus, Step, Verdict
from storage import connect, query


def rows(store, sql):
    return query(connect(store.url), sql).fetchall()


def steps(*texts):
    return tuple(Step(text=text, num_tokens=1) for text in texts)


@pytest.fixture
def searched(store, unit_of, make_problem, make_trajectory):
    """A beam of two branches off one another, its lookahead, a revision, and two free solutions."""
    store.commit(unit_of("problems", stage="problems"), [make_problem("p0")])

    def branch(name, texts, parent=None, depth=None, **fields):
        values = {"strategy": "beam", "budget": 4, "parent_id": parent, "branch_step": depth}
        return make_trajectory(name, steps=steps(*texts), **{**values, **fields})

    tree = [
        branch("a", ["1\n", "2\n", "end"]),
        branch("b", ["other\n", "done"], "a", 1, correct=False, answer="5"),
        branch("c", ["late\n"], "b", 2, status="pruned", correct=None, reason="rank 3 of 3"),
        branch("d", [], "b", 2, status="truncated", correct=None),
        branch("e", ["x\n", "ahead"], "c", 3, role="lookahead", status="pruned", correct=None),
        branch("r", ["again"], "a", 0, strategy="revisions"),
    ]
    free = [branch(f"f{i}", ["whole"], strategy="best_of_n", correct=i == 0) for i in range(2)]
    store.commit(unit_of("trajectories", stage="search"), [*tree, *free])
    return store


def test_solutions_have_the_steps_of_what_they_continue(searched):
    found = rows(
        searched, "select trajectory_id, text, len(steps) from whole_solutions order by all"
    )
    assert found == [
        ("a", "1\n2\nend", 3),
        ("b", "1\nother\ndone", 3),
        ("c", "1\nother\nlate\n", 3),
        ("d", "1\nother\n", 2),
        ("e", "1\nother\nlate\nx\nahead", 5),
        ("f0", "whole", 1),
        ("f1", "whole", 1),
        ("r", "again", 1),
    ]
    unique = "select run_id, trajectory_id from whole_solutions group by all having count(*) > 1"
    assert rows(searched, unique) == []
    columns = "strategy, budget, status, reason, answer, correct"
    found = rows(
        searched, f"select {columns} from whole_solutions where trajectory_id in ('b', 'c')"
    )
    assert sorted(found) == [
        ("beam", 4, "finished", None, "5", False),
        ("beam", 4, "pruned", "rank 3 of 3", "4", None),
    ]


def test_a_solution_whose_parent_is_not_there_or_too_short_is_none(store, unit_of, make_trajectory):
    whole = make_trajectory("a", steps=steps("1\n"))
    orphan = make_trajectory("b", parent_id="gone", branch_step=1)
    long = make_trajectory("c", parent_id="a", branch_step=2)
    store.commit(unit_of("trajectories"), [whole, orphan, long])
    assert rows(store, "select trajectory_id from whole_solutions") == [("a",)]


def test_the_newest_verdict_counts_in_solutions(searched, unit_of):
    verdict = Verdict(
        trajectory_id="b", grader="new", answer="4", correct=True, created_at=datetime.now(UTC)
    )
    searched.commit(unit_of("verdicts", stage="regrading"), [verdict])
    found = rows(searched, "select answer, correct from whole_solutions where trajectory_id = 'b'")
    assert found == [("4", True)]


def test_candidates_of_a_tree_are_no_samples(searched):
    found = rows(searched, "select strategy, num_trajectories, num_correct from solve_rate")
    assert found == [("best_of_n", 2, 1)]
    found = rows(searched, "select strategy, k, pass_at_k from pass_at_k order by k")
    assert found == [("best_of_n", 1, 0.5), ("best_of_n", 2, 1.0)]


def test_the_cost_of_a_search_has_all_of_its_rows(searched):
    columns = "strategy, role, num_rows, generated_tokens, num_kept"
    assert rows(searched, f"select {columns} from cost order by all") == [
        ("beam", "lookahead", 1, 9, 0),
        ("beam", None, 4, 36, 1),
        ("best_of_n", None, 2, 18, 1),
        ("revisions", None, 1, 9, 1),
    ]


def test_what_a_verifier_read_is_its_own_cost(store, unit_of, make_trajectory):
    """12 s over 30 + 50 tokens of a search, and over 10 + 30 of a policy that reads itself."""
    beam = {"strategy": "beam", "budget": 2, "verifier": "prm-1"}
    own = {"strategy": "mcts", "budget": 2, "verifier": "policy-0"}
    tree = [
        make_trajectory("a", **beam, generated_tokens=18, scored_tokens=40),
        make_trajectory("b", **beam, generated_tokens=12, scored_tokens=10, correct=None),
        make_trajectory("c", **own, generated_tokens=10, scored_tokens=30),
        # A strategy without a verifier, in a run that has one.
        make_trajectory("d", strategy="majority", verifier="prm-1", generated_tokens=0),
    ]
    store.commit(unit_of("trajectories", stage="search"), tree, seconds=12.0)
    found = rows(
        store,
        "select strategy, model, num_rows, prompt_tokens, cached_tokens, generated_tokens, "
        "scored_tokens, engine_s, kept, num_kept, tokens_per_kept from cost order by all",
    )
    assert found == [
        ("beam", "policy-0", 2, 10, 4, 30, 0, 3.0, "right solutions", 1, 30.0),
        ("beam", "prm-1", 0, 0, 0, 0, 50, 5.0, "right solutions", 0, None),
        ("majority", "policy-0", 1, 5, 2, 0, 0, 0.0, "right solutions", 1, 0.0),
        ("mcts", "policy-0", 1, 5, 2, 10, 30, 4.0, "right solutions", 1, 40.0),
    ]


def decision(
    problem,
    pick="majority",
    *,
    correct: bool | None = True,
    status: DecisionStatus = "decided",
    seed=1,
):
    return Decision(
        problem_id=problem,
        set_name="eval",
        policy="pol",
        verifier=None,
        strategy="beam",
        budget=4,
        pick=pick,
        is_main=pick == "majority",
        status=status,
        trajectory_id=None,
        answer=None,
        correct=correct,
        num_candidates=4,
        num_finished=4,
        num_rows=9,
        prompt_tokens=10,
        cached_tokens=5,
        generated_tokens=100 * seed,
        scored_tokens=20,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_search_accuracy_by_hand(store, unit_of):
    """Right, wrong, unfinished, an error; the first problem twice; another pick once."""
    decisions = [
        decision("p0"),
        decision("p0", seed=2),
        decision("p1", correct=False),
        decision("p2", correct=False, status="unfinished"),
        decision("p3", correct=None, status="error"),
        decision("p0", "likelihood", correct=False),
    ]
    store.commit(unit_of("decisions", stage="search"), decisions)
    found = rows(
        store,
        "select pick, is_main, num_searches, num_problems, num_graded, num_right, accuracy, "
        "num_unfinished, num_errors, generated_tokens, scored_tokens from search_accuracy "
        "order by pick",
    )
    assert found == [
        ("likelihood", False, 1, 1, 1, 0, 0.0, 0, 0, 100.0, 20.0),
        ("majority", True, 5, 4, 4, 2, 0.5, 1, 1, 120.0, 20.0),
    ]
    key = "run_id, set_name, policy, verifier, strategy, budget, pick"
    assert rows(store, f"select {key} from search_accuracy group by all having count(*) > 1") == []
