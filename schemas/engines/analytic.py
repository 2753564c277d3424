"""Policies whose every probability is known, which tests and studies measure against."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.base import FrozenConfig

NUM_PLANTED_GOLD = 5
"""Symbols of the gold sequence of the planted-subsequence policy."""


class PlantedConfig(FrozenConfig):
    """The planted-subsequence policy of arXiv:2502.12118: every probability is known."""

    is_offered: ClassVar[bool] = False
    type: Literal["planted"] = "planted"
    gammas: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=1)] = (
        0.25,
        0.75,
    )
    """Skills of the mixture, equally likely; a solution is written with one of them."""
    horizon: Annotated[int, Field(ge=1)] = 10
    """Symbols in a whole solution (H)."""
    verifier_noise: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of a score that is a fixed pseudo-random number instead of the true value."""


class MarkovConfig(FrozenConfig):
    """A solver that walks a chain of right and wrong steps: every probability is known."""

    is_offered: ClassVar[bool] = False
    type: Literal["markov"] = "markov"
    num_steps: Annotated[int, Field(ge=1)] = 5
    """Steps before the answer line."""
    p_right: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Chance that a step after a right one is right."""
    p_recover: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Chance that a step after a wrong one repairs it."""
    verifier_noise: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of a score that is a fixed pseudo-random number instead of the true value."""


class TacticsConfig(FrozenConfig):
    """Random tactics for the shipped theorems: which proofs Coq accepts is known in advance."""

    is_offered: ClassVar[bool] = False
    type: Literal["tactics"] = "tactics"
    p_end: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Chance that a proof of one or two tactics ends there; one of three always does."""
    verifier_noise: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of a score that is a fixed pseudo-random number instead of the true value."""


class CalculatorConfig(FrozenConfig):
    """A policy that writes programs and cannot compute: exact with tools and without."""

    is_offered: ClassVar[bool] = False
    type: Literal["calculator"] = "calculator"
    p_right: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Chance that a program multiplies, as it should; else it adds."""
    verifier_noise: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of a score that is a fixed pseudo-random number instead of the true value."""


class LinesConfig(FrozenConfig):
    """Small programs written line by line: whether they pass their tests has an exact chance."""

    is_offered: ClassVar[bool] = False
    type: Literal["lines"] = "lines"
    num_lines: Annotated[int, Field(ge=1)] = 3
    """Lines between the first and the last, each right or wrong."""
    p_right: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Chance that a line is right; one wrong line fails the tests."""
    verifier_noise: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Share of a score that is a fixed pseudo-random number instead of the true value."""
