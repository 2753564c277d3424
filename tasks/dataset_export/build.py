"""One training set, from open pools to a finished folder: checks, builder, files, card."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.dataset_export import (
    DatasetExportJob,
    EasyToHardConfig,
    PreferenceConfig,
    RestConfig,
    RestEmConfig,
    ReverseCurriculumConfig,
    RevisionChainsConfig,
    SearchTreesConfig,
    StepwiseConfig,
    StitchedConfig,
    VStarConfig,
)
from schemas.engines import EngineConfig, PlantedConfig
from schemas.prompts import ChatPromptConfig
from schemas.training_rows import TrainingRow
from storage import Store
from tasks.dataset_export.builders.easy_to_hard import build_easy_to_hard
from tasks.dataset_export.builders.preference import build_preference
from tasks.dataset_export.builders.rest import build_rest
from tasks.dataset_export.builders.rest_em import build_rest_em
from tasks.dataset_export.builders.reverse_curriculum import build_reverse_curriculum
from tasks.dataset_export.builders.revisions import build_revisions
from tasks.dataset_export.builders.search_trees import build_search_trees
from tasks.dataset_export.builders.stepwise import build_stepwise
from tasks.dataset_export.builders.stitched import build_stitched
from tasks.dataset_export.builders.v_star import build_v_star
from tasks.dataset_export.card import write_card
from tasks.dataset_export.checks import Checker
from tasks.dataset_export.figures import SetFigures
from tasks.dataset_export.read import CleanPool
from tasks.dataset_export.sources import ExportPlan, Sources
from tasks.dataset_export.write import choose_rows, copy_rows, read_stages, spool_rows
from tasks.prompts.formats import PromptFormat, make_prompt_format

_SPOOL = "all-rows.parquet"


@dataclass(frozen=True, slots=True)
class BuiltSet:
    """What was written."""

    folder: Path
    facts: dict[str, Any]
    """What set.json says."""
    num_rows: int


def build_set(
    store: Store,
    plan: ExportPlan,
    sources: Sources,
    *,
    name: str,
    folder: Path,
    on_progress: Callable[[int], None] = lambda num_rows: None,
) -> BuiltSet:
    """Write a set's files into an empty folder.

    Args:
        store: for the test questions.
        plan: what is built.
        sources: the open pools.
        name: the set's.
        folder: where its folder, of that name, is made.
        on_progress: called with the number of rows so far.

    Raises:
        ValueError: the checks left nothing.
    """
    job = plan.job
    prompt_format = open_prompt_format(job)
    checker = Checker(
        job.checks,
        test_questions=[
            text for path in plan.test_files for text in store.column(path, "question")
        ],
        build_prompt=prompt_format.build,
    )
    pool = CleanPool(
        sources.pool, checker, prompt_format, originals=sources.originals, seed=job.seed
    )
    rows_left_out: Counter[str] = Counter()
    spool = folder / _SPOOL
    num_built = spool_rows(
        spool, job.form, _build_rows(pool, sources, job, rows_left_out), on_progress
    )
    left_out = {
        "problems": dict(checker.problems),
        "solutions": dict(checker.solutions),
        "rows": dict(rows_left_out),
    }
    if not num_built:
        raise ValueError(
            f"{job.kind}: expected rows from {plan.words}, the builder and its checks left none: "
            f"left out {left_out}"
        )
    kept = choose_rows(
        read_stages(spool), shares=_stage_shares(job), max_rows=job.max_rows, seed=job.seed
    )
    if num_thinned := num_built - int(kept.sum()):
        left_out["rows"]["over_share_or_most"] = num_thinned
    target = folder / name
    target.mkdir()
    figures = SetFigures(job.form)
    for batch in copy_rows(spool, target, kept=kept, rows_per_file=job.rows_per_file):
        figures.add(batch)
    facts = _collect_facts(plan, sources, prompt_format, name=name)
    facts["counts"] = {**figures.to_dict(), "left_out": left_out}
    write_card(target, facts, figures)
    return BuiltSet(target, facts, figures.num_rows)


def open_prompt_format(job: DatasetExportJob) -> PromptFormat:
    """How the policy was asked.

    Raises:
        ValueError: a chat prompt whose model is not known.
    """
    assert job.prompt is not None
    if isinstance(job.prompt, ChatPromptConfig) and job.policy is None:
        raise ValueError("policy: expected the model whose chat template the prompt uses, got none")
    # A plain prompt asks nothing of its engine.
    return make_prompt_format(job.prompt, job.policy or PlantedConfig())


def _build_rows(
    pool: CleanPool, sources: Sources, job: DatasetExportJob, left_out: Counter[str]
) -> Iterator[TrainingRow]:
    """The builder's rows."""
    match job.builder:
        case RestConfig() as config:
            return build_rest(pool, config, min_score=sources.min_score)
        case RestEmConfig() as config:
            return build_rest_em(pool, config)
        case ReverseCurriculumConfig() as config:
            return build_reverse_curriculum(pool, config, left_out)
        case PreferenceConfig() as config:
            return build_preference(pool, config)
        case VStarConfig() as config:
            return build_v_star(pool, config)
        case RevisionChainsConfig() as config:
            return build_revisions(pool, config)
        case StitchedConfig() as config:
            return build_stitched(pool, config)
        case SearchTreesConfig() as config:
            return build_search_trees(pool, config)
        case EasyToHardConfig() as config:
            return build_easy_to_hard(pool, config, method=sources.method)
        case StepwiseConfig() as config:
            assert sources.method is not None
            return build_stepwise(pool, config, method=sources.method)


def _stage_shares(job: DatasetExportJob) -> tuple[float, ...] | None:
    builder = job.builder
    if not isinstance(builder, ReverseCurriculumConfig) or builder.mode == "staged":
        return None
    return builder.shares or (1.0,) * builder.num_stages


def _collect_facts(
    plan: ExportPlan, sources: Sources, prompt_format: PromptFormat, *, name: str
) -> dict[str, Any]:
    """What set.json says, but for the counts."""
    job = plan.job
    return {
        "name": name,
        "kind": job.kind,
        "form": job.form,
        "runs": list(plan.run_ids),
        "policy": sources.policies[0] if len(sources.policies) == 1 else None,
        "policies": list(sources.policies),
        "verifier": sources.verifier,
        "method": sources.method,
        "filters": _describe_filters(job, sources),
        "separator": prompt_format.separator,
        "has_chat_template": prompt_format.has_chat_template,
        # A pruned branch has not come to its end, however much of it is learned from.
        "ends_with_text": not isinstance(job.builder, SearchTreesConfig),
        "tokenizer": _fingerprint_tokenizer(job.policy),
        "pool": {
            "problems": sources.survey.num_problems,
            "solutions": sources.survey.num_solutions,
            "right": sources.survey.num_right,
            "wrong": sources.survey.num_wrong,
        },
        "config": job.model_dump(mode="json"),
    }


def _describe_filters(job: DatasetExportJob, sources: Sources) -> str:
    """What was kept, in words."""
    builder = job.builder
    if isinstance(builder, RestConfig) and sources.min_score is not None:
        right = "right answers with " if builder.right_only else ""
        return f"{right}{builder.reduction} score at least {sources.min_score:.4f}"
    if isinstance(builder, RestConfig) and builder.by == "none" and not builder.right_only:
        return "every finished solution"
    if isinstance(builder, PreferenceConfig) and builder.by == "margin":
        return f"{builder.reduction} scores at least {builder.min_margin:g} apart"
    if isinstance(builder, EasyToHardConfig):
        levels = ", ".join(map(str, builder.easy_levels))
        return f"the {builder.part} problems; levels {levels} are easy"
    return {
        "rest": "right answers",
        "rest_em": "right answers",
        "reverse_curriculum": "states of right solutions",
        "stepwise": "labelled steps",
        "search_trees": "best paths against pruned branches",
    }.get(builder.type, "right against wrong answers")


def _fingerprint_tokenizer(policy: EngineConfig | None) -> str | None:
    """The tokenizer that the prompts are meant for; None where it is not here to be read."""
    if policy is None or policy.type != "vllm":
        return None
    from tasks.models.folders import load_tokenizer, resolve_model, tokenizer_fingerprint

    return tokenizer_fingerprint(load_tokenizer(resolve_model(policy.model, policy.revision)))
