"""A judge's first training set: critiques to judge by, and right solutions (arXiv:2401.10020).

Deviation: the published seed data are people's answers with their ranks; here they are an
annotator's critiques of the policy's own solutions, and those of them that are right.
"""

from collections.abc import Iterator

from schemas.dataset_export.judge_builders import JudgeBuilderConfig
from schemas.training_rows import CompletionRow
from tasks.dataset_export.builders import critique, rest_em
from tasks.dataset_export.read import CheckedSource


def build(source: CheckedSource, config: JudgeBuilderConfig) -> Iterator[CompletionRow]:
    """The rows of critiques, then a row per right solution."""
    yield from critique.build(source, config)
    problems = source.solved("right")
    yield from rest_em.right_rows(source, problems, config.solutions_per_problem)
