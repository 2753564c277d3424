"""Every row kind of the store: one frozen record, its Arrow schema, its table.

A record's fields and its schema's columns are the same names in the same order (a test holds
them together). `run_id` and `stage` are not columns of the files: they are the names of the
folders a file lies in, and every view has them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, chain
from operator import attrgetter
from typing import Literal

import pyarrow as pa

SCHEMA_VERSION = 3
"""Written into every store; a reader refuses a later one. Version 2 added the tables `verdicts` and
`failures`, and columns of `metrics` and `runs`; version 3 the tables `decisions` and
`training_sets`, and the last three columns of `trajectories`. New columns are null in older
files."""

Status = Literal["finished", "truncated", "pruned", "error"]
Evidence = Literal["rollouts", "answer", "inferred", "checker"]
DecisionStatus = Literal["decided", "unfinished", "error"]
RunState = Literal["started", "completed", "failed"]
ModelRole = Literal["policy", "verifier", "critic"]


def now() -> datetime:
    """The time a row was made, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A question with its gold answer."""

    problem_id: str
    source: str
    split: str
    question: str
    answer: str
    solution: str | None = None
    level: int | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One piece of a solution; the texts of a trajectory's steps joined are its whole text."""

    text: str
    num_tokens: int
    logprob: float | None = None
    score: float | None = None
    value: float | None = None
    visits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """One solution, or one rollout: then `parent_id` and `branch_step` say what it continues."""

    trajectory_id: str
    problem_id: str
    policy: str
    strategy: str
    sample_index: int
    parent_id: str | None = None
    branch_step: int | None = None
    status: Status
    error: str | None = None
    steps: tuple[Step, ...]
    answer: str | None = None
    correct: bool | None = None
    grader: str
    temperature: float
    top_p: float
    seed: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    scored_tokens: int = 0
    round: int | None = None
    engine: str
    created_at: datetime
    budget: int | None = None
    """Candidates per problem (N) of the search that made it."""
    verifier: str | None = None
    """The model whose scores its steps carry."""
    reason: str | None = None
    """Why a search did not go on from here."""
    reward: float | None = None
    """What it earned in a training by rewards."""
    group_id: str | None = None
    """Shared by the solutions whose rewards a training compared."""
    training_step: int | None = None
    """Optimizer steps of the training that drew it, before it was drawn."""

    @property
    def text(self) -> str:
        """The generated text, separators included."""
        return "".join(step.text for step in self.steps)

    @property
    def logprob(self) -> float | None:
        """The summed log probability of the generated tokens; None where it was not asked for."""
        parts = [step.logprob for step in self.steps]
        known = [part for part in parts if part is not None]
        return sum(known) if known and len(known) == len(parts) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLabel:
    """One step's label: is the solution still right after this step?"""

    trajectory_id: str
    step_index: int
    method: str
    completer: str
    evidence: Evidence
    num_rollouts: int
    num_correct: int
    soft: float | None
    hard: bool | None
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepScores:
    """One verifier's scores of one trajectory, a value in [0, 1] per step."""

    trajectory_id: str
    verifier: str
    scores: tuple[float, ...]
    scored_tokens: int
    cached_tokens: int
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer one pick takes from one search: problem x strategy x budget x pick."""

    problem_id: str
    set_name: str
    policy: str
    verifier: str | None
    strategy: str
    budget: int
    pick: str
    is_main: bool
    """Whether this is the pick that the strategy is reported by."""
    status: DecisionStatus
    """`unfinished`: no candidate came to an end; `error`: engines refused them all."""
    trajectory_id: str | None
    answer: str | None
    correct: bool | None
    num_candidates: int
    num_finished: int
    num_rows: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    scored_tokens: int
    error: str | None = None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One later grading of a trajectory; the newest one counts, before the trajectory's own."""

    trajectory_id: str
    grader: str
    answer: str | None
    correct: bool | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One unit that failed for a reason of its own; `unit` is the file that it did not write."""

    unit: str
    error_type: str
    message: str
    traceback: str
    code_version: str
    happened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One trained or registered model; `metrics` is JSON text."""

    model_id: str
    role: ModelRole
    path: str
    base: str | None
    training_set: str | None
    metrics: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """One built training set; `config` and `counts` are JSON text."""

    name: str
    kind: str
    form: str
    path: str
    """Its folder, relative to the root."""
    num_rows: int
    policy: str
    """Ids of the models that wrote its solutions, joined by commas."""
    config: str
    counts: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measured figure. `bin` is `all`, or `<kind>=<value>` such as `level=3`."""

    policy: str
    verifier: str | None
    strategy: str
    budget: int | None
    bin: str
    metric: str
    value: float
    ci_low: float | None
    ci_high: float | None
    num_problems: int
    set_name: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """A run began or ended; the newest event of a run is its state. `config` is JSON text."""

    flow: str
    part: str | None = None
    """Which set of problems, for a flow that a run may hold several times."""
    state: RunState
    config: str
    config_hash: str
    code_version: str
    message: str | None
    happened_at: datetime


_TIME = pa.timestamp("us", tz="UTC")
_STEP = pa.struct(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("num_tokens", pa.int32(), nullable=False),
        ("logprob", pa.float64()),
        ("score", pa.float64()),
        ("value", pa.float64()),
        ("visits", pa.int64()),
    ]
)


def _schema(**columns: pa.DataType | tuple[pa.DataType, None]) -> pa.Schema:
    """Columns in order; `(type, None)` marks one that may be null."""
    return pa.schema(
        [
            pa.field(name, kind[0], nullable=True)
            if isinstance(kind, tuple)
            else pa.field(name, kind, nullable=False)
            for name, kind in columns.items()
        ],
        metadata={b"stepmill_schema_version": str(SCHEMA_VERSION).encode()},
    )


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table of the store: its name, the record of a row, the Arrow schema of a file."""

    name: str
    record: type
    schema: pa.Schema


PROBLEMS = TableSpec(
    "problems",
    Problem,
    _schema(
        problem_id=pa.string(),
        source=pa.string(),
        split=pa.string(),
        question=pa.string(),
        answer=pa.string(),
        solution=(pa.string(), None),
        level=(pa.int32(), None),
        subject=(pa.string(), None),
    ),
)
TRAJECTORIES = TableSpec(
    "trajectories",
    Trajectory,
    _schema(
        trajectory_id=pa.string(),
        problem_id=pa.string(),
        policy=pa.string(),
        strategy=pa.string(),
        sample_index=pa.int32(),
        parent_id=(pa.string(), None),
        branch_step=(pa.int32(), None),
        status=pa.string(),
        error=(pa.string(), None),
        steps=pa.list_(_STEP),
        answer=(pa.string(), None),
        correct=(pa.bool_(), None),
        grader=pa.string(),
        temperature=pa.float64(),
        top_p=pa.float64(),
        seed=pa.int64(),
        prompt_tokens=pa.int32(),
        cached_tokens=pa.int32(),
        generated_tokens=pa.int32(),
        scored_tokens=pa.int32(),
        round=(pa.int32(), None),
        engine=pa.string(),
        created_at=_TIME,
        budget=(pa.int32(), None),
        verifier=(pa.string(), None),
        reason=(pa.string(), None),
        reward=(pa.float64(), None),
        group_id=(pa.string(), None),
        training_step=(pa.int32(), None),
    ),
)
STEP_LABELS = TableSpec(
    "step_labels",
    StepLabel,
    _schema(
        trajectory_id=pa.string(),
        step_index=pa.int32(),
        method=pa.string(),
        completer=pa.string(),
        evidence=pa.string(),
        num_rollouts=pa.int32(),
        num_correct=pa.int32(),
        soft=(pa.float64(), None),
        hard=(pa.bool_(), None),
        ci_low=(pa.float64(), None),
        ci_high=(pa.float64(), None),
    ),
)
STEP_SCORES = TableSpec(
    "step_scores",
    StepScores,
    _schema(
        trajectory_id=pa.string(),
        verifier=pa.string(),
        scores=pa.list_(pa.float64()),
        scored_tokens=pa.int32(),
        cached_tokens=pa.int32(),
        error=(pa.string(), None),
    ),
)
MODELS = TableSpec(
    "models",
    Model,
    _schema(
        model_id=pa.string(),
        role=pa.string(),
        path=pa.string(),
        base=(pa.string(), None),
        training_set=(pa.string(), None),
        metrics=pa.string(),
        created_at=_TIME,
    ),
)
TRAINING_SETS = TableSpec(
    "training_sets",
    TrainingSet,
    _schema(
        name=pa.string(),
        kind=pa.string(),
        form=pa.string(),
        path=pa.string(),
        num_rows=pa.int64(),
        policy=pa.string(),
        config=pa.string(),
        counts=pa.string(),
        created_at=_TIME,
    ),
)
METRICS = TableSpec(
    "metrics",
    Metric,
    _schema(
        policy=pa.string(),
        verifier=(pa.string(), None),
        strategy=pa.string(),
        budget=(pa.int32(), None),
        bin=pa.string(),
        metric=pa.string(),
        value=pa.float64(),
        ci_low=(pa.float64(), None),
        ci_high=(pa.float64(), None),
        num_problems=pa.int32(),
        set_name=(pa.string(), None),
        created_at=(_TIME, None),
    ),
)
RUNS = TableSpec(
    "runs",
    RunEvent,
    _schema(
        flow=pa.string(),
        part=(pa.string(), None),
        state=pa.string(),
        config=pa.string(),
        config_hash=pa.string(),
        code_version=pa.string(),
        message=(pa.string(), None),
        happened_at=_TIME,
    ),
)
DECISIONS = TableSpec(
    "decisions",
    Decision,
    _schema(
        problem_id=pa.string(),
        set_name=pa.string(),
        policy=pa.string(),
        verifier=(pa.string(), None),
        strategy=pa.string(),
        budget=pa.int32(),
        pick=pa.string(),
        is_main=pa.bool_(),
        status=pa.string(),
        trajectory_id=(pa.string(), None),
        answer=(pa.string(), None),
        correct=(pa.bool_(), None),
        num_candidates=pa.int32(),
        num_finished=pa.int32(),
        num_rows=pa.int32(),
        prompt_tokens=pa.int64(),
        cached_tokens=pa.int64(),
        generated_tokens=pa.int64(),
        scored_tokens=pa.int64(),
        error=(pa.string(), None),
        created_at=_TIME,
    ),
)
VERDICTS = TableSpec(
    "verdicts",
    Verdict,
    _schema(
        trajectory_id=pa.string(),
        grader=pa.string(),
        answer=(pa.string(), None),
        correct=(pa.bool_(), None),
        created_at=_TIME,
    ),
)
FAILURES = TableSpec(
    "failures",
    Failure,
    _schema(
        unit=pa.string(),
        error_type=pa.string(),
        message=pa.string(),
        traceback=pa.string(),
        code_version=pa.string(),
        happened_at=_TIME,
    ),
)
TABLES: dict[str, TableSpec] = {
    spec.name: spec
    for spec in (
        PROBLEMS,
        TRAJECTORIES,
        STEP_LABELS,
        STEP_SCORES,
        DECISIONS,
        VERDICTS,
        MODELS,
        TRAINING_SETS,
        METRICS,
        RUNS,
        FAILURES,
    )
}


def to_table(spec: TableSpec, records: Sequence[object]) -> pa.Table:
    """Records of one kind as an Arrow table of their schema, in order.

    Raises:
        ValueError: a record is not of the table's kind, or a value does not fit its column.
    """
    for index, record in enumerate(records):
        if not isinstance(record, spec.record):
            raise ValueError(
                f"table {spec.name}, row {index}: expected a {spec.record.__name__}, "
                f"got {type(record).__name__}"
            )
    columns = []
    for column in spec.schema:
        values = list(map(attrgetter(column.name), records))
        try:
            columns.append(
                _to_step_lists(values, column.type)
                if column.name == "steps"
                else pa.array(values, type=column.type)
            )
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise ValueError(f"table {spec.name}, column {column.name}: {error}") from error
        if not column.nullable and columns[-1].null_count:
            row = next(i for i, value in enumerate(values) if value is None)
            raise ValueError(f"table {spec.name}, row {row}: {column.name} must not be null")
    return pa.Table.from_arrays(columns, schema=spec.schema)


def _to_step_lists(lists: Sequence[Sequence[Step]], kind: pa.ListType) -> pa.ListArray:
    """The `steps` column. A dict per step would take longer than all that is done with a row."""
    ends = accumulate(map(len, lists), initial=0)
    steps = list(chain.from_iterable(lists))
    fields = list(kind.value_type)
    values = [pa.array(list(map(attrgetter(f.name), steps)), type=f.type) for f in fields]
    return pa.ListArray.from_arrays(
        pa.array(ends, type=pa.int32()),
        pa.StructArray.from_arrays(values, fields=fields),
        type=kind,
    )


def from_table(spec: TableSpec, table: pa.Table) -> list:
    """The records of an Arrow table (or of some of its rows), in order.

    A column that an older version did not write takes the record's default.
    """
    names = [field.name for field in spec.schema if field.name in table.column_names]
    records = []
    for row in table.select(names).to_pylist():
        if spec is TRAJECTORIES:
            row["steps"] = tuple(Step(**step) for step in row["steps"])
        elif spec is STEP_SCORES:
            row["scores"] = tuple(row["scores"])
        records.append(spec.record(**row))
    return records
