"""What critics found and changed: sentences, a picture, and artifacts in Prefect's UI."""

import shlex
from collections.abc import Sequence

from flows.pages.artifacts import in_run, publish_markdown, publish_table, to_key
from flows.pages.critic_plots import has_attempts, plot_critics
from flows.pages.pictures import pictures_folder
from flows.pages.results import markdown_table, picture_link, sql_block
from flows.runs.progress import say
from flows.tables.critics import critic_words, critics_in, critics_table_rows, of_critic
from schemas.rows import Metric
from storage import Store


def publish_critics(
    store: Store, run_id: str, metrics: Sequence[Metric], *, set_name: str
) -> list[str]:
    """Say and show the critics of a set; nothing without any.

    Args:
        store: where the rows lie.
        run_id: the run.
        metrics: their figures.
        set_name: the set.

    Returns:
        The names of the pictures in the store: one per policy.
    """
    critics = critics_in(metrics)
    for critic in critics:
        say(critic_words(metrics, critic))
    pictures = []
    for number, policy in enumerate(dict.fromkeys(critic.policy for critic in critics)):
        rows = [
            r for critic in critics if critic.policy == policy for r in of_critic(metrics, critic)
        ]
        if has_attempts(rows):
            file = f"critics-{set_name}{f'-{number}' if number else ''}.png"
            with store.scratch() as folder:
                plot_critics(rows, folder / file)
                pictures.append(f"{pictures_folder(run_id)}/{file}")
                store.put_file(folder / file, pictures[-1])
    if critics and in_run():
        _publish(store, run_id, metrics, set_name, pictures)
    return pictures


def _publish(
    store: Store, run_id: str, metrics: Sequence[Metric], set_name: str, pictures: Sequence[str]
) -> None:
    """A table, and a page with the pictures and where to look further."""
    words = "\n\n".join(critic_words(metrics, critic) for critic in critics_in(metrics))
    rows = critics_table_rows(metrics)
    publish_table(to_key("critics", set_name), rows, f"{words}\n\nRun `{run_id}`")
    shown = []
    for name in pictures:
        with store.files_root.open(name) as stream:
            shown.append(f"![accuracy before and after]({picture_link(stream.read())})")
    root = shlex.quote(store.url)
    attempts = f"""
select critic, told, level, before, after, count(*)
from refinements
where run_id = '{run_id}'
group by all
order by all"""
    critiques = f"""
select critique_id, trajectory_id, verdict, first_error, fault
from critiques
where run_id = '{run_id}'
limit 10"""
    text = f"""
{chr(10).join(shown)}

{markdown_table(rows)}

### Look further

```
stepmill report {run_id} --root {root}
stepmill show CRITIQUE_ID --root {root}
```

What became of each solution:

{sql_block(store, attempts)}

The critiques:

{sql_block(store, critiques)}
"""
    publish_markdown(to_key("critics of", set_name), text.strip(), words)
