"""The page of token rewards in Prefect's UI: a picture over the text of some solutions."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict

from flows.pages.artifacts import in_run, publish_markdown, to_key
from flows.pages.markdown import picture_link, sql_block
from flows.pages.pictures import pictures_folder
from flows.pages.token_plots import plot_token_rewards
from schemas.rows import TokenRewards
from storage import Store

_NUM_SHOWN = 4


def publish_token_rewards(
    store: Store, run_id: str, paths: Sequence[str], *, title: str
) -> str | None:
    """Draw the rewards of a few solutions' tokens, from the lowest to the highest total.

    The picture is kept in the store, and shown in Prefect's UI if this is a flow run.

    Args:
        store: where the rows lie.
        run_id: the run.
        paths: files of the table token_rewards.
        title: the set and the reward.

    Returns:
        The picture's name in the store; None if no solution was rewarded.
    """
    rows: list[TokenRewards] = [row for path in paths for row in store.read(path)]
    shown = choose_shown(rows, _NUM_SHOWN)
    if not shown:
        return None
    name = f"{pictures_folder(run_id)}/{to_key('token rewards', title)}.png"
    with store.scratch() as folder:
        path = folder / "token-rewards.png"
        plot_token_rewards([asdict(row) for row in shown], path)
        picture = picture_link(path.read_bytes()) if in_run() else ""
        store.put_file(path, name)
    if not in_run():
        return name
    root = shlex.quote(store.url)
    commands = "\n".join(
        f"stepmill show --rewards {row.trajectory_id} --root {root}" for row in shown
    )
    statement = f"""
select trajectory_id, reward, total, off_by, last_share, effective_tokens
from token_reward_sums
where run_id = '{run_id}'
limit 10"""
    failed = sum(row.error is not None for row in rows)
    text = f"""
![what each token earns]({picture})

Blue tokens earn, red ones cost; the numbers are their rewards, whose sum is R. Shown are
{len(shown)} of {len(rows):,} solutions, from the lowest R to the highest; {failed:,} could not be
rewarded.

```
{commands}
```

{sql_block(store, statement)}
"""
    publish_markdown(
        to_key("token rewards", title),
        text.strip(),
        f"Rewards of tokens, {title}\n\nRun `{run_id}`",
    )
    return name


def choose_shown(rows: Sequence[TokenRewards], number: int) -> list[TokenRewards]:
    """Some rewarded solutions, evenly from the lowest total to the highest."""
    known = sorted(
        (row for row in rows if row.total is not None and row.rewards),
        key=lambda row: row.total or 0.0,
    )
    if len(known) <= number:
        return known
    return [known[round(i * (len(known) - 1) / (number - 1))] for i in range(number)]
