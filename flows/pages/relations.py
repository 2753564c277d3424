"""What an experiment found: said, drawn into the store, and as a page of its Prefect run."""

import shlex
from collections.abc import Mapping, Sequence

from flows.pages.artifacts import in_run, publish_markdown, to_key
from flows.pages.markdown import markdown_table, picture_link, sql_block
from flows.pages.pictures import pictures_folder
from flows.pages.relation_plots import plot_relations
from flows.runs.progress import say
from flows.tables.relations import UNKNOWN, difference_words, sentence, side_words
from schemas.rows import MeasuredRelation
from storage import Store


def relations_picture(run_id: str, experiment: str) -> str:
    """The name of an experiment's picture in the store."""
    return f"{pictures_folder(run_id)}/experiment-{experiment}.png"


def publish_relations(
    store: Store, run_id: str, experiment: str, rows: Sequence[MeasuredRelation]
) -> None:
    """Say what each relation says, draw their differences, and show a page of both."""
    for row in rows:
        say(sentence(row))
    picture = None
    if any(row.difference is not None for row in rows):
        with store.scratch() as folder:
            plot_relations(rows, folder / "relations.png", title=f"{experiment}: {run_id}")
            store.put_file(folder / "relations.png", relations_picture(run_id, experiment))
            picture = picture_link((folder / "relations.png").read_bytes())
    if not in_run():
        return
    found = [row.verdict or UNKNOWN for row in rows]
    counts = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in dict.fromkeys(found))
    columns = (
        "relation, point, larger_value, smaller_value, difference_low, difference_high, verdict"
    )
    statement = f"\nselect {columns}\nfrom relations\nwhere run_id = '{run_id}'\norder by all"
    text = f"""
{"" if picture is None else f"![differences with their intervals]({picture})"}

{markdown_table([_words(row) for row in rows])}

### Look further

```
stepmill report {run_id} --root {shlex.quote(store.url)}
```

{sql_block(store, statement)}
"""
    publish_markdown(to_key("report", f"experiment-{experiment}"), text.strip(), counts)


def _words(row: MeasuredRelation) -> Mapping[str, str]:
    return {
        "relation": f"{row.claim}, {row.point}" if row.point else row.claim,
        "larger by the claim": side_words(row.larger_value, row.larger_low, row.larger_high),
        "smaller": side_words(row.smaller_value, row.smaller_low, row.smaller_high),
        "difference": difference_words(row),
        "verdict": row.verdict or UNKNOWN,
    }
