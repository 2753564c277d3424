"""The rows of training sets: one record per TRL form, and the Arrow schema of its files.

The fields of a record and the columns of its schema have the same names and order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import pyarrow as pa

from schemas.dataset_export.builders import Form


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRow:
    """The columns that rows of all forms have."""

    prompt: str
    """Everything before the learned text, as the policy reads it; a start state's prefix is not
    included."""
    source_ids: tuple[str, ...]
    """The trajectories it was made from; empty for data that came with the problems."""
    problem_id: str
    source: str
    """The source of the problem."""
    level: int | None
    weight: float
    reason: str
    """Why the row was kept."""
    vocabulary: str | None = None
    """The vocabulary of the row's token ids (see tasks.models.vocabulary); None without ids. A
    text without its ids is encoded when it is trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRow(TrainingRow):
    """A prompt and the text to learn."""

    completion: str
    completion_ids: Sequence[int] | None = None
    """The tokens that were sampled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkRow(CompletionRow):
    """A prompt and a self-talk to learn."""

    segments: Sequence[Mapping[str, str]]
    """What it was written from, piece by piece: `type` (`step`, `critique` or `revision`) and
    `text`."""
    answer_preserved: bool
    """Whether its answer is that of its chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceRow(TrainingRow):
    """A prompt, and a better and a worse continuation."""

    chosen: str
    rejected: str
    chosen_ids: Sequence[int] | None = None
    """The tokens that were sampled."""
    rejected_ids: Sequence[int] | None = None
    """The tokens that were sampled."""
    prompt_prefix: str | None = None
    """The end of the prompt that is the first steps of a solution; None if it has none."""
    prompt_prefix_ids: Sequence[int] | None = None
    """The tokens that these steps were sampled as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRow(TrainingRow):
    """A state to continue from."""

    answer: str
    """The gold answer; empty where it is hidden."""
    prefix: str
    """The first steps: read after the prompt, and graded together with what is generated."""
    prefix_ids: Sequence[int] | None = None
    """The tokens that the first steps were sampled as."""
    stage: int
    """The stage of the curriculum; the last one is the whole problem."""
    steps_to_go: int
    """Remaining steps of the right solution that it was cut from; 0 for a request."""
    question: str | None = None
    """The question alone, of a request for a critique."""
    attempt: Sequence[str] | None = None
    """[num_steps] the solution to criticise, as the critic reads it; None for other states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepwiseRow(TrainingRow):
    """A prompt, and the steps of a solution with a label each."""

    completions: tuple[str, ...]
    """[num_steps] without the separator, which TRL puts after each."""
    completions_ids: Sequence[Sequence[int]] | None = None
    """[num_steps] the tokens that each step was sampled as, those of its separator included."""
    labels: tuple[bool | None, ...]
    """[num_steps] whether the solution is still right after the step; None without a label."""
    soft: tuple[float | None, ...]
    """[num_steps] solved fraction of the step's rollouts; None if its label is inferred."""
    correct: bool | None
    """Whether the answer is right; None if it was not graded."""


_COMMON = {
    "source_ids": pa.list_(pa.string()),
    "problem_id": pa.string(),
    "source": pa.string(),
    "level": pa.int32(),
    "weight": pa.float64(),
    "reason": pa.string(),
    "vocabulary": pa.string(),
}
_IDS = pa.list_(pa.int32())
_OWN: dict[Form, dict[str, pa.DataType]] = {
    "prompt_completion": {"completion": pa.string(), "completion_ids": _IDS},
    "preference": {
        "chosen": pa.string(),
        "rejected": pa.string(),
        "chosen_ids": _IDS,
        "rejected_ids": _IDS,
        "prompt_prefix": pa.string(),
        "prompt_prefix_ids": _IDS,
    },
    "prompt_only": {
        "answer": pa.string(),
        "prefix": pa.string(),
        "prefix_ids": _IDS,
        "stage": pa.int32(),
        "steps_to_go": pa.int32(),
        "question": pa.string(),
        "attempt": pa.list_(pa.string()),
    },
    "stepwise": {
        "completions": pa.list_(pa.string()),
        "completions_ids": pa.list_(_IDS),
        "labels": pa.list_(pa.bool_()),
        "soft": pa.list_(pa.float64()),
        "correct": pa.bool_(),
    },
}
_MAY_BE_NULL = frozenset(
    {"level", "correct", "vocabulary", "prompt_prefix", "question", "attempt"}
    | {name for own in _OWN.values() for name in own if name.endswith("_ids")}
)
FORM_SCHEMAS: dict[Form, pa.Schema] = {
    form: pa.schema(
        [
            pa.field(name, kind, nullable=name in _MAY_BE_NULL)
            for name, kind in {"prompt": pa.string(), **own, **_COMMON}.items()
        ]
    )
    for form, own in _OWN.items()
}
_EXTRA = {
    "segments": pa.list_(pa.struct([("type", pa.string()), ("text", pa.string())])),
    "answer_preserved": pa.bool_(),
}
"""Columns that only some builders' rows have."""


def schema_of(form: Form, extra_columns: Sequence[str] = ()) -> pa.Schema:
    """The schema of a form, and of columns that a builder adds to it."""
    schema = FORM_SCHEMAS[form]
    for name in extra_columns:
        schema = schema.append(pa.field(name, _EXTRA[name]))
    return schema


def to_batch(
    form: Form, rows: Sequence[TrainingRow], extra_columns: Sequence[str] = ()
) -> pa.RecordBatch:
    """Rows of one form as a record batch of its schema, in order.

    Raises:
        ValueError: a row is of another form.
    """
    schema = schema_of(form, extra_columns)
    try:
        columns = [
            pa.array(list(map(attrgetter(field.name), rows)), type=field.type) for field in schema
        ]
    except AttributeError as error:
        raise ValueError(f"expected rows of the form {form}: {error}") from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)
