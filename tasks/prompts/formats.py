"""A question as the text a model continues, or as messages where its server lays them out."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from schemas.engines import EngineConfig
from schemas.errors import ModelUnusable
from schemas.prompts import ChatPromptConfig, PromptConfig


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """How one model is asked, and what ends a step of its answers."""

    build: Callable[[str], str]
    """From a question to the prompt."""
    has_chat_template: bool
    """The prompt carries its special tokens already, or is a JSON list of messages."""
    separator: str


def make_prompt_format(config: PromptConfig, engine: EngineConfig) -> PromptFormat:
    """The prompt format of this model.

    Raises:
        ModelUnusable: a chat prompt is asked of a model without a chat template.
    """
    if isinstance(config, ChatPromptConfig):
        return PromptFormat(_chat_builder(config, engine), True, config.separator)
    template = config.template
    return PromptFormat(lambda q: template.replace("{question}", q), False, config.separator)


def _chat_builder(config: ChatPromptConfig, engine: EngineConfig) -> Callable[[str], str]:
    if engine.type == "openai" and engine.api == "chat":
        return lambda question: json.dumps(_messages(config, question), ensure_ascii=False)
    from tasks.models.folders import load_tokenizer, resolve_model

    source, revision = _template_source(engine)
    tokenizer = load_tokenizer(resolve_model(source, revision))
    if tokenizer.chat_template is None:
        raise ModelUnusable(f"model {source} has no chat template: use a plain prompt")

    def build(question: str) -> str:
        return tokenizer.apply_chat_template(
            _messages(config, question), tokenize=False, add_generation_prompt=True
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


def _messages(config: ChatPromptConfig, question: str) -> list[dict[str, str]]:
    messages = [{"role": "user", "content": config.template.replace("{question}", question)}]
    if config.system is not None:
        messages.insert(0, {"role": "system", "content": config.system})
    return messages
