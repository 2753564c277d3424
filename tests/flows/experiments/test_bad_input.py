"""What cannot be compared is refused before anything is recorded or trained."""

import pytest

from flows.experiments.model_sizes import experiment_model_sizes
from flows.experiments.weak_to_strong import experiment_weak_to_strong
from schemas.experiments.model_sizes import ModelSizesConfig
from schemas.experiments.weak_to_strong import WeakToStrongConfig


def test_a_ceiling_smaller_than_the_weak_model(tmp_path):
    config = WeakToStrongConfig.from_partial(
        {"strong": {"model": None, "architecture": {"hidden_size": 32, "num_layers": 1}}}
    )
    with pytest.raises(ValueError, match="strong: expected more than the 124,992 parameters of"):
        experiment_weak_to_strong.fn(config, str(tmp_path / "store"), "run")
    assert not (tmp_path / "store").exists()


def test_sizes_in_the_wrong_order(tmp_path):
    config = ModelSizesConfig.from_partial(
        {
            "sizes": {
                "large": {"model": "world-policy"},
                "small": {"architecture": {"num_layers": 1}},
            }
        }
    )
    with pytest.raises(
        ValueError, match="small: expected more than the 742,016 parameters of large"
    ):
        experiment_model_sizes.fn(config, str(tmp_path / "store"), "run")
    assert not (tmp_path / "store").exists()
