"""Rewards of stored solutions' tokens: rows, cost, errors, and what is refused before any work."""

import math
from dataclasses import replace
from itertools import accumulate, pairwise

import pytest
from pydantic import ValidationError

from schemas.engines import PlantedConfig, VLLMConfig
from schemas.errors import ModelUnusable
from schemas.rows import PROBLEMS, TOKEN_REWARDS, TRAJECTORIES, Step
from schemas.token_rewards import TokenRewardsJob
from storage import connect
from tasks.engines.planted_engine import PlantedEngine
from tasks.models.folders import load_tokenizer
from tasks.models.vocabulary import identify_vocabulary
from tasks.token_rewards.crediting import Crediting, check_job, reader_name

TEXTS = ["12 - 5 = 7\n", "The answer is 7."]


@pytest.fixture
def job(toy_reward_model):
    reward = {"type": "attention", "verifier": {"model": str(toy_reward_model)}}
    return TokenRewardsJob.model_validate(
        {"policy": {"type": "vllm", "model": "world-policy"}, "reward": reward}
    )


@pytest.fixture
def solution(make_trajectory, toy_reward_model):
    """A trajectory of these texts as steps, with their tokens and an end of text."""
    tokenizer = load_tokenizer(toy_reward_model)

    def make(name, texts=TEXTS, *, with_ids=True, **fields):
        ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        steps = tuple(Step(text=t, num_tokens=len(i)) for t, i in zip(texts, ids, strict=True))
        flat = (*(token for step in ids for token in step), tokenizer.eos_token_id)
        known = {"token_ids": flat, "vocabulary": identify_vocabulary(tokenizer)}
        return make_trajectory(name, steps=steps, **(known if with_ids else {}), **fields)

    return make


@pytest.fixture
def credit(store, unit_of, make_problem):
    """Commits solutions and their rewards; the rows."""

    def run(job, *rows, question="12 - 5?"):
        problems, solutions = unit_of(PROBLEMS.name), unit_of(TRAJECTORIES.name)
        store.commit(problems, [make_problem(question=question)])
        store.commit(solutions, rows)
        unit = replace(
            unit_of(TOKEN_REWARDS.name, stage="token_rewards"),
            inputs=(solutions.path, problems.path),
        )
        crediting = Crediting(job)
        try:
            found = crediting.rows(store, unit)
        finally:
            crediting.close()
        assert crediting.num_rows == len(rows)
        assert crediting.scored_tokens == sum(row.scored_tokens for row in found)
        store.commit(unit, found, seconds=2.0)
        return store.read(unit.path)

    return run


def test_a_row_holds_tokens_shares_rewards_and_their_sum(job, credit, solution, store):
    (row,) = credit(job, solution("t0"))
    assert row.trajectory_id == "t0"
    assert row.reward == "attention[beta=0.8]"
    assert row.verifier.startswith("reward-model-")
    assert "".join(row.tokens) == "".join(TEXTS)
    assert len(row.tokens) == len(row.shares) == len(row.rewards)
    assert math.fsum(row.rewards) == row.total
    assert math.fsum(row.shares) == pytest.approx(1.0)
    (sums,) = connect(store.url).sql("select * from token_reward_sums").to_arrow_table().to_pylist()
    assert sums["total"] == row.total
    assert sums["off_by"] == pytest.approx(0.0, abs=1e-12)
    assert sums["num_tokens"] == len(row.tokens)
    assert sums["last_share"] == pytest.approx(
        abs(row.rewards[-1]) / sum(map(abs, row.rewards)), abs=1e-9
    )
    entropy = -sum(share * math.log(share) for share in row.shares if share)
    assert sums["effective_tokens"] == pytest.approx(math.exp(entropy))


def test_what_the_reward_model_reads_is_a_cost(job, credit, solution, store):
    rows = credit(job, solution("t0"), solution("t1", ["7"]))
    (cost,) = (
        connect(store.url)
        .sql("select * from cost where strategy = 'token_rewards'")
        .to_arrow_table()
        .to_pylist()
    )
    assert cost["scored_tokens"] == sum(row.scored_tokens for row in rows) > 0
    assert cost["model"] == rows[0].verifier
    assert (cost["num_rows"], cost["num_kept"], cost["engine_s"]) == (2, 2, 2.0)


def test_tokens_that_are_not_stored_are_those_of_the_text(job, credit, solution):
    known, unknown, other = credit(
        job,
        solution("t0"),
        solution("t1", with_ids=False),
        solution("t2", with_ids=False, token_ids=(1, 2, 3), vocabulary="another"),
    )
    assert unknown.tokens == known.tokens[:-1]  # without the end of text
    assert unknown.total == pytest.approx(known.total, abs=1e-5)
    assert other.rewards == pytest.approx(unknown.rewards, abs=1e-5)


def test_a_solution_that_cannot_be_rewarded_is_a_row_with_an_error(job, credit, solution):
    rows = credit(
        job,
        solution("t0"),
        solution("t1", [], status="error", error="the prompt is too long", with_ids=False),
        solution("t2"),
    )
    assert [row.error for row in rows] == [None, "the prompt is too long", None]
    assert (rows[1].total, rows[1].rewards, rows[1].tokens) == (None, (), ())
    assert rows[0].rewards == pytest.approx(rows[2].rewards, abs=1e-5)


def test_the_policys_own_attention_divides_its_own_solutions_alone(job, credit, solution):
    from tasks.engines.open import identify_engine

    own = job.reward.with_fields(credit="policy_attention")
    job = job.with_fields(reward=own)
    policy = identify_engine(job.policy)
    mine, other = credit(job, solution("t0", policy=policy), solution("t1"))
    assert mine.error is None
    assert mine.reward == "policy_attention[beta=0.8]"
    assert other.error == (
        f"expected a solution of {policy}, whose attention divides, got one of policy-0"
    )


def test_a_verifiers_steps_are_rewarded_at_their_last_tokens(credit, solution):
    job = TokenRewardsJob.model_validate(
        {
            "policy": {"type": "vllm", "model": "world-policy"},
            "reward": {"type": "verifier", "verifier": {"type": "planted"}, "credit": "steps"},
        }
    )
    symbols = [f"{symbol}\n" for symbol in (23, 14, 5, 30, 11, 19, 2)]  # the gold, and two others
    engine = PlantedEngine(PlantedConfig())
    state, scores = engine.begin("Map 1 2 3 4 5."), []
    for symbol in symbols:
        state = engine.advance(state, int(symbol) - 1)
        scores.append(engine.value(state))
    whole, cut = credit(
        job,
        solution("t0", symbols, answer="x"),
        solution("t1", symbols[:3], status="truncated", answer=None),
        question="Map 1 2 3 4 5.",
    )
    assert whole.reward == "steps"
    assert whole.total == pytest.approx(min(scores))
    assert sum(whole.rewards) == pytest.approx(whole.total)
    assert whole.shares is None
    ends = [index for index, token in enumerate(whole.tokens) if token.endswith("\n")]
    lowest = [1.0, *accumulate(scores, min)]
    assert [whole.rewards[end] for end in ends] == pytest.approx(
        [after - before for before, after in pairwise(lowest)]
    )
    assert whole.rewards[-1] == 1.0
    assert sum(map(bool, whole.rewards)) <= len(symbols) + 1
    assert set(cut.rewards) == {0.0}
    assert (cut.total, cut.scored_tokens) == (0.0, 0)


def test_units_of_other_settings_have_other_names(job, toy_reward_model):
    names = {reader_name(job)}
    for changes in ({"credit": "sparse"}, {"beta": 0.5}, {"credit": "policy_attention"}):
        names.add(reader_name(job.with_fields(reward=job.reward.with_fields(**changes))))
    assert len(names) == 4


def test_another_tokenizer_is_refused_before_any_work(job, toy_reward_model, tmp_path):
    import shutil

    folder = tmp_path / "other"
    shutil.copytree(toy_reward_model, folder)
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(["<new>"])
    tokenizer.save_pretrained(folder)
    reward = job.reward.with_fields(verifier={"model": str(folder)})
    with pytest.raises(ModelUnusable, match="expected the tokenizer of the policy"):
        check_job(job.with_fields(reward=reward))


def test_a_policy_without_tokens_is_refused(job):
    with pytest.raises(ValueError, match="expected an engine whose tokens are known"):
        check_job(job.with_fields(policy=PlantedConfig()))
    with pytest.raises(ModelUnusable, match="does not exist"):
        check_job(job.with_fields(policy=VLLMConfig(model="/nowhere")))


def test_bad_settings_name_their_field():
    with pytest.raises(ValidationError, match="beta"):
        TokenRewardsJob.model_validate(
            {
                "policy": {"type": "vllm", "model": "world-policy"},
                "reward": {"type": "attention", "verifier": {"model": "m"}, "beta": 1.5},
            }
        )
