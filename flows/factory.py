"""The whole line: sample, label, train a verifier, sample others, score, measure."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

from prefect import flow

from flows.evaluation import evaluate, evaluate_labels
from flows.prm_training import train_verifier
from flows.sampling import sample
from flows.scoring import score
from flows.step_labels import label_steps
from schemas.engines import VLLMConfig
from schemas.evaluation import EvaluationJob
from schemas.factory import FactoryConfig
from schemas.prm_training import PrmTrainingJob
from schemas.sampling import SamplingJob
from schemas.scoring import ScoringJob
from schemas.step_labels import StepLabelsJob
from storage import Store
from storage.runs import recorded_run
from tasks.engines.host import EngineSet
from tasks.engines.pool import open_pool


@flow(name="factory")
def factory(config: FactoryConfig, root: str, run_id: str) -> str:
    """Run the line, or what is missing of it; the path of the metrics."""
    shared = {"policy": config.policy, "prompt": config.prompt}
    asked = {**shared, "grader": config.grader, "pool": config.pool, "seed": config.seed}
    with recorded_run(Store(root), run_id, "factory", config):
        engines = EngineSet(policy=config.policy, separator=config.prompt.separator)
        with open_pool(root, engines, config.pool), ThreadPoolExecutor(1) as side:
            train = SamplingJob(
                set_name="train",
                problems=config.train_problems,
                sampling=config.train_sampling,
                **asked,
            )
            sample(train, root, run_id)
            label_steps(StepLabelsJob(labels=config.labels, **asked), root, run_id)
            training = PrmTrainingJob(
                training=config.prm_training, method=config.labels.method, **shared
            )
            # Training keeps one core busy, sampling the others: side by side they share them.
            model = side.submit(copy_context().run, train_verifier, training, root, run_id)
            sample(
                SamplingJob(problems=config.eval_problems, sampling=config.eval_sampling, **asked),
                root,
                run_id,
            )
            verifier = VLLMConfig(model=model.result())
        score(ScoringJob(verifier=verifier, pool=config.pool, **shared), root, run_id)
        job = EvaluationJob(
            policy=config.policy,
            verifier=verifier,
            grader=config.grader,
            evaluation=config.evaluation,
        )
        evaluate_labels(job, root, run_id, "train")
        return evaluate(job, root, run_id)
