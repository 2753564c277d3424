"""The experiment `dense_rewards`: one reward divided among tokens in several ways, by PPO."""

from flows.experiments.experiment import Experiment, open_experiment
from flows.pages.learning_plots import plot_learning
from flows.pages.pictures import pictures_folder
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.dataset_export import DatasetExportJob
from schemas.engines import VLLMConfig
from schemas.experiments.dense_rewards import DenseRewardsConfig
from schemas.experiments.experiment import TRAINED
from schemas.rows import Metric
from tasks.engines.open import identify_engine
from tasks.evaluation.learning import learning_rows, read_draws

LINE = "line"


@flow(name="experiment_dense_rewards", flow_run_name=name_run)
def experiment_dense_rewards(
    config: DenseRewardsConfig, root: str, run_id: str | None = None
) -> str:
    """Train with each credit and seed, and compare their speed; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        verifier, states = prepare(experiment, config)
        rows: list[Metric] = []
        for part, credit, seed in config.trainings():
            experiment.run(part, config.training_job(credit, seed, verifier, states))
            rows += learning_rows(
                read_draws(experiment.store, experiment.part(part)),
                policy=identify_engine(config.line.policy),
                verifier=identify_engine(verifier, "verifier"),
                credit=credit,
                seed=seed,
                budget=config.budget,
                target=config.target,
            )
        experiment.commit_figures("learning", rows)
        with experiment.store.scratch() as folder:
            plot_learning(rows, folder / "learning.png", budget=config.budget)
            name = f"{pictures_folder(experiment.run_id)}/learning.png"
            experiment.store.put_file(folder / "learning.png", name)
        return experiment.conclude()


def prepare(experiment: Experiment, config: DenseRewardsConfig) -> tuple[VLLMConfig, str]:
    """The reward model and the set of start states: those given, or those of the line."""
    line, verifier, states = config.line, config.verifier, config.states
    if config.needs_line:
        trained = experiment.train_verifier(LINE, line)
        verifier = trained if verifier == TRAINED else verifier
    if states is None:
        job = DatasetExportJob(
            builder=config.builder, prompt=line.prompt, policy=line.policy, seed=line.seed
        )
        states = experiment.run(LINE, job)
        if states is None:  # the part is a run of the store, which is read as it is
            raise ValueError(
                "states: expected the name of a set, since parts.line is not run, got None"
            )
    return verifier, states
