"""What each flow would do by its config: the stages of `flows/runs/forecast.py` in order."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flows.runs.forecast import (
    Assumptions,
    Forecaster,
    StageForecast,
    prompt_tokens,
    solutions_per_file,
)
from flows.runs.forecast_experiments import plan_stitched, plan_verification
from flows.runs.forecast_loops import (
    plan_critique_loop,
    plan_easy_to_hard,
    plan_score,
    plan_self_correction,
    plan_self_rewarding,
)
from flows.runs.problem_counts import count_problems
from schemas.base import FrozenConfig
from schemas.experiments import ExperimentConfig
from schemas.experiments.stitched import StitchedExperimentConfig
from schemas.experiments.verification import VerificationExperimentConfig
from schemas.factory import FactoryConfig
from schemas.loops import (
    LoopConfig,
    ReverseCurriculumLoopConfig,
    RoundsConfig,
    VStarLoopConfig,
)
from schemas.loops.critique_in_the_loop import CritiqueInTheLoopConfig
from schemas.loops.easy_to_hard import EasyToHardLoopConfig
from schemas.loops.score import ScoreLoopConfig
from schemas.loops.self_correction import SelfCorrectionConfig
from schemas.loops.self_rewarding import SelfRewardingLoopConfig
from schemas.pretraining import PretrainingConfig
from schemas.problems import ProblemsJob
from schemas.sampling import SamplingJob
from schemas.search import SearchJob
from schemas.step_labels import StepLabelsJob

_PROBLEM_BYTES = 1000


def forecast(config: FrozenConfig, assumed: Assumptions | None = None) -> list[StageForecast]:
    """The stages of a flow with this config, in order.

    Raises:
        ValueError: the flow works on the rows of an earlier run, or the number of problems is not
            known without loading them.
    """
    made = Forecaster(assumed or Assumptions())
    for kind, plan in _PLANS.items():
        if isinstance(config, kind):
            plan(made, config)
            return made.stages
    raise ValueError(
        f"{type(config).__name__}: expected a config whose work follows from it alone (factory, "
        "sampling, search, problems, pretraining, a loop or an experiment), got one whose flow "
        "works on the rows of an earlier run; plan the whole line or the loop that it is part of"
    )


def _plan_problems(made: Forecaster, job: ProblemsJob) -> None:
    made.add("problems", units=1, num_bytes=count_problems(job.problems) * _PROBLEM_BYTES)


def _plan_pretraining(made: Forecaster, config: PretrainingConfig) -> None:
    made.add("pretraining", units=1, trained_tokens=config.num_tokens)


def _plan_sampling(made: Forecaster, job: SamplingJob) -> None:
    made.sample(f"sample {job.set_name}", job.problems, job.sampling)


def _plan_search(made: Forecaster, job: SearchJob) -> None:
    made.search(job)


def _plan_factory(made: Forecaster, config: FactoryConfig) -> None:
    prompt = prompt_tokens(config.prompt, made.assumed)
    train, held_out = config.train_sampling, config.eval_sampling
    length = made.assumed.tokens_of(train.max_tokens)
    solutions = made.sample("sample train", config.train_problems, train)
    files = solutions_per_file(config.train_problems, train)
    per_unit = StepLabelsJob.model_fields["trajectories_per_unit"].default
    made.label(files, per_unit, config.labels, length)
    made.train("train verifier", config.prm_training, solutions, prompt + length)
    made.sample("sample eval", config.eval_problems, held_out)
    read = prompt + made.assumed.tokens_of(held_out.max_tokens)
    made.score("score eval", solutions_per_file(config.eval_problems, held_out), read)


def _plan_loop(made: Forecaster, config: LoopConfig) -> None:
    """All rounds of every arm; a loop that gains too little ends before."""
    settings: Any = config
    prompt = prompt_tokens(config.prompt, made.assumed)
    length = prompt + made.assumed.tokens_of(config.train_sampling.max_tokens)
    rounds = config.rounds if isinstance(config, RoundsConfig) else 1
    has_control = bool(getattr(config, "with_control", False))
    # In the first round the arms share their solutions, which the same policy wrote.
    grows = 2 * rounds - 1 if has_control else rounds
    trainings = rounds * (getattr(config, "improve_steps", 1) + has_control)
    solutions = made.sample("sample train", config.train_problems, config.train_sampling, grows)
    rows = _kept_rows(made.assumed, settings, solutions)
    if isinstance(config, ReverseCurriculumLoopConfig):
        stages = config.builder.num_stages
        rows, trainings = rows * stages, len(config.arms)
    if isinstance(config, VStarLoopConfig):  # each round trains on the rows of all rounds so far
        rows = rows * (rounds + 1) // 2
    made.train("train policy", settings.training, rows, length, trainings)
    measured = trainings
    if isinstance(config, ReverseCurriculumLoopConfig):
        measured += (config.builder.num_stages - 1) * config.arms.count("staged")
    made.sample("sample eval", config.eval_problems, config.eval_sampling, 1 + measured)
    if isinstance(config, VStarLoopConfig):
        made.train("train verifier", config.verifier_training, rows, 2 * length)
        read = prompt + made.assumed.tokens_of(config.eval_sampling.max_tokens)
        files = solutions_per_file(config.eval_problems, config.eval_sampling)
        made.score("score eval", files, read)


def _plan_experiment(made: Forecaster, config: ExperimentConfig) -> None:
    """What its parts do; work on the rows of an earlier part is named without counts."""
    for part, job in config.planned():
        if part in config.parts:
            continue
        try:
            stages = forecast(job, made.assumed)
        except ValueError:
            made.add(f"{part}: {type(job).__name__} of earlier rows", units=0)
            continue
        made.stages += [replace(stage, stage=f"{part}: {stage.stage}") for stage in stages]


def _kept_rows(assumed: Assumptions, config: Any, solutions: int) -> int:
    """Rows of the set of one round: right solutions, no more than the builder's per problem."""
    problems = count_problems(config.train_problems)
    right = round(assumed.p_right * config.train_sampling.num_samples)
    most = getattr(config.builder, "per_problem", None)
    each = right if most is None else min(right, most)
    return min(solutions, max(1, each) * problems)


_PLANS: dict[type[FrozenConfig], Callable[[Forecaster, Any], None]] = {
    FactoryConfig: _plan_factory,
    SamplingJob: _plan_sampling,
    SearchJob: _plan_search,
    CritiqueInTheLoopConfig: plan_critique_loop,
    SelfRewardingLoopConfig: plan_self_rewarding,
    SelfCorrectionConfig: plan_self_correction,
    ScoreLoopConfig: plan_score,
    EasyToHardLoopConfig: plan_easy_to_hard,
    LoopConfig: _plan_loop,
    VerificationExperimentConfig: plan_verification,
    StitchedExperimentConfig: plan_stitched,
    ExperimentConfig: _plan_experiment,
    ProblemsJob: _plan_problems,
    PretrainingConfig: _plan_pretraining,
}
