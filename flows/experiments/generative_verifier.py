"""The experiment `generative_verifier`: a critic as a verifier, and a PRM on as many labels."""

from flows.experiments.critic_training import CRITICS, train_critic
from flows.experiments.experiment import Experiment, open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.engines import VLLMConfig
from schemas.experiments.critics import SET
from schemas.experiments.generative_verifier import GenerativeVerifierConfig
from schemas.rows import TRAINING_SETS
from schemas.scoring import ScoringJob
from schemas.units import Stage


@flow(name="experiment_generative_verifier", flow_run_name=name_run)
def experiment_generative_verifier(
    config: GenerativeVerifierConfig, root: str, run_id: str | None = None
) -> str:
    """Train both verifiers, have them score, and measure; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        if not experiment.is_given(CRITICS):
            _run(experiment, config)
        return experiment.conclude()


def _run(experiment: Experiment, config: GenerativeVerifierConfig) -> None:
    """All parts in the run `critics`."""
    held_out = config.evaluation.set_name
    experiment.run(CRITICS, config.held_out.with_fields(set_name=held_out))
    critic = train_critic(experiment, config)
    for name in ("train", held_out):
        experiment.run(CRITICS, config.labels.with_fields(set_name=name))
    num_rows = _rows_of(experiment, "critique")
    built = experiment.run(CRITICS, config.prm_set.with_fields(max_rows=num_rows))
    prm = config.prm
    if prm.training_set == SET:
        prm = prm.with_fields(training_set=built)
    verifier = experiment.run(CRITICS, prm)
    generative = critic.with_fields(verifier="generative", generative=config.generative)
    for each in (generative, VLLMConfig(model=verifier)):
        policy = config.held_out.policy
        scoring = ScoringJob(set_name=held_out, policy=policy, verifier=each)
        experiment.run(CRITICS, scoring)
        measured = config.evaluation.with_fields(policy=policy, verifier=each)
        experiment.run(CRITICS, measured)


def _rows_of(experiment: Experiment, kind: str) -> int:
    """The rows of the set of this kind that the part has built."""
    store, run_id = experiment.store, experiment.part(CRITICS)
    paths = store.files(TRAINING_SETS.name, run_id=run_id, stage=Stage.DATASET_EXPORT, prefix=kind)
    return store.read(paths[0])[0].num_rows
