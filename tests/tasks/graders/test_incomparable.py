"""A kind of problem whose answers cannot be compared: graded by its check, never voted on."""

import asyncio
import json
from dataclasses import replace

import pytest

from schemas.engines import MarkovConfig
from schemas.evaluation import EvaluationConfig
from schemas.graders import ExactGraderConfig
from schemas.rows import PROBLEMS, Problem, Step, from_table, to_table
from schemas.search import SearchJob
from schemas.search.strategies import (
    AdaptiveConsistencyConfig,
    BeamConfig,
    BestOfNConfig,
    ConfidenceVoteConfig,
    GenerativeSelectionConfig,
    MajorityConfig,
    ParticleFilteringConfig,
    RevisionsConfig,
)
from tasks.evaluation.solutions.candidates import build_candidates
from tasks.evaluation.solutions.rankers import accuracy_table
from tasks.graders import Grade, Grader, grade_all, make_grader
from tasks.graders.base import Incomparable
from tasks.search.decide import decide, main_pick

CONTAINS = json.dumps({"contains": ["def", "return"]})


class ContainsGrader(Incomparable):
    """Judges a text by the words that the problem's check requires in it."""

    name = "contains-1"

    def grade(self, text: str, problem: Problem) -> Grade:
        if not text:
            return Grade(None, False)
        if self.check_gold(problem) is not None:
            return Grade(text, None)
        assert problem.check is not None
        return Grade(text, all(word in text for word in json.loads(problem.check)["contains"]))

    def check_gold(self, problem: Problem) -> str | None:
        if problem.check is None or "contains" not in json.loads(problem.check):
            return f'expected a check such as {{"contains": ["def"]}}, got {problem.check}'
        return None

    def close(self) -> None:
        """Nothing to free."""


GRADER: Grader = ContainsGrader()


def test_a_problem_carries_what_checks_it(make_problem):
    problem = make_problem(answer="", check=CONTAINS)
    assert from_table(PROBLEMS, to_table(PROBLEMS, [problem])) == [problem]
    older = to_table(PROBLEMS, [make_problem()]).drop_columns(["check"])
    assert from_table(PROBLEMS, older) == [make_problem(check=None)]
    texts = ["def f(x): return x", "x", ""]
    grades = asyncio.run(grade_all(GRADER, texts, problem))
    assert [grade.correct for grade in grades] == [True, False, False]


@pytest.mark.parametrize("check", [None, '{"theorem": "1 + 1 = 2"}'])
def test_a_check_of_another_kind_leaves_solutions_ungraded(make_problem, check):
    problem = make_problem(check=check)
    assert GRADER.check_gold(problem) == (
        f'expected a check such as {{"contains": ["def"]}}, got {check}'
    )
    assert GRADER.grade("def", problem).correct is None


def test_answers_without_classes_are_not_voted_on(make_problem, make_trajectory):
    problem = make_problem(check=CONTAINS)
    rows = [
        make_trajectory(f"t{i}", sample_index=i, answer=f"text {i}", correct=i == 0)
        for i in range(4)
    ]
    config = EvaluationConfig(budgets=(1, 4), num_subsets=4)
    exact = make_grader(ExactGraderConfig())
    with_votes = build_candidates([make_problem()], rows, [], exact)
    assert "majority" in accuracy_table(with_votes, config).strategies
    for grader in (GRADER, exact):  # the latter compares answers, which nobody asked for
        table = accuracy_table(build_candidates([problem], rows, [], grader), config)
        assert table.strategies == ("pass", "likelihood[sum]", "likelihood[mean]")
        assert table.of("pass").tolist() == [[0.25, 1.0]]


def test_a_cut_text_that_was_not_graded_is_excluded_and_not_wrong(make_problem, make_trajectory):
    rows = [
        make_trajectory("a", answer="text", correct=None, status="truncated"),
        make_trajectory("b", sample_index=1, answer=None, correct=None, status="truncated"),
    ]
    (candidates,) = build_candidates([make_problem(check=CONTAINS)], rows, [], GRADER)
    assert candidates.usable() == [1]


def search_job(*strategies):
    return SearchJob(
        policy=MarkovConfig(),
        verifier=MarkovConfig(),
        strategies=strategies,
        budgets=(4,),
        grader=ExactGraderConfig(),
    )


def test_a_search_picks_by_score_where_there_are_no_votes(make_problem, make_trajectory):
    scored = (Step(text="text", num_tokens=1, logprob=-1.0, score=0.5),)
    rows = [
        make_trajectory(
            f"t{i}",
            sample_index=i,
            strategy="best_of_n",
            answer=f"text {i}",
            steps=scored,
            budget=2,
        )
        for i in range(2)
    ]
    rows[1] = replace(rows[1], steps=(replace(scored[0], score=0.9),))
    job = search_job(BestOfNConfig())
    decisions = decide(
        [make_problem(check=CONTAINS)], rows, job=job, strategy=job.strategies[0], grader=GRADER
    )
    assert not any("majority" in d.pick or "weighted" in d.pick for d in decisions)
    (main,) = [d for d in decisions if d.is_main]
    assert (main.pick, main.trajectory_id) == ("best_of_n[min]", "t1")


@pytest.mark.parametrize(
    ("strategy", "with_votes", "without"),
    [
        (BeamConfig(), "likelihood+logit[min]", "likelihood+logit[min]"),
        (BestOfNConfig(), "weighted[min]", "best_of_n[min]"),
        (RevisionsConfig(), "chains[min]", "best_of_n[min]"),
        (ParticleFilteringConfig(), "weighted[min]", "best_of_n[min]"),
        (GenerativeSelectionConfig(), "chosen", "chosen"),
    ],
)
def test_main_picks_with_and_without_votes(strategy, with_votes, without):
    job = search_job(strategy)
    assert main_pick(job, strategy) == with_votes
    assert main_pick(job, strategy, has_votes=False) == without


@pytest.mark.parametrize(
    "strategy",
    [MajorityConfig(), AdaptiveConsistencyConfig(), ConfidenceVoteConfig()],
    ids=lambda strategy: strategy.type,
)
def test_a_strategy_that_only_votes_is_refused_where_there_are_no_votes(strategy):
    message = f"{strategy.type}: expected a grader whose answers can be compared"
    with pytest.raises(ValueError, match=message):
        main_pick(search_job(strategy), strategy, has_votes=False)


def test_what_a_strategy_chose_needs_no_votes(make_problem, make_trajectory):
    rows = [
        make_trajectory(
            f"t{i}", sample_index=i, strategy="generative_selection", answer=f"text {i}"
        )
        for i in range(3)
    ]
    job = search_job(GenerativeSelectionConfig())
    decisions = decide(
        [make_problem(check=CONTAINS)], rows, job=job, strategy=job.strategies[0], grader=GRADER
    )
    (main,) = [d for d in decisions if d.is_main]
    assert (main.pick, main.trajectory_id) == ("chosen", "t0")
