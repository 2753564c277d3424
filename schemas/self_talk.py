"""Self-talk: solutions that judge and mend themselves step by step, written from critiques."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig
from schemas.critique_formats import Template
from schemas.critiques import CritiquesJob, LabelsCriticConfig, RefiningConfig
from schemas.engines import EngineConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.rows import ModelRole
from schemas.sampling_parameters import PromptedConfig, SamplingParameters


class WorldVoiceConfig(FrozenConfig):
    """The built-in world's own words: each line of a review as somebody says it to themselves."""

    type: Literal["world"] = "world"


class RewritingConfig(SamplingParameters):
    """How a model rewrites a chain."""

    temperature: Annotated[float, Field(ge=0)] = 0.0
    """0 is greedy."""
    max_tokens: Annotated[int, Field(ge=1)] = 2048
    """Maximum tokens of a monologue; a longer one is cut, and left out."""


class ModelVoiceConfig(PromptedConfig):
    """A model rewrites the whole chain as a monologue in the first person."""

    type: Literal["model"] = "model"
    engine: EngineConfig | None = None
    """The annotator; None for the policy itself."""
    prompt: PromptConfig = PlainPromptConfig()
    """How it is prompted."""
    template: Template = (
        "Problem: {question}\n\nBelow is a solution, each step followed by a critique of it.\n\n"
        "{chain}\n\n"
        "Rewrite it as one natural monologue in the first person, in which I solve the problem, "
        "doubt and check my steps, and mend what is wrong. Keep every step, every mistake and "
        "every number, and end with the same line that gives the answer. Write only the "
        "monologue.\n"
    )
    """Asks for the monologue; `{question}` and `{chain}` are filled in."""
    rewriting: RewritingConfig = RewritingConfig()
    """How it is drawn."""

    @model_validator(mode="after")
    def _template_names_its_places(self) -> Self:
        for place in ("question", "chain"):
            if self.template.count(f"{{{place}}}") != 1:
                raise ValueError(
                    f"template: expected {{{place}}} exactly once, got {self.template!r}"
                )
        return self


VoiceConfig = Annotated[WorldVoiceConfig | ModelVoiceConfig, Field(discriminator="type")]


class SelfTalkJob(CritiquesJob):
    """Which solutions of a run become self-talk, who judges them, and who mends and rewrites them.

    A critic judges a solution step by step. If it finds an error, the actor goes on from before the
    wrong step, and the critic judges again, until it finds none. Steps and critiques in this order
    are a chain, which a voice may rewrite in the first person (arXiv:2411.16579, section 6).
    """

    refining: RefiningConfig = RefiningConfig()
    """How the actor goes on from before a wrong step; it does so once per critique."""
    max_rounds: Annotated[int, Field(ge=1)] = 3
    """Maximum number of times that the actor goes on; a chain with an error left is given up."""
    shows_critique: bool = True
    """Whether the actor reads its attempt and the critique when it goes on, or the problem alone,
    so that it draws the rest anew."""
    voice: VoiceConfig | None = None
    """What rewrites the chains; None for nothing, so that the chains themselves are learned."""

    @model_validator(mode="after")
    def _goes_on_once(self) -> Self:
        given = (
            self.critiquing.num_critiques,
            self.refining.num_refinements,
            self.refining.num_retries,
        )
        if given != (1, 1, 0):
            raise ValueError(
                "expected critiquing.num_critiques 1, refining.num_refinements 1 and "
                f"refining.num_retries 0, as a chain has no branches, got {given}"
            )
        return self

    @model_validator(mode="after")
    def _judges_what_is_new(self) -> Self:
        if self.of != "samples":
            raise ValueError(f"of: expected samples, whose errors are the actor's, got {self.of}")
        if isinstance(self.critic, LabelsCriticConfig):
            raise ValueError(
                "critic: expected one that reads revisions, which have no step labels, got labels"
            )
        return self

    @property
    def voice_role(self) -> ModelRole:
        """The role of the engine that rewrites chains."""
        has_own = isinstance(self.voice, ModelVoiceConfig) and self.voice.engine is not None
        return "annotator" if has_own else "policy"
