"""Several labellings of a set in a run, each of another type: rollouts, then the exact checker.

The first one has plain names of units. A later one of another type has its type in the names of its
units and of its part of the run (`train.checker`), so that both lie in `step_labels`, and whatever
was made from the first labels still is.
"""

from schemas.errors import RunConflict, StoreUnusable
from schemas.step_labels import StepLabelsJob
from schemas.units import Stage
from storage import Store
from storage.runs import began_with

_WITH_ROLLOUTS = ("monte_carlo", "consensus")
_TYPES = (*_WITH_ROLLOUTS, "outcome", "checker", "judge")


def later_type(root: str, run_id: str | None, job: StepLabelsJob) -> str:
    """The type of the job's labels if the run labelled the set in another way before; else empty.

    Raises:
        RunConflict: both ways draw rollouts, which would be the same rows twice.
    """
    try:
        store = Store(root, create=False)
    except StoreUnusable:  # whoever opens it says why
        return ""
    begun = {} if run_id is None else _begun_types(store, run_id, job.set_name)
    own = job.labels.type
    if begun.get(labelling_part(job.set_name, ""), own) == own:
        return ""
    drawn = [each for each in begun.values() if each in _WITH_ROLLOUTS and each != own]
    if job.rollouts is not None and drawn:
        raise RunConflict(
            f"step_labels ({job.set_name}) of run {run_id} has rollouts for labels.type="
            f"{drawn[0]}: expected a type without rollouts beside it, got {own}; give another "
            "run id"
        )
    return own


def labelling_part(set_name: str, labels_type: str) -> str:
    """The part of the run that a labelling is: `train`, or `train.checker` after another one."""
    return f"{set_name}.{labels_type}" if labels_type else set_name


def _begun_types(store: Store, run_id: str, set_name: str) -> dict[str, str]:
    """By part the type of labels that it began with."""
    found = {}
    for part in [labelling_part(set_name, each) for each in ("", *_TYPES)]:
        config = began_with(store, run_id, Stage.STEP_LABELS, part)
        if config is not None:
            found[part] = config.get("labels", {}).get("type", _TYPES[0])
    return found
