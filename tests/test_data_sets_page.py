"""The tables of docs/data-sets.md are those of the registries and of the recipes.

To write them again: `python tests/test_data_sets_page.py`.
"""

import re
from pathlib import Path

import pytest

from flows.commands.run import flow_in
from schemas.data_sets import DATA_SETS
from schemas.prompt_presets import PRESETS

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "data-sets.md"


def sets_table():
    lines = ["| name | what it is | on the hub | splits | license | prompt |", "|" + "---|" * 6]
    for known in DATA_SETS.values():
        hub = f"[{known.dataset}](https://huggingface.co/datasets/{known.dataset})"
        license_words = known.facts["license"]
        lines.append(
            f"| `{known.name}` | {known.summary} | {hub} | {known.facts['splits']} | "
            f"{license_words} | `{known.prompt}` |"
        )
    return "\n".join(lines)


def presets_table():
    lines = ["| name | for |", "|---|---|"]
    lines += [f"| `{preset.name}` | {preset.summary} |" for preset in PRESETS.values()]
    return "\n".join(lines)


def recipes_table():
    lines = ["| file | flow | what it is |", "|---|---|---|"]
    for path in sorted((PROJECT / "recipes").glob("*.yaml")):
        summary = path.read_text().split("\n")[0].removeprefix("# ")
        lines.append(f"| [{path.name}](../recipes/{path.name}) | `{flow_in(path)}` | {summary} |")
    return "\n".join(lines)


TABLES = {"sets": sets_table, "presets": presets_table, "recipes": recipes_table}


def with_tables(text):
    for name, table in TABLES.items():
        place = re.compile(rf"<!-- {name} -->\n.*?<!-- end -->", re.DOTALL)
        text = place.sub(lambda _, n=name, t=table: f"<!-- {n} -->\n{t()}\n<!-- end -->", text)
    return text


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_page_is_up_to_date(name):
    assert f"<!-- {name} -->\n{TABLES[name]()}\n<!-- end -->" in PAGE.read_text(), (
        "docs/data-sets.md: write the tables again with `python tests/test_data_sets_page.py`"
    )


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
