"""A row is a solution's reward, divided among its tokens."""

from dataclasses import dataclass
from datetime import datetime

from schemas.tables import Int32, TableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRewards:
    """What each token of a solution earns, and how the shares came about.

    The rewards' sum is `total`; the view `token_reward_sums` compares them.
    """

    trajectory_id: str
    reward: str
    """Who decides the shares, with its settings: `attention[beta=0.8]`, `policy_attention[beta=1]`,
    `uniform`, `sparse`, or `steps` for a verifier's scores."""
    verifier: str | None = None
    """The model that says the total."""
    total: float | None = None
    """What the solution earns (R); null with an error."""
    tokens: tuple[str, ...] = ()
    """[num_tokens] what each token wrote; an end of text, or a stop string that is no part of the
    solution, wrote what it stands for or nothing."""
    shares: tuple[float, ...] | None = None
    """[num_tokens] each token's share of the attention (alpha), with the sum 1; null for steps."""
    rewards: tuple[float, ...] = ()
    """[num_tokens] what each token earns, without any penalty for leaving the reference."""
    scored_tokens: Int32 = 0
    """Tokens that models read to tell this."""
    error: str | None = None
    created_at: datetime


TOKEN_REWARDS = TableSpec("token_rewards", TokenRewards)
