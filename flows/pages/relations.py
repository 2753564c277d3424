"""What an experiment found, as an artifact of its Prefect run and as a picture in the store."""

from collections.abc import Sequence

from flows.pages.artifacts import publish_markdown, to_key
from flows.pages.pictures import pictures_folder
from flows.pages.relation_plots import plot_relations
from flows.pages.results import markdown_table
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
    """Say what each relation says, draw them, and make an artifact of them."""
    for row in rows:
        say(sentence(row))
    if any(row.difference is not None for row in rows):
        with store.scratch() as folder:
            plot_relations(rows, folder / "relations.png", title=f"{experiment}: {run_id}")
            store.put_file(folder / "relations.png", relations_picture(run_id, experiment))
    found = [row.verdict or UNKNOWN for row in rows]
    counts = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in dict.fromkeys(found))
    table = [
        {
            "relation": f"{row.claim} {row.point}".strip(),
            "larger by the claim": side_words(row.larger_value, row.larger_low, row.larger_high),
            "smaller": side_words(row.smaller_value, row.smaller_low, row.smaller_high),
            "difference": difference_words(row),
            "verdict": row.verdict or UNKNOWN,
        }
        for row in rows
    ]
    text = f"## {experiment}\n\n{counts}\n\n{markdown_table(table)}"
    publish_markdown(to_key("report", f"experiment-{experiment}"), text, counts)
