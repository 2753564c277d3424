"""What the experiments with flows of their own would do: stages of `flows/runs/forecast.py`."""

from math import ceil

from flows.runs.forecast import Forecaster, prompt_tokens, row_bytes
from schemas.experiments.stitched import StitchedExperimentConfig
from schemas.experiments.verification import VerificationExperimentConfig
from tasks.planted.grid import (
    bases,
    num_drawn,
    points,
    rows_of_drawing,
    rows_of_point,
)
from tasks.planted.model import num_text_tokens

_STITCHED_ATTEMPTS = 3
"""Attempts in a stitched trace, the right one included, in the mean."""


def plan_verification(made: Forecaster, config: VerificationExperimentConfig) -> None:
    """Bases, their traces, and all points; the counts of tokens are exact."""
    found = bases(config)
    each = config.base.num_steps * config.base.batch_traces
    made.add(
        "train bases",
        units=len(found),
        trained_tokens=sum(each * num_text_tokens(base.horizon) for base in found),
    )
    measured = config.num_questions * (config.best_of + config.traces_per_question)
    tokens = sum((num_drawn(base, config) + measured) * base.horizon for base in found)
    rows = sum(rows_of_drawing(base, config) for base in found)
    made.add(
        "draw traces",
        units=len(found),
        solutions=sum(num_drawn(base, config) + measured for base in found),
        tokens=tokens,
        max_tokens=tokens,
        num_bytes=row_bytes(rows, tokens),
    )
    _plan_points(made, config)


def _plan_points(made: Forecaster, config: VerificationExperimentConfig) -> None:
    imitation, rl = config.imitation, config.reinforce
    drawn = rl.num_steps * rl.batch_questions * rl.group_size
    candidates = config.num_questions * config.best_of
    per_policy = config.num_questions * config.traces_per_question
    tokens = scored = trained = solutions = rows = 0
    found = points(config)
    for point in found:
        length, num = num_text_tokens(point.base.horizon), point.num or 0
        policies = 3 if num else 1
        epochs = len(imitation.rates) * imitation.max_epochs
        dev = (epochs + 1) * imitation.num_dev_questions if num else 0
        made_here = drawn + policies * per_policy + dev
        solutions += made_here
        tokens += made_here * point.base.horizon
        labelled = ceil(num * (1 - config.verifier.held_out_share))
        passes = epochs * num + config.verifier.max_epochs * labelled + drawn
        trained += passes * length
        scored += (drawn + candidates + per_policy) * length if num else 0
        rows += rows_of_point(point, config)
    made.add(
        "train points",
        units=len(found),
        solutions=solutions,
        tokens=tokens,
        max_tokens=tokens,
        scored_tokens=scored,
        trained_tokens=trained,
        num_bytes=row_bytes(rows, rows * config.horizon),
    )


def plan_stitched(made: Forecaster, config: StitchedExperimentConfig) -> None:
    """Sampling, both trainings and both searches for each number of problems."""
    sampling = config.train.sampling
    prompt = prompt_tokens(config.train.prompt, made.assumed)
    length = made.assumed.tokens_of(sampling.max_tokens)
    for num in config.nums:
        problems = config.train.problems.with_fields(num_problems=num)
        solutions = made.sample(f"sample {num}", problems, sampling)
        right = round(made.assumed.p_right * sampling.num_samples)
        traces = num * min(right, getattr(config.traces.builder, "per_problem", None) or right)
        stitched = prompt + _STITCHED_ATTEMPTS * length
        made.train(f"train stitched on {num}", config.imitation.method, traces, stitched)
        verifier = config.verifier.training
        made.train(f"train verifier on {num}", verifier, solutions, prompt + length)
        made.search(config.votes)
        made.search(config.ranking)
