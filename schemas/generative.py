"""Verifiers that write a critique: its layout, and how many are drawn for each score."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig
from schemas.critique_formats import LinesCritiqueConfig, StepwiseCritiqueConfig, Template
from schemas.prompts import ChatPromptConfig, PlainPromptConfig, PromptConfig
from schemas.sampling_parameters import SamplingParameters


class GenPrmLayoutConfig(FrozenConfig):
    r"""A turn per step, which ends with `\boxed{Yes}` or `\boxed{No}` (GenPRM, arXiv:2504.00891).

    Programs that a turn contains are not run.
    """

    type: Literal["genprm"] = "genprm"
    system: str | None = (
        "You are a math teacher. Your task is to review and critique the paragraphs in solution "
        "step by step."
    )
    """The system message; None for none."""
    template: Template = "Question: {question}\n\n{step}"
    """The first message, with `{question}` and the first `{step}`; others are the step alone."""
    opening: str = "<analyze>\nLet's analyze the Paragraph {step} step by step: "
    """First words of each turn; `{step}` is the number of the step, from 1."""


class ThinkPrmLayoutConfig(FrozenConfig):
    r"""One chain, `\boxed{correct}` or `\boxed{incorrect}` per step (ThinkPRM, arXiv:2504.16828).

    A chain ends after the first incorrect step.
    """

    type: Literal["thinkprm"] = "thinkprm"
    template: Template = (
        "You are given a math problem and a proposed step-by-step solution:\n\n[Math Problem]\n\n"
        "{question}\n\n[Solution]\n\n{solution}\n\nReview and critique each step in the proposed "
        "solution to determine whether each step is correct. If the solution is incomplete, only "
        "verify the provided steps."
    )
    """The message, with `{question}` and `{solution}`, its steps numbered."""


VerdictLayoutConfig = Annotated[
    LinesCritiqueConfig | StepwiseCritiqueConfig | GenPrmLayoutConfig | ThinkPrmLayoutConfig,
    Field(discriminator="type"),
]


class GenerativeConfig(SamplingParameters):
    """A language model as a verifier: it writes critiques, and each verdict in them is a score."""

    layout: VerdictLayoutConfig = LinesCritiqueConfig()
    """What it is asked, and where its verdicts stand."""
    prompt: PromptConfig | None = None
    """How the message becomes its prompt; None for a plain prompt for `lines`, and for its chat
    without a system message otherwise."""
    num_chains: Annotated[int, Field(ge=1)] = 1
    """Critiques of each solution, whose scores are averaged."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """Temperature of the critiques; more than one needs a temperature above 0."""
    max_tokens: Annotated[int, Field(ge=1)] = 1536
    """Maximum tokens of a critique, or of a turn of `genprm`."""
    num_alternatives: Annotated[int, Field(ge=0, le=20)] = 5
    """Likeliest tokens at each position that a server is asked for; with 0, or a server that tells
    none, a verdict scores 1 or 0. An engine of type `vllm` reads the verdicts' own tokens."""
    seed: int = 0
    """Combined with question and steps into the seed of each critique."""

    @model_validator(mode="after")
    def _chains_differ(self) -> Self:
        if self.num_chains > 1 and self.temperature == 0 and "temperature" not in self.from_model:
            raise ValueError(
                "num_chains: expected 1 at temperature 0, where all critiques are the same, "
                f"got {self.num_chains}"
            )
        return self

    @property
    def own_prompt(self) -> PromptConfig:
        """How the message becomes a prompt."""
        if self.prompt is not None:
            return self.prompt
        if self.layout.type == "lines":
            return PlainPromptConfig()
        return ChatPromptConfig(system=None)


class ImplicitConfig(FrozenConfig):
    """A step's score by how much likelier a trained model finds it than its reference does."""

    reference: str
    """The model that it was trained from: a folder, or a Hugging Face id."""
    revision: str | None = None
    """Commit, tag or branch of a Hugging Face id."""
    beta: Annotated[float, Field(gt=0)] = 0.05
    """Weight of the log ratio, as in the training's loss; .05 as published (arXiv:2412.01981)."""
