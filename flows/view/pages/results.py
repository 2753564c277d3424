"""A run's result: curves with intervals, by budget, bin of problems or round, and what was seen."""

from collections.abc import Mapping, Sequence
from typing import Any

from flows.commands.report import by_verifier
from flows.tables.names import UPPER_BOUND, sort_strategies
from flows.tables.relations import sentence
from flows.tables.sentences import result_words
from flows.view.curves import Chart, Figure, lay_out
from flows.view.site import NotThere, View
from schemas.metric_names import Bin
from schemas.rows import METRICS, MeasuredRelation, Metric
from tasks.evaluation.rounds import round_order

_MAX_ROWS = 500
_DEFAULT_SET = "eval"


def build(view: View) -> Mapping[str, Any]:
    """The page of one metric of one set of problems of a run."""
    run_id = view.need("run")
    found = view.snapshot.ask("curves_of_run", run_id=run_id)
    relations = view.snapshot.ask("relations_of_run", run_id=run_id)
    if not found and not relations:
        raise NotThere(f"run {run_id} has no results: its evaluation or its search makes them")
    sets = sorted({row["set_name"] or "" for row in found})
    chosen = view.get("set") or (_DEFAULT_SET if _DEFAULT_SET in sets else next(iter(sets), ""))
    names = METRICS.schema.names
    of_set = [row for row in found if (row["set_name"] or "") == chosen]
    rows = [Metric(**{name: row[name] for name in names}) for row in of_set]
    metrics = sorted({row.metric for row in rows})
    first = "accuracy" if "accuracy" in metrics else next(iter(metrics), "")
    metric = view.get("metric") or first
    if rows and metric not in metrics:
        raise NotThere(f"run {run_id} has no {metric} of set {chosen!r}: {', '.join(metrics)}")
    return {
        "run_id": run_id,
        "sets": sets,
        "set_name": chosen,
        "metrics": metrics,
        "metric": metric,
        "groups": [_group(each, metric) for each in by_verifier(rows)],
        "relations": [{**row, "sentence": sentence(MeasuredRelation(**row))} for row in relations],
    }


def _group(rows: Sequence[Metric], metric: str) -> dict[str, Any]:
    """The pictures and the rows of a policy with a verifier."""
    of_metric = [row for row in rows if row.metric == metric]
    has_accuracy = any(
        row.metric == "accuracy" and row.bin == "all" and row.pick is None
        and row.strategy != UPPER_BOUND
        for row in rows
    )  # fmt: skip
    return {
        "policy": rows[0].policy,
        "verifier": next((row.verifier for row in rows if row.verifier), None),
        "words": result_words(rows) if has_accuracy else None,
        "charts": charts_of(of_metric, metric),
        "rows": of_metric[:_MAX_ROWS],
        "num_rows": len(of_metric),
    }


def charts_of(rows: Sequence[Metric], metric: str) -> list[Chart]:
    """Pictures of a metric: against the budget, by each kind of bin at the largest one, by round.

    Args:
        rows: of one metric, policy and verifier.
        metric: its name.
    """
    charts = []
    plain = [row for row in rows if row.bin == "all" and row.budget is not None]
    if len({row.budget for row in plain}) > 1:
        places = [str(budget) for budget in sorted({row.budget or 0 for row in plain})]
        charts.append(_chart(plain, [str(r.budget) for r in plain], places, "N", metric))
    bins = [(Bin.parse(row.bin), row) for row in rows]
    for kind in dict.fromkeys(where.kind for where, _ in bins if where.kind and not where.round):
        of_kind = [(w, r) for w, r in bins if w.kind == kind and not w.round and w.fold is None]
        largest = max((row.budget or 0 for _, row in of_kind), default=0)
        of_kind = [(where, row) for where, row in of_kind if (row.budget or 0) == largest]
        ordered = sorted({where for where, _ in of_kind}, key=lambda where: where.order)
        if len(ordered) > 1:
            words = f"{kind.replace('_', ' ')}{f', N = {largest}' if largest else ''}"
            there = [where.value for where, _ in of_kind]
            places = [where.value for where in ordered]
            charts.append(_chart([row for _, row in of_kind], there, places, words, metric))
    rounds = [(where, row) for where, row in bins if where.round and not where.kind]
    labels = sorted({where.round or "" for where, _ in rounds}, key=round_order)
    if len(labels) > 1:
        there = [where.round or "" for where, _ in rounds]
        charts.append(_chart([row for _, row in rounds], there, labels, "round", metric, by_n=True))
    return charts


def _chart(
    rows: Sequence[Metric],
    there: Sequence[str],
    places: Sequence[str],
    x_words: str,
    metric: str,
    *,
    by_n: bool = False,
) -> Chart:
    """A picture with a series per strategy, pick and arm, and per N where that is not the axis."""
    series: dict[str, dict[str, Figure]] = {}
    order = {name: n for n, name in enumerate(sort_strategies({row.strategy for row in rows}))}
    for row, place in sorted(
        zip(rows, there, strict=True), key=lambda p: (order[p[0].strategy], p[0].arm or "")
    ):
        name = row.strategy + (f" @{row.budget}" if by_n and row.budget is not None else "")
        more = [part for part in (row.pick, row.arm, row.against and f"over {row.against}") if part]
        name = ", ".join([name, *more])
        figure = (row.value, row.ci_low, row.ci_high, row.num_problems)
        series.setdefault(name, {})[place] = figure
    return lay_out(series, places, x_words, metric.replace("_", " "))
