"""Configs of the sampling stage."""

from typing import Annotated, ClassVar

from pydantic import Field

from schemas.base import SetName
from schemas.engines import EngineConfig
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.pool import PoolConfig
from schemas.problems import ProblemsConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.sampling_parameters import PromptedConfig, SamplingParameters


class SamplingConfig(SamplingParameters):
    """N independent solutions per problem (Large Language Monkeys, arXiv:2407.21787)."""

    identity_order: ClassVar[tuple[str, ...]] = (
        "num_samples",
        "temperature",
        "top_p",
        "max_tokens",
        "with_logprobs",
        "trajectories_per_unit",
    )

    num_samples: Annotated[int, Field(ge=1)] = 16
    """Solutions per problem (N)."""
    max_tokens: Annotated[int, Field(ge=1)] = 2048
    """Cut-off in tokens; a solution cut here gets status `truncated`."""
    with_logprobs: bool = True
    """Record each step's log probability, which rankers by likelihood need (about 10% slower)."""
    trajectories_per_unit: Annotated[int, Field(ge=1)] = 1600
    """Approximate number of solutions of a unit; a problem is never split."""


class SamplingJob(PromptedConfig):
    """Which problems a policy solves, and how."""

    problems: ProblemsConfig
    """The problems; loaded into the run first if it does not have them."""
    set_name: SetName = "eval"
    """The name of this set of problems in the run, for example `train` or `eval`."""
    policy: EngineConfig
    """The model that solves."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the policy is prompted, and what ends a step."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether an answer is right."""
    sampling: SamplingConfig = SamplingConfig()
    """The number of solutions, and how they are sampled."""
    pool: PoolConfig = PoolConfig()
    """The actors."""
    seed: int = 0
    """Combined with the problem's id and an index into the seed of each solution."""
    round: Annotated[int, Field(ge=0)] | None = None
    """The round of a loop in which they are sampled. With rounds, a run may hold solutions of the
    same set by several policies, and each row names its round."""
