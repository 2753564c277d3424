"""A flow run's record in the store, and its run id if none was given."""

import contextlib
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import PurePath
from typing import Any

from prefect.runtime import flow_run
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from flows.runs.cancelling import open_flow
from flows.runs.folding import fold_after_run
from flows.runs.named_models import check_models_of
from flows.runs.sets import look_for
from schemas.base import FrozenConfig
from schemas.graders import GraderConfig, judges_in
from schemas.units import Stage
from storage import Store
from storage.runs import record_end, recorded_run
from tasks.graders import grader_fault
from tasks.graders.judge_grader import REFUSAL
from tasks.sandbox import sandbox_fault

_WITHOUT_PROGRAMS = (
    Stage.SCORING,
    Stage.TOKEN_REWARDS,
    Stage.ERROR_PATHS,
    Stage.CRITIQUES,
    Stage.REFINEMENTS,
    Stage.SELF_TALK,
    Stage.REGRADING,
    Stage.EVALUATION,
    Stage.DATASET_EXPORT,
)
"""Flows that run no programs whatever their prompt says."""


@contextlib.contextmanager
def recorded_flow(
    flow: str,
    config: FrozenConfig,
    root: str,
    run_id: str | None,
    *,
    part: str | None = None,
    named_by_part: Collection[str] = (),
) -> Iterator[tuple[Store, str]]:
    """Open a flow run's store, and record that the flow began and how it ended.

    Where a completed flow leaves a folder of very many small files, they are folded.

    Args:
        flow: the flow's name.
        config: the flow's config.
        root: the store.
        run_id: None for an id derived from this Prefect flow run.
        part: see `recorded_run`.
        named_by_part: see `recorded_run`.

    Yields:
        The store and the run id.

    Raises:
        RunConflict: the run already holds this part, made with another config.
        ValueError: the config needs a run, or sets of one, that do not exist, grades by a judge,
            which only regrading can, or grades or draws by what this machine lacks; nothing is
            written.
        ModelUnusable: a model that the config names is not there, or cannot be read.
    """
    _check_grader(flow, getattr(config, "grader", None))
    if draws_with_tools(flow, config) and (fault := sandbox_fault()) is not None:
        raise ValueError(f"prompt.tools: {fault}")
    if (sets := config.stored_sets()) is not None:
        look_for(root, run_id, sets)
    if _is_outermost():
        check_models_of(config)
    store, run_id = Store(root), run_id or prefect_run_id(flow)

    def record_cancelled() -> None:
        record_end(store, run_id, flow, config, "cancelled", part=part)

    with (
        open_flow(str(flow_run.id) if flow_run.id else None, record_cancelled),
        recorded_run(store, run_id, flow, config, part=part, named_by_part=named_by_part),
        without_heartbeats(),
    ):
        yield store, run_id
    fold_after_run(store, run_id)


def draws_with_tools(flow: str, config: FrozenConfig) -> bool:
    """Whether a flow draws solutions that run programs, for which machines need the sandbox."""
    prompt = getattr(config, "prompt", None)
    if flow in _WITHOUT_PROGRAMS or prompt is None or prompt.tools is None:
        return False
    if flow == Stage.STEP_LABELS and getattr(config, "rollouts", None) is None:
        return False
    if (recipe := getattr(config, "recipe", None)) is None:
        return True
    from schemas.training.drawing import DrawingRecipe

    return isinstance(recipe, DrawingRecipe)


def _is_outermost() -> bool:
    """Whether this is a flow that was asked for, not one that another flow calls."""
    return flow_run.id is not None and flow_run.parent_flow_run_id is None


def _check_grader(flow: str, grader: GraderConfig | None) -> None:
    """Refuse a grader before any work; the evaluation grades nothing."""
    if grader is None or flow == Stage.EVALUATION:
        return
    if flow != Stage.REGRADING and judges_in(grader):
        raise ValueError(REFUSAL)
    if (fault := grader_fault(grader)) is not None:
        raise ValueError(fault)


def without_heartbeats() -> AbstractContextManager[Any]:
    """Flows called in this block send Prefect no heartbeats; the flow around them does.

    At the end of a flow Prefect waits up to a second for the thread that sends them.
    """
    if PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() is None:
        return contextlib.nullcontext()
    return temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})


def prefect_run_id(flow: str) -> str:
    """A run id that a retry of the same Prefect flow run finds again, so that it resumes."""
    start = flow_run.scheduled_start_time
    return f"{flow}-{start:%Y%m%d-%H%M%S}-{str(flow_run.id)[-8:]}"


def name_run() -> str:
    """The name of a flow run in Prefect's UI: the flow, what it works on, and the run.

    It names the set of solutions, the kind of a training set or the model: `sampling: train of
    first`, or `sampling: train by rest-r1-a801478a9d of first` if a trained policy is used.
    """
    return f"{flow_run.flow_name}: {_what_of_run()}"


def _what_of_run() -> str:
    parameters = flow_run.parameters
    run_id = parameters.get("run_id") or prefect_run_id(flow_run.flow_name)
    job = parameters.get("job")
    set_name = parameters.get("set_name") or getattr(job, "set_name", None)
    if set_name is None:
        builder = getattr(job, "builder", None)
        made = getattr(builder, "type", None) or getattr(job, "model_name", None)
        return run_id if made is None else f"{made} of {run_id}"
    folder = PurePath(getattr(getattr(job, "policy", None), "model", None) or "")
    by = f" by {folder.name}" if folder.parent.name == "checkpoints" else ""
    return f"{set_name}{by} of {run_id}"
