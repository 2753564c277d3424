"""A look at a set before training starts: can anything be learned, and what should be changed?

Nothing here loads a model. What no training can learn from is refused; what makes a training weak
is a warning that names the field to change. The lengths of rows are those of a sample: the training
itself drops and counts every row that is too long.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow.parquet as pq

from schemas.errors import NothingToLearn
from schemas.prompts import ChatPromptConfig
from schemas.training.prm import PrmTrainingConfig
from schemas.training.recipe import TrainingJob
from tasks.training.rows import RowEncoder, encode_row, too_long_words
from tasks.training.sets import TrainingSet
from tasks.training.targets import check_labels, choose_heldout, step_targets
from tasks.verifiers.layout import lay_out

MANY = 0.2
"""A share of rows above this is worth a warning."""
_SAMPLED = 200
"""Rows whose tokens are counted."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found."""

    figures: dict[str, float] = field(default_factory=dict)
    """Counts and shares of the set, by name."""
    warnings: tuple[str, ...] = ()
    """What to change, a sentence each."""


def look_at(training_set: TrainingSet, job: TrainingJob, tokenizer: Any) -> Look:
    """Look at a set that fits the job's method.

    Args:
        training_set: the set, checked by `check_set`.
        job: what is trained on it, and how.
        tokenizer: of the model that training starts from.

    Raises:
        NothingToLearn: no row has a label, all labels are alike, every problem is held out, or
            every row is too long.
        ValueError: a row cannot be used; the message names it.
    """
    recipe = job.recipe
    is_verifier = isinstance(recipe, PrmTrainingConfig)
    look = _look_at_labels(training_set, recipe) if is_verifier else Look()
    num_rows = int(look.figures.get("training_rows", training_set.num_rows))
    too_long = _too_long_share(training_set, job, tokenizer)
    warnings = [*look.warnings, *_plan_warnings(job, num_rows)]
    if too_long > MANY:
        warnings.append(
            f"max_length: {too_long:.0%} of the rows have more than {recipe.max_length} tokens and "
            "are dropped; raise it"
        )
    return Look({**look.figures, "too_long_share": too_long}, tuple(warnings))


def _look_at_labels(training_set: TrainingSet, config: PrmTrainingConfig) -> Look:
    """The labels of a verifier's rows, the rows they leave, and the rows to measure on."""
    labels, problem_ids = [], []
    num_rows = num_steps = num_unlabelled = num_one_step = 0
    for row in _rows(training_set, ("labels", "soft", "correct", "problem_id")):
        num_rows += 1
        num_one_step += len(row["labels"]) <= 1
        num_steps += len(row["labels"])
        num_unlabelled += sum(label is None for label in row["labels"])
        targets = step_targets(row, config)[1] if row["labels"] else []
        if any(target is not None for target in targets):
            labels.append(targets)
            problem_ids.append(row["problem_id"])
    held_out = choose_heldout(problem_ids, eval_fraction=config.eval_fraction, seed=config.seed)
    train = [of for of, name in zip(labels, problem_ids, strict=True) if name not in held_out]
    if labels and not train:
        raise NothingToLearn(
            f"training set {training_set.name}: all {len(labels)} labelled rows are of problems "
            f"that are held out to measure on: lower eval_fraction ({config.eval_fraction:g}), or "
            "label solutions of more problems"
        )
    try:
        check_labels({"labels": train})
    except NothingToLearn as error:
        raise NothingToLearn(f"training set {training_set.name}: {error}") from error
    figures = {
        "training_rows": float(len(train)),
        "one_step_share": num_one_step / num_rows,
        "unlabelled_step_share": num_unlabelled / max(num_steps, 1),
    }
    return Look(figures, tuple(_label_warnings(figures, len(labels) - len(train), config)))


def _label_warnings(
    figures: Mapping[str, float], num_heldout: int, config: PrmTrainingConfig
) -> Iterator[str]:
    one_step, unlabelled = figures["one_step_share"], figures["unlabelled_step_share"]
    if one_step > MANY:
        words = "all solutions" if one_step == 1 else f"{one_step:.0%} of the solutions"
        yield (
            f"separator: {words} are a single step, of which a verifier learns no more than "
            "whether the answer is right; set prompt.separator and training.separator to the text "
            "that ends a step"
        )
    if unlabelled > MANY and config.data != "orm":
        yield (
            f"labels: {unlabelled:.0%} of the steps have no label; raise labels.max_rollout_tokens "
            "or labels.num_rollouts"
        )
    if not num_heldout:
        change = "raise it above 0" if config.eval_fraction == 0 else "label more problems"
        yield (
            f"eval_fraction: no rows are held out, so the verifier is not measured while it is "
            f"trained; {change}"
        )


def _plan_warnings(job: TrainingJob, num_rows: int) -> Iterator[str]:
    """Whether the rows suffice for the batch and the warm-up."""
    recipe = job.recipe
    if num_rows < recipe.rows_per_step:
        yield (
            f"batch_size: expected at most the {num_rows} rows to train on, got "
            f"{recipe.rows_per_step} rows per step: every step sees all of them; lower it, or "
            "make more rows"
        )
    epoch = math.ceil(num_rows / recipe.rows_per_step)
    num_steps = recipe.max_steps or math.ceil(epoch * recipe.epochs) * recipe.steps_per_draw
    if recipe.warmup_steps > num_steps:
        yield (
            f"warmup_steps: expected fewer than the {num_steps} steps of this training, got "
            f"{recipe.warmup_steps}: its learning rates stay below "
            f"{num_steps / recipe.warmup_steps:.0%} of their peak; lower it, or raise epochs"
        )


def _too_long_share(training_set: TrainingSet, job: TrainingJob, tokenizer: Any) -> float:
    """The share of sampled rows that are longer than the recipe allows.

    Raises:
        NothingToLearn: every row of the set is.
    """
    measure, limit = _measure_length(training_set, job, tokenizer), job.recipe.max_length
    num_rows = training_set.num_rows
    stride = math.ceil(num_rows / _SAMPLED)
    lengths = [
        measure(row, index) for index, row in enumerate(_rows(training_set)) if index % stride == 0
    ]
    share = sum(length > limit for length in lengths) / len(lengths)
    if share == 1 and all(measure(row, i) > limit for i, row in enumerate(_rows(training_set))):
        raise NothingToLearn(too_long_words(training_set.name, limit, num_rows))
    return share


def _measure_length(
    training_set: TrainingSet, job: TrainingJob, tokenizer: Any
) -> Callable[[Mapping[str, Any], int], int]:
    """A function from a row and its number to its tokens, as the method counts them."""
    encoder = RowEncoder(
        tokenizer,
        has_chat_template=isinstance(job.prompt, ChatPromptConfig),
        is_whole=training_set.is_whole,
    )

    def of_steps(row: Mapping[str, Any]) -> dict[str, int]:
        layout = lay_out(
            encoder.encode,
            row["prompt"],
            row["completions"],
            job.prompt.separator,
            step_ids=encoder.sampled(row, "completions_ids"),
            has_chat_template=encoder.has_chat_template,
        )
        return {"length": len(layout.token_ids)}

    encode: Callable[[Mapping[str, Any]], Mapping[str, Any]] = {
        "prompt_completion": encoder.completion_row,
        "preference": encoder.preference_row,
        "prompt_only": encoder.start_state,
        "stepwise": of_steps,
    }[training_set.form]
    return lambda row, index: encode_row(encode, row, index)["length"]


def _rows(
    training_set: TrainingSet, columns: Sequence[str] | None = None
) -> Iterator[dict[str, Any]]:
    """The set's rows in order, with those of the columns that it has."""
    for file in training_set.files:
        there = pq.read_schema(file).names
        wanted = None if columns is None else [name for name in columns if name in there]
        with pq.ParquetFile(file) as reader:
            for batch in reader.iter_batches(columns=wanted):
                yield from batch.to_pylist()
