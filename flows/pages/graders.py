"""How judges and ensembles grade: sentences, a picture, and artifacts in Prefect's UI."""

import shlex
from collections.abc import Sequence

from flows.pages.artifacts import in_run, publish_markdown, publish_table, to_key
from flows.pages.grader_plots import plot_graders
from flows.pages.pictures import pictures_folder
from flows.pages.results import markdown_table, picture_link, sql_block
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
    file = f"graders-{set_name}.png"
    picture = f"{pictures_folder(run_id)}/{file}"
    with store.scratch() as folder:
        plot_graders(metrics, folder / file)
        store.put_file(folder / file, picture)
    if in_run():
        _publish(store, run_id, metrics, set_name, picture)
    return picture


def _publish(
    store: Store, run_id: str, metrics: Sequence[Metric], set_name: str, picture: str
) -> None:
    """A table, and a page with the picture and where to look further."""
    words = "\n\n".join(grader_words(metrics))
    rows = graders_table_rows(metrics)
    publish_table(to_key("graders", set_name), rows, f"{words}\n\nRun `{run_id}`")
    with store.files_root.open(picture) as stream:
        shown = f"![what graders get wrong]({picture_link(stream.read())})"
    root = shlex.quote(store.url)
    disagreements = f"""
select problem_id, gold, grader, answer, correct, other, other_answer, other_correct, trajectory_id
from grader_disagreements
where run_id = '{run_id}'
limit 20"""
    text = f"""
{shown}

{markdown_table([row for row in rows if row["problems"] == "all"])}

### Look further

```
stepmill report {run_id} --root {root}
stepmill show TRAJECTORY_ID --root {root}
```

Where graders disagree:

{sql_block(store, disagreements)}
"""
    publish_markdown(to_key("graders of", set_name), text.strip(), words)
