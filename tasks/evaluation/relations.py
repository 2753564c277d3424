"""From an experiment's stored rows to rows of `relations`: both figures, and what they say.

Reads `curves`, `decisions`, `outcomes` and `cost` of the experiment's run and of its parts. A part
is a run of its own, named after both (`part_run`).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from math import log
from typing import Any, get_args

from schemas.experiments import (
    AnswersForTokens,
    Combined,
    Constant,
    DecidedAnswers,
    ExperimentConfig,
    Figure,
    Relation,
    SolvedShare,
    StoredFigure,
    TokensSpent,
)
from schemas.experiments.relation import Column
from schemas.metric_names import Bin
from schemas.rows import PROBLEMS, MeasuredRelation, now
from schemas.units import Stage, UnitPath, derive_seed
from storage import Store, connect
from storage.queries import ask
from tasks.evaluation.rounds import round_order
from tasks.evaluation.statistics.relations import (
    Comparison,
    Measured,
    compare,
    mean_of_units,
    on_shared_units,
    weighted_sum,
)

_COMPARED = ("metric", "budget", "stage", *get_args(Column))


class NotMeasured(ValueError):
    """A figure that the store does not have, or has several times; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What all parts of an experiment spent."""

    tokens: int | None
    engine_s: float | None


def part_run(run_id: str, part: str) -> str:
    """The id of the run of a part of an experiment; the experiment's own for an empty part."""
    return f"{run_id}.{part}" if part else run_id


def measure_relations(
    store: Store, run_id: str, config: ExperimentConfig, command: str
) -> list[MeasuredRelation]:
    """The relations of an experiment as its stored rows have them.

    Args:
        store: the store.
        run_id: the experiment's run.
        config: the experiment.
        command: what was run, for the rows.

    A figure that selects several rows where one is expected is not measured either.
    """
    with closing(StoredFigures(store, run_id, config.parts)) as figures:
        cost = figures.cost()
        return [
            measure(relation, figures, config, cost=cost, command=command)
            for relation in config.relations()
        ]


def measure(
    relation: Relation,
    figures: "StoredFigures",
    config: ExperimentConfig,
    *,
    cost: Cost,
    command: str,
) -> MeasuredRelation:
    """One relation as a row; without a verdict if a side was not measured."""
    larger, missing_larger = figures.find(relation.larger)
    smaller, missing_smaller = figures.find(relation.smaller)
    found: Comparison | None = None
    if larger is not None and smaller is not None:
        larger, smaller = on_shared_units(larger, smaller)
        stored = None if relation.difference is None else figures.find(relation.difference)[0]
        seed = derive_seed(config.name, relation.name, relation.point)
        found = compare(larger, smaller, stored=stored, margin=relation.margin, seed=seed)
    reason = missing_larger or missing_smaller
    if found is not None and found.verdict is None:
        reason = found.rule
    return MeasuredRelation(
        experiment=config.name,
        relation=relation.name,
        point=relation.point,
        claim=relation.claim,
        paper=relation.paper,
        published=relation.published,
        larger=relation.larger.label,
        larger_value=larger and larger.value,
        larger_low=larger and larger.low,
        larger_high=larger and larger.high,
        smaller=relation.smaller.label,
        smaller_value=smaller and smaller.value,
        smaller_low=smaller and smaller.low,
        smaller_high=smaller and smaller.high,
        difference=found and found.difference,
        difference_low=found and found.low,
        difference_high=found and found.high,
        margin=relation.margin,
        verdict=found and found.verdict,
        rule="not measured" if found is None else found.rule,
        reason=reason,
        num_units=found and found.num_units,
        tokens=cost.tokens,
        engine_s=cost.engine_s,
        size=config.size,
        seed=config.seed,
        command=command,
        details=relation.details or config.details,
        created_at=now(),
    )


class StoredFigures:
    """Figures of an experiment's run and of its parts, read from the store."""

    def __init__(self, store: Store, run_id: str, parts: Mapping[str, str] | None = None) -> None:
        """Open the store as it is; rows that are committed later are not seen.

        Args:
            store: the store.
            run_id: the experiment's run.
            parts: runs that stand for parts of it.
        """
        self._store = store
        self._run_id = run_id
        self._parts = dict(parts or {})
        self._connection = connect(store.url)
        self._rows: dict[tuple[str, str], list[dict[str, Any]]] = {}

    def close(self) -> None:
        """Close the store."""
        self._connection.close()

    def cost(self) -> Cost:
        """What the experiment and its parts spent."""
        others = list(self._parts.values())
        (row,) = ask(self._connection, "cost_of_experiment", run_id=self._run_id, others=others)
        return Cost(tokens=row["tokens"], engine_s=row["engine_s"])

    def find(self, figure: Figure) -> tuple[Measured, None] | tuple[None, str]:
        """A figure, or why there is none."""
        try:
            return self.read(figure), None
        except NotMeasured as error:
            return None, f"{figure.label}: {error}"

    def read(self, figure: Figure) -> Measured:
        """A figure.

        Raises:
            NotMeasured: the store does not have it, or has several where one is expected.
        """
        return _READERS[type(figure)](self, figure).scaled(figure.times)

    def _run_of(self, figure: Figure) -> str:
        return self._parts.get(figure.part) or part_run(self._run_id, figure.part)

    def _combined(self, figure: Combined) -> Measured:
        return weighted_sum([(weight, self.read(term)) for weight, term in figure.terms])

    def _spent(self, figure: TokensSpent) -> Measured:
        run_id = self._run_of(figure)
        rows = ask(self._connection, "tokens_by_problem", run_id=run_id, stage=figure.stage)
        units = {
            row["problem_id"]: row["tokens"] / (row["num_labels"] if figure.per_label else 1)
            for row in rows
            if row["num_labels"] or not figure.per_label
        }
        if not units:
            raise NotMeasured(f"run {run_id} has no rows of the stage {figure.stage}")
        return mean_of_units(units, "problem")

    def _constant(self, figure: Constant) -> Measured:
        return Measured(value=figure.value, low=figure.value, high=figure.value)

    def _stored(self, figure: StoredFigure) -> Measured:
        wanted = {
            name: value
            for name in _COMPARED
            if name != figure.per and (value := getattr(figure, name)) is not None
        }
        run_id = self._run_of(figure)
        rows = [
            row
            for row in self._rows_of("curves_of_run", run_id)
            if all(_is_selected(row[name], value) for name, value in wanted.items())
        ]
        words = ", ".join(f"{name} {value}" for name, value in wanted.items() if value != "")
        if not rows:
            raise NotMeasured(f"run {run_id} has no figure with {words}")
        if figure.per is not None:
            return mean_of_units(_by_unit(rows, figure.per, words), "seed")
        row = _only(rows, words, _COMPARED)
        return Measured(value=row["value"], low=row["ci_low"], high=row["ci_high"])

    def _answers(self, figure: DecidedAnswers) -> Measured:
        return mean_of_units(_by_problem(self._answered(figure), "correct"), "problem")

    def _answers_for_tokens(self, figure: AnswersForTokens) -> Measured:
        tokens = _mean_tokens(self._answered(figure.spent))
        points: list[tuple[float, dict[str, float]]] = []
        for budget in figure.budgets:
            rows = self._answered(replace(figure.search, budget=budget))
            points.append((_mean_tokens(rows), _by_problem(rows, "correct")))
        for (low, below), (high, above) in pairwise(sorted(points, key=lambda point: point[0])):
            if low <= tokens <= high:
                share = log(tokens / low) / log(high / low) if high > low else 1.0
                units = {
                    name: (1 - share) * below[name] + share * above[name]
                    for name in below
                    if name in above
                }
                return mean_of_units(units, "problem")
        reached = ", ".join(f"{spent:.0f}" for spent, _ in sorted(points, key=lambda p: p[0]))
        raise NotMeasured(
            f"run {self._run_of(figure.search)} has N with {reached} tokens a problem, which do "
            f"not enclose {tokens:.0f}"
        )

    def _answered(self, figure: DecidedAnswers) -> list[dict[str, Any]]:
        """The graded answers of a search, of which there is at least one."""
        run_id = self._run_of(figure)
        rows = [
            row
            for row in self._rows_of("answers_by_problem", run_id)
            if _is_selected(row["strategy"], figure.strategy)
            and row["budget"] == figure.budget
            and row["set_name"] == figure.set_name
            and (row["is_main"] if figure.pick is None else row["pick"] == figure.pick)
            and (not figure.levels or row["level"] in figure.levels)
        ]
        words = f"strategy {figure.strategy}, N = {figure.budget}, set {figure.set_name}"
        if not rows:
            raise NotMeasured(f"run {run_id} has no answers of {words}")
        _only(list({row["strategy"]: row for row in rows}.values()), words, ("strategy",))
        return rows

    def _solved(self, figure: SolvedShare) -> Measured:
        run_id = self._run_of(figure)
        policy = self._policy_of(run_id, figure)
        rows = ask(
            self._connection,
            "solved_by_problem",
            run_id=run_id,
            policy=policy,
            problems=self._problems_of(run_id, figure.set_name),
        )
        units = {
            row["problem_id"]: row["p_right"]
            for row in rows
            if not figure.levels or row["level"] in figure.levels
        }
        if not units:
            raise NotMeasured(f"run {run_id} has no graded solutions by {policy} of this set")
        return mean_of_units(units, "problem")

    def _policy_of(self, run_id: str, figure: SolvedShare) -> str:
        """The policy of an arm's round, which its figures name."""
        by_round = {
            number: row["policy"]
            for row in self._rows_of("curves_of_run", run_id)
            if row["arm"] == figure.arm
            and row["metric"] in ("pass@1", "accuracy")
            and (number := Bin.parse(row["bin"]).round) is not None
        }
        if not by_round:
            raise NotMeasured(f"run {run_id} has no arm {figure.arm!r}")
        number = figure.round or max(by_round, key=round_order)
        if number not in by_round:
            raise NotMeasured(f"run {run_id}, arm {figure.arm}: there is no round {number}")
        return by_round[number]

    def _problems_of(self, run_id: str, set_name: str) -> list[str]:
        path = UnitPath(table=PROBLEMS.name, run_id=run_id, stage=Stage.PROBLEMS, unit=set_name)
        try:
            return self._store.column(str(path), "problem_id")
        except FileNotFoundError:
            raise NotMeasured(f"run {run_id} has no set {set_name!r}") from None

    def _rows_of(self, query: str, run_id: str) -> list[dict[str, Any]]:
        if (query, run_id) not in self._rows:
            self._rows[query, run_id] = ask(self._connection, query, run_id=run_id)
        return self._rows[query, run_id]


_READERS: dict[type[Figure], Callable[[StoredFigures, Any], Measured]] = {
    Combined: StoredFigures._combined,
    Constant: StoredFigures._constant,
    StoredFigure: StoredFigures._stored,
    DecidedAnswers: StoredFigures._answers,
    AnswersForTokens: StoredFigures._answers_for_tokens,
    SolvedShare: StoredFigures._solved,
    TokensSpent: StoredFigures._spent,
}


def _by_problem(rows: Sequence[Mapping[str, Any]], column: str) -> dict[str, float]:
    """The mean of a column by problem."""
    by_problem: dict[str, list[float]] = {}
    for row in rows:
        by_problem.setdefault(row["problem_id"], []).append(float(row[column]))
    return {name: sum(known) / len(known) for name, known in by_problem.items()}


def _mean_tokens(rows: Sequence[Mapping[str, Any]]) -> float:
    """Tokens of a search per problem."""
    spent = _by_problem(rows, "tokens").values()
    return sum(spent) / len(spent)


def _is_selected(found: Any, wanted: Any) -> bool:
    """Whether a value is the wanted one; an empty text wants null, `x*` what begins with x."""
    if wanted == "":
        return found is None
    if isinstance(wanted, str) and wanted.endswith("*"):
        return isinstance(found, str) and found.startswith(wanted[:-1])
    return found == wanted


def _by_unit(rows: Sequence[Mapping[str, Any]], per: Column, words: str) -> dict[str, float]:
    """The figure of each repetition.

    Raises:
        NotMeasured: a repetition has several.
    """
    units: dict[str, float] = {}
    for row in rows:
        if row[per] is None or row[per] in units:
            raise NotMeasured(
                f"expected one figure with {words} for each {per}, got several of {row[per]!r}"
            )
        units[row[per]] = row["value"]
    return units


def _only(rows: Sequence[dict[str, Any]], words: str, columns: Sequence[str]) -> dict[str, Any]:
    """The one row.

    Raises:
        NotMeasured: there are several; the message has the columns in which they differ.
    """
    if len(rows) > 1:
        differing = [name for name in columns if len({str(row[name]) for row in rows}) > 1]
        told = "; ".join(", ".join(f"{name} {row[name]}" for name in differing) for row in rows[:5])
        raise NotMeasured(f"expected one figure with {words}, got {len(rows)}: {told}")
    return rows[0]
