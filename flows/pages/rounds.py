"""The figures of a loop's rounds and what its policies were made from: read, drawn and shown."""

import shlex
from pathlib import PurePath

from flows.pages.artifacts import in_run, publish_markdown, publish_table, to_key
from flows.pages.markdown import markdown_table, picture_link, sql_block
from flows.pages.pictures import pictures_folder
from flows.pages.round_plots import plot_rounds
from flows.tables.gates import gate_table_rows, split_gates
from flows.tables.rounds import round_table_rows
from flows.tables.sentences import rounds_words
from schemas.rows import METRICS, TRAINING_SETS, Metric, TrainingSet
from schemas.units import Stage, Unit
from storage import Store
from storage.rounds import training_metrics

_NAMES = {"seconds": "train_seconds", "generated_tokens": "train_generated_tokens"}


def training_figures(store: Store, run_id: str, folder: str) -> dict[str, float]:
    """Seconds of a policy's training, and the tokens it generated meanwhile, if any."""
    measured = training_metrics(store, run_id, PurePath(folder).name)
    return {new: measured[name] for name, new in _NAMES.items() if name in measured}


def set_row(store: Store, run_id: str, name: str) -> TrainingSet:
    """The row of a set that was built in this run."""
    unit = Unit(run_id=run_id, stage=Stage.DATASET_EXPORT, name=name, table=TRAINING_SETS.name)
    return store.read(unit.path)[0]


def read_rounds(store: Store, run_id: str, flow: str) -> list[Metric]:
    """The figures that a loop has committed, in the order in which they were measured."""
    return split_gates(_read_metrics(store, run_id, flow))[0]


def read_gates(store: Store, run_id: str, flow: str) -> list[Metric]:
    """The figures of refining what verifiers flag, of a loop that has a refiner."""
    return split_gates(_read_metrics(store, run_id, flow))[1]


def _read_metrics(store: Store, run_id: str, flow: str) -> list[Metric]:
    paths = store.files(METRICS.name, run_id=run_id, stage=flow)
    rows: list[Metric] = [row for path in paths for row in store.read(path)]
    return sorted(rows, key=lambda row: str(row.created_at))


def rounds_picture(run_id: str, flow: str) -> str:
    """The name of a loop's picture in the store."""
    return f"{pictures_folder(run_id)}/rounds-{flow}.png"


def publish_rounds(store: Store, run_id: str, flow: str) -> None:
    """Draw a loop's rounds into the store, and show them in Prefect's UI: a table and a page."""
    metrics = read_rounds(store, run_id, flow)
    with store.scratch() as folder:
        plot_rounds(metrics, folder / "rounds.png", title=f"{flow}: rounds of {run_id}")
        store.put_file(folder / "rounds.png", rounds_picture(run_id, flow))
        picture = picture_link((folder / "rounds.png").read_bytes())
    if not in_run():
        return
    rows = round_table_rows(metrics)
    words = f"Rounds of run `{run_id}`; intervals by bootstrap over problems"
    publish_table(to_key("rounds", flow), rows, words)
    figures = f"""
select arm, bin, metric, value, ci_low, ci_high
from curves
where run_id = '{run_id}' and stage = '{flow}'
order by all"""
    sampled = f"select * from rounds where run_id = '{run_id}' order by all"
    text = f"""
![figures by round]({picture})

{markdown_table(rows)}

{" ".join(rounds_words(metrics))}

### Look further

```
stepmill report {run_id} --root {shlex.quote(store.url)}
```

Every figure, by level too, and what was sampled in each round:

{sql_block(store, figures)}

{sql_block(store, sampled)}
"""
    if gates := read_gates(store, run_id, flow):
        text += f"\n### Refining by verifier\n\n{markdown_table(gate_table_rows(gates))}\n"
    publish_markdown(to_key("report", flow), text.strip(), words)
