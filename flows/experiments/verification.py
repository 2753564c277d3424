"""The experiment `verification`: training with and without a verifier, on planted subsequences.

Bases are trained, each draws its traces, and every point of the grid trains both arms: each is a
unit, so a stopped experiment does only what is missing. The figures come from the stored traces.
"""

from collections.abc import Sequence
from typing import Any

from flows.experiments.experiment import Experiment, open_experiment
from flows.pages.pictures import pictures_folder
from flows.pages.planted_plots import plot_arms, plot_gaps
from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.recording import name_run
from flows.runs.units import run_units, unit_runner
from schemas.experiments.verification import VerificationExperimentConfig
from schemas.rows import Metric
from schemas.rows.planted_samples import PLANTED_SAMPLES
from schemas.units import Unit
from tasks.engines.engine_set import EngineSet
from tasks.engines.pool import open_pool
from tasks.planted.figures import read_measured, study_figures
from tasks.planted.grid import (
    bases,
    drawing_unit,
    model_unit,
    point_unit,
    points,
    rows_of_drawing,
    rows_of_point,
)
from tasks.planted.task import base_unit, drawing_unit_task, point_unit_task


@flow(name="experiment_verification", flow_run_name=name_run, task_runner=unit_runner())
def experiment_verification(
    config: VerificationExperimentConfig, root: str, run_id: str | None = None
) -> str:
    """Train all bases and points and compare the arms; the path of the relations."""
    points(config)  # refuses what cannot be studied, before anything is recorded
    with open_experiment(config, root, run_id) as experiment:
        _run_points(experiment, config)
        path = _commit_figures(experiment, config)
        _draw(experiment, experiment.store.read(path), config)
        return experiment.conclude()


def _run_points(experiment: Experiment, config: VerificationExperimentConfig) -> None:
    place = experiment.run_id, config.flow_name()
    found, all_points = bases(config), points(config)
    parts: list[tuple[str, Any, list[Unit], int]] = [
        ("bases", base_unit, [model_unit(base, *place) for base in found], len(found)),
        (
            "traces",
            drawing_unit_task,
            [drawing_unit(base, *place) for base in found],
            sum(rows_of_drawing(base, config) for base in found),
        ),
        (
            "points",
            point_unit_task,
            [point_unit(point, *place) for point in all_points],
            sum(rows_of_point(point, config) for point in all_points),
        ),
    ]
    with open_pool(experiment.store.url, EngineSet(), config.pool) as pool:
        for title, task, units, total in parts:
            run_units(
                task,
                units,
                config,
                store=experiment.store,
                pool=pool,
                total_rows=total,
                title=f"{config.name}: {title}",
            )


def _commit_figures(experiment: Experiment, config: VerificationExperimentConfig) -> str:
    stage, run_id, store = config.flow_name(), experiment.run_id, experiment.store
    models = {
        base.name: store.read(model_unit(base, run_id, stage).path)[0].model_id
        for base in bases(config)
    }
    made = store.files(PLANTED_SAMPLES.name, run_id=run_id, stage=stage)
    rows = study_figures(config, read_measured(store, run_id), models)
    return experiment.commit_figures("planted", rows, *made)


def _draw(
    experiment: Experiment, metrics: Sequence[Metric], config: VerificationExperimentConfig
) -> None:
    """The study's pictures, in the store."""
    folder = pictures_folder(experiment.run_id)
    with experiment.store.scratch() as scratch:
        for name, plot in (("gaps", plot_gaps), ("arms", plot_arms)):
            file = scratch / f"{config.name}-{name}.png"
            plot(metrics, file, config)
            experiment.store.put_file(file, f"{folder}/{file.name}")
            say(f"picture: {experiment.store.url}/{folder}/{file.name}")
