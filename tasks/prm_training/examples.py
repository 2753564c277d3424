"""From stored rows to the rows a verifier is trained on.

Reads problems, trajectories and step labels; writes one Parquet file of examples, which every
training worker reads. Conventions, where published data disagree: a step without a label (ungraded,
or never reached) carries no loss, it is not wrong; a hard label is the label maker's own
(`hard`), a soft one the solved fraction (`soft`); a step whose label was inferred and so has no
fraction keeps its hard label as 0 or 1 among soft ones. An outcome row has one label, on its last
step, and it is the answer's verdict.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.prm_training import PrmTrainingConfig
from schemas.rows import Problem, StepLabel, Trajectory
from schemas.units import derive_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class StepExample:
    """One solution with what is known about its steps."""

    trajectory_id: str
    problem_id: str
    prompt: str
    steps: tuple[str, ...]
    """[num_steps] texts as stored."""
    labels: tuple[float | None, ...]
    """[num_steps] in [0, 1], above 0 is right; None carries no loss."""
    has_chat_template: bool = False
    """The prompt carries its special tokens already."""
    is_outcome: bool = False
    """Labelled by its answer alone."""

    def __post_init__(self) -> None:
        """Refuse labels that do not fit the steps."""
        if len(self.labels) != len(self.steps):
            raise ValueError(
                f"trajectory {self.trajectory_id}: expected {len(self.steps)} step labels, one per "
                f"step, got {len(self.labels)}"
            )
        for index, label in enumerate(self.labels):
            if label is not None and not 0 <= label <= 1:
                raise ValueError(
                    f"trajectory {self.trajectory_id}, step {index}: expected a label in [0, 1], "
                    f"got {label}"
                )


@dataclass(frozen=True, slots=True)
class ExampleSet:
    """The examples of one training, and how many trajectories were left out for which reason."""

    examples: tuple[StepExample, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


def build_examples(
    *,
    problems: Iterable[Problem],
    trajectories: Iterable[Trajectory],
    step_labels: Iterable[StepLabel],
    config: PrmTrainingConfig,
    build_prompt: Callable[[str], str],
    has_chat_template: bool = False,
) -> ExampleSet:
    """Join trajectories with their questions and labels, in the order of the trajectories.

    Left out and counted: `error` (no solution came), `no_steps`, `unlabelled` (nothing to learn
    from), `rollout` (part of another trajectory's text) and, in a mixture, `over_outcome_share`.

    Args:
        problems: the questions; more than needed is fine.
        trajectories: the solutions.
        step_labels: at most one per trajectory and step.
        config: which labels are used, and how many outcome rows a mixture may hold.
        build_prompt: from a question to everything that stands before the solution.
        has_chat_template: what `build_prompt` makes carries its special tokens.

    Raises:
        ValueError: no example is left, a trajectory's problem is missing, or a label is there
            twice or for a step that its trajectory does not have.
    """
    questions = {problem.problem_id: problem.question for problem in problems}
    labels_by_id = {} if config.data == "orm" else _labels_by_trajectory(step_labels, config)
    examples: list[StepExample] = []
    left_out: dict[str, int] = {}
    for trajectory in trajectories:
        reason = _why_unusable(trajectory)
        by_step = labels_by_id.get(trajectory.trajectory_id, {})
        labels = None if reason else _labels_of(trajectory, by_step, config)
        if labels is None:
            reason = reason or "unlabelled"
            left_out[reason] = left_out.get(reason, 0) + 1
            continue
        if trajectory.problem_id not in questions:
            raise ValueError(
                f"trajectory {trajectory.trajectory_id}: its problem {trajectory.problem_id} is "
                f"not among the {len(questions)} given"
            )
        examples.append(
            StepExample(
                trajectory_id=trajectory.trajectory_id,
                problem_id=trajectory.problem_id,
                prompt=build_prompt(questions[trajectory.problem_id]),
                steps=tuple(step.text for step in trajectory.steps),
                labels=labels,
                has_chat_template=has_chat_template,
                is_outcome=not any(label is not None for label in by_step.values()),
            )
        )
    if config.data == "mixture":
        examples, num_over = _limit_outcomes(examples, config)
        if num_over:
            left_out["over_outcome_share"] = num_over
    if not examples:
        raise ValueError(f"expected a labelled trajectory, all were left out: {left_out}")
    return ExampleSet(tuple(examples), left_out)


def write_examples(path: Path, examples: Sequence[StepExample]) -> None:
    """Write examples to a Parquet file, in order."""
    names = [column.name for column in _SCHEMA]
    columns = [[getattr(example, name) for example in examples] for name in names]
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = [pa.array(c, type=f.type) for c, f in zip(columns, _SCHEMA, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=_SCHEMA), path, compression="zstd")


def read_examples(path: Path) -> list[StepExample]:
    """The examples of a file that `write_examples` wrote, in order."""
    rows = pq.read_table(path, schema=_SCHEMA).to_pylist()
    return [
        StepExample(**row | {"steps": tuple(row["steps"]), "labels": tuple(row["labels"])})
        for row in rows
    ]


def split_by_problem(
    examples: Sequence[StepExample], *, eval_fraction: float, seed: int
) -> tuple[list[StepExample], list[StepExample]]:
    """Examples to train on and to measure on; the examples of a problem stay together.

    Whether a problem is held out depends on its id and the seed alone, so more data never moves
    a held-out problem into training. A problem set too small to hold one out by that rule gives
    up the problem that is nearest to it.
    """
    if eval_fraction == 0:
        return list(examples), []
    places = {
        example.problem_id: derive_seed("held-out", seed, example.problem_id) / 2**31
        for example in examples
    }
    held_out = {problem_id for problem_id, place in places.items() if place < eval_fraction}
    if not held_out and len(places) > 1:
        held_out = {min(places, key=places.__getitem__)}
    train = [example for example in examples if example.problem_id not in held_out]
    return train, [example for example in examples if example.problem_id in held_out]


_SCHEMA = pa.schema(
    [
        ("trajectory_id", pa.string()),
        ("problem_id", pa.string()),
        ("prompt", pa.string()),
        ("steps", pa.list_(pa.string())),
        ("labels", pa.list_(pa.float64())),
        ("has_chat_template", pa.bool_()),
        ("is_outcome", pa.bool_()),
    ]
)


def _why_unusable(trajectory: Trajectory) -> str | None:
    """Why a trajectory can never be an example; None if it may be one."""
    if trajectory.status == "error":
        return "error"
    if trajectory.strategy == "rollout":
        return "rollout"
    return None if trajectory.steps else "no_steps"


def _labels_of(
    trajectory: Trajectory, by_step: Mapping[int, float | None], config: PrmTrainingConfig
) -> tuple[float | None, ...] | None:
    """[num_steps] what is known of each step; None if nothing is."""
    num_steps = len(trajectory.steps)
    for index in by_step:
        if not 0 <= index < num_steps:
            raise ValueError(
                f"trajectory {trajectory.trajectory_id}: expected labels of its {num_steps} steps, "
                f"got one of step {index}"
            )
    labels = [by_step.get(index) for index in range(num_steps)]
    if config.data != "prm" and labels[-1] is None and trajectory.correct is not None:
        labels[-1] = float(trajectory.correct)
    return None if all(label is None for label in labels) else tuple(labels)


def _labels_by_trajectory(
    step_labels: Iterable[StepLabel], config: PrmTrainingConfig
) -> dict[str, dict[int, float | None]]:
    """The target of each labelled step by trajectory and step index."""
    by_id: dict[str, dict[int, float | None]] = {}
    for label in step_labels:
        steps = by_id.setdefault(label.trajectory_id, {})
        if label.step_index in steps:
            raise ValueError(
                f"trajectory {label.trajectory_id}, step {label.step_index}: expected one label, "
                "got two; choose one method and completer"
            )
        hard = None if label.hard is None else float(label.hard)
        wants_soft = config.targets == "soft" and label.soft is not None
        steps[label.step_index] = label.soft if wants_soft else hard
    return by_id


def _limit_outcomes(
    examples: list[StepExample], config: PrmTrainingConfig
) -> tuple[list[StepExample], int]:
    """Drop outcome rows at random until their share is allowed; also how many were dropped."""
    outcomes = [index for index, example in enumerate(examples) if example.is_outcome]
    num_step_rows = len(examples) - len(outcomes)
    share = config.outcome_share
    allowed = round(num_step_rows * share / (1 - share))
    num_over = max(0, len(outcomes) - allowed)
    rng = random.Random(derive_seed("outcome rows", config.seed))
    dropped = set(rng.sample(outcomes, num_over))
    return [e for index, e in enumerate(examples) if index not in dropped], num_over
