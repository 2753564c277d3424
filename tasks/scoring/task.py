"""The scoring stage's Prefect task: one file of trajectories."""

from tasks.engines.task import unit_task
from tasks.scoring.score import score_trajectories

score_unit = unit_task(
    score_trajectories,
    name="score_unit",
    verb="score",
    description="Score every step of one unit's trajectories.",
)
