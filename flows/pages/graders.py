"""How judges and ensembles grade: sentences, a picture, and artifacts in Prefect's UI."""

from collections.abc import Sequence

from flows.pages.artifacts import in_run
from flows.pages.figures import publish_figures
from flows.pages.grader_plots import plot_graders
from flows.pages.pictures import pictures_folder, store_picture
from flows.runs.progress import say
from flows.tables.graders import grader_words, graders_table_rows
from schemas.rows import Metric
from storage import Store


def publish_graders(
    store: Store, run_id: str, metrics: Sequence[Metric], *, set_name: str
) -> str | None:
    """Say and show what the judges and ensembles of a set get wrong; nothing without any.

    Args:
        store: where the rows lie.
        run_id: the run.
        metrics: their figures.
        set_name: the set.

    Returns:
        The name of the picture in the store.
    """
    sentences = grader_words(metrics)
    for sentence in sentences:
        say(sentence)
    if not sentences:
        return None
    picture = f"{pictures_folder(run_id)}/graders-{set_name}.png"
    store_picture(store, picture, lambda path: plot_graders(metrics, path))
    if in_run():
        rows = graders_table_rows(metrics)
        disagreements = f"""
select problem_id, gold, grader, answer, correct, other, other_answer, other_correct, trajectory_id
from grader_disagreements
where run_id = '{run_id}'
limit 20"""
        publish_figures(
            store,
            run_id,
            about=f"graders {set_name}",
            sentences=sentences,
            rows=rows,
            shown=[row for row in rows if row["problems"] == "all"],
            pictures={picture: "what graders get wrong"},
            id_name="TRAJECTORY_ID",
            statements={"Where graders disagree": disagreements},
        )
    return picture
