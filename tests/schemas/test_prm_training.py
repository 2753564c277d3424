import pytest
from pydantic import ValidationError

from schemas.prm_training import PrmTrainingConfig


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"batch_size": 6, "num_workers": 4}, "batch_size: expected a multiple of num_workers=4"),
        ({"batch_size": 8, "micro_batch_size": 3}, "micro_batch_size: expected a divisor of 8"),
        (
            {"batch_size": 8, "num_workers": 2, "micro_batch_size": 8},
            "micro_batch_size: expected a divisor of 4",
        ),
        ({"early_stopping": {}, "eval_fraction": 0}, "early_stopping: expected eval_fraction > 0"),
        ({"model_name": "../elsewhere"}, "model_name"),
        ({"separator": ""}, "separator"),
        ({"learning_rate": 1.0}, "learning_rate"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused_by_its_field(fields, message):
    with pytest.raises(ValidationError, match=message):
        PrmTrainingConfig(base_model="base", **fields)


def test_a_batch_may_be_shared_and_cut():
    config = PrmTrainingConfig(base_model="b", batch_size=16, num_workers=2, micro_batch_size=4)
    assert config.batch_size == 16
    assert PrmTrainingConfig(base_model="b", num_workers=0).num_workers == 0
