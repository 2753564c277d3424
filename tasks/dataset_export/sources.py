"""Where a set's rows come from, and whether they can be had.

Everything that can be wrong with a job is found here, by counting in SQL, before a row is read.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.dataset_export import (
    DatasetExportJob,
    EasyToHardConfig,
    PreferenceConfig,
    RestConfig,
    SearchTreesConfig,
    StepwiseConfig,
)
from storage import Store
from storage.solutions import SolutionsSurvey, StoredSolutions, problem_ids
from tasks.dataset_export.builders.search_trees import is_stepwise


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPlan:
    """A job and the committed files it is about."""

    job: DatasetExportJob
    """With the prompt written out."""
    run_ids: tuple[str, ...]
    problem_files: tuple[str, ...]
    """Problems whose solutions are used."""
    test_files: tuple[str, ...]
    """Problems that no row may touch."""
    original_files: tuple[str, ...] = ()
    """Problems whose right solutions are mixed in."""

    @property
    def words(self) -> str:
        """Where the solutions lie, for messages."""
        sets, runs = ", ".join(self.job.source.set_names), ", ".join(self.run_ids)
        return f"the set {sets} of run {runs}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Open pools, and what was found out about them."""

    pool: StoredSolutions
    originals: StoredSolutions | None
    survey: SolutionsSurvey
    policies: tuple[str, ...]
    verifier: str | None
    """Whose scores are read."""
    min_score: float | None
    """The least score that passes, for a builder with a threshold."""
    method: str | None
    """The step labels that are read."""


@contextlib.contextmanager
def open_sources(store: Store, plan: ExportPlan) -> Iterator[Sources]:
    """Open the pools of a plan and look whether a set can be made from them.

    Raises:
        ValueError: says what was expected and what is there.
    """
    with contextlib.ExitStack() as stack:
        pool = _open_pool(store, plan, plan.problem_files, stack)
        originals = None
        if plan.original_files:
            originals = _open_pool(store, plan, plan.original_files, stack)
        for each in filter(None, (pool, originals)):
            _check_splits(each, plan)
        builder = plan.job.builder
        verifier = _choose_verifier(pool, plan) if _reads_scores(plan.job) else None
        if verifier is not None:
            pool.use_verifier(verifier)
        survey = pool.survey()
        method = None
        if isinstance(builder, SearchTreesConfig):
            _check_searches(pool, builder, plan)
        elif isinstance(builder, StepwiseConfig) or (
            isinstance(builder, EasyToHardConfig) and builder.target == "verifier"
        ):
            method = _choose_method(pool, builder.method, plan)
        else:
            _check_grades(survey, plan)
        if isinstance(builder, RestConfig) and builder.mix_in:
            _check_originals(originals or pool, plan)
        yield Sources(
            pool=pool,
            originals=originals,
            survey=survey,
            policies=tuple(pool.policies()),
            verifier=verifier,
            min_score=_find_threshold(pool, survey, plan),
            method=method,
        )


def _open_pool(
    store: Store, plan: ExportPlan, files: tuple[str, ...], stack: contextlib.ExitStack
) -> StoredSolutions:
    job = plan.job
    pool = StoredSolutions(
        store,
        problem_ids(store, files),
        policies=job.source.policies,
        rounds=job.source.rounds,
        reduction=getattr(job.builder, "reduction", "min"),
        seed=job.seed,
    )
    stack.callback(pool.close)
    return pool


def _reads_scores(job: DatasetExportJob) -> bool:
    builder = job.builder
    if isinstance(builder, RestConfig):
        return builder.by in ("score", "percentile")
    return isinstance(builder, PreferenceConfig) and builder.by == "margin"


def _check_splits(pool: StoredSolutions, plan: ExportPlan) -> None:
    allowed = plan.job.source.splits
    others = sorted(set(pool.splits()) - set(allowed))
    if others:
        raise ValueError(
            f"source.set_names: {plan.words} has problems of the split {', '.join(others)}, "
            f"expected {', '.join(allowed)}: what is measured on must not be trained on "
            "(source.splits says which splits may be)"
        )


def _check_grades(survey: SolutionsSurvey, plan: ExportPlan) -> None:
    job = plan.job
    if not survey.num_solutions:
        raise ValueError(f"expected finished solutions in {plan.words}, got none")
    found = (
        f"{survey.num_solutions} solutions of {survey.num_problems} problems, "
        f"{survey.num_right} of them right, {survey.num_wrong} wrong"
    )
    builder = job.builder
    free = (isinstance(builder, RestConfig) and builder.by != "grade") or (
        isinstance(builder, PreferenceConfig) and builder.by == "margin"
    )
    if not free and not survey.num_right:
        raise ValueError(f"{job.kind}: expected right answers in {plan.words}, got {found}")
    needs_both = builder.type in ("preference", "v_star", "stitched")
    if not free and needs_both and not survey.num_mixed_problems:
        raise ValueError(
            f"{job.kind}: expected a problem with right and wrong answers in {plan.words}, "
            f"got {found}"
        )


def _choose_verifier(pool: StoredSolutions, plan: ExportPlan) -> str:
    there, asked = pool.verifiers(), plan.job.source.verifier
    if asked is None and len(there) == 1:
        return there[0]
    if asked is None or asked not in there:
        wanted = "one verifier" if asked is None else repr(asked)
        raise ValueError(
            f"source.verifier: expected scores by {wanted} of {plan.words}, "
            f"got {', '.join(there) or 'none'}"
        )
    return asked


def _choose_method(pool: StoredSolutions, asked: str | None, plan: ExportPlan) -> str:
    there = pool.label_methods()
    if asked is None and len(there) == 1:
        return there[0]
    if asked is None or asked not in there:
        wanted = "labels of one method" if asked is None else f"labels by {asked!r}"
        raise ValueError(
            f"builder.method: expected {wanted} in {plan.words}, got {', '.join(there) or 'none'}"
        )
    return asked


def _check_searches(pool: StoredSolutions, builder: SearchTreesConfig, plan: ExportPlan) -> None:
    there = pool.strategies()
    usable = [name for name in there if is_stepwise(name)]
    lacking = sorted(set(builder.strategies or ()) - set(usable))
    if not usable or lacking:
        raise ValueError(
            f"builder.strategies: expected searches of {plan.words} that draw step by step"
            f"{f', {lacking[0]} among them' if lacking else ''}, got {', '.join(there) or 'none'}"
        )


def _check_originals(pool: StoredSolutions, plan: ExportPlan) -> None:
    if plan.original_files and not pool.survey().num_right:
        raise ValueError(
            f"builder.mix_set: expected right solutions in the set {_mix_set(plan)!r}, got none"
        )
    if not plan.original_files and not pool.num_originals():
        raise ValueError(
            f"builder.mix_in: expected problems with worked solutions in {plan.words}, got none; "
            "mix_set names a set whose right solutions are mixed in"
        )


def _mix_set(plan: ExportPlan) -> str | None:
    return plan.job.builder.mix_set if isinstance(plan.job.builder, RestConfig) else None


def _find_threshold(
    pool: StoredSolutions, survey: SolutionsSurvey, plan: ExportPlan
) -> float | None:
    """The least score that passes; None where scores do not decide."""
    builder = plan.job.builder
    if not isinstance(builder, RestConfig) or builder.by not in ("score", "percentile"):
        return None
    if builder.by == "percentile":
        return pool.score_at(builder.threshold)
    if survey.max_score is None or survey.max_score < builder.threshold:
        raise ValueError(
            f"builder.thresholds: nothing passes {builder.threshold:g} (improve step "
            f"{builder.improve_step}): the best of {survey.num_scored} scored solutions of "
            f"{plan.words} has {survey.max_score}"
        )
    return builder.threshold
