"""A question as the text a model continues."""

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
    """The prompt carries its special tokens already."""
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
    if engine.type != "vllm":
        raise ModelUnusable(f"engine {engine.type} has no chat template: use a plain prompt")
    from transformers import AutoTokenizer

    from tasks.models import resolve_model

    tokenizer = AutoTokenizer.from_pretrained(resolve_model(engine.model), revision=engine.revision)
    if tokenizer.chat_template is None:
        raise ModelUnusable(f"model {engine.model} has no chat template: use a plain prompt")

    def build(question: str) -> str:
        messages = [{"role": "user", "content": config.template.replace("{question}", question)}]
        if config.system is not None:
            messages.insert(0, {"role": "system", "content": config.system})
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    return build
