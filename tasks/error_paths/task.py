"""The Prefect task of error paths: one way, one unit of solutions."""

from tasks.engines.task import unit_task
from tasks.error_paths.make import make_error_paths

error_paths_unit = unit_task(
    make_error_paths,
    name="error_paths_unit",
    verb="make errors in",
    description="Make solutions of one unit's problems wrong on purpose.",
)
