"""How a refiner is asked: one completion with a critique and the correction (SCORE)."""

from typing import Annotated

from pydantic import Field

from schemas.critique_formats import CritiqueFormatConfig, LinesCritiqueConfig
from schemas.engines import EngineConfig
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.sampling_parameters import PromptedConfig, SamplingParameters


class RefinerConfig(SamplingParameters):
    """How a refiner's completions are drawn."""

    temperature: Annotated[float, Field(ge=0)] = 0.0
    """0 is greedy, as published."""
    max_tokens: Annotated[int, Field(ge=1)] = 2048
    """Maximum tokens of critique and correction together."""


class CorrectingConfig(PromptedConfig):
    """A refiner, and how it is asked about solutions."""

    refiner: EngineConfig
    """The model."""
    prompt: PromptConfig = PlainPromptConfig()
    """How it is prompted."""
    format: CritiqueFormatConfig = LinesCritiqueConfig()
    """How a critique is asked for."""
    joiner: Annotated[str, Field(min_length=1)] = "\nAgain:\n"
    """What stands between critique and correction."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether a correction is right."""
    drawing: RefinerConfig = RefinerConfig()
    """How completions are drawn."""
    seed: int = 0
    """Combined with the solution's id into the seed of each draw."""
