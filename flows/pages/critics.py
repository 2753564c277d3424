"""What critics found and changed: sentences, a picture, and artifacts in Prefect's UI."""

from collections.abc import Sequence
from functools import partial

from flows.pages.artifacts import in_run
from flows.pages.critic_plots import has_attempts, plot_critics
from flows.pages.figures import publish_figures
from flows.pages.pictures import pictures_folder, store_picture
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
            pictures.append(f"{pictures_folder(run_id)}/{file}")
            store_picture(store, pictures[-1], partial(plot_critics, rows))
    if critics and in_run():
        figures = critics_table_rows(metrics)
        publish_figures(
            store,
            run_id,
            about=f"critics {set_name}",
            sentences=[critic_words(metrics, critic) for critic in critics],
            rows=figures,
            shown=figures,
            pictures=dict.fromkeys(pictures, "accuracy before and after"),
            id_name="CRITIQUE_ID",
            statements=_statements(run_id),
        )
    return pictures


def _statements(run_id: str) -> dict[str, str]:
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
    return {"What became of each solution": attempts, "The critiques": critiques}
