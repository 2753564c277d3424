"""A question as the text a model continues."""

from collections.abc import Callable

from schemas.engines import EngineConfig
from schemas.errors import ModelUnusable
from schemas.prompts import ChatPromptConfig, PromptConfig

BuildPrompt = Callable[[str], str]


def make_prompt_builder(config: PromptConfig, engine: EngineConfig) -> BuildPrompt:
    """The function from a question to the prompt of this model.

    Raises:
        ModelUnusable: a chat prompt is asked of a model without a chat template.
    """
    if not isinstance(config, ChatPromptConfig):
        template = config.template
        return lambda question: template.replace("{question}", question)
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
