"""Config of the stage that divides the rewards of stored solutions among their tokens."""

from typing import Annotated

from pydantic import Field

from schemas.base import FrozenConfig, SetName
from schemas.engines import EngineConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.training.rewards import TokenReward


class TokenRewardsJob(FrozenConfig):
    """Which stored solutions' tokens are rewarded as in training, and how; to look at, or to train.

    Nothing is sampled. The work is done in this process, on a GPU if there is one.
    """

    set_name: SetName = "eval"
    """The set of solutions, as named by the sampling stage."""
    policy: EngineConfig
    """The model that wrote them: an engine with a model folder, whose tokenizer made the tokens."""
    reward: TokenReward
    """How the reward is divided: by attention, or by a verifier's steps."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the policy was prompted."""
    round: Annotated[int, Field(ge=0)] | None = None
    """Only the solutions that a loop sampled from the policy in this round; None for all."""
    num_solutions: Annotated[int, Field(ge=1)] | None = None
    """Only the first solutions of each stored file; None for all."""

    def stored_sets(self) -> tuple[str, ...] | None:
        """The set of solutions."""
        return (self.set_name,)
