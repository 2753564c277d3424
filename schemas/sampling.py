"""Config of the sampling stage."""

from typing import Annotated

from pydantic import Field

from schemas.base import FrozenConfig


class SamplingConfig(FrozenConfig):
    """N independent solutions per problem (Large Language Monkeys, arXiv:2407.21787)."""

    num_samples: Annotated[int, Field(ge=1)] = 16
    """Solutions per problem (N)."""
    temperature: Annotated[float, Field(ge=0)] = 1.0
    """0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus: the share of probability that is sampled from."""
    max_tokens: Annotated[int, Field(ge=1)] = 2048
    """Cut-off in tokens; a solution cut here gets status `truncated`."""
    with_logprobs: bool = True
    """Keep each step's log probability; rankers by likelihood need it (about 10% slower)."""
    problems_per_unit: Annotated[int, Field(ge=1)] | None = None
    """Problems in one unit; None chooses about 1,600 solutions a unit."""
