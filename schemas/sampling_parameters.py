"""How each token of a continuation is drawn, and what ends it: shared by all that samples."""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator

from schemas.base import FrozenConfig, Since
from schemas.prompts import check_stop

Recommended = Literal["temperature", "top_p", "top_k", "min_p", "repetition_penalty"]
"""The parameters that a model's generation_config.json may recommend."""

RECOMMENDED: tuple[Recommended, ...] = get_args(Recommended)


class SamplingParameters(FrozenConfig):
    """The distribution that tokens are drawn from, and what ends a text."""

    temperature: Annotated[float, Field(ge=0)] = 1.0
    """0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus sampling: the share of probability that is sampled from."""
    top_k: Annotated[Annotated[int, Field(ge=1)] | None, Since(4)] = None
    """Number of most likely tokens that are sampled from; None for all."""
    min_p: Annotated[float, Field(ge=0, le=1), Since(4)] = 0.0
    """Least probability of a token, as a share of that of the most likely one."""
    repetition_penalty: Annotated[float, Field(gt=0), Since(4)] = 1.0
    """Divides the positive logits of tokens that prompt or text already have, and multiplies the
    negative ones."""
    stop: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Since(4)] = ()
    """Texts that end a solution, such as the beginning of a next question. The solution is finished
    and graded without them; they are added to those of the prompt."""
    stop_ids: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Since(4)] = ()
    """Token ids that end a solution like an end of text, besides the model's own."""
    from_model: Annotated[tuple[Recommended, ...], Since(4)] = ()
    """Parameters that are taken from the generation_config.json of the model, where that names
    them; they must not be set here too."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        fields = type(self).model_fields
        for name in self.from_model:
            value = getattr(self, name)
            if value != fields[name].get_default():
                raise ValueError(
                    f"{name}: expected no value beside from_model, which takes it from the model, "
                    f"got {value!r}"
                )
        return self

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """The parameters set here that change what is drawn and that rows do not record."""
        names = ("top_k", "min_p", "repetition_penalty", "stop_ids", "from_model")
        fields = type(self).model_fields
        return tuple(name for name in names if getattr(self, name) != fields[name].get_default())

    def request_fields(self) -> dict[str, Any]:
        """The fields of a GenerationRequest that say how tokens are drawn."""
        return {
            **{name: getattr(self, name) for name in RECOMMENDED},
            "stop_ids": self.stop_ids,
        }


class PromptedConfig(FrozenConfig):
    """The base of configs with a `prompt`, by which their sampling is checked."""

    @model_validator(mode="after")
    def _stops_outside_steps(self) -> Self:
        """Refuse stop strings that the prompt makes useless; see `check_stop`."""
        values = dict(self)
        prompt = values["prompt"]
        for name, value in values.items():
            if isinstance(value, SamplingParameters) and prompt is not None:
                check_stop(f"{name}.stop", value.stop, prompt.separator, prompt.known_answers)
        return self
