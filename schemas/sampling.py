"""Configs of the sampling stage."""

from typing import Annotated

from pydantic import Field

from schemas.base import FrozenConfig, SetName
from schemas.engines import EngineConfig
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.pool import PoolConfig
from schemas.problems import ProblemsConfig
from schemas.prompts import PlainPromptConfig, PromptConfig


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
    trajectories_per_unit: Annotated[int, Field(ge=1)] = 1600
    """About how many solutions one unit makes; a problem is never split."""


class SamplingJob(FrozenConfig):
    """Which problems a policy solves, and how."""

    problems: ProblemsConfig
    """The problems; loaded into the run first, if it does not have them."""
    set_name: SetName = "eval"
    """What this set of problems is called in the run, for example `train` or `eval`."""
    policy: EngineConfig
    """The model that solves."""
    prompt: PromptConfig = PlainPromptConfig()
    """How it is prompted, and what ends a step."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether an answer is right."""
    sampling: SamplingConfig = SamplingConfig()
    """How many solutions, at which temperature."""
    pool: PoolConfig = PoolConfig()
    """The actors."""
    seed: int = 0
    """With the problem's id it makes the seed of each solution."""
    round: Annotated[int, Field(ge=0)] | None = None
    """The round of a loop in which they are sampled; then a run may hold solutions of the same set
    by several policies, and each row names its round."""
