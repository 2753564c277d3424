"""Builders of weak-to-strong sets: labels of a weak verifier, and the truth (arXiv:2312.09390)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.dataset_export.builder import BuilderConfig, Form, PerProblem, Reads


class WeakLabelsConfig(BuilderConfig):
    """Solutions with a weak verifier's scores as step labels, for a strong verifier.

    `source.verifier` names the weak one. Rows hold nothing of the truth: `correct` is null.
    """

    form: ClassVar[Form] = "stepwise"
    reads: ClassVar[Reads] = "scores"
    keeps: ClassVar[str] = "scored solutions, whatever their grades"
    type: Literal["weak_labels"] = "weak_labels"
    hard_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Minimum score of a step whose hard label is right; the soft label is the score."""
    per_problem: PerProblem | None = None
    """Maximum number of solutions per problem; None for all."""


class WorkedConfig(BuilderConfig):
    """The worked solutions that came with the problems, and nothing that was sampled."""

    reads: ClassVar[Reads] = "worked"
    keeps: ClassVar[str] = "worked solutions that came with the problems"
    mixes_in: ClassVar[bool] = True
    type: Literal["worked"] = "worked"
