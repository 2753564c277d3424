"""RISE: a policy learns to improve its own attempts, over turns."""

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.critique_formats import CritiqueFormatConfig, LinesCritiqueConfig
from schemas.critiques import RefiningConfig
from schemas.dataset_export.builders import RestEmConfig
from schemas.dataset_export.turn_builders import RiseConfig
from schemas.loops.loop import RoundsConfig
from schemas.policy_training import SftConfig
from schemas.sampling import SamplingConfig
from schemas.search import SearchLimits
from schemas.search.strategies import RevisionsConfig

AGAIN = "{question}\n{attempts}\nAgain:"
"""How the shipped policy is asked for another attempt; attempts are joined by `AGAIN_JOINER`."""
AGAIN_JOINER = "\nAgain:\n"


class RiseLoopConfig(RoundsConfig):
    """RISE (arXiv:2407.18219): second attempts at failed problems, weighted by their reward.

    Every round samples the last policy's solutions, draws second attempts at the wrong ones, and
    trains the first policy on both. Every policy is measured over `turns` attempts that it is
    always asked to improve. The control `single_turn` learns only from right first attempts.
    """

    name: ClassVar[str] = "rise"
    arm_names: ClassVar[tuple[str, ...]] = ("rise", "single_turn")

    rounds: Annotated[int, Field(ge=1)] = 2
    """Maximum number of rounds; each samples new solutions."""
    train_sampling: SamplingConfig = SamplingConfig(
        num_samples=4, max_tokens=128, with_logprobs=False, trajectories_per_unit=700
    )
    """First attempts, per problem and round."""
    format: CritiqueFormatConfig = LinesCritiqueConfig()
    """How a second attempt is asked for in the data: its `retry_template`."""
    improving: RefiningConfig = RefiningConfig(
        num_refinements=0, num_retries=16, temperature=1.0, max_tokens=128
    )
    """The second attempts at each wrong solution; the best of them is learned from."""
    builder: RiseConfig = RiseConfig(template=AGAIN, joiner=AGAIN_JOINER)
    """Which second attempts are learned from, and their weights."""
    training: SftConfig = SftConfig(average="rows")
    """How the first policy is trained."""
    turns: Annotated[int, Field(ge=1)] = 5
    """Attempts per problem when a policy is measured."""
    window: Annotated[int, Field(ge=1)] = 2
    """Earlier attempts that it sees."""
    num_chains: Annotated[int, Field(ge=1)] = 4
    """Chains of attempts per held-out problem."""
    limits: SearchLimits = SearchLimits(max_tokens=128)
    """How attempts are drawn when a policy is measured."""
    control: RestEmConfig = RestEmConfig(per_problem=4)
    """What the control learns from."""
    with_control: bool = True
    """Whether the control is run as well."""

    @property
    def chains(self) -> RevisionsConfig:
        """The search by which a policy is measured."""
        return RevisionsConfig(
            sequential=self.turns,
            context=self.window,
            template=self.builder.template,
            joiner=self.builder.joiner,
        )
