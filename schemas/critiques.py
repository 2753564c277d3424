"""Critiques of stored solutions, and the second attempts that they lead to."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.base import FrozenConfig, SetName
from schemas.critique_formats import CritiqueFormatConfig, LinesCritiqueConfig
from schemas.engines import SHIPPED_POLICY, EngineConfig, VLLMConfig
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.pool import PoolConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.rows import ModelRole
from schemas.sampling_parameters import PromptedConfig, SamplingParameters

Told = Literal["nothing", "answer", "solution", "known"]
"""What a critic reads besides question and solution."""


class ModelCriticConfig(FrozenConfig):
    """A model reads the solution; the policy itself if none is named."""

    has_model: ClassVar[bool] = True
    type: Literal["model"] = "model"
    engine: EngineConfig | None = None
    """The critic; None for the model that also tries again."""
    prompt: PromptConfig | None = None
    """How the critic is prompted; None for the prompt of the job without what is about solving: its
    examples, its system message and the text around the question."""
    told: Told = "nothing"
    """What the critic reads besides question and solution: the gold `answer`; a right `solution`
    (the worked one that came with the problem, or else a right one of the run); or all that is
    `known`: the gold answer, and of an error path place and content of its error. A problem
    without it is critiqued without."""


class CriticWithoutModel(FrozenConfig):
    """A critic that is no model: it writes one critique of each solution, and costs no tokens."""

    has_model: ClassVar[bool] = False

    @property
    def engine(self) -> None:
        """None, as there is no model."""

    @property
    def prompt(self) -> None:
        """None, as there is no model."""

    @property
    def told(self) -> Told:
        """`nothing`."""
        return "nothing"


class CheckerCriticConfig(CriticWithoutModel):
    """The exact checker of the built-in world: each step's verdict, and what to do instead."""

    type: Literal["checker"] = "checker"


class LabelsCriticConfig(CriticWithoutModel):
    """Stored step labels in words, without explanation: the first wrong step and those before it.

    Solutions whose first error the labels leave open get no critique.
    """

    type: Literal["labels"] = "labels"
    method: Annotated[str, Field(min_length=1)]
    """The labels' method, as in the `method` column."""


class FixedCriticConfig(CriticWithoutModel):
    """The same words about every solution: a control, or feedback that is always the same."""

    type: Literal["fixed"] = "fixed"
    text: str = ""
    """What is said, such as `Review: wrong`; empty if the actor is to try again without a critique
    (`refining.num_retries`)."""


CriticConfig = Annotated[
    ModelCriticConfig | CheckerCriticConfig | LabelsCriticConfig | FixedCriticConfig,
    Field(discriminator="type"),
]


class CritiquingConfig(SamplingParameters):
    """How critiques are drawn."""

    num_critiques: Annotated[int, Field(ge=1)] = 1
    """Critiques of each solution."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """0 is greedy, as published."""
    max_tokens: Annotated[int, Field(ge=1)] = 1536
    """Maximum tokens of a critique; a longer one is `truncated`, and cannot be learned from."""


class RefiningConfig(SamplingParameters):
    """How the actor tries again."""

    num_refinements: Annotated[int, Field(ge=0)] = 1
    """Second attempts with each critique; 0 for none. Ten for the filter of AutoMathCritique."""
    num_retries: Annotated[int, Field(ge=0)] = 0
    """Second attempts at each solution without a critique, as a control."""
    temperature: Annotated[float, Field(ge=0)] = 0.7
    """0.7 as published; 0 is greedy, which makes all second attempts with a critique the same."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Maximum tokens of a second attempt."""


class CritiquesJob(PromptedConfig):
    """Which solutions of a run are critiqued, by whom, and how often the actor tries again."""

    set_name: SetName = "eval"
    """The set of solutions, as named by the sampling stage."""
    round: Annotated[int, Field(ge=0)] | None = None
    """Only the solutions that a loop sampled from the policy in this round; None for all."""
    of: Literal["samples", "error_paths"] = "samples"
    """What is critiqued: the set's sampled and imported solutions, or those made wrong on
    purpose."""
    which: Literal["all", "wrong", "right"] = "all"
    """Which finished solutions: `all` as at test time, or those with `wrong` or `right` answers."""
    max_per_problem: Annotated[int, Field(ge=1)] | None = None
    """Only the first solutions of each problem, so many; None for all."""
    policy: EngineConfig = VLLMConfig(model=SHIPPED_POLICY)
    """The actor: the model that wrote the solutions, and tries again."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the actor is prompted."""
    critic: CriticConfig = ModelCriticConfig()
    """What writes the critiques."""
    format: CritiqueFormatConfig = LinesCritiqueConfig()
    """How critic and actor are asked, and how a critique is read."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether a second attempt is right."""
    critiquing: CritiquingConfig = CritiquingConfig()
    """How critiques are drawn."""
    refining: RefiningConfig = RefiningConfig()
    """How the actor tries again."""
    pool: PoolConfig = PoolConfig()
    """The actors."""
    seed: int = 0
    """Combined with the solution's id into the seed of each draw."""

    def stored_sets(self) -> tuple[str, ...] | None:
        """The set of solutions."""
        return (self.set_name,)

    @property
    def reads_grades(self) -> bool:
        """Whether the critiques depend on which solutions are right."""
        return self.which != "all" or self.critic.told == "solution"

    @property
    def critic_role(self) -> ModelRole:
        """The role of the engine that writes critiques."""
        return "policy" if self.critic.engine is None else "critic"

    @property
    def critic_prompt(self) -> PromptConfig:
        """How the critic is prompted."""
        return self.critic.prompt or self.prompt.for_other_tasks()
