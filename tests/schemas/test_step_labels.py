import pytest
from pydantic import TypeAdapter, ValidationError

from schemas.factory import FactoryConfig
from schemas.step_labels import (
    CheckerConfig,
    MonteCarloConfig,
    OutcomeConfig,
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
