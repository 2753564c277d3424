"""How a dialogue becomes a prompt, and how its answer is cut into steps."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from schemas.base import FrozenConfig, Since
from schemas.prompt_presets import resolve_preset
from schemas.steps import StepRule, StepsConfig
from schemas.thinking import ThinkingConfig


def _names_question(template: str) -> str:
    if template.count("{question}") != 1:
        raise ValueError(f"expected {{question}} exactly once in the template, got {template!r}")
    return template


def _step_rule(separator: str, steps: StepsConfig, thinking: ThinkingConfig | None) -> StepRule:
    return StepRule(
        separator=separator,
        min_chars=steps.min_chars,
        max_steps=steps.max_steps,
        starts=steps.words,
        thought_end=None if thinking is None else thinking.end,
    )


Template = Annotated[str, AfterValidator(_names_question)]


class PlainPromptConfig(FrozenConfig):
    """The question inside a text, as a base model reads it."""

    type: Literal["plain"] = "plain"
    template: Template = "{question}\n"
    """Text around the question (the user's first message), including any few-shot examples."""
    separator: Annotated[str, Field(min_length=1)] = "\n"
    """What ends a step of this model's solutions."""
    steps: Annotated[StepsConfig, Since(4)] = StepsConfig()
    """What else ends a step, and how short pieces are joined."""
    thinking: Annotated[ThinkingConfig | None, Since(4)] = None
    """How the model's thoughts are told from its answers; None for a model without."""

    @property
    def step_rule(self) -> StepRule:
        """All that ends a step."""
        return _step_rule(self.separator, self.steps, self.thinking)


class ChatPromptConfig(FrozenConfig):
    """The question as a user message in the model's own chat template."""

    type: Literal["chat"] = "chat"
    system: str | None = (
        "Solve the problem step by step. End each step with an empty line. "
        "Put the final answer in \\boxed{}."
    )
    """The system message of a dialogue without one; None for no system message."""
    template: Template = "{question}"
    """Text around the question in the user's first message."""
    separator: Annotated[str, Field(min_length=1)] = "\n\n"
    """What ends a step of this model's solutions."""
    steps: Annotated[StepsConfig, Since(4)] = StepsConfig()
    """What else ends a step, and how short pieces are joined."""
    thinking: Annotated[ThinkingConfig | None, Since(4)] = None
    """How the model's thoughts are told from its answers; None for a model without."""

    @property
    def step_rule(self) -> StepRule:
        """All that ends a step."""
        return _step_rule(self.separator, self.steps, self.thinking)


class PresetPromptConfig(FrozenConfig):
    """A prompt by name, such as `llama-3`; it becomes a plain or chat prompt when it is checked.

    Fields of that prompt may stand beside the name and replace the preset's.
    """

    model_config = ConfigDict(extra="allow")

    type: Literal["preset"] = "preset"
    name: str
    """The preset, as in `stepmill describe`, which prints what it stands for."""


GivenPromptConfig = Annotated[
    PlainPromptConfig | ChatPromptConfig | PresetPromptConfig, Field(discriminator="type")
]
"""A prompt as a caller may give it."""

PromptConfig = Annotated[
    PlainPromptConfig | ChatPromptConfig,
    Field(discriminator="type"),
    BeforeValidator(resolve_preset, json_schema_input_type=GivenPromptConfig),
]
"""A prompt; a preset is given by its name and stored as what it stands for."""
