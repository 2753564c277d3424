"""The unit of the figures of a set's judges and ensembles as graders."""

from flows.runs.measuring import measure_once
from flows.runs.sets import problems_path, sampled_files, verdict_files
from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric
from storage import Store
from tasks.evaluation.graders import choose_references, verdicts_by_grader
from tasks.evaluation.task import evaluate_graders


def measure_graders(
    store: Store,
    run_id: str,
    set_name: str,
    config: EvaluationConfig,
    against: str | None = None,
) -> list[Metric]:
    """How every judge and ensemble agrees with the other graders, measured unless it is there.

    Args:
        store: where the rows lie.
        run_id: the run.
        set_name: the set of solutions.
        config: bins and intervals.
        against: see `RegradingJob`.
    """
    sampled = sampled_files(store, run_id, set_name)
    graded = verdict_files(store, run_id, sampled)
    inputs = (
        problems_path(run_id, set_name),
        *sampled,
        *(path for paths in graded.values() for path in paths),
    )
    return measure_once(
        store,
        run_id,
        f"graders-{set_name}",
        inputs,
        lambda unit: evaluate_graders(store.url, unit, config, set_name=set_name, against=against),
        settings=config.config_hash(),
        more=() if against is None else (against,),
    )


def check_reference(store: Store, run_id: str, set_name: str, against: str) -> None:
    """Refuse a name that no grader of a set's solutions has.

    Raises:
        ValueError: no grader's name begins so.
    """
    sampled = sampled_files(store, run_id, set_name)
    solutions = [row for path in sampled for row in store.read(path)]
    later = verdict_files(store, run_id, sampled).values()
    verdicts = [row for paths in later for path in paths for row in store.read(path)]
    choose_references(verdicts_by_grader(solutions, verdicts), against)
