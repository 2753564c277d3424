"""A dialogue as the text that a model continues, or as messages that its server lays out.

The first message of the user is put into the prompt's template; later ones, which are about what
came before, stand as they are. A model with a chat template gets that template over the whole
dialogue, and a server with a chat API a JSON list of messages (or an object with the list and the
template's arguments); a dialogue without a system message of its own begins with the prompt's.
Few-shot examples are turns before the first message of the user; opening words begin the answer.

A plain model reads the texts one after another:

    <system text>, an empty line
    <the template around an example's question><its answer>, ended by what ends an example
    <the template around the first message of the user>
    <answer>, ended by the separator
    <next message of the user>, ended by a line break
    <opening words>
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.engines import EngineConfig
from schemas.errors import ModelUnusable
from schemas.prompts import (
    ChatPromptConfig,
    Example,
    PlainPromptConfig,
    PromptConfig,
    check_stop,
)
from schemas.rows import Step
from schemas.steps import StepRule
from schemas.thinking import THOUGHT_TAGS
from tasks.prompts.chat_templates import ChatTemplate
from tasks.prompts.examples import load_examples
from tasks.prompts.messages import Message, assistant, check_dialogue, system, user
from tasks.prompts.render import render
from tasks.prompts.stops import derive_stops
from tasks.thinking.thoughts import Thoughts


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """How one model is prompted, and what ends a step of its answers, and the answers."""

    build: Callable[[Sequence[Message]], str]
    """From a dialogue that ends with the user's message to the prompt."""
    has_chat_template: bool
    """Whether the prompt already contains its special tokens, or is a JSON list of messages."""
    separator: str
    rule: StepRule | None = None
    """All that ends a step; None for the separator alone."""
    thoughts: Thoughts | None = None
    """How thoughts are told from answers; None for a model without."""
    stop: tuple[str, ...] = ()
    """Strings that begin what is no part of an answer, such as a next question."""
    shown_answers: tuple[str, ...] = ()
    """The texts in every prompt that an answer imitates or continues."""

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

    def ends(self, stop: tuple[str, ...] = ()) -> tuple[str, ...]:
        """All strings that end an answer: those of the prompt, and further ones.

        Raises:
            ValueError: one of them would end every answer at its first step, or every answer that
                is like those in the prompt.
        """
        if stop:
            check_stop("stop", stop, self.separator, self.shown_answers)
        return tuple(dict.fromkeys((*self.stop, *stop)))


def make_prompt_format(config: PromptConfig, engine: EngineConfig) -> PromptFormat:
    """The prompt format of this model.

    Raises:
        ModelUnusable: a chat prompt is configured for a model without a chat template, or with one
            that refuses the prompt's messages or arguments.
        ValueError: the file of examples cannot be read.
    """
    examples = load_examples(config)
    shown = (*(example.answer for example in examples), config.opening)
    if isinstance(config, ChatPromptConfig):
        build, stop = _chat_builder(config, engine, examples), ()
    else:
        build, stop = _plain_builder(config, examples), derive_stops(config, examples)
    thoughts = None
    if config.thinking is not None:
        thoughts = Thoughts.of(config.thinking, build([user("?")]))
    return PromptFormat(
        build,
        isinstance(config, ChatPromptConfig),
        config.separator,
        config.step_rule,
        thoughts,
        stop=stop,
        shown_answers=shown,
    )


def _plain_builder(
    config: PlainPromptConfig, examples: Sequence[Example]
) -> Callable[[Sequence[Message]], str]:
    shown = "".join(_plain_example(config, example) for example in examples)

    def build(messages: Sequence[Message]) -> str:
        ends = {"system": "\n\n", "assistant": config.separator, "user": "\n"}
        first = _first_of_user(messages)
        texts = (
            shown + render(config.template, question=message.text)
            if index == first
            else message.text.removesuffix(ends[message.role]) + ends[message.role]
            for index, message in enumerate(messages)
        )
        return "".join(texts) + config.opening

    return build


def _plain_example(config: PlainPromptConfig, example: Example) -> str:
    """One example as text; a space stands before an answer on the line of the template's end."""
    asked = render(config.template, question=example.question)
    space = "" if asked[-1:].isspace() else " "
    return asked + space + example.answer.strip() + config.example_end


def _chat_builder(
    config: ChatPromptConfig, engine: EngineConfig, examples: Sequence[Example]
) -> Callable[[Sequence[Message]], str]:
    def lay_out(messages: Sequence[Message]) -> list[dict[str, str]]:
        return _to_records(config, messages, examples)

    if engine.type == "openai" and engine.api == "chat":

        def build_messages(messages: Sequence[Message]) -> str:
            records = lay_out(messages)
            if config.opening:
                records.append({"role": "assistant", "content": config.opening})
            asked: Any = records
            if config.template_arguments:
                asked = {"messages": records, "template_arguments": config.template_arguments}
            return json.dumps(asked, ensure_ascii=False)

        return build_messages
    source, revision = _template_source(engine)
    template = ChatTemplate(source, revision, config.template_arguments)
    template.check_system(lay_out([user("1 + 1 = ?")]))

    def build(messages: Sequence[Message]) -> str:
        return template.render(lay_out(messages)) + config.opening

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


def _to_records(
    config: ChatPromptConfig, messages: Sequence[Message], examples: Sequence[Example]
) -> list[dict[str, str]]:
    """The messages as chat templates and servers read them."""
    first = _first_of_user(messages)
    if first == 0 and config.system is not None:
        messages, first = [system(config.system), *messages], 1
    shown = [turn for each in examples for turn in (user(each.question), assistant(each.answer))]
    asked = {*range(first, first + len(shown), 2), first + len(shown)}
    records = [
        {
            "role": message.role,
            "content": render(config.template, question=message.text)
            if index in asked
            else message.text,
        }
        for index, message in enumerate([*messages[:first], *shown, *messages[first:]])
    ]
    if config.system_role == "merge" and first == 1:
        told, *records = records
        records[0]["content"] = f"{told['content']}\n\n{records[0]['content']}"
    return records


def _first_of_user(messages: Sequence[Message]) -> int:
    """The place of the message that the template goes around."""
    check_dialogue(messages)
    return 1 if messages[0].role == "system" else 0
