"""Where the rows of a set come from, and whether they exist.

All errors in a job are found here, by counting in SQL, before a row is read. A builder's
config declares what it reads (`schemas/dataset_export/builders.py`).
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.critique_formats import CritiqueFormatConfig
from schemas.dataset_export import DatasetExportJob
from schemas.dataset_export.builders import BuilderConfig
from schemas.dataset_export.critique_builders import CritiquesBuilderConfig
from schemas.engines import EngineConfig
from schemas.errors import NothingToLearn
from schemas.prompts import PromptConfig
from storage import Store
from storage.critiqued import CritiquesSurvey, StoredCritiques
from storage.solutions import SolutionsSurvey, StoredSolutions, problem_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCritic:
    """How the critics of a run were asked."""

    format: CritiqueFormatConfig
    prompt: PromptConfig
    engine: EngineConfig | None
    """The critic, or one of several; the actor if it is no model; None if neither is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPlan:
    """A job and the committed files that it reads."""

    job: DatasetExportJob
    """The job, with its prompt filled in."""
    run_ids: tuple[str, ...]
    problem_files: tuple[str, ...]
    """Problems whose solutions are used."""
    test_files: tuple[str, ...]
    """Test problems, which no row may contain."""
    original_files: tuple[str, ...] = ()
    """Problems whose right solutions are mixed in."""
    critic: AskedCritic | None = None
    """How the critiques were asked for, for builders that read some."""
    later_methods: frozenset[str] = frozenset()
    """Methods of step labels that were added to a set with labels; taken only if named."""

    @property
    def words(self) -> str:
        """The place of the solutions, for messages."""
        sets, runs = ", ".join(self.job.source.set_names), ", ".join(self.run_ids)
        return f"the set {sets} of run {runs}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The open solutions of a plan, and facts about them."""

    solutions: StoredSolutions
    originals: StoredSolutions | None
    """The solutions to mix in, if they come from other sets than the job's."""
    survey: SolutionsSurvey
    policies: tuple[str, ...]
    verifier: str | None
    """The verifier whose scores are read."""
    min_score: float | None
    """The minimum score of a solution, for a builder with a threshold."""
    method: str | None
    """The method of the step labels that are read."""
    critiques: StoredCritiques | None = None
    """The chosen critiques, for builders that read some."""
    critics: tuple[str, ...] = ()
    """The ids of their critics."""


@contextlib.contextmanager
def open_sources(store: Store, plan: ExportPlan) -> Iterator[Sources]:
    """Open the solutions of a plan and check that a set can be made from them.

    Raises:
        ValueError: says what was expected and what exists.
    """
    builder = plan.job.builder
    with contextlib.ExitStack() as stack:
        solutions = _open(store, plan, plan.problem_files, stack)
        originals = _open(store, plan, plan.original_files, stack) if plan.original_files else None
        for each in filter(None, (solutions, originals)):
            _check_splits(each, plan)
        verifier = _choose_verifier(solutions, plan) if builder.reads == "scores" else None
        if verifier is not None:
            solutions.use_verifier(verifier)
        survey = solutions.survey()
        critiques = _open_critiques(solutions, plan)
        if builder.reads == "trees":
            _check_searches(solutions, plan)
        elif builder.reads == "talks":
            _check_talks(solutions, plan)
        elif builder.reads not in ("labels", "critiques", "worked"):
            _check_solutions(survey, plan)
        method = _choose_method(solutions, plan) if builder.reads == "labels" else None
        if builder.mixes_in:
            _check_originals(originals or solutions, plan)
        yield Sources(
            solutions=solutions,
            originals=originals,
            survey=survey,
            policies=tuple(solutions.policies()),
            verifier=verifier,
            min_score=_find_min_score(solutions, survey, plan),
            method=method,
            critiques=critiques,
            critics=() if critiques is None else tuple(critiques.critics()),
        )


def _open(
    store: Store, plan: ExportPlan, files: tuple[str, ...], stack: contextlib.ExitStack
) -> StoredSolutions:
    job = plan.job
    solutions = StoredSolutions(
        store,
        problem_ids(store, files),
        policies=job.source.policies,
        rounds=job.source.rounds,
        reduction=job.builder.score_reduction,
        seed=job.seed,
    )
    stack.callback(solutions.close)
    return solutions


def _check_splits(solutions: StoredSolutions, plan: ExportPlan) -> None:
    allowed = plan.job.source.splits
    others = sorted(set(solutions.splits()) - set(allowed))
    if others:
        raise ValueError(
            f"source.set_names: {plan.words} has problems of the split {', '.join(others)}, "
            f"expected {', '.join(allowed)}: what is measured on must not be trained on "
            "(source.splits says which splits may be used)"
        )


def _check_solutions(survey: SolutionsSurvey, plan: ExportPlan) -> None:
    builder: BuilderConfig = plan.job.builder
    if not survey.num_solutions:
        raise NothingToLearn(
            f"expected finished solutions in {plan.words}, got none: {_say_ends(survey)}"
        )
    if builder.reads != "grades":
        return
    found = (
        f"{survey.num_solutions} solutions of {survey.num_problems} problems, "
        f"{survey.num_right} of them right, {survey.num_wrong} wrong"
    )
    if not survey.num_right:
        raise NothingToLearn(
            f"{builder.type}: expected right answers in {plan.words}, got {found}: "
            f"{_say_ends(survey)}"
        )
    if builder.needs_wrong and not survey.num_mixed_problems:
        raise NothingToLearn(
            f"{builder.type}: expected a problem with right and wrong answers in {plan.words}, "
            f"got {found}"
        )


def _say_ends(survey: SolutionsSurvey) -> str:
    """How the solutions ended, and what to change where nothing can be learned from them."""
    words = (
        f"of {survey.num_ended} solutions {survey.num_truncated} were cut and "
        f"{survey.num_answerless} give no answer"
    )
    if 2 * survey.num_truncated > survey.num_ended:
        return f"{words}; raise max_tokens"
    if 2 * survey.num_answerless > survey.num_ended:
        return f"{words}; ask for a marked answer in the prompt, or set grader.marks"
    return f"{words}; sample easier problems, more solutions of each, or a stronger policy"


def _choose_verifier(solutions: StoredSolutions, plan: ExportPlan) -> str:
    known, wanted = solutions.verifiers(), plan.job.source.verifier
    words = "scores by one verifier" if wanted is None else f"scores by {wanted!r}"
    return _choose(known, wanted, f"source.verifier: expected {words} of {plan.words}")


def _choose_method(solutions: StoredSolutions, plan: ExportPlan) -> str:
    known, wanted = solutions.label_methods(), plan.job.builder.label_method
    if wanted is None:
        known = [method for method in known if method not in plan.later_methods]
    words = "labels of one method" if wanted is None else f"labels by {wanted!r}"
    return _choose(known, wanted, f"builder.method: expected {words} in {plan.words}")


def _choose(known: list[str], wanted: str | None, expected: str) -> str:
    """The requested one, or the only one that exists."""
    if wanted is None and len(known) == 1:
        return known[0]
    if wanted is None or wanted not in known:
        if not known:
            raise NothingToLearn(f"{expected}, got none")
        raise ValueError(f"{expected}, got {', '.join(known)}")
    return wanted


def _check_searches(solutions: StoredSolutions, plan: ExportPlan) -> None:
    known, builder = solutions.strategies(), plan.job.builder
    usable = [label for label in known if builder.takes_search(label)]
    lacking = sorted(set(builder.searches or ()) - set(usable))
    if not usable or lacking:
        raise ValueError(
            f"builder.strategies: expected searches of {plan.words} {builder.searches_taken}"
            f"{f', {lacking[0]} among them' if lacking else ''}, got {', '.join(known) or 'none'}"
        )


def _check_talks(solutions: StoredSolutions, plan: ExportPlan) -> None:
    if not solutions.num_talks():
        raise NothingToLearn(
            f"{plan.job.kind}: expected self-talk in {plan.words}, got none: run `stepmill run "
            "self_talk` on it first"
        )


def _open_critiques(solutions: StoredSolutions, plan: ExportPlan) -> StoredCritiques | None:
    """The critiques that a job reads; None if it reads none."""
    builder = plan.job.builder
    if builder.reads != "critiques":
        return None
    if not isinstance(builder, CritiquesBuilderConfig):
        _check_solutions(solutions.survey(), plan)
        return StoredCritiques(solutions)
    critiques = StoredCritiques(
        solutions, critics=builder.critics, told=builder.told, actors=builder.actors
    )
    known, wanted = critiques.critics(), builder.critics
    words = "critiques by one critic" if wanted is None else f"critiques by {', '.join(wanted)}"
    if builder.told is not None:
        words += f" that was told {builder.told}"
    expected = f"builder.critics: expected {words} of solutions of {plan.words}"
    if not known:
        raise NothingToLearn(f"{expected}, got none: the stage critiques writes them")
    if (len(known) > 1) if wanted is None else (set(known) != set(wanted)):
        raise ValueError(f"{expected}, got {', '.join(known)}")
    told = critiques.told()
    if builder.told is None and builder.asks == "critic" and len(told) > 1:
        raise ValueError(
            f"builder.told: expected one, as critics of {plan.words} were told different things, "
            f"got {', '.join(told)}"
        )
    if builder.needs_attempts and not critiques.survey().num_right:
        raise NothingToLearn(_say_attempts(critiques.survey(), plan))
    return critiques


def _say_attempts(survey: CritiquesSurvey, plan: ExportPlan) -> str:
    return (
        f"{plan.job.kind}: expected right second attempts after critiques in {plan.words}, got "
        f"{survey.num_refinements} second attempts with {survey.num_critiques} critiques, none of "
        "them right: refining.num_refinements says how many are drawn"
    )


def _check_originals(solutions: StoredSolutions, plan: ExportPlan) -> None:
    names = ", ".join(map(repr, plan.job.builder.original_sets))
    if plan.original_files and not solutions.survey().num_right:
        raise ValueError(f"builder.mix_set: expected right solutions in the set {names}, got none")
    if not plan.original_files and not solutions.num_originals():
        raise ValueError(
            f"{_worked_field(plan)}: expected problems with worked solutions in {plan.words}, got "
            "none; mix_set of the builder rest names a set whose right solutions are mixed in"
        )


def _worked_field(plan: ExportPlan) -> str:
    """What asks for worked solutions: a field of the builder, or the builder itself."""
    return plan.job.kind if plan.job.builder.reads == "worked" else "builder.mix_in"


def _find_min_score(
    solutions: StoredSolutions, survey: SolutionsSurvey, plan: ExportPlan
) -> float | None:
    """The minimum score of a solution; None if scores do not decide."""
    builder: BuilderConfig = plan.job.builder
    if builder.score_quantile is not None:
        return solutions.score_at(builder.score_quantile)
    minimum = builder.min_score
    if minimum is not None and (survey.max_score is None or survey.max_score < minimum):
        raise ValueError(
            f"{builder.type}: nothing passes the threshold {minimum:g}: the best of "
            f"{survey.num_scored} scored solutions of {plan.words} has {survey.max_score}"
        )
    return minimum
