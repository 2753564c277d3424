"""The artifacts of a run: its units, its accuracies, and where to look further."""

import shlex
from collections.abc import Sequence

from flows.pages.artifacts import in_run, publish_markdown, publish_table, to_key
from flows.pages.markdown import markdown_table, picture_link, sql_block
from flows.pages.pictures import pictures_folder
from flows.pages.plots import plot_accuracy
from flows.tables.figures import figure_words
from flows.tables.names import sort_strategies, strategy_words
from flows.tables.sentences import headline_words, seen_words
from flows.tables.truth import label_table_rows
from schemas.rows import Metric
from storage import Store


def publish_accuracies(
    store: Store, run_id: str, metrics: Sequence[Metric], *, set_name: str
) -> None:
    """Show a set's accuracies by strategy and N: a table, and a page with the plot."""
    if any(row.metric == "accuracy" for row in metrics) and in_run():
        description = f"{headline_words(metrics)}\n\nRun `{run_id}`; intervals by bootstrap"
        publish_table(to_key("accuracy", set_name), _accuracy_rows(metrics), description)
        publish_report(to_key("report", set_name), store, run_id, metrics)


def publish_labels(run_id: str, metrics: Sequence[Metric], *, set_name: str) -> None:
    """Show the figures of a set's step labels and of their audits."""
    if (rows := label_table_rows(metrics)) and in_run():
        description = f"Step labels against the truth, and audited\n\nRun `{run_id}`"
        publish_table(to_key("labels", set_name), rows, description)


def publish_report(
    key: str,
    store: Store,
    run_id: str,
    metrics: Sequence[Metric],
    *,
    of_labels: Sequence[Metric] = (),
) -> None:
    """Show a page: the plot, the accuracies, where the rows lie, and commands that read them.

    Args:
        key: the key of the page.
        store: where the rows lie.
        run_id: the run.
        metrics: the accuracies.
        of_labels: figures of step labels, shown below the accuracies.
    """
    if not any(row.metric == "accuracy" for row in metrics) or not in_run():
        return
    with store.scratch() as folder:
        plot_accuracy(metrics, folder / "accuracy.png")
        picture = picture_link((folder / "accuracy.png").read_bytes())
    rows = label_table_rows(of_labels)
    labels = f"\n### Step labels\n\n{markdown_table(rows)}\n" if rows else ""
    root = shlex.quote(store.url)
    curves = f"""
select strategy, budget, value, ci_low, ci_high
from curves
where run_id = '{run_id}' and metric = 'accuracy' and bin = 'all'
order by all"""
    solutions = f"""
select trajectory_id, problem_id, answer, correct
from graded
where run_id = '{run_id}' and strategy = 'sample'
limit 10"""
    text = f"""
![accuracy against N]({picture})

{markdown_table(_accuracy_rows(metrics))}

{" ".join(seen_words(metrics))}
{labels}
### Look further

```
stepmill report {run_id} --root {root}
stepmill cost {run_id} --root {root}
```

The figures above:

{sql_block(store, curves)}

The solutions they were measured on; `stepmill show TRAJECTORY_ID --root {root}` prints one:

{sql_block(store, solutions)}

The rows of this run lie in `{store.url}/*/run_id={run_id}/`, a folder per table, for any reader of
Parquet; the pictures in `{store.url}/{pictures_folder(run_id)}/`.
"""
    publish_markdown(key, text.strip(), f"{headline_words(metrics)}\n\nRun `{run_id}`")


def _accuracy_rows(metrics: Sequence[Metric]) -> list[dict[str, str]]:
    """A row per strategy, a column per N: accuracy with its interval."""
    cells = {
        (row.strategy, row.budget): row
        for row in metrics
        if row.metric == "accuracy" and row.bin == "all" and row.budget is not None
    }
    budgets = sorted({budget for _, budget in cells if budget is not None})
    return [
        {
            "strategy": strategy_words(strategy),
            **{f"N = {k}": figure_words(cells.get((strategy, k))) for k in budgets},
        }
        for strategy in sort_strategies({strategy for strategy, _ in cells})
    ]
