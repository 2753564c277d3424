"""The Prefect tasks of critiques and of the second attempts that they lead to."""

from tasks.critiques.critique import critique_solutions
from tasks.critiques.refine import refine_solutions
from tasks.engines.task import unit_task

critique_unit = unit_task(
    critique_solutions,
    name="critique_unit",
    verb="critique",
    description="Critique the solutions of one unit.",
)

refine_unit = unit_task(
    refine_solutions,
    name="refine_unit",
    verb="refine",
    description="Try again at the critiqued solutions of one unit.",
)
