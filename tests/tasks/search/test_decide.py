import pytest

from schemas.engines import MarkovConfig
from schemas.graders import ExactGraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import Step, Trajectory
from schemas.search import ScoreConfig, SearchJob
from schemas.search.critique import CritiqueConfig
from schemas.search.strategies import (
    BeamConfig,
    BestOfNConfig,
    DvtsConfig,
    LookaheadConfig,
    MajorityConfig,
    RevisionsConfig,
    Strategy,
)
from tasks.graders import make_grader
from tasks.search.decide import decide, main_pick

GRADER = make_grader(ExactGraderConfig())


def make_job(strategy: Strategy, *, has_verifier: bool = True, **fields: object) -> SearchJob:
    values = {
        "problems": WorldProblemsConfig(),
        "policy": MarkovConfig(),
        "verifier": MarkovConfig() if has_verifier else None,
        "grader": ExactGraderConfig(),
        "strategies": (strategy,),
        "budgets": (4,),
        **fields,
    }
    return SearchJob.model_validate(values)


def step(text: str, score: float | None = None, logprob: float | None = -1.0) -> Step:
    return Step(text=text, num_tokens=2, logprob=logprob, score=score)


@pytest.fixture
def decide_rows(make_problem):
    def run(*rows: Trajectory, strategy: Strategy, problems=None, **fields):
        job = make_job(strategy, **fields)
        problems = problems or [make_problem()]
        decisions = decide(problems, rows, job=job, strategy=strategy, grader=GRADER)
        return {(d.problem_id, d.pick): d for d in decisions}

    return run


@pytest.fixture
def make_row(make_trajectory):
    def make(row_id: str, answer: str | None, *steps: Step, **fields) -> Trajectory:
        values = {
            "strategy": "beam",
            "budget": 4,
            "verifier": "verifier-0",
            "correct": answer == "4",
            "scored_tokens": 3,
            **fields,
        }
        return make_trajectory(row_id, answer=answer, steps=steps, **values)

    return make


def test_scores_and_likelihood_are_those_of_the_whole_steps(decide_rows, make_row):
    stem = make_row("a", "1", step("x\n", 0.9), step("Answer: 1", 0.3))
    branch = make_row("b", "4", step("Answer: 4", 0.8, -4.0), parent_id="a", branch_step=1)
    found = decide_rows(stem, branch, strategy=BeamConfig())
    assert found["p0", "best_of_n[min]"].trajectory_id == "b"
    assert found["p0", "best_of_n[prod]"].trajectory_id == "b"
    assert found["p0", "likelihood"].trajectory_id == "a"
    # -2 + logit(.3) = -2.85 against -5 + logit(.8) = -3.61
    main = found["p0", "likelihood+logit[min]"]
    assert (main.is_main, main.trajectory_id, main.answer, main.correct) == (True, "a", "1", False)
    assert sum(decision.is_main for decision in found.values()) == 1


def test_costs_are_those_of_the_whole_tree(decide_rows, make_row):
    rows = [
        make_row("a", "4", step("Answer: 4", 0.9), prompt_tokens=7),
        make_row("b", None, step("y\n", 0.1), status="pruned", correct=None, reason="rank 5 of 8"),
        make_row("c", None, status="truncated", correct=None, reason="40 steps"),
        make_row("d", None, step("z\n"), role="lookahead", status="pruned", correct=None),
    ]
    decision = decide_rows(*rows, strategy=BeamConfig())["p0", "majority"]
    assert (decision.num_candidates, decision.num_finished, decision.num_rows) == (2, 1, 4)
    assert (decision.prompt_tokens, decision.cached_tokens) == (7 + 3 * 5, 4 * 2)
    assert (decision.generated_tokens, decision.scored_tokens) == (4 * 9, 4 * 3)
    assert (decision.budget, decision.strategy, decision.set_name) == (4, "beam", "eval")
    assert (decision.policy, decision.verifier) == ("policy-0", "verifier-0")


def test_nothing_finished_is_unfinished_and_wrong(decide_rows, make_row):
    cut = make_row("a", "4", step("Answer: 4", 0.9), status="truncated", correct=True)
    failed = make_row("b", None, status="error", error="too long", correct=None)
    for decision in decide_rows(cut, failed, strategy=BeamConfig()).values():
        assert (decision.status, decision.correct) == ("unfinished", False)
        assert (decision.answer, decision.trajectory_id) == (None, None)
        assert decision.error == "too long"


def test_all_pruned_is_unfinished(decide_rows, make_row):
    pruned = make_row("a", None, step("x\n", 0.1), status="pruned", correct=None)
    decision = decide_rows(pruned, strategy=BeamConfig())["p0", "majority"]
    assert (decision.status, decision.correct, decision.num_candidates) == ("unfinished", False, 0)


def test_refused_by_the_engines_is_an_error_and_ungraded(decide_rows, make_row):
    failed = [
        make_row(name, None, status="error", error=f"too long {name}", correct=None)
        for name in "ab"
    ]
    pruned = make_row("c", None, step("x\n"), status="pruned", correct=None)
    decision = decide_rows(*failed, pruned, strategy=BeamConfig())["p0", "majority"]
    assert (decision.status, decision.correct, decision.error) == ("error", None, "too long a")


def test_an_answer_that_was_not_graded_stays_ungraded(decide_rows, make_row):
    row = make_row("a", "5", step("Answer: 5", 0.9), correct=None)
    decision = decide_rows(row, strategy=BeamConfig())["p0", "majority"]
    assert (decision.status, decision.answer, decision.correct) == ("decided", "5", None)


def test_candidates_without_an_answer_are_decided_and_wrong(decide_rows, make_row):
    row = make_row("a", None, step("I do not know", 0.9), correct=False)
    decision = decide_rows(row, strategy=BeamConfig())["p0", "majority"]
    assert (decision.status, decision.answer, decision.correct) == ("decided", None, False)


def test_equal_answers_share_their_votes(decide_rows, make_row):
    answers = {"a": "4", "b": "5", "c": " 4."}
    rows = [make_row(row_id, a, step("x"), strategy="majority") for row_id, a in answers.items()]
    found = decide_rows(*rows, strategy=MajorityConfig(), has_verifier=False)
    assert found["p0", "majority"].trajectory_id in ("a", "c")


def test_problems_are_decided_apart_and_in_their_order(decide_rows, make_row, make_problem):
    problems = [make_problem("p1"), make_problem("p0"), make_problem("p2")]
    rows = [
        make_row("a", "4", step("x", 0.5), problem_id="p0"),
        make_row("b", "5", step("x", 0.5), problem_id="p1"),
    ]
    found = decide_rows(*rows, strategy=BeamConfig(), problems=problems)
    assert list(dict.fromkeys(problem_id for problem_id, _ in found)) == ["p1", "p0"]
    assert found["p1", "majority"].answer == "5"
    assert found["p0", "majority"].answer == "4"


def test_chains_follow_the_attempts_that_they_revise(decide_rows, make_row):
    def attempt(row_id: str, answer: str, score: float, index: int, parent: str | None = None):
        branch = {"parent_id": parent, "branch_step": 0} if parent else {}
        return make_row(
            row_id, answer, step(f"Answer: {answer}", score), strategy="revisions",
            sample_index=index, **branch,
        )  # fmt: skip

    rows = [
        attempt("a", "4", 0.5, 0),
        attempt("b", "4", 0.4, 1, "a"),
        attempt("c", "5", 0.8, 2, "b"),
        attempt("d", "5", 0.45, 3),
        attempt("e", "4", 0.1, 4, "d"),
    ]
    found = decide_rows(*rows, strategy=RevisionsConfig())
    # The first chain votes 4 with .9 against .8, the second 5; 4 has .5 then, 5 has .45.
    assert found["p0", "chains[min]"].trajectory_id == "a"
    assert found["p0", "chains[min]"].is_main
    assert found["p0", "weighted[min]"].trajectory_id == "c"


@pytest.mark.parametrize(
    ("strategy", "fields", "pick"),
    [
        (MajorityConfig(), {}, "majority"),
        (BestOfNConfig(), {}, "weighted[min]"),
        (BestOfNConfig(), {"score": {"reduction": "last"}}, "weighted[last]"),
        (BeamConfig(), {}, "likelihood+logit[min]"),
        (BeamConfig(), {"score": {"by": "verifier"}}, "best_of_n[min]"),
        (BeamConfig(), {"score": {"by": "likelihood"}, "has_verifier": False}, "likelihood"),
        (DvtsConfig(), {"score": {"by": "likelihood"}, "has_verifier": False}, "majority"),
        (LookaheadConfig(), {"score": {"weight": 0.5}}, "likelihood+logit[min,0.5]"),
        (RevisionsConfig(), {}, "chains[min]"),
        (RevisionsConfig(), {"has_verifier": False}, "majority"),
        (CritiqueConfig(), {}, "refined"),
        (CritiqueConfig(), {"has_verifier": False}, "refined"),
    ],
)
def test_the_pick_that_a_strategy_is_reported_by(strategy, fields, pick):
    assert main_pick(make_job(strategy, **fields), strategy) == pick


def test_without_votes_a_search_by_critique_needs_a_verifier():
    assert main_pick(make_job(CritiqueConfig()), CritiqueConfig(), has_votes=False) == (
        "best_of_n[min]"
    )
    job = make_job(CritiqueConfig(), has_verifier=False)
    with pytest.raises(ValueError, match="critique: expected a grader whose answers can be"):
        main_pick(job, CritiqueConfig(), has_votes=False)


def test_the_main_pick_is_there_even_where_nothing_was_found(decide_rows, make_row):
    cut = make_row("a", None, status="truncated", correct=None, strategy="best_of_n")
    found = decide_rows(cut, strategy=BestOfNConfig())
    assert found["p0", "weighted[min]"].is_main
    found = decide_rows(
        make_row("a", None, status="truncated", correct=None, strategy="beam by verifier[last]"),
        strategy=BeamConfig(),
        score=ScoreConfig(by="verifier", reduction="last"),
    )
    assert found["p0", "best_of_n[last]"].status == "unfinished"
