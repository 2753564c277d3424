"""Whole problems as start states, with or without their gold answers.

Problems count that have at least one clean finished solution, right or wrong: those were checked.
"""

from collections.abc import Iterator

from schemas.dataset_export.state_builders import WholeProblemsConfig
from schemas.training_rows import PromptRow
from tasks.dataset_export.read import CheckedSource


def build(source: CheckedSource, config: WholeProblemsConfig) -> Iterator[PromptRow]:
    """A row per problem."""
    is_hidden = config.gold == "hidden"
    for problem in source.solved("any"):
        yield PromptRow(
            prompt=source.build_prompt(problem),
            answer="" if is_hidden else problem.gold,
            prefix="",
            stage=1,
            steps_to_go=0,
            source_ids=problem.solutions[0].ids,
            problem_id=problem.problem_id,
            source=problem.source,
            level=problem.level,
            weight=1.0,
            reason="whole problem, answer hidden" if is_hidden else "whole problem",
        )
