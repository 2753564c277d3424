"""The `README.md` of a local store, by which `datasets.load_dataset` finds its tables.

Without it `load_dataset` would take the folders for one set, split by the names of files. Each
table that has rows is a config of its own: `load_dataset(ROOT, "trajectories", split="train")`.
"""

from collections.abc import Sequence

from schemas.rows import TABLES
from storage.roots import LocalRoot
from storage.store import Store

CARD = "README.md"
_TITLE = "# A store of stepmill"


def put_card(store: Store) -> None:
    """Write the card of a local store, for the tables that it has now; a README of others stays."""
    if not isinstance(store.files_root, LocalRoot):
        return
    place = store.root / CARD
    there = place.read_text(encoding="utf-8") if place.is_file() else None
    text = card_text([name for name in TABLES if (store.root / name).is_dir()])
    if there is None or (_TITLE in there and there != text):
        place.write_text(text, encoding="utf-8")


def card_text(tables: Sequence[str]) -> str:
    """The card: a config per table, and how one is read."""
    configs = "\n".join(
        f'- config_name: {name}\n  data_files: "{name}/run_id=*/stage=*/*.parquet"'
        for name in tables
    )
    return f"""---
configs:
{configs}
---

{_TITLE}

A folder per table; `stepmill sql "show tables"` lists them with the views over them.

```python
from datasets import load_dataset

rows = load_dataset("PATH/OF/THIS/FOLDER", "{next(iter(tables), "trajectories")}", split="train")
```

`run_id` and `stage` are parts of the paths alone.
"""
