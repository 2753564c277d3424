"""The experiment `model_sizes`: policies of several sizes, and search, at equal operations.

Each size is a part: its policy, a verifier of its size, samples, and every search.
"""

from collections.abc import Mapping, Sequence

from flows.experiments.experiment import Experiment, open_experiment
from flows.pages.size_plots import draw_sizes
from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.recording import name_run
from flows.runs.sets import problems_path, sampled_files
from flows.runs.sized_policies import pretrained
from schemas.engines import VLLMConfig
from schemas.evaluation import EvaluationJob
from schemas.experiments.model_sizes import ModelSizesConfig
from schemas.prm_training import PrmTrainingJob
from schemas.rows import DECISIONS, Metric
from schemas.step_labels import StepLabelsJob
from schemas.units import Stage
from tasks.engines.engine_set import EngineSet
from tasks.engines.pool import open_pool
from tasks.evaluation.searches.equal_flops import (
    SizedSearches,
    equal_flops_figures,
    one_sample,
)
from tasks.evaluation.searches.grid import build_grid
from tasks.models.files import count_parameters
from tasks.models.folders import resolve_model
from tasks.pretraining.sizes import check_sizes

_EVAL = "eval"


@flow(name="experiment_model_sizes", flow_run_name=name_run)
def experiment_model_sizes(config: ModelSizesConfig, root: str, run_id: str | None = None) -> str:
    """Train, search and compare every size; the path of the relations."""
    check_sizes(config.sizes)
    with open_experiment(config, root, run_id) as experiment:
        sizes = {
            name: pretrained(experiment, name, size, config.pretraining)
            for name, size in config.sizes.items()
        }
        for name, policy in sizes.items():
            _sample(experiment, config, name, policy)
        verifiers = {
            name: _train_verifier(experiment, config, name, sizes) for name in config.sizes
        }
        for name, policy in sizes.items():
            experiment.run(name, config.search_job(policy, verifiers[name]))
        rows = _measure(experiment, config, sizes, verifiers)
        for line in meeting_lines(rows):
            say(line)
        draw_sizes(experiment.store, experiment.run_id, rows, _coverage(experiment, config))
        return experiment.conclude()


def meeting_lines(metrics: Sequence[Metric]) -> list[str]:
    """Where each size with search meets each larger one without, a sentence per strategy."""
    met = {
        (row.arm, row.against, row.strategy): row
        for row in metrics
        if row.metric == "flops_to_meet"
    }
    compared = dict.fromkeys(
        (row.arm, row.against, row.strategy)
        for row in metrics
        if row.metric in ("flops_to_meet", "multiplier", "gain_at_equal_flops")
    )
    lines = []
    for small, large, strategy in compared:
        row = met.get((small, large, strategy))
        where = "meets it nowhere"
        if row is not None:
            low, high = (f"{end:.2g}" if end else "…" for end in (row.ci_low, row.ci_high))
            where = f"meets it at {row.value:.2g} ({low}-{high}) times its operations"
        lines.append(f"{small} with {strategy} against {large} without search: {where}")
    return lines


def _sample(
    experiment: Experiment, config: ModelSizesConfig, name: str, policy: VLLMConfig
) -> None:
    """Sample what is measured, and what verifiers learn from if this size solves it."""
    engines = EngineSet(policy=policy, separator=config.prompt.step_rule)
    with open_pool(experiment.store.url, engines, config.pool):
        if config.solver_of(name) == name:
            experiment.run(name, config.train_job(policy))
            labels = StepLabelsJob(
                labels=config.labels,
                policy=policy,
                prompt=config.prompt,
                grader=config.grader,
                pool=config.pool,
            )
            experiment.run(name, labels)
        experiment.run(name, config.eval_job(policy))
    job = EvaluationJob(policy=policy, grader=config.grader, evaluation=config.evaluation)
    experiment.run(name, job)


def _train_verifier(
    experiment: Experiment, config: ModelSizesConfig, name: str, policies: Mapping[str, VLLMConfig]
) -> VLLMConfig:
    """A size's verifier."""
    solver, model_name = config.solver_of(name), f"{name}-verifier"
    if experiment.is_given(solver):
        return experiment.newest_model(solver, model_name)
    job = PrmTrainingJob(
        policy=policies[solver],
        prompt=config.prompt,
        method=config.labels.method,
        training=config.verifier_training.with_fields(
            base_model=policies[name].model, model_name=model_name
        ),
    )
    return VLLMConfig(model=experiment.run(solver, job))


def _measure(
    experiment: Experiment,
    config: ModelSizesConfig,
    policies: Mapping[str, VLLMConfig],
    verifiers: Mapping[str, VLLMConfig],
) -> list[Metric]:
    """The figures of all sizes at equal operations, committed once."""
    store, parts = experiment.store, {name: experiment.part(name) for name in policies}
    decided = {
        name: store.files(DECISIONS.name, run_id=run, stage=Stage.SEARCH)
        for name, run in parts.items()
    }
    sampled = {name: sampled_files(store, run, _EVAL) for name, run in parts.items()}
    inputs = [path for paths in (*decided.values(), *sampled.values()) for path in paths]
    if experiment.has_figures("sizes", *inputs):
        return experiment.store.read(experiment.figures_path("sizes", *inputs))
    sizes = []
    for name, run in parts.items():
        problems = store.read(problems_path(run, _EVAL))
        parameters = count_parameters(resolve_model(policies[name].model))
        correct, flops = one_sample(
            problems, [row for path in sampled[name] for row in store.read(path)], parameters
        )
        sizes.append(
            SizedSearches(
                name=name,
                num_parameters=parameters,
                verifier_parameters=count_parameters(resolve_model(verifiers[name].model)),
                grid=build_grid(
                    problems, [row for path in decided[name] for row in store.read(path)]
                ),
                one_correct=correct,
                one_flops=flops,
            )
        )
        say(f"{config.name}: {name} has {parameters:,} parameters")
    rows = equal_flops_figures(sizes, config.evaluation, inference_shares=config.inference_shares)
    return experiment.store.read(experiment.commit_figures("sizes", rows, *inputs))


def _coverage(experiment: Experiment, config: ModelSizesConfig) -> dict[str, list[Metric]]:
    """The coverage of each size, with its law."""
    store = experiment.store
    return {
        name: [
            row
            for path in store.files("metrics", run_id=experiment.part(name), stage="evaluation")
            for row in store.read(path)
            if row.metric.startswith("coverage")
        ]
        for name in config.sizes
    }
