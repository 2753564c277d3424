"""The artifacts of a search: each strategy's accuracy and cost, and where to look further."""

import shlex
from collections.abc import Sequence

from flows.pages.artifacts import in_run, publish_markdown, publish_table, to_key
from flows.pages.markdown import markdown_table, picture_link, sql_block
from flows.tables.critique_searches import critique_words
from flows.tables.searches import search_rows
from flows.tables.sentences import headline_words, seen_words
from schemas.rows import Metric
from storage import Store


def publish_searches(
    store: Store, run_id: str, metrics: Sequence[Metric], *, picture: str | None
) -> None:
    """Show a set's searches: a table, and a page with the picture.

    Args:
        store: where the rows lie.
        run_id: the run.
        metrics: the figures of one set.
        picture: its name in the store; None without one.
    """
    rows = search_rows(metrics)
    if not rows or not in_run():
        return
    set_name = metrics[0].set_name or ""
    description = f"{headline_words(metrics)}\n\nRun `{run_id}`; intervals by bootstrap"
    publish_table(to_key("search", set_name), rows, description)
    root = shlex.quote(store.url)
    figures = f"""
select strategy, pick, budget, metric, against, value, ci_low, ci_high
from curves
where run_id = '{run_id}' and stage = 'search' and bin = 'all'
order by all"""
    answers = f"""
select strategy, budget, pick, accuracy, num_problems
from search_accuracy
where run_id = '{run_id}'
order by all"""
    shown = ""
    if picture is not None:
        with store.files_root.open(picture) as stream:
            shown = f"![accuracy against tokens]({picture_link(stream.read())})"
    tables = [f"\n{markdown_table(found)}\n" for found in critique_words(metrics) if found]
    critiqued = "".join(tables)
    text = f"""
{shown}

{markdown_table(rows)}

{" ".join(seen_words(metrics))}
{critiqued}
### Look further

```
stepmill report {run_id} --root {root}
stepmill show --tree PROBLEM_ID --root {root}
```

Every figure, and every pick of the same trees:

{sql_block(store, figures)}

{sql_block(store, answers)}

The trees lie in `{store.url}/trajectories/run_id={run_id}/stage=search/`, for any reader of
Parquet.
"""
    publish_markdown(to_key("report", "search", set_name), text.strip(), description)
