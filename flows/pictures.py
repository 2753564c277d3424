"""Where a run's pictures lie, and the drawing of them."""

from collections.abc import Sequence
from pathlib import Path

from schemas.evaluation import EvaluationJob
from schemas.rows import Metric
from storage import Store
from tasks.evaluation.plots import plot_accuracy, plot_bins, plot_reliability
from tasks.evaluation.verifier_quality import calibration_table, references


def pictures_folder(store: Store, run_id: str) -> Path:
    """The folder of a run's pictures."""
    return store.root / "reports" / run_id


def draw_pictures(
    store: Store, run_id: str, metrics: Sequence[Metric], job: EvaluationJob
) -> list[Path]:
    """PNGs: accuracy against N, by level at the largest N, and the step scores' reliability."""
    folder = pictures_folder(store, run_id)
    paths: list[Path] = []
    accuracies = [row for row in metrics if row.metric == "accuracy"]
    if accuracies:
        paths.append(folder / f"accuracy-{job.set_name}.png")
        plot_accuracy(metrics, paths[-1])
        budget = max(row.budget for row in accuracies if row.budget is not None)
        if any(row.bin.startswith("level=") for row in accuracies):
            paths.append(folder / f"levels-{job.set_name}.png")
            plot_bins(metrics, paths[-1], kind="level", budget=budget)
    for reference in references(metrics)[:1]:
        paths.append(folder / f"reliability-{job.set_name}.png")
        title = f"Step scores against {reference}"
        plot_reliability(calibration_table(metrics, reference), paths[-1], title=title)
    return paths
