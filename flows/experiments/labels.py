"""The experiment `labels`: the cost and the truth of cheaper step labels."""

from prefect import flow

from flows.experiments.experiment import open_experiment
from flows.runs.recording import name_run
from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.experiments.labels import LabelsConfig
from schemas.sampling import SamplingJob
from schemas.step_labels import StepLabelsJob


@flow(name="experiment_labels", flow_run_name=name_run)
def experiment_labels(config: LabelsConfig, root: str, run_id: str | None = None) -> str:
    """Label the same solutions in each part and compare; the path of the relations."""
    policy = VLLMConfig(model=SHIPPED_POLICY)
    sampling = SamplingJob(
        set_name="train", problems=config.problems, policy=policy, sampling=config.sampling
    )
    with open_experiment(config, root, run_id) as experiment:
        for part in ("plain", "bisection", "tree"):
            # A seed decides the solutions whatever the run, so that all parts label the same ones.
            experiment.run(part, sampling)
            experiment.run(part, StepLabelsJob(policy=policy, labels=getattr(config, part)))
            if part != "tree" and not experiment.is_given(part):
                experiment.measure_labels(part)
        return experiment.conclude()
