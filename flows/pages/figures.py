"""The artifacts of a set's critics or graders in Prefect's UI: a table, and a page about it."""

import shlex
from collections.abc import Mapping, Sequence

from flows.pages.artifacts import publish_markdown, publish_table, to_key
from flows.pages.markdown import markdown_table, picture_link, sql_block
from storage import Store


def publish_figures(
    store: Store,
    run_id: str,
    *,
    about: str,
    sentences: Sequence[str],
    rows: Sequence[Mapping[str, str]],
    shown: Sequence[Mapping[str, str]],
    pictures: Mapping[str, str],
    id_name: str,
    statements: Mapping[str, str],
) -> None:
    """A table, and a page with pictures, figures and where to look further.

    Args:
        store: where the rows lie.
        run_id: the run.
        about: what the figures are about, and the set, such as `critics eval`.
        sentences: what they say.
        rows: of the table.
        shown: the rows that the page has too.
        pictures: from their names in the store to what they show.
        id_name: what `stepmill show` shows, such as `CRITIQUE_ID`.
        statements: from headings to what can be asked of the store.
    """
    words = "\n\n".join(sentences)
    what, _, set_name = about.partition(" ")
    publish_table(to_key(what, set_name), rows, f"{words}\n\nRun `{run_id}`")
    images = []
    for name, alt in pictures.items():
        with store.files_root.open(name) as stream:
            images.append(f"![{alt}]({picture_link(stream.read())})")
    root = shlex.quote(store.url)
    asked = "\n\n".join(f"{head}:\n\n{sql_block(store, s)}" for head, s in statements.items())
    text = f"""
{chr(10).join(images)}

{markdown_table(shown)}

### Look further

```
stepmill report {run_id} --root {root}
stepmill show {id_name} --root {root}
```

{asked}
"""
    publish_markdown(to_key(f"{what} of", set_name), text.strip(), words)
