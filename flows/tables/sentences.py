"""The sentences that end a result: what was seen, and whether the problems tell it from noise.

The headline is of one strategy that is fixed before anything is measured: best of N by the
verifier, else the vote. The highest of many strategies on the same problems would be high by
chance. Two figures are told apart when their intervals do not overlap, which is stricter than a
paired test; a gain, which is paired by problem, when its interval leaves out 0.
"""

from collections.abc import Iterable, Sequence

from flows.tables.figures import figure_words
from flows.tables.names import UPPER_BOUND, sort_strategies
from flows.tables.rounds import measured_names
from schemas.metric_names import strategy_type
from schemas.rows import Metric
from tasks.evaluation.rounds import arms_of, figures_of, labels_of

_BY_VERIFIER = "best_of_n"
_VOTE = "majority"


def result_words(metrics: Sequence[Metric]) -> str:
    """The headline and what was seen, in one paragraph."""
    return " ".join([headline_words(metrics), *seen_words(metrics)])


def headline_words(metrics: Sequence[Metric]) -> str:
    """The accuracy of the fixed strategy at the largest N, with its interval.

    Args:
        metrics: of one policy and verifier; other picks of a search and selections among searches
            take no part.

    Raises:
        ValueError: no accuracy over all problems is given.
    """
    last = _fixed_curve(metrics)[-1]
    return f"{_at(last)}, {last.num_problems} problems."


def seen_words(metrics: Sequence[Metric]) -> list[str]:
    """What the fixed strategy gains from more candidates and over the vote, and who differs.

    Args:
        metrics: as for `headline_words`.
    """
    curve = _fixed_curve(metrics)
    gains = [
        row
        for row in _whole(metrics)
        if row.metric == "gain_over" and row.budget == curve[-1].budget
    ]
    against = baseline_of(gains)
    gains = [row for row in gains if row.against == against]
    own = next((row for row in gains if row.strategy == curve[-1].strategy), None)
    others = [row for row in gains if row is not own]
    return [
        *_trend_words(curve),
        *([] if own is None else [_gain_words(own)]),
        *_count_words(others, str(against)),
    ]


def fixed_strategy(strategies: Iterable[str]) -> str:
    """The strategy of the headline: by the verifier, else the vote, else the first in the table.

    Where nothing chooses among candidates, as among programs without a score, it is `pass`.
    """
    known = sort_strategies(strategies)
    names = [name for name in known if name != UPPER_BOUND] or known
    by_verifier = [name for name in names if strategy_type(name) == _BY_VERIFIER]
    votes = [name for name in names if name == _VOTE]
    return next(iter([*by_verifier, *votes, *names]))


def baseline_of(gains: Iterable[Metric]) -> str | None:
    """What gains are over: the vote if any is over it."""
    named = list(dict.fromkeys(row.against for row in gains))
    return _VOTE if _VOTE in named else next(iter(named), None)


def change(before: Metric, after: Metric) -> int | None:
    """1 if a figure rose, -1 if it fell, 0 if the intervals overlap; None without intervals."""
    ends = (before.ci_low, before.ci_high, after.ci_low, after.ci_high)
    if any(end is None for end in ends):
        return None
    low, high, new_low, new_high = (float(end or 0) for end in ends)
    return 1 if new_low > high else -1 if new_high < low else 0


def bins_words(metrics: Sequence[tuple[str, Metric]]) -> str:
    """Where the fixed strategy is highest and lowest, and whether those bins are told apart.

    Args:
        metrics: the accuracies at one N with the value of the bin of each.
    """
    fixed = fixed_strategy({row.strategy for _, row in metrics})
    rows = sorted((pair for pair in metrics if pair[1].strategy == fixed), key=lambda p: p[1].value)
    (low_bin, low), (high_bin, high) = rows[0], rows[-1]
    if len(rows) == 1:
        return f"{fixed}: {low_bin} {figure_words(low)}, the only bin."
    told = _TOLD[change(low, high)]
    return (
        f"{fixed} is lowest in {low_bin}, {figure_words(low)}, and highest in {high_bin}, "
        f"{figure_words(high)}: {told}."
    )


_TOLD = {
    1: "told apart by their intervals",
    0: "not told apart, their intervals overlap",
    -1: "told apart by their intervals",
    None: "without intervals",
}


def rounds_words(metrics: Sequence[Metric]) -> list[str]:
    """For each arm of a loop, how its main figure changed from its first policy to its last.

    Args:
        metrics: figures of rounds, with an arm and a round in `bin`.
    """
    found = []
    name = next(iter(measured_names(metrics)), None)
    for arm in arms_of(metrics):
        labels = labels_of(metrics, arm)
        rows = [(label, figures_of(metrics, arm, label).get(name or "")) for label in labels]
        known = [(label, row) for label, row in rows if row is not None]
        if len(known) < 2:
            continue
        (first, before), (last, after) = known[0], known[-1]
        how = _CHANGED[change(before, after)]
        found.append(
            f"{arm}: {name} {how} from {figure_words(before)} in round {first} to "
            f"{figure_words(after)} in round {last}."
        )
    return found


def truth_words(metrics: Sequence[Metric]) -> list[str]:
    """How far step labels and step scores can be trusted, a sentence each.

    Args:
        metrics: figures against the truth, of one set of problems.
    """
    found = []
    for row in metrics:
        if row.bin != "all":
            continue
        if row.metric == "label_agreement":
            found.append(
                f"The labels {row.strategy} agree with the truth on {figure_words(row)} of steps."
            )
        elif row.metric == "step_auc":
            low, high = row.ci_low, row.ci_high
            told = "does not tell right steps from wrong ones beyond noise"
            if low is not None and low > _CHANCE:
                told = "tells right steps from wrong ones better than chance"
            elif high is not None and high < _CHANCE:
                told = "takes wrong steps for right ones more often than not"
            found.append(f"The verifier {row.verifier} {told}: AUC {figure_words(row)}.")
    return found


_CHANCE = 0.5
_CHANGED = {
    1: "rises",
    -1: "falls",
    0: "is not told apart from where it began,",
    None: "goes, without intervals,",
}


def _whole(metrics: Iterable[Metric]) -> list[Metric]:
    return [row for row in metrics if row.bin == "all" and row.pick is None]


def _fixed_curve(metrics: Sequence[Metric]) -> list[Metric]:
    """The accuracies of the fixed strategy by N, at least one."""
    rows = [row for row in _whole(metrics) if row.metric == "accuracy"]
    reached = [row for row in rows if row.strategy != UPPER_BOUND] or rows
    if not reached:
        raise ValueError(f"expected accuracies, got none among {len(metrics)} figures")
    largest = max(row.budget or 0 for row in reached)
    fixed = fixed_strategy({row.strategy for row in reached if (row.budget or 0) == largest})
    return sorted(
        (row for row in reached if row.strategy == fixed), key=lambda row: row.budget or 0
    )


def _trend_words(curve: Sequence[Metric]) -> list[str]:
    """What more candidates did, and whether the end is below what fewer reached."""
    first, last = curve[0], curve[-1]
    if first is last:
        return []
    name = last.strategy
    is_verified = strategy_type(name) == _BY_VERIFIER and last.verifier is not None
    ends = f"from {_figure_at(first)} to {_figure_at(last)}"
    match change(first, last):
        case 1:
            words = f"{'the verifier helps: ' if is_verified else ''}{name} rises {ends}"
        case -1:
            words = f"{'the verifier misleads: ' if is_verified else ''}{name} falls {ends}"
        case 0:
            words = f"More candidates are not seen to change {name}: {ends}, the intervals overlap"
        case _:
            words = f"{name} goes {ends}, without intervals"
    peak = max(curve, key=lambda row: row.value)
    if peak is not first and peak is not last and change(last, peak) == 1:
        words += f"; it was {_figure_at(peak)}, and falls with more candidates"
    return [f"{words[0].upper()}{words[1:]}." if is_verified else f"{words}."]


def _gain_words(gain: Metric) -> str:
    """Whether the fixed strategy is above what it is compared with, on the same problems."""
    figure = figure_words(gain)
    match _sign(gain):
        case 1:
            return f"It solves more than {gain.against} on the same problems: {figure}."
        case -1:
            return f"It solves less than {gain.against} on the same problems: {figure}."
        case _:
            return f"It is not told apart from {gain.against} on the same problems: {figure}."


def _count_words(gains: Sequence[Metric], against: str) -> list[str]:
    """How many other strategies are above and below the baseline."""
    others = [row for row in gains if row.strategy not in (UPPER_BOUND, against)]
    if not others:
        return []
    above = [row.strategy for row in others if _sign(row) == 1]
    below = [row.strategy for row in others if _sign(row) == -1]
    if len(others) == 1:
        return [f"Of {others[0].strategy} over {against}: {figure_words(others[0])}."]
    if not above and not below:
        return [f"None of the {len(others)} others is told apart from {against}."]
    sides = [
        f"{len(names)} {word} {against} ({', '.join(names)})"
        for names, word in ((above, "above"), (below, "below"))
        if names
    ]
    return [
        f"Of the {len(others)} others, {' and '.join(sides)}, by intervals that are not corrected "
        f"for {len(others)} comparisons."
    ]


def _sign(gain: Metric) -> int:
    if gain.ci_low is not None and gain.ci_low > 0:
        return 1
    return -1 if gain.ci_high is not None and gain.ci_high < 0 else 0


def _at(row: Metric) -> str:
    where = "" if row.budget is None else f" at N = {row.budget}"
    return f"{row.strategy}{where}: {figure_words(row)}"


def _figure_at(row: Metric) -> str:
    return f"{figure_words(row)} at N = {row.budget}"
