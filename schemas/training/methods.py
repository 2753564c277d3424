"""All training methods. A method is a config here and a module in `tasks/training/methods`."""

from typing import Annotated

from pydantic import Field

from schemas.fields import variants_of
from schemas.training.dpo import DpoConfig
from schemas.training.grpo import GrpoConfig
from schemas.training.ppo import PpoConfig
from schemas.training.prm import PrmTrainingConfig
from schemas.training.recipe import TrainingRecipe
from schemas.training.rloo import RlooConfig
from schemas.training.sft import SftConfig

PolicyMethod = Annotated[
    SftConfig | DpoConfig | GrpoConfig | PpoConfig | RlooConfig, Field(discriminator="type")
]
"""The methods that train a policy."""

DrawingMethod = Annotated[GrpoConfig | PpoConfig | RlooConfig, Field(discriminator="type")]
"""The methods that train a policy by rewards on solutions of its own."""

METHODS: dict[str, type[TrainingRecipe]] = variants_of(PolicyMethod | PrmTrainingConfig)
"""The config of each method, by its name."""
