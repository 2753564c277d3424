"""Builders of sets from critiques and self-talk."""

from typing import ClassVar, Literal

from schemas.dataset_export.builder import BuilderConfig, PerProblem, Reads


class SelfTalkConfig(BuilderConfig):
    """Solutions that judge and mend themselves in one text (arXiv:2411.16579, section 6)."""

    reads: ClassVar[Reads] = "talks"
    keeps: ClassVar[str] = "self-talk that ends in the right answer"
    extra_columns: ClassVar[tuple[str, ...]] = ("segments", "answer_preserved")
    type: Literal["self_talk"] = "self_talk"
    written: Literal["monologue", "chain", "correction"] = "monologue"
    """`monologue`: as a voice has rewritten it, `chain`: steps and critiques as they are, or
    `correction`: whole attempts, each followed by a bare verdict, for comparison. Sets of several
    kinds from the same run have rows of the same solutions, but for monologues left out."""
    per_problem: PerProblem | None = 4
    """Maximum number of talks per problem; None for all."""
