"""The Prefect tasks of critiques, and of the attempts and the self-talk that they lead to."""

from tasks.critiques.correct import correct_solutions
from tasks.critiques.critique import critique_solutions
from tasks.critiques.refine import refine_solutions
from tasks.critiques.revise import revise_solutions
from tasks.critiques.talk import write_talks
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

revise_unit = unit_task(
    revise_solutions,
    name="revise_unit",
    verb="revise",
    description="Go on from before the wrong steps of one unit's solutions.",
)

talk_unit = unit_task(
    write_talks,
    name="talk_unit",
    verb="write talks of",
    description="Write the self-talk of one unit's solutions.",
)

correct_unit = unit_task(
    correct_solutions,
    name="correct_unit",
    verb="correct",
    description="Have a refiner criticise and correct the solutions of one unit.",
)
