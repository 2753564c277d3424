"""What the models of a config are asked with, where it does not stand in the config itself."""

from collections.abc import Iterator
from typing import Any

from schemas.base import FrozenConfig
from schemas.prompts import AnyPromptConfig, PlainPromptConfig
from schemas.sampling_parameters import SamplingParameters
from tasks.models.recommended import with_recommended
from tasks.prompts.examples import load_examples
from tasks.prompts.stops import derive_stops


def asked_lines(config: FrozenConfig) -> list[str]:
    """The stop strings of a prompt, and the parameters that the model's own config decides.

    Raises:
        ModelUnusable: the model does not exist.
        ValueError: examples or recommendations cannot be read.
    """
    fields = dict(config)
    return [
        *_prompt_lines(fields.get("prompt")),
        *_parameter_lines(fields),
        *_stop_lines(fields),
    ]


def _prompt_lines(prompt: object) -> Iterator[str]:
    if isinstance(prompt, PlainPromptConfig):
        stops = derive_stops(prompt, load_examples(prompt))
        if stops:
            yield f"prompt.stop: {', '.join(map(repr, stops))}"


def _stop_lines(fields: dict[str, Any]) -> Iterator[str]:
    """The stop strings of the user that the prompt itself contains."""
    prompt = fields.get("prompt")
    if not isinstance(prompt, AnyPromptConfig):
        return
    texts = [str(getattr(prompt, name, None) or "") for name in ("system", "template")]
    texts += [example.question for example in load_examples(prompt)]
    for name, value in fields.items():
        for stop in value.stop if isinstance(value, SamplingParameters) else ():
            if any(stop in text for text in texts):
                yield f"{name}.stop: {stop!r} is in the prompt, too; it ends only what is written"


def _parameter_lines(fields: dict[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        if isinstance(value, SamplingParameters) and value.from_model:
            used = with_recommended(value, getattr(value, "engine", None) or fields["policy"])
            told = ", ".join(f"{each}={getattr(used, each)}" for each in value.from_model)
            yield f"{name}: {told} (generation_config.json of the policy)"
