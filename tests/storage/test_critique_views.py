"""Views over critiques and second attempts, with the newest verdicts; samples stay as they were."""

from datetime import UTC, datetime

import pytest

from schemas.rows import CRITIQUES, VERDICTS, Critique, CritiqueStep, Step, StepLabel, Verdict
from storage import connect, query

AT = datetime(2026, 1, 1, tzinfo=UTC)
RIGHT = CritiqueStep(verdict="right", text="right")
WRONG = CritiqueStep(verdict="wrong", text="wrong")
SAMPLE_VIEWS = (
    *("outcomes", "solve_rate", "pass_at_k", "sampled_solutions", "rounds"),
    *("search_accuracy", "token_boundaries", "verifier_calibration"),
)


def rows(store, sql):
    return query(connect(store.url), sql).fetchall()


def critique(name, solution, **fields):
    values = {
        "critic": "critic-0",
        "told": "nothing",
        "sample_index": 0,
        "status": "finished",
        "text": "…",
        "steps": (RIGHT, RIGHT),
        "verdict": True,
        "leaks": False,
        "temperature": 0.0,
        "seed": 1,
        "prompt_tokens": 7,
        "generated_tokens": 10,
        "engine": "test",
        "created_at": AT,
    }
    return Critique(
        critique_id=name, trajectory_id=solution, problem_id="p0", **{**values, **fields}
    )


def steps(*texts):
    return tuple(Step(text=text, num_tokens=3) for text in texts)


@pytest.fixture
def critiqued(store, unit_of, make_problem, make_trajectory):
    """Two solutions, three critiques of two critics, five second attempts, an error path."""
    store.commit(unit_of("problems", name="eval", stage="problems"), [make_problem("p0", level=2)])
    first = {"thinking_tokens": 3, "steps": steps("<think>\n", "2 + 2 = 4\n", "Answer: 4")}
    samples = [
        make_trajectory("good", correct=True, **first),
        make_trajectory("bad", correct=False, answer="5", sample_index=1),
        make_trajectory("cut", correct=None, answer=None, status="truncated", sample_index=2),
    ]
    store.commit(unit_of("trajectories", name="eval.00000"), samples)
    written = [
        critique("c1", "good"),
        critique("c2", "bad", steps=(RIGHT, WRONG), first_error=1, verdict=False, leaks=True),
        critique("c3", "bad", critic="critic-1", told="answer", steps=(), verdict=None, fault="x"),
        critique("c4", "path", critic="critic-1", told="answer"),
    ]
    store.commit(unit_of(CRITIQUES.name, name="eval.00000-c", stage="critiques"), written)

    def attempt(name, parent, given, correct, **fields):
        return make_trajectory(
            name,
            strategy="refinement" if given else "retry",
            role="refinement",
            parent_id=parent,
            branch_step=0,
            critique_id=given,
            correct=correct,
            **fields,
        )

    attempts = [
        attempt("a1", "good", "c1", True),
        attempt("a2", "good", "c1", False, answer="6", steps=steps("no\n", "Answer: 6")),
        attempt("a3", "bad", "c2", True, steps=steps("yes\n", "Answer: 4")),
        attempt("a4", "bad", "c2", None, status="error", steps=(), answer=None),
        attempt("a5", "bad", "c3", None, status="truncated", steps=steps("yes\n"), answer=None),
        attempt("a6", "bad", None, False, answer="5"),
    ]
    store.commit(unit_of("trajectories", name="eval.00000-c-r", stage="refinements"), attempts)
    path = make_trajectory("path", strategy="rg2", role="error_path", correct=False, error_step=1)
    store.commit(unit_of("trajectories", name="eval.00000-rg2-e", stage="error_paths"), [path])
    return store


def regrade(store, unit_of, name, *, correct):
    verdict = Verdict(
        trajectory_id=name, grader="exact-2", answer="4", correct=correct, created_at=AT
    )
    store.commit(unit_of(VERDICTS.name, name=name, stage="regrading"), [verdict])


def test_second_attempts_before_and_after(critiqued):
    found = rows(
        critiqued,
        "select trajectory_id, solution_id, critique_id, critic, told, before, after, flagged, "
        "is_copy, level, policy, actor from refinements order by 1",
    )
    same = (2, "policy-0", "policy-0")
    assert found == [
        ("a1", "good", "c1", "critic-0", "nothing", True, True, False, True, *same),
        ("a2", "good", "c1", "critic-0", "nothing", True, False, False, False, *same),
        ("a3", "bad", "c2", "critic-0", "nothing", False, True, True, False, *same),
        ("a4", "bad", "c2", "critic-0", "nothing", False, None, True, False, *same),
        ("a5", "bad", "c3", "critic-1", "answer", False, False, None, False, *same),
        ("a6", "bad", None, None, None, False, False, None, True, *same),
    ]


@pytest.mark.parametrize("stage", ["search", "self_correction"])
def test_attempts_of_other_stages_are_no_controls(critiqued, unit_of, make_trajectory, stage):
    before = rows(critiqued, "select * from refinements order by all")
    fields = {"role": "refinement", "parent_id": "bad", "branch_step": 0, "correct": True}
    unit = unit_of("trajectories", name="eval.critique-n4-421984db8386.00000", stage=stage)
    critiqued.commit(unit, [make_trajectory("s1", strategy="critique", **fields)])
    assert rows(critiqued, "select * from refinements order by all") == before


def test_the_filter_counts_attempts_that_count(critiqued):
    found = rows(
        critiqued,
        "select critique_id, is_right, n, k, share, num_copies from critique_filter order by 1",
    )
    assert found == [
        ("c1", True, 2, 1, 0.5, 1),
        ("c2", False, 1, 1, 1.0, 0),
        ("c3", False, 1, 0, 0.0, 0),
        ("c4", False, 0, 0, None, 0),
    ]


def test_newest_verdicts_count_before_and_after(critiqued, unit_of):
    regrade(critiqued, unit_of, "bad", correct=True)
    regrade(critiqued, unit_of, "a2", correct=True)
    found = rows(critiqued, "select trajectory_id, before, after from refinements order by 1")
    assert found[1:3] == [("a2", True, True), ("a3", True, True)]
    kept = rows(
        critiqued, "select critique_id, k from critique_filter where share > 0.9 order by 1"
    )
    assert kept == [("c1", 2), ("c2", 1)]
    quality = (
        "select num_wrong, num_right, num_passed from critic_quality where critic = 'critic-0'"
    )
    assert rows(critiqued, quality) == [(0, 2, 1)]


def label(name, index, evidence, *, hard):
    return StepLabel(
        trajectory_id=name,
        step_index=index,
        method=evidence,
        completer="x",
        evidence=evidence,
        hard=hard,
    )


def test_what_critics_see(critiqued, unit_of):
    quality = (
        "select critic, told, num_critiques, flagged_share, passed_share, located_share, "
        "clean_share, unreadable_share, leak_share, generated_tokens from critic_quality order by 1"
    )
    assert rows(critiqued, quality) == [
        ("critic-0", "nothing", 2, 1.0, 1.0, None, None, 0.0, 0.5, 20),
        ("critic-1", "answer", 1, 0.0, None, None, None, 1.0, 0.0, 10),
    ]
    labels = [
        *(label("good", index, "checker", hard=True) for index in range(3)),
        label("bad", 0, "checker", hard=True),
        label("bad", 1, "checker", hard=False),
        label("bad", 0, "imported", hard=False),
    ]
    critiqued.commit(unit_of("step_labels", name="eval.00000-000", stage="step_labels"), labels)
    assert [row[5:7] for row in rows(critiqued, quality)] == [(1.0, 1.0), (0.0, None)]


def test_estimates_are_no_truth_and_nor_is_a_truth_with_gaps(critiqued, unit_of):
    labels = [label("good", index, "rollouts", hard=True) for index in range(3)]
    labels += [label("bad", 1, "imported", hard=False)]
    critiqued.commit(unit_of("step_labels", name="eval.00000-000", stage="step_labels"), labels)
    found = rows(critiqued, "select distinct num_erroneous, num_flawless from critic_quality")
    assert found == [(0, 0)]


def test_a_judges_critiques_are_not_mixed_with_those_of_the_same_model_as_a_critic(
    critiqued, unit_of
):
    paths = critiqued.files("critiques", run_id="run", stage="critiques")
    judged = [row for path in paths for row in critiqued.read(path)]
    unit = unit_of("critiques", name="eval.00000-000", stage="step_labels")
    critiqued.commit(unit, [row for row in judged if row.critic == "critic-0"])
    quality = "select stage, num_critiques from critic_quality where critic = 'critic-0' order by 1"
    assert rows(critiqued, quality) == [("critiques", 2), ("step_labels", 2)]


def test_critiques_have_costs(critiqued):
    found = rows(
        critiqued,
        "select stage, strategy, role, model, num_rows, prompt_tokens, generated_tokens, kept, "
        "num_kept from cost where stage != 'sampling' order by all",
    )
    assert found == [
        ("critiques", "critique", "critic", "critic-0", 2, 14, 20, "readable critiques", 2),
        ("critiques", "critique", "critic", "critic-1", 2, 14, 20, "readable critiques", 1),
        ("error_paths", "rg2", "error_path", "policy-0", 1, 5, 9, "right solutions", 0),
        ("refinements", "refinement", "refinement", "policy-0", 5, 25, 45, "right solutions", 2),
        ("refinements", "retry", "refinement", "policy-0", 1, 5, 9, "right solutions", 0),
    ]


@pytest.mark.parametrize("view", SAMPLE_VIEWS)
def test_second_attempts_and_error_paths_are_no_samples(critiqued, view):
    with_them = rows(critiqued, f"select * from {view} order by all")
    for folder in ("refinements", "error_paths"):
        for path in critiqued.files("trajectories", run_id="run", stage=folder):
            (critiqued.root / path).unlink()
    assert rows(critiqued, f"select * from {view} order by all") == with_them


def test_views_have_one_row_per_key(critiqued):
    keys = {
        "refinements": "run_id, trajectory_id",
        "critique_filter": "run_id, critique_id",
        "critic_quality": "run_id, stage, split, policy, critic, told, temperature",
    }
    for view, key in keys.items():
        twice = rows(critiqued, f"select {key} from {view} group by all having count(*) > 1")
        assert twice == []
