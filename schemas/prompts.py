"""How a dialogue becomes a prompt, and how its answer is cut into steps."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from schemas.base import FrozenConfig, Since
from schemas.prompt_presets import resolve_preset
from schemas.steps import StepRule, StepsConfig
from schemas.thinking import ThinkingConfig
from schemas.tools import ToolsConfig


def _names_question(template: str) -> str:
    if template.count("{question}") != 1:
        raise ValueError(f"expected {{question}} exactly once in the template, got {template!r}")
    return template


Template = Annotated[str, AfterValidator(_names_question)]
StopString = Annotated[str, Field(min_length=1)]

_OWN_ARGUMENTS = (
    "add_generation_prompt",
    "chat_template",
    "continue_final_message",
    "conversation",
    "messages",
    "return_dict",
    "return_tensors",
    "tokenize",
)
"""Arguments of a chat template that a prompt is made with, and that are no choice."""


class Example(FrozenConfig):
    """A question with its worked answer, shown before the question to be answered."""

    question: str
    """The question, as a problem has it; the template goes around it."""
    answer: Annotated[str, Field(min_length=1)]
    """The whole answer, as the model is to write one."""


class ExamplesFile(FrozenConfig):
    """The first rows of a file as examples."""

    file: str
    """Path of a JSON Lines file, visible to every host."""
    num: Annotated[int, Field(ge=1)] = 4
    """The number of its first rows that are taken."""
    question_column: str = "question"
    """The field with the question."""
    answer_column: str = "answer"
    """The field with the worked answer."""


class AnyPromptConfig(FrozenConfig):
    """What every prompt has: examples, the first words of the answer, and what its steps are."""

    separator: Annotated[str, Field(min_length=1)]
    """What ends a step of this model's solutions."""
    steps: Annotated[StepsConfig, Since(4)] = StepsConfig()
    """What else ends a step, and how short pieces are joined."""
    thinking: Annotated[ThinkingConfig | None, Since(4)] = None
    """How the model's thoughts are told from its answers; None for a model without."""
    tools: Annotated[ToolsConfig | None, Since(4)] = None
    """Which programs of a solution are run while it is written; None for none."""
    examples: Annotated[tuple[Example, ...] | ExamplesFile, Since(4)] = ()
    """Few-shot examples: a list of `{question, answer}`, or the file that has them."""
    opening: Annotated[str, Since(4)] = ""
    """First words of every answer, which the model continues. They are the end of the prompt, also
    in training sets; the solution that is stored and graded begins after them."""

    @model_validator(mode="after")
    def _tools_fit(self) -> Self:
        if self.tools is not None:
            if self.thinking is not None and self.thinking.is_forced:
                raise ValueError("tools: expected thoughts that are not forced, got both")
            if self.steps.max_steps is not None:
                raise ValueError("tools: expected no steps.max_steps, got both")
        return self

    @property
    def known_answers(self) -> tuple[str, ...]:
        """The texts in this config that a model imitates or continues."""
        examples = () if isinstance(self.examples, ExamplesFile) else self.examples
        return (*(example.answer for example in examples), self.opening)

    def for_other_tasks(self) -> Self:
        """How the same model is asked for something else than a solution, such as a critique.

        Without what belongs to the task: examples, opening words, text around the question, stop
        strings that follow from them, and a system message.
        """
        fields = type(self).model_fields
        own = {name: fields[name].get_default() for name in ("examples", "opening", "template")}
        own |= {"stop": "auto"} if "stop" in fields else {}
        own |= {"system": None} if "system" in fields else {}
        own["tools"] = None
        return self.with_fields(**own)

    @property
    def step_rule(self) -> StepRule:
        """All that ends a step."""
        return StepRule(
            separator=self.separator,
            min_chars=self.steps.min_chars,
            max_steps=self.steps.max_steps,
            starts=self.steps.words,
            thought_end=None if self.thinking is None else self.thinking.end,
        )


class PlainPromptConfig(AnyPromptConfig):
    """The question inside a text, as a base model reads it."""

    identity_order = ("type", "template", "separator")

    type: Literal["plain"] = "plain"
    template: Template = "{question}\n"
    """Text around the question (the user's first message), and around that of each example. It may
    also contain few-shot examples itself."""
    separator: Annotated[str, Field(min_length=1)] = "\n"
    """What ends a step of this model's solutions."""
    example_end: Annotated[str, Since(4)] = "\n\n"
    """What follows the answer of each of `examples`."""
    stop: Annotated[Literal["auto"] | tuple[StopString, ...], Since(4)] = "auto"
    """Texts that end a solution because a next question begins with them. `auto`: those that the
    template puts before a question, such as `Question:` at the start of a line."""

    @model_validator(mode="after")
    def _stops_outside_steps(self) -> Self:
        if self.stop != "auto":
            check_stop("stop", self.stop, self.separator, self.known_answers)
        return self


class ChatPromptConfig(AnyPromptConfig):
    """The question as a user message in the model's own chat template."""

    identity_order = ("type", "system", "template", "separator")

    type: Literal["chat"] = "chat"
    system: str | None = (
        "Solve the problem step by step. End each step with an empty line. "
        "Put the final answer in \\boxed{}."
    )
    """The system message of a dialogue without one; None for no system message."""
    template: Template = "{question}"
    """Text around the question in the user's first message, and around that of each example."""
    separator: Annotated[str, Field(min_length=1)] = "\n\n"
    """What ends a step of this model's solutions."""
    system_role: Annotated[Literal["own", "merge"], Since(4)] = "own"
    """Where a system message stands: `own` for the chat template's own role, `merge` for the
    beginning of the user's first message, for templates without that role."""
    template_arguments: Annotated[dict[str, Any], Since(4)] = {}  # noqa: RUF012
    """Arguments of the model's chat template, such as `{enable_thinking: false}`."""

    @model_validator(mode="after")
    def _arguments_are_free(self) -> Self:
        for name in self.template_arguments:
            if name in _OWN_ARGUMENTS:
                raise ValueError(
                    f"template_arguments: expected an argument of the chat template, got {name!r}, "
                    "which stepmill sets itself"
                )
        return self


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


def check_stop(
    field: str, stop: tuple[str, ...], separator: str, answers: tuple[str, ...] = ()
) -> None:
    """Refuse stop strings that would end every solution at its first step, or any good one.

    Args:
        field: the field that holds them, for the message.
        stop: texts that end a solution.
        separator: what ends a step.
        answers: texts that solutions imitate or continue.

    Raises:
        ValueError: names the stop string.
    """
    for string in stop:
        if string in separator:
            raise ValueError(
                f"{field}: expected texts that are not in the step separator {separator!r}, got "
                f"{string!r}, which would end every solution after its first step"
            )
        shown = next((answer for answer in answers if string in answer), None)
        if shown is not None:
            raise ValueError(
                f"{field}: expected texts that are not in the answers of the prompt, got "
                f"{string!r}, which {shown[:60]!r} contains: solutions like it would be cut there"
            )
