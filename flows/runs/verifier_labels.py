"""What a stored verifier was trained on, and the reduction of its scores that this implies."""

import json
from pathlib import PurePosixPath

from schemas.engines import EngineConfig, VLLMConfig
from schemas.errors import StoreUnusable
from schemas.evaluation import EvaluationConfig, EvaluationJob, Reduction
from schemas.reductions import VerifierLabels, suitable_reduction
from schemas.rows import RUNS
from schemas.search import SearchJob
from schemas.units import Stage
from storage import Store, connect

_LABELS = "select method, targets, data from verifier_labels where model_id = ?"


def follow_labels(store: Store, run_id: str | None, job: SearchJob) -> SearchJob:
    """A search's job with a reduction: the one that suits its verifier's labels if it names none.

    A run that has searched with the same verifier keeps the reduction that it began with.
    """
    if job.score.reduction is not None:
        return job
    how = None if run_id is None else _began_with(store, run_id, job)
    how = how or suitable_reduction(labels_of(store, _model_of(job.verifier)))
    return job.with_fields(score=job.score.with_fields(reduction=how))


def mix_by_labels(store: Store, job: EvaluationJob) -> EvaluationJob:
    """An evaluation's job that also mixes by the reduction that suits its verifier's labels.

    The job is unchanged if it names reductions, or if the first of them is that one.
    """
    config = job.evaluation
    is_named = config.reductions != EvaluationConfig().reductions
    if is_named or config.mixed_reduction is not None or job.verifier_name is None:
        return job
    how = suitable_reduction(labels_of(store, job.verifier_name))
    if how == config.reductions[0]:
        return job
    return job.with_fields(evaluation=config.with_fields(mixed_reduction=how))


def labels_of(store: Store, model_id: str | None) -> VerifierLabels | None:
    """The labels of a verifier that was trained in this store; None if they are not known."""
    if model_id is None:
        return None
    try:
        with connect(store.url) as connection:
            found = connection.sql(_LABELS, params=[model_id]).fetchall()
    except StoreUnusable:  # nothing is stored yet
        return None
    if not found or found[0][0] is None:
        return None
    ((method, targets, data),) = found
    return VerifierLabels(
        method="outcome" if data == "orm" else method,
        targets="soft" if targets == "soft" else "hard",
    )


def _began_with(store: Store, run_id: str, job: SearchJob) -> Reduction | None:
    """The reduction of the run's newest search of this set with this verifier."""
    paths = store.files(RUNS.name, run_id=run_id, stage=Stage.SEARCH)
    events = [event for path in paths for event in store.read(path) if event.state == "started"]
    for event in sorted(events, key=lambda event: event.happened_at, reverse=True):
        try:
            began = SearchJob.from_partial(json.loads(event.config))
        except ValueError:  # its version's config cannot be read, so it cannot be resumed
            continue
        if (began.set_name, began.verifier) == (job.set_name, job.verifier):
            return began.score.reduction
    return None


def _model_of(verifier: EngineConfig | None) -> str | None:
    """The id of a trained model, which is the name of its folder."""
    return PurePosixPath(verifier.model).name if isinstance(verifier, VLLMConfig) else None
