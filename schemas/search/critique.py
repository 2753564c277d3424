"""The config of search by critique: attempts that a critic reads and the policy makes again."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from schemas.critique_formats import CritiqueFormatConfig, LinesCritiqueConfig
from schemas.rows import ModelRole
from schemas.search.strategy import Pick, StrategyConfig


class CritiqueConfig(StrategyConfig):
    """N / rounds attempts, each critiqued and made again `rounds` times (arXiv:2411.16579).

    N counts second attempts, so N critiques are written, and N / rounds first attempts besides.
    """

    ranks: ClassVar[bool] = False
    is_stepwise: ClassVar[bool] = False
    has_chains: ClassVar[bool] = True
    default_pick: ClassVar[Pick] = "refined"
    optional_roles: ClassVar[tuple[ModelRole, ...]] = ("critic",)
    against_plain: ClassVar[bool] = True
    type: Literal["critique"] = "critique"
    rounds: Annotated[int, Field(ge=1)] = 1
    """Second attempts in a chain, each after a critique of the one before; N / rounds chains run
    side by side."""
    with_critique: bool = True
    """False asks for second attempts without a critique, as a control: no critic reads anything."""
    refine: Literal["all", "flagged"] = "all"
    """The attempts that are made again: `all`, as published for test time, or only those `flagged`
    as wrong; others stand to the end of their chain. All are critiqued."""
    format: CritiqueFormatConfig = LinesCritiqueConfig()
    """How critic and policy are asked, and how a critique is read."""
    max_critique_tokens: Annotated[int, Field(ge=1)] = 1536
    """Maximum tokens of a critique; a longer one is given to the policy as far as it goes."""
    critic_temperature: Annotated[float, Field(ge=0)] = 0.0
    """Temperature of the critic; 0 is greedy, as published."""
    refine_temperature: Annotated[float, Field(ge=0)] = 0.7
    """Temperature of second attempts, 0.7 as published; first attempts are drawn at that of the
    limits."""

    @classmethod
    def grid(cls, budget: int) -> list[Self]:
        """Chains of every power of two that divides the budget."""
        lengths = [1 << i for i in range(budget.bit_length()) if not budget % (1 << i)]
        return [cls(rounds=length) for length in lengths]

    def check_budget(self, budget: int) -> None:
        """See StrategyConfig."""
        if budget % self.rounds:
            raise ValueError(
                f"critique: expected N to be a multiple of the {self.rounds} rounds of a chain, "
                f"got N={budget}"
            )

    def num_solutions(self, budget: int) -> int:
        """See StrategyConfig."""
        return budget + budget // self.rounds

    @property
    def judgement_tokens(self) -> int:
        """See StrategyConfig."""
        return self.max_critique_tokens if self.with_critique else 0
