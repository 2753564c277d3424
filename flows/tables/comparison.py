"""Two runs side by side, and the sentence that says which one solves more."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from flows.tables.output import visible
from tasks.evaluation.comparison import RunComparison, Share


def comparison_table(found: RunComparison) -> Table:
    """A row per run, and one for the difference paired by problem."""
    table = Table(
        title=f"Solve rates on {found.num_problems:,} problems of both runs",
        caption="intervals by bootstrap over problems; the difference is paired by problem",
        box=SIMPLE_HEAD,
    )
    table.add_column("run")
    for name in ("solve rate", "interval"):
        table.add_column(name, justify="right")
    for name, share in ((found.first, found.first_rate), (found.second, found.second_rate)):
        table.add_row(Text(visible(name)), f"{share.value:.3f}", _ends(share, ".3f"))
    table.add_row("difference", f"{found.difference.value:+.3f}", _ends(found.difference, "+.3f"))
    return table


def comparison_sentence(found: RunComparison) -> str:
    """What was seen: which run solves more, or that these problems do not tell."""
    better, worse = found.num_better, found.num_worse
    counts = f"{better:,} problems better, {worse:,} worse, "
    counts += f"{found.num_problems - better - worse:,} the same"
    difference = found.difference
    if difference.low is None or difference.high is None:
        verdict = "one problem does not tell them apart"
    elif difference.low > 0:
        verdict = f"{found.second} solves more than {found.first}"
    elif difference.high < 0:
        verdict = f"{found.second} solves less than {found.first}"
    else:
        verdict = f"{found.second} and {found.first} are within the noise of each other"
    return visible(f"{verdict}: {difference.value:+.3f} ({counts}).")


def _ends(share: Share, form: str) -> str:
    if share.low is None or share.high is None:
        return ""
    return f"{share.low:{form}}..{share.high:{form}}"
