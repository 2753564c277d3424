"""The study's Prefect tasks: a base, its traces, a point."""

from tasks.engines.task import unit_task
from tasks.planted.units import draw_from_base, make_base, train_point

base_unit = unit_task(
    make_base,
    name="planted_base_unit",
    verb="train",
    description="Train a small policy on traces of a mixture of skills.",
)
drawing_unit_task = unit_task(
    draw_from_base,
    name="planted_drawing_unit",
    verb="draw",
    description="Draw a base's traces, to learn from and to measure.",
)
point_unit_task = unit_task(
    train_point,
    name="planted_point_unit",
    verb="train",
    description="Train with and without a verifier on n traces of a base.",
)
