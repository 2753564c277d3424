"""Measured relations in words, as a table for a terminal, and as the table of RESULTS.md."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from statistics import fmean
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from schemas.experiments import ExperimentConfig, Relation, experiment_configs
from schemas.rows import MeasuredRelation
from schemas.rows.relations import Verdict
from tasks.evaluation.statistics.intervals import mean_interval
from tasks.evaluation.statistics.relations import verdict_of

UNKNOWN = "not measured"
"""The verdict of a row without one."""
FROM_PAGE = "†"
"""Marks what was measured before it was an experiment."""
_MAX_POINTS = 6
"""Claims with more are summed up in the table of RESULTS.md."""
_MIN_SEEDS = 3
"""From so many seeds up, the mean of their differences decides."""
_MINUS, _DASH = "\u2212", "\u2013"


def number_words(value: float | None, *, signed: bool = False, digits: int = 3) -> str:
    """A figure as in `.856`, `1,234` or `+.041`; empty without one."""
    if value is None:
        return ""
    is_count = abs(value) >= 10
    text = f"{abs(value):,.0f}" if is_count else f"{abs(value):.{digits}f}".removeprefix("0")
    sign = _MINUS if value < 0 else "+" if signed else ""
    return f"{sign}{text}"


def side_words(value: float | None, low: float | None, high: float | None) -> str:
    """A figure with its interval, as in `.856 (.83 to .88)` with a dash."""
    if low is None or high is None or low == high:
        return number_words(value)
    ends = (number_words(end, digits=2) for end in (low, high))
    return f"{number_words(value)} ({_DASH.join(ends)})"


def difference_words(row: MeasuredRelation) -> str:
    """The difference with its interval, as in `+.406 (+.371, +.442)`."""
    return _signed_words(row.difference, row.difference_low, row.difference_high)


def _signed_words(value: float | None, low: float | None, high: float | None) -> str:
    text = number_words(value, signed=True)
    if low is None or high is None:
        return text
    return f"{text} ({', '.join(number_words(end, signed=True) for end in (low, high))})"


def sentence(row: MeasuredRelation) -> str:
    """What a row says, in one sentence."""
    point = f", {row.point}" if row.point else ""
    head = f"{row.claim}{point} ({row.paper}): "
    if row.verdict is None:
        return f"{head}no verdict, {row.reason or UNKNOWN}."
    larger = side_words(row.larger_value, row.larger_low, row.larger_high)
    smaller = side_words(row.smaller_value, row.smaller_low, row.smaller_high)
    units = "" if row.num_units is None else f" over {row.num_units}"
    margin = f", claimed to be above {number_words(row.margin, signed=True)}" if row.margin else ""
    return (
        f"{head}{row.verdict}: {row.larger} {larger}, {row.smaller} {smaller}; "
        f"{difference_words(row)}{margin} [{row.rule}{units}]."
    )


def relations_summary(rows: Sequence[MeasuredRelation], *, title: str) -> Table:
    """A row per relation and point."""
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("relation", "point", "larger by the claim", "smaller", "difference", "verdict"):
        table.add_column(name, overflow="fold")
    for row in rows:
        cells = (
            row.relation,
            row.point,
            side_words(row.larger_value, row.larger_low, row.larger_high),
            side_words(row.smaller_value, row.smaller_low, row.smaller_high),
            difference_words(row),
            row.verdict or UNKNOWN,
        )
        table.add_row(*(Text(cell) for cell in cells))
    return table


def known_relations(rows: Iterable[MeasuredRelation]) -> Table:
    """Every relation of every experiment, and its verdict by the rows that count."""
    counted = rows_that_count(rows)
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("experiment", "published", "paper", "figure there", "here"):
        table.add_column(name, overflow="fold")
    table.add_column("quick, whole", no_wrap=True)
    for config, claims in _claims():
        for place, relations in enumerate(claims):
            measured = [counted[key] for r in relations if (key := key_of(config, r)) in counted]
            table.add_row(
                Text("" if place else config.name),
                Text(relations[0].claim),
                Text(relations[0].paper),
                Text(relations[0].published),
                Text(verdicts_words(measured)),
                Text("" if place else duration_words(config)),
            )
    return table


def verdicts_words(points: Sequence[Sequence[MeasuredRelation]]) -> str:
    """The verdicts of a claim, with the points they are of where these differ."""
    verdicts = [common_verdict(seeds) or UNKNOWN for seeds in points]
    if len(set(verdicts)) <= 1:
        return next(iter(verdicts), "")
    return "; ".join(
        f"{seeds[0].point} {verdict}" for seeds, verdict in zip(points, verdicts, strict=True)
    )


def duration_words(config: type[ExperimentConfig]) -> str:
    """How long an experiment takes, quick and whole."""
    return f"{_minutes(config.quick_minutes)}, {_minutes(config.whole_minutes)}"


def rows_that_count(
    rows: Iterable[MeasuredRelation],
) -> dict[tuple[str, str, str], list[MeasuredRelation]]:
    """The rows that count for each relation and point, one per seed: the newest of the whole ones.

    Quick ones count where there is no whole one, rows without a verdict where there is no other,
    and what a page said where it is the newest.
    """
    by_key: dict[tuple[str, str, str], list[MeasuredRelation]] = {}
    for row in sorted(rows, key=lambda row: (*_worth(row), row.created_at)):
        by_key.setdefault((row.experiment, row.relation, row.point), []).append(row)
    return {key: _of_each_seed(known) for key, known in by_key.items()}


def _worth(row: MeasuredRelation) -> tuple[bool, bool]:
    return row.verdict is not None or bool(row.said), row.size == "whole"


def _of_each_seed(known: Sequence[MeasuredRelation]) -> list[MeasuredRelation]:
    """The last row of each seed among those worth as much as the last; only that if it was said."""
    if known[-1].said:
        return [known[-1]]
    equal = (row for row in known if _worth(row) == _worth(known[-1]) and not row.said)
    by_seed = {row.seed: row for row in equal}
    return [by_seed[seed] for seed in sorted(by_seed)]


def common_verdict(seeds: Sequence[MeasuredRelation]) -> Verdict | None:
    """What several seeds say of a relation at a point.

    From three seeds up it is the verdict on the mean of their differences, with Student's interval.
    Two seeds must agree: if they differ, the relation is within the noise.
    """
    if len(seeds) >= _MIN_SEEDS:
        return verdict_of(*_mean_over(seeds)[1:], seeds[0].margin)
    first = seeds[0].verdict
    return first if all(row.verdict == first for row in seeds) else "within the noise"


def _mean_over(seeds: Sequence[MeasuredRelation]) -> tuple[float, float, float]:
    """The mean difference over seeds, and the 95% interval of that mean."""
    differences = [row.difference for row in seeds if row.difference is not None]
    return fmean(differences), *mean_interval(differences)


def key_of(config: type[ExperimentConfig], relation: Relation) -> tuple[str, str, str]:
    """What identifies a relation at a point."""
    return config.name, relation.name, relation.point


def markdown_lines(rows: Iterable[MeasuredRelation]) -> Iterator[str]:
    """The table of RESULTS.md: a line per claim that was measured, under its subject."""
    counted = rows_that_count(rows)
    yield "| published | here | details | `stepmill experiment` |"
    yield "|---|---|---|---|"
    subject = None
    for config, claims in _claims():
        for relations in claims:
            measured = [counted[key] for r in relations if (key := key_of(config, r)) in counted]
            if not measured:
                continue
            if config.subject != subject:
                subject = config.subject
                yield f"| **{subject}** | | | |"
            yield _claim_line(config, relations[0], measured)


def _claim_line(
    config: type[ExperimentConfig],
    relation: Relation,
    points: Sequence[Sequence[MeasuredRelation]],
) -> str:
    page = relation.details or config.details
    title = page.partition("#")[0].removesuffix(".md")
    figure = "" if relation.published == "no figure" else f"; {relation.published}"
    published = f"{relation.claim} ({relation.paper}{figure})"
    cells = (
        published,
        _here_words(points),
        f"[{title}](docs/results/{page})",
        f"`{config.name}`",
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _here_words(points: Sequence[Sequence[MeasuredRelation]]) -> str:
    """What was found at the points of a claim, those of one verdict together."""
    by_verdict: dict[str, list[Sequence[MeasuredRelation]]] = {}
    for seeds in points:
        by_verdict.setdefault(common_verdict(seeds) or "no verdict", []).append(seeds)
    if len(points) > _MAX_POINTS:
        return "; ".join(
            f"**{verdict}** at {len(of)} of {len(points)} points{_range_words(of)}"
            for verdict, of in by_verdict.items()
        )
    return "; ".join(
        f"**{verdict}**: {'; '.join(dict.fromkeys(map(_point_words, of)))}"
        for verdict, of in by_verdict.items()
    )


def _range_words(points: Sequence[Sequence[MeasuredRelation]]) -> str:
    """The points with the smallest and the largest difference; empty without differences."""
    rows = chain.from_iterable(points)
    known = sorted(
        ((row.difference, row) for row in rows if row.difference is not None), key=itemgetter(0)
    )
    if not known:
        return ""
    ends = [row for _, row in (known[0], known[-1])]
    words = dict.fromkeys(f"{difference_words(row)} ({row.point})" for row in ends)
    return f", {' to '.join(words)}"


def _point_words(seeds: Sequence[MeasuredRelation]) -> str:
    """Both sides at the first seed, the difference at each, and the mean of three or more."""
    row = seeds[0]
    if row.said is not None:
        return f"{row.said} {FROM_PAGE}"
    quick = " (quick)" if row.size == "quick" else ""
    point = f"{row.point}{quick}: " if row.point or quick else ""
    if row.verdict is None:
        return f"{point}{row.reason or UNKNOWN}"
    larger = side_words(row.larger_value, row.larger_low, row.larger_high)
    smaller = side_words(row.smaller_value, row.smaller_low, row.smaller_high)
    words = [f"{point}{larger} against {smaller}", difference_words(row)]
    words += [f"at seed {other.seed} {difference_words(other)}" for other in seeds[1:]]
    if len(seeds) >= _MIN_SEEDS:
        words.append(f"mean {_signed_words(*_mean_over(seeds))}")
    return ", ".join(words)


def _claims() -> Iterator[tuple[type[ExperimentConfig], list[list[Relation]]]]:
    """Every experiment with its claims: the relations of the same name, at their points."""
    for config in experiment_configs().values():
        by_name: dict[str, list[Relation]] = {}
        for relation in config().relations():
            by_name.setdefault(relation.name, []).append(relation)
        yield config, list(by_name.values())


def relations_json() -> list[Mapping[str, Any]]:
    """Every relation of every experiment, for programs."""
    return [
        {
            "experiment": config.name,
            "subject": config.subject,
            "relation": relation.name,
            "point": relation.point,
            "claim": relation.claim,
            "paper": relation.paper,
            "published": relation.published,
            "larger": relation.larger.label,
            "smaller": relation.smaller.label,
            "quick_minutes": config.quick_minutes,
            "whole_minutes": config.whole_minutes,
        }
        for config, claims in _claims()
        for relations in claims
        for relation in relations
    ]


def _minutes(minutes: float | None) -> str:
    if minutes is None:
        return "?"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
