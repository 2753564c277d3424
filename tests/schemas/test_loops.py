"""Configs of loops: what cannot be compared or filtered is refused, and the error names it."""

import pytest

from schemas.loops import (
    DpoRoundsConfig,
    RestLoopConfig,
    ReverseCurriculumLoopConfig,
    VStarLoopConfig,
)
from schemas.loops.critique_in_the_loop import CritiqueInTheLoopConfig
from schemas.loops.easy_to_hard import EasyToHardLoopConfig
from schemas.loops.self_rewarding import SelfRewardingLoopConfig


@pytest.mark.parametrize(
    ("config", "values", "words"),
    [
        (RestLoopConfig, {"builder": {"by": "score"}}, "verifier: expected one where builder.by"),
        (RestLoopConfig, {"verifier": {"model": "v"}}, "got v with grade"),
        (
            RestLoopConfig,
            {"improve_steps": 2},
            "improve_steps: expected 1 where builder.by is grade",
        ),
        (
            RestLoopConfig,
            {"builder": {"by": "score"}, "verifier": {"model": "v"}, "improves": 7},
            "improve_steps: expected at most the 6 thresholds",
        ),
        (
            RestLoopConfig,
            {"train_problems": {"split": "dev"}},
            "train_problems.split: expected train, got dev",
        ),
        (RestLoopConfig, {"evaluation": {"budgets": [4]}}, "evaluation.budgets: expected 1 among"),
        (
            DpoRoundsConfig,
            {"control_builder": {"by": "none"}},
            "control_builder.by: expected grade, .* got none",
        ),
        (RestLoopConfig, {"builder": {"improve_step": 1}}, "taken from the first"),
        (EasyToHardLoopConfig, {"arms": ["ppo", "ppo"]}, "arms: expected distinct ones"),
        (EasyToHardLoopConfig, {"pairs": {"by": "grade"}}, "pairs.by: expected margin, as answers"),
        (EasyToHardLoopConfig, {"kept": {"by": "grade"}}, "kept: expected by score or percentile"),
        (EasyToHardLoopConfig, {"kept": {"right_only": True}}, "right_only True"),
        (
            EasyToHardLoopConfig,
            {"ppo": {"reward": {"type": "verifier", "verifier": {"type": "planted"}}}},
            "ppo.reward.type: expected a reward by answers, .* got verifier",
        ),
        (
            CritiqueInTheLoopConfig,
            {"arms": ["vanilla", "control"]},
            "expected critique beside control",
        ),
        (CritiqueInTheLoopConfig, {"arms": ["vanilla", "vanilla"]}, "expected distinct ones"),
        (
            CritiqueInTheLoopConfig,
            {"critic": {"model": "c"}, "critic_training": {}},
            "critic: expected none where critic_training makes one, got 'c'",
        ),
        (
            CritiqueInTheLoopConfig,
            {"with_annotated": True},
            "with_annotated: expected critic_training beside it",
        ),
        (
            CritiqueInTheLoopConfig,
            {"refining": {"num_refinements": 0}},
            "refining.num_refinements: expected at least 1",
        ),
        (
            SelfRewardingLoopConfig,
            {"train_sampling": {"num_samples": 1}},
            "train_sampling.num_samples: expected at least 2",
        ),
        (
            SelfRewardingLoopConfig,
            {"control_builder": {"by": "margin"}},
            "control_builder.by: expected grade",
        ),
        (DpoRoundsConfig, {"builder": {"by": "margin"}}, "builder.by: expected grade"),
        (
            ReverseCurriculumLoopConfig,
            {"builder": {"mode": "staged", "stage": 1}},
            "builder.mode: expected mixed",
        ),
        (ReverseCurriculumLoopConfig, {"arms": ["plain", "plain"]}, "arms: expected distinct"),
        (
            ReverseCurriculumLoopConfig,
            {"training": {"max_generated_tokens": None}},
            "training.max_generated_tokens: expected a number",
        ),
        (VStarLoopConfig, {"rounds": 0}, "rounds"),
    ],
)
def test_what_does_not_fit_is_named(config, values, words):
    with pytest.raises(ValueError, match=words):
        config.from_partial(values)


def test_one_arm_needs_no_equal_tokens():
    values = {"arms": ["plain"], "training": {"max_generated_tokens": None, "max_steps": 5}}
    assert ReverseCurriculumLoopConfig.from_partial(values).training.max_steps == 5
