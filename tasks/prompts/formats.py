"""A dialogue as the text that a model continues, or as messages that its server lays out.

The first message of the user is put into the prompt's template; later ones, which are about what
came before, stand as they are. A model with a chat template gets that template over the whole
dialogue, and a server with a chat API a JSON list of messages; a dialogue without a system message
of its own begins with the prompt's.

A plain model reads the texts one after another:

    <system text>, an empty line
    <the template around the first message of the user>
    <answer>, ended by the separator
    <next message of the user>, ended by a line break
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.engines import EngineConfig
from schemas.errors import ModelUnusable
from schemas.prompts import ChatPromptConfig, PlainPromptConfig, PromptConfig
from schemas.rows import Step
from schemas.steps import StepRule
from schemas.thinking import THOUGHT_TAGS
from tasks.prompts.messages import Message, check_dialogue, system, user
from tasks.prompts.render import render
from tasks.thinking.thoughts import Thoughts


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """How one model is prompted, and what ends a step of its answers."""

    build: Callable[[Sequence[Message]], str]
    """From a dialogue that ends with the user's message to the prompt."""
    has_chat_template: bool
    """Whether the prompt already contains its special tokens, or is a JSON list of messages."""
    separator: str
    rule: StepRule | None = None
    """All that ends a step; None for the separator alone."""
    thoughts: Thoughts | None = None
    """How thoughts are told from answers; None for a model without."""

    @property
    def step_rule(self) -> StepRule:
        """All that ends a step."""
        return self.rule or StepRule(separator=self.separator)

    @property
    def thought_tags(self) -> tuple[str, str]:
        """The tags of a thought, also for a model whose thoughts are not told apart."""
        return THOUGHT_TAGS[0] if self.thoughts is None else self.thoughts.tags

    def answers(self, texts: Iterable[str]) -> list[str]:
        """The texts as graders read them: without thoughts, which may be cut."""
        return [text if self.thoughts is None else self.thoughts.answer(text) for text in texts]

    def count_thinking(self, steps: Sequence[Step], before: str = "") -> int | None:
        """Tokens of steps after the text `before` that are thoughts; None for a model without."""
        return None if self.thoughts is None else self.thoughts.num_tokens(steps, before)

    def ask(self, question: str) -> str:
        """The prompt of a question alone."""
        return self.build([user(question)])


def make_prompt_format(config: PromptConfig, engine: EngineConfig) -> PromptFormat:
    """The prompt format of this model.

    Raises:
        ModelUnusable: a chat prompt is configured for a model without a chat template.
    """
    if isinstance(config, ChatPromptConfig):
        build = _chat_builder(config, engine)
    else:
        build = _plain_builder(config)
    thoughts = None
    if config.thinking is not None:
        thoughts = Thoughts.of(config.thinking, build([user("?")]))
    is_chat = isinstance(config, ChatPromptConfig)
    return PromptFormat(build, is_chat, config.separator, config.step_rule, thoughts)


def _plain_builder(config: PlainPromptConfig) -> Callable[[Sequence[Message]], str]:
    def build(messages: Sequence[Message]) -> str:
        ends = {"system": "\n\n", "assistant": config.separator, "user": "\n"}
        first = _first_of_user(messages)
        return "".join(
            render(config.template, question=message.text)
            if index == first
            else message.text.removesuffix(ends[message.role]) + ends[message.role]
            for index, message in enumerate(messages)
        )

    return build


def _chat_builder(
    config: ChatPromptConfig, engine: EngineConfig
) -> Callable[[Sequence[Message]], str]:
    if engine.type == "openai" and engine.api == "chat":
        return lambda messages: json.dumps(_to_records(config, messages), ensure_ascii=False)
    from tasks.models.folders import load_tokenizer, resolve_model

    source, revision = _template_source(engine)
    tokenizer: Any = load_tokenizer(resolve_model(source, revision))
    if tokenizer.chat_template is None:
        raise ModelUnusable(f"model {source} has no chat template: use a plain prompt")

    def build(messages: Sequence[Message]) -> str:
        return tokenizer.apply_chat_template(
            _to_records(config, messages), tokenize=False, add_generation_prompt=True
        )

    return build


def _template_source(engine: EngineConfig) -> tuple[str, str | None]:
    """The model whose chat template an engine's prompts need, and its revision."""
    if engine.type == "vllm":
        return engine.model, engine.revision
    if engine.type != "openai":
        raise ModelUnusable(f"engine {engine.type} has no chat template: use a plain prompt")
    if engine.tokenizer is None:
        raise ModelUnusable(
            f"model {engine.model}: a chat prompt over the completions API needs the chat "
            "template: set policy.tokenizer, or policy.api to chat, or use a plain prompt"
        )
    return engine.tokenizer, None


def _to_records(config: ChatPromptConfig, messages: Sequence[Message]) -> list[dict[str, str]]:
    """The messages as chat templates and servers read them."""
    first = _first_of_user(messages)
    if first == 0 and config.system is not None:
        messages, first = [system(config.system), *messages], 1
    return [
        {
            "role": message.role,
            "content": render(config.template, question=message.text)
            if index == first
            else message.text,
        }
        for index, message in enumerate(messages)
    ]


def _first_of_user(messages: Sequence[Message]) -> int:
    """The place of the message that the template goes around."""
    check_dialogue(messages)
    return 1 if messages[0].role == "system" else 0
