"""Draws a run's pictures, and names where they lie."""

from collections.abc import Callable, Sequence
from pathlib import Path

from flows.pages.coverage_plots import has_coverage_law, plot_coverage
from flows.pages.plots import plot_accuracy, plot_bins, plot_reliability
from flows.pages.search_plots import plot_searches
from flows.tables.accuracies import accuracies_by_bin
from schemas.evaluation import EvaluationJob
from schemas.rows import Metric
from schemas.units import UnitPath, derive_id
from storage import Store
from tasks.evaluation.solutions.verifier_quality import calibration_table, references


def draw_pictures(
    store: Store, run_id: str, metrics: Sequence[Metric], job: EvaluationJob
) -> list[str]:
    """PNGs: accuracy against N, by level at the largest N, and the step scores' reliability.

    Where the law of repeated sampling was fitted, also coverage with it.

    Their names contain the set and a hash of the verifier, so that each verifier has its own.

    Returns:
        Their names in the store.
    """
    paths: list[Path] = []
    about = f"{job.set_name}.png"
    if job.verifier_name is not None:
        about = f"{job.set_name}-{derive_id(job.verifier_name)}.png"
    with store.scratch() as folder:
        accuracies = [row for row in metrics if row.metric == "accuracy"]
        if accuracies:
            paths.append(folder / f"accuracy-{about}")
            plot_accuracy(metrics, paths[-1])
            budget = max(row.budget for row in accuracies if row.budget is not None)
            if accuracies_by_bin(metrics, "level", budget):
                paths.append(folder / f"levels-{about}")
                plot_bins(metrics, paths[-1], kind="level", budget=budget)
        if has_coverage_law(metrics):
            paths.append(folder / f"coverage-{job.set_name}.png")
            plot_coverage(metrics, paths[-1])
        for reference in references(metrics)[:1]:
            paths.append(folder / f"reliability-{about}")
            title = f"Step scores against {reference}"
            plot_reliability(calibration_table(metrics, reference), paths[-1], title=title)
        for path in paths:
            store.put_file(path, f"{pictures_folder(run_id)}/{path.name}")
    return [f"{pictures_folder(run_id)}/{path.name}" for path in paths]


def draw_searches(store: Store, path: str, metrics: Sequence[Metric]) -> str | None:
    """A PNG of a search's accuracy against its tokens; its name in the store.

    Args:
        store: where it goes.
        path: the file of the figures.
        metrics: the figures.

    Returns:
        None if nothing can be compared.
    """
    name = search_picture(path, metrics)
    if name is not None:
        store_picture(store, name, lambda path: plot_searches(metrics, path))
    return name


def store_picture(store: Store, name: str, draw: Callable[[Path], None]) -> None:
    """Have a PNG drawn, and put it into the store under its name."""
    with store.scratch() as folder:
        path = folder / Path(name).name
        draw(path)
        store.put_file(path, name)


def search_picture(path: str, metrics: Sequence[Metric]) -> str | None:
    """The name of a search's picture in the store; None if nothing can be compared."""
    if len({(row.strategy, row.budget) for row in metrics if row.metric == "prompt_tokens"}) < 2:
        return None
    file = UnitPath.parse(path)
    return f"{pictures_folder(file.run_id)}/search-{file.unit}.png"


def pictures_folder(run_id: str) -> str:
    """The folder of a run's pictures, in the store."""
    return f"reports/{run_id}"
