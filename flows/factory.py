"""The whole line: sample, label, train a verifier, sample other problems, score, measure."""

from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context

from flows.evaluation import evaluate, evaluate_labels
from flows.pages.results import publish_report
from flows.prm_training import train_verifier
from flows.problems import problems_of
from flows.runs.late_flow import flow
from flows.runs.progress import say, say_stage
from flows.runs.recording import name_run, recorded_flow
from flows.sampling import sample
from flows.scoring import score
from flows.step_labels import label_steps
from schemas.engines import VLLMConfig
from schemas.errors import NothingToLearn
from schemas.evaluation import EvaluationJob
from schemas.factory import FactoryConfig
from schemas.prm_training import PrmTrainingJob
from schemas.sampling import SamplingJob
from schemas.scoring import ScoringJob
from schemas.step_labels import StepLabelsJob
from tasks.engines.engine_set import EngineSet
from tasks.engines.pool import open_pool

_NUM_STAGES = 6


@flow(name="factory", flow_run_name=name_run)
def factory(config: FactoryConfig, root: str, run_id: str | None = None) -> str:
    """Run the line, or the part of it that is missing; the path of the metrics.

    If a verifier cannot be trained on the labels, what needs none is measured all the same.
    """
    shared = {"policy": config.policy, "prompt": config.prompt}
    common = {**shared, "grader": config.grader, "pool": config.pool, "seed": config.seed}
    with recorded_flow("factory", config, root, run_id) as (store, run_id):
        root = store.url
        engines = EngineSet(policy=config.policy, separator=config.prompt.step_rule)
        training = PrmTrainingJob(
            training=config.prm_training,
            method=config.labels.method,
            checks=config.checks,
            **shared,
        )
        early: Future[str] | None = None
        with ThreadPoolExecutor(1) as side:
            with open_pool(root, engines, config.pool) as pool:
                train = SamplingJob(
                    set_name="train",
                    problems=config.train_problems,
                    sampling=config.train_sampling,
                    **common,
                )
                say_stage(1, _NUM_STAGES, "solutions of the set train")
                sample(train, root, run_id)
                say_stage(2, _NUM_STAGES, "step labels")
                label_steps(StepLabelsJob(labels=config.labels, **common), root, run_id)
                held_out = SamplingJob(
                    problems=config.eval_problems, sampling=config.eval_sampling, **common
                )
                # What the verifier is measured on is known before its training set is built.
                problems_of(held_out, store, run_id)
                # Without GPUs training takes one core and sampling the others. With GPUs it
                # waits until the policy has left them.
                beside = "" if pool.holds_gpus else ", while a verifier is trained (stage 4)"
                say_stage(3, _NUM_STAGES, f"solutions of the set {held_out.set_name}{beside}")
                if not pool.holds_gpus:
                    early = side.submit(copy_context().run, train_verifier, training, root, run_id)
                sample(held_out, root, run_id)
            if early is None or not early.done():
                say_stage(4, _NUM_STAGES, "verifier training")
            try:
                model = early.result() if early else train_verifier(training, root, run_id)
            except NothingToLearn as error:
                say(f"no verifier: {error}\nwhat needs none is measured without it")
                model = None
        verifier = None if model is None else VLLMConfig(model=model)
        if verifier is not None:
            say_stage(5, _NUM_STAGES, "scores of the verifier")
            score(ScoringJob(verifier=verifier, pool=config.pool, **shared), root, run_id)
        job = EvaluationJob(
            policy=config.policy,
            verifier=verifier,
            grader=config.grader,
            evaluation=config.evaluation,
        )
        say_stage(6, _NUM_STAGES, "figures with intervals")
        labels = store.read(evaluate_labels(job, root, run_id, "train"))
        path = evaluate(job, root, run_id)
        publish_report("report-factory", store, run_id, store.read(path), of_labels=labels)
        return path
