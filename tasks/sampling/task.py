"""The sampling stage's Prefect task: one unit of problems."""

from tasks.engines.task import unit_task
from tasks.sampling.sample import sample_problems

sample_unit = unit_task(
    sample_problems,
    name="sample_unit",
    verb="sample",
    description="Sample and grade the solutions of one unit's problems.",
)
