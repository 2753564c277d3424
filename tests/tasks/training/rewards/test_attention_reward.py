"""Rewards of tokens by attention: shares, sums, prefixes, ends, and rewards that are no numbers."""

import asyncio
import math
from typing import Any

import pytest

from schemas.errors import RewardNotFinite
from schemas.prompts import PlainPromptConfig
from schemas.training.rewards import AttentionRewardConfig
from tasks.graders.base import UNGRADED
from tasks.training.common import TrainingDiverged
from tasks.training.models import load_weights
from tasks.training.rewards import Drawn, open_reward, total
from tasks.training.rewards.attention import AttentionReward
from tasks.training.start_states import judge as judge_checked
from tasks.verifiers.credit import spread

PROMPT = "12 - 5?\n"
TEXTS = ["12 - 5 = 7\nThe answer is 7.", "12 - 5 = 8\n8 - 1 = 7\nThe answer is 7.", "7"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from tasks.world.tokenizer import build_tokenizer

    return build_tokenizer()


@pytest.fixture
def open_attention(toy_reward_model, toy_base, tokenizer):
    def make(**fields: Any) -> AttentionReward:
        config = AttentionRewardConfig.model_validate(
            {"verifier": {"model": str(toy_reward_model)}, **fields}
        )
        model = load_weights(toy_base)
        grader: Any = None  # answers decide nothing here
        opened = open_reward(config, PlainPromptConfig(), grader, model=model, tokenizer=tokenizer)
        return asyncio.run(opened)  # type: ignore[return-value]

    return make


def draw(tokenizer: Any, texts: list[str], *, prefix: str = "", after: str = "</s>") -> Drawn:
    def ids(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    return Drawn(
        texts=[prefix + text for text in texts],
        grades=[UNGRADED] * len(texts),
        finished=[True] * (len(texts) - 1) + [False],
        prompt_ids=[tokenizer.bos_token_id, *ids(PROMPT + prefix)],
        token_ids=[ids(text + after) for text in texts],
    )


def judge(reward: Any, drawn: Drawn, prefix: str = "") -> list[Any]:
    state = {"prompt": PROMPT, "prefix": prefix, "question": "12 - 5?"}
    return asyncio.run(reward.judge(state, drawn))


def test_the_total_is_one_and_the_credit_differs(open_attention, tokenizer):
    drawn = draw(tokenizer, TEXTS)
    found = {
        credit: judge(open_attention(credit=credit), drawn)
        for credit in ("attention", "policy_attention", "uniform", "sparse")
    }
    for one, *others in zip(*found.values(), strict=True):
        for other in others:
            assert other.total == one.total
            assert len(other) == len(one)
    for credit, earned in found.items():
        for each, ids, text in zip(earned, drawn.token_ids, TEXTS, strict=True):
            assert len(each) == len(ids)
            assert math.fsum(each) == each.total
            assert total(each) == pytest.approx(each.total)
            assert math.fsum(each.shares) == pytest.approx(1.0)
            assert "".join(each.pieces) == text
            assert each.reward.startswith(credit)
    attention = found["attention"][1]
    expected = spread(attention.total, attention.shares, 0.8)
    assert attention.rewards == pytest.approx(expected)
    assert attention.shares[-1] == 0.0
    assert attention.shares != pytest.approx(found["policy_attention"][1].shares, abs=1e-3)
    assert found["policy_attention"][1].shares[-1] > 0
    assert found["uniform"][0].rewards == pytest.approx(
        [found["uniform"][0].total / len(drawn.token_ids[0])] * len(drawn.token_ids[0])
    )
    assert found["sparse"][0].rewards[:-1] == (0.0,) * (len(drawn.token_ids[0]) - 1)


def test_what_models_read_is_counted(open_attention, tokenizer):
    drawn = draw(tokenizer, TEXTS)
    for credit, num_models in (("attention", 1), ("policy_attention", 2)):
        earned = judge(open_attention(credit=credit), drawn)
        for each, ids in zip(earned, drawn.token_ids, strict=True):
            own = len(drawn.prompt_ids) + len(ids)  # a separator is read in place of the end
            assert each.scored_tokens == num_models * own


def test_a_batch_and_its_solutions_alone_earn_the_same(open_attention, tokenizer):
    for credit in ("attention", "policy_attention"):
        reward = open_attention(credit=credit)
        together = judge(reward, draw(tokenizer, TEXTS))
        for text, each in zip(TEXTS, together, strict=True):
            (alone,) = judge(reward, draw(tokenizer, [text]))
            assert alone.rewards == pytest.approx(each.rewards, abs=1e-5)


def test_only_sampled_tokens_get_credit_of_a_solution_that_was_begun(open_attention, tokenizer):
    reward = open_attention()
    prefix, rest = "12 - 5 = 8\n", "8 - 1 = 7\nThe answer is 7."
    (whole,) = judge(reward, draw(tokenizer, [prefix + rest]))
    drawn = draw(tokenizer, [rest], prefix=prefix)
    (begun,) = judge(reward, drawn, prefix)
    assert begun.total == pytest.approx(whole.total, abs=1e-5)
    own = whole.shares[-len(begun) :]
    assert begun.shares == pytest.approx([share / sum(own) for share in own], abs=1e-5)


def test_tokens_behind_a_stop_string_get_no_share_and_the_last_one_the_rest(
    open_attention, tokenizer
):
    reward = open_attention()
    (plain,) = judge(reward, draw(tokenizer, TEXTS[:1]))
    (stopped,) = judge(reward, draw(tokenizer, TEXTS[:1], after="\n12"))
    num = len(plain) - 1
    assert stopped.shares[:num] == pytest.approx(plain.shares[:num], abs=1e-6)
    assert set(stopped.shares[num:]) == {0.0}
    assert stopped.rewards[-1] == pytest.approx(0.2 * stopped.total)


def test_a_solution_that_was_cut_earns_what_the_config_says(open_attention, tokenizer):
    drawn = draw(tokenizer, TEXTS[:2])  # the second is cut
    plain = judge(open_attention(), drawn)
    told = judge(open_attention(unfinished=-5.0), drawn)
    assert told[0].total == plain[0].total
    assert told[1].total == -5.0 != plain[1].total
    assert told[1].rewards == pytest.approx(
        [-5 * 0.8 * share for share in told[1].shares[:-1]] + [-1.0], abs=1e-9
    )


def test_probabilities_in_place_of_log_odds(open_attention, tokenizer):
    drawn = draw(tokenizer, TEXTS)
    for odds, p in zip(
        judge(open_attention(), drawn), judge(open_attention(earns="p_right"), drawn), strict=True
    ):
        assert p.total == pytest.approx(1 / (1 + math.exp(-odds.total)))


def test_a_scale_multiplies_all_that_is_earned(open_attention, tokenizer):
    drawn = draw(tokenizer, TEXTS)
    for one, tenth in zip(
        judge(open_attention(), drawn), judge(open_attention(scale=0.1), drawn), strict=True
    ):
        assert tenth.rewards == pytest.approx([0.1 * reward for reward in one.rewards])


def test_nothing_visible_earns_at_its_end_and_nothing_at_all_earns_nothing(
    open_attention, tokenizer
):
    reward = open_attention()
    (end,) = judge(reward, draw(tokenizer, [""]))
    assert end.rewards == (end.total,)
    for credit in ("attention", "policy_attention"):
        drawn = draw(tokenizer, ["7", ""], after="")
        known, nothing = judge(open_attention(credit=credit), drawn)
        assert (len(known), nothing) == (1, None)


def test_a_solution_longer_than_the_reward_model_reads_has_no_known_reward(
    open_attention, tokenizer
):
    drawn = draw(tokenizer, ["1 + 1 = 2\n" * 70, TEXTS[0]])  # it reads 384 tokens
    assert len(drawn.token_ids[0]) > 384
    unknown, known = judge(open_attention(), drawn)
    assert unknown is None
    assert known.total == pytest.approx(judge(open_attention(), draw(tokenizer, TEXTS))[0].total)


def test_a_reward_that_is_no_number_is_an_error(open_attention, tokenizer):
    import torch

    reward = open_attention()
    with torch.no_grad():
        reward._reward_model._head.weight.fill_(math.nan)
    with pytest.raises(RewardNotFinite, match="R: expected a finite number, got nan"):
        judge(reward, draw(tokenizer, TEXTS))
    state = {"prompt": PROMPT, "prefix": "", "problem_id": "p7"}
    with pytest.raises(TrainingDiverged, match="reward attention, problem p7: R: expected a fin"):
        asyncio.run(judge_checked(reward, state, draw(tokenizer, TEXTS), name="attention"))


def test_a_checked_reward_is_what_was_earned(open_attention, tokenizer):
    reward, drawn = open_attention(), draw(tokenizer, TEXTS)
    state = {"prompt": PROMPT, "prefix": ""}
    checked: Any = asyncio.run(judge_checked(reward, state, drawn, name="attention"))
    assert [each.rewards for each in checked] == [each.rewards for each in judge(reward, drawn)]


def test_settings_that_change_rewards_are_in_their_name():
    def label(**fields: Any) -> str:
        values = {"verifier": {"model": "m"}, **fields}
        return AttentionRewardConfig.model_validate(values).label

    assert label() == "attention[beta=0.8]"
    assert label(credit="policy_attention", beta=1) == "policy_attention[beta=1]"
    assert label(credit="uniform") == "uniform"
    assert label(credit="sparse", earns="p_right", scale=2, unfinished=-1) == (
        "sparse[earns=p_right,scale=2,unfinished=-1]"
    )
