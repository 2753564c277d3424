import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.factory import FactoryConfig
from schemas.step_labels import (
    CheckerConfig,
    MonteCarloConfig,
    OutcomeConfig,
    RolloutsByRateConfig,
    StepLabelsConfig,
)

ANY = TypeAdapter(StepLabelsConfig)


@pytest.mark.parametrize(
    ("values", "method"),
    [
        ({}, "monte_carlo[n=8]"),
        ({"min_correct": 2}, "monte_carlo[n=8,min=2]"),
        ({"stopping": "first_hit"}, "monte_carlo[n=8,first_hit]"),
        ({"stopping": "confidence"}, "monte_carlo[n=8,confidence=0.97]"),
        (
            {"num_rollouts": 4, "stopping": "first_hit", "search": "bisection"},
            "monte_carlo[n=4,first_hit,bisection]",
        ),
        ({"reuse_solutions": True}, "monte_carlo[n=8,reuse]"),
        ({"search": "omega"}, "monte_carlo[n=8,omega]"),
        ({"min_progress": 0.8}, "monte_carlo[n=8,progress=0.8]"),
        ({"rollouts_by_rate": {}}, "monte_carlo[n=128/64/32]"),
        ({"rollouts_by_rate": {"high_rate": 0.5}}, "monte_carlo[n=128/64/32@0.1/0.5]"),
    ],
)
def test_methods_are_named_by_what_changes_labels(values, method):
    assert ANY.validate_python({"type": "monte_carlo", **values}).method == method


def test_the_type_chooses_the_config():
    assert ANY.validate_python({"type": "outcome"}) == OutcomeConfig()
    assert ANY.validate_python({"type": "checker"}).method == CheckerConfig().method == "checker"
    with pytest.raises(ValidationError, match="does not match any of the expected tags"):
        ANY.validate_python({"type": "guess"})


def test_the_plain_config_keeps_everything_but_the_shortcuts():
    config = MonteCarloConfig(
        num_rollouts=4, stopping="confidence", search="bisection", reuse_solutions=True
    )
    assert config.without_shortcuts() == MonteCarloConfig(num_rollouts=4, reuse_solutions=True)
    assert config.needs_audit
    assert not config.without_shortcuts().needs_audit


@pytest.mark.parametrize(
    "values",
    [
        {"num_rollouts": 0},
        {"num_rollouts": 2, "min_correct": 3},
        {"temperature": 0},
        {"confidence": 1},
        {"stopping": "early"},
        {"rollouts": 8},
        {"search": "omega", "stopping": "first_hit"},
        {"search": "omega", "min_correct": 2},
        {"search": "omega", "reuse_solutions": True},
        {"search": "omega", "tree": {"alpha": 0}},
        {"min_progress": 0.8, "search": "bisection"},
        {"min_progress": 0.8, "stopping": "confidence"},
        {"min_progress": 0},
        {"rollouts_by_rate": {"low_rate": 0.9, "high_rate": 0.1}},
        {"rollouts_by_rate": {"easy": 2}, "min_correct": 3},
    ],
)
def test_settings_that_make_no_sense_are_refused(values):
    with pytest.raises(ValidationError):
        MonteCarloConfig(**values)


def test_solutions_that_may_be_drawn_otherwise_are_not_reused_as_rollouts() -> None:
    with pytest.raises(ValueError, match=r"reuse_solutions: expected false beside top_k"):
        MonteCarloConfig(reuse_solutions=True, top_k=20)
    with pytest.raises(ValueError, match="train_sampling has min_p"):
        FactoryConfig.from_partial(
            {"labels": {"reuse_solutions": True}, "train_sampling": {"min_p": 0.1}}
        )
    FactoryConfig.from_partial({"labels": {"reuse_solutions": True}})


@pytest.mark.parametrize(
    ("rate", "expected"), [(None, 64), (0.0, 128), (0.1, 64), (0.89, 64), (0.9, 32), (1.0, 32)]
)
def test_rollouts_follow_the_rate_of_solving(rate, expected):
    config = MonteCarloConfig(rollouts_by_rate=RolloutsByRateConfig())
    assert config.for_problem(rate) == MonteCarloConfig(num_rollouts=expected)
    assert MonteCarloConfig().for_problem(rate) == MonteCarloConfig()


def test_options_of_no_use_do_not_change_the_identity():
    assert MonteCarloConfig().config_hash() == "ef6e5a2858fb"
    assert MonteCarloConfig(min_progress=0.8).config_hash() != "ef6e5a2858fb"
