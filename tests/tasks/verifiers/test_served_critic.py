"""A served model as a verifier, over real HTTP: scores, searches, and what they cost."""

import asyncio

import pytest

from schemas.engines import (
    ENGINE_WORK,
    GenerationRequest,
    MarkovConfig,
    OpenAIConfig,
    ScoringRequest,
    ServerConfig,
)
from schemas.generative import GenerativeConfig
from schemas.graders import ExactGraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS, STEP_SCORES, TRAJECTORIES
from schemas.scoring import ScoringJob
from schemas.search import ScoreConfig, SearchJob
from schemas.search.strategies import BeamConfig
from schemas.units import Unit
from storage.catalog import connect
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Host
from tasks.engines.markov_engine import check_walk, markov_problems
from tasks.engines.open import identify_engine, open_engine
from tasks.graders import make_grader
from tasks.scoring.score import score_trajectories
from tasks.search.decide import decide
from tasks.search.search import SearchTask, search_problems

STEPS = ("Step 1: ok 4\n", "Step 2: off 4\n", "Step 3: off 1\n")


def served(server, **fields):
    return OpenAIConfig(
        model="acme/critic",
        api="chat",
        server=ServerConfig(base_url=server.url, kind="other"),
        generative=GenerativeConfig(max_tokens=100, **fields),
    )


def score(server, request, **fields):
    async def run():
        engine = await open_engine(served(server, **fields), "verifier", separator="\n")
        try:
            with pytest.raises(ValueError, match="expected a policy to generate"):
                await engine.generate(GenerationRequest(prompt="1", max_tokens=1))
            return await engine.score(request)
        finally:
            await engine.close()

    return asyncio.run(run())


def request_of(steps=STEPS, **fields):
    return ScoringRequest(prompt="Walk 5.\n", question="Walk 5.", steps=steps, **fields)


def test_verdicts_are_read_from_the_likeliest_tokens(review_server):
    scoring = score(review_server, request_of())
    assert scoring.scores == pytest.approx((0.9, 0.1, 0.1))
    # Two lines of four tokens, and the verdict on the whole.
    assert (scoring.scored_tokens, scoring.generated_tokens) == (20, 10)


def test_a_server_that_tells_no_tokens_is_read_by_its_words(review_server):
    scoring = score(review_server, request_of(), num_alternatives=0)
    assert scoring.scores == (1.0, 0.0, 0.0)


def test_a_hosted_chat_judges_a_longer_prefix_from_its_beginning(review_server):
    assert score(review_server, request_of(num_known=1)).scores == pytest.approx((0.1, 0.1))
    assert review_server.reviewed == [tuple(step.strip() for step in STEPS)]


def test_a_served_model_can_do_the_work_of_a_verifier(review_server):
    assert ENGINE_WORK["openai"] == ("generate", "score")
    config = served(review_server)
    assert identify_engine(config) == "openai--acme--critic"
    assert identify_engine(config, "verifier").startswith("openai--acme--critic--generative-")
    other = config.with_fields(generative=config.generative.with_fields(seed=1))
    assert identify_engine(config, "verifier") != identify_engine(other, "verifier")
    assert identify_engine(config, "judge") == "openai--acme--critic"


def test_the_scoring_stage_stores_what_was_read_and_written(
    store, unit_of, make_trajectory, review_server
):
    problems = unit_of(PROBLEMS.name, stage="problems")
    sampled = unit_of(TRAJECTORIES.name)
    (problem,) = markov_problems(1, seed=0)
    store.commit(problems, [problem])
    step = make_trajectory().steps[0]
    steps = tuple(type(step)(text=text, num_tokens=1) for text in STEPS)
    rows = [
        make_trajectory("t0", problem_id=problem.problem_id, steps=steps),
        make_trajectory("t1", problem_id=problem.problem_id, steps=steps, sample_index=1),
        make_trajectory("t2", problem_id=problem.problem_id, steps=(), status="error"),
    ]
    store.commit(sampled, rows)
    unit = unit_of(STEP_SCORES.name, stage="scoring", inputs=(sampled.path, problems.path))
    config = served(review_server)
    job = ScoringJob(policy=MarkovConfig(), verifier=config)

    async def run():
        host = Host(store.url, EngineSet(policy=job.policy, verifier=job.verifier))
        try:
            receipt = await host.run(unit, score_trajectories, job)
            return receipt, await host.counters()
        finally:
            await host.close()

    receipt, counters = asyncio.run(run())
    first, same, failed = store.read(unit.path)
    assert {row.verifier for row in (first, same)} == {identify_engine(config, "verifier")}
    assert first.scores == same.scores == pytest.approx((0.9, 0.1, 0.1))
    # Equal texts are read once.
    assert [row.generated_tokens for row in (first, same, failed)] == [10, None, None]
    assert (receipt.generated_tokens, counters.generated_tokens) == (10, 10)
    assert failed.error is not None
    spent = connect(store.url).sql(
        "select generated_tokens, scored_tokens from cost where stage = 'scoring'"
    )
    assert spent.fetchall() == [(10, 20)]


def test_a_search_counts_what_its_verifier_writes(store, unit_of, review_server):
    verifier = served(review_server)
    job = SearchJob(
        problems=WorldProblemsConfig(),
        policy=MarkovConfig(num_steps=3, p_right=0.6),
        verifier=verifier,
        strategies=(BeamConfig(width=2),),
        budgets=(4,),
        score=ScoreConfig(by="verifier"),
        grader=ExactGraderConfig(),
    )
    problems = unit_of(PROBLEMS.name, stage="problems")
    found = markov_problems(6, seed=0)
    store.commit(problems, found)
    name = "eval.beam-n4-0123456789ab"
    unit = Unit(
        run_id="run",
        stage="search",
        name=f"{name}.00000",
        table=TRAJECTORIES.name,
        inputs=(problems.path,),
    )
    task = SearchTask(job=job, strategy=job.strategies[0], budget=4, scope="run")

    async def run():
        host = Host(store.url, EngineSet(**job.engines()))
        try:
            await host.run(unit, search_problems, {name: task})
        finally:
            await host.close()

    asyncio.run(run())
    rows = store.read(unit.path)
    questions = {problem.problem_id: problem.question for problem in found}
    kept = [row for row in rows if row.status == "finished" and row.parent_id is None]
    assert kept
    for row in kept:
        texts = [step.text for step in row.steps]
        verdicts = check_walk(questions[row.problem_id], texts)
        num_judged = len(texts) if all(verdicts) else verdicts.index(False) + 1
        expected = [0.9 if is_right else 0.1 for is_right in verdicts[:num_judged]]
        assert [step.score for step in row.steps][:num_judged] == pytest.approx(expected)
    written = sum(row.verifier_tokens or 0 for row in rows)
    assert written > 0
    grader = make_grader(job.grader)
    decisions = decide(found, rows, job=job, strategy=job.strategies[0], grader=grader)
    total = {d.problem_id: d.generated_tokens for d in decisions}
    assert sum(total.values()) == written + sum(row.generated_tokens for row in rows)
    spent = connect(store.url).sql(
        "select model, generated_tokens from cost where stage = 'search' order by all"
    )
    assert spent.fetchall() == [
        ("markov[0.6,0]x3", sum(row.generated_tokens for row in rows)),
        (identify_engine(verifier, "verifier"), written),
    ]
