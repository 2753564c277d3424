"""One training set, from open sources to a finished folder: checks, builder, files, card."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from schemas.dataset_export import DatasetExportJob
from schemas.dataset_export.builders import BuilderConfig
from schemas.engines import EngineConfig, PlantedConfig
from schemas.errors import NothingToLearn
from schemas.prompts import ChatPromptConfig
from schemas.training_rows import TrainingRow
from storage import Store
from tasks.dataset_export.card import write_card
from tasks.dataset_export.checks import Checker
from tasks.dataset_export.critiqued import CriticPrompts
from tasks.dataset_export.figures import SetFigures
from tasks.dataset_export.read import CheckedSource
from tasks.dataset_export.sources import ExportPlan, Sources
from tasks.dataset_export.write import choose_rows, copy_rows, read_stages, spool_rows
from tasks.prompts.formats import PromptFormat, make_prompt_format

Build = Callable[[CheckedSource, Any], Iterator[TrainingRow]]
"""A builder: from a source and its config to rows."""

_SPOOL = "all-rows.parquet"


@dataclass(frozen=True, slots=True)
class BuiltSet:
    """A set that was written."""

    folder: Path
    facts: dict[str, Any]
    """The content of set.json."""
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
        store: the store with the test questions.
        plan: what to build.
        sources: the open solutions.
        name: the name of the set.
        folder: where the folder of the set is made, with its name.
        on_progress: called with the number of rows so far.

    Raises:
        NothingToLearn: the checks left nothing.
    """
    job = plan.job
    prompt_format = open_prompt_format(job)
    checker = Checker(
        job.checks,
        test_questions=[
            text for path in plan.test_files for text in store.column(path, "question")
        ],
        build_prompt=prompt_format.ask,
    )
    source = CheckedSource(
        sources,
        checker,
        prompt_format,
        critic=open_critic(plan),
        seed=job.seed,
    )
    spool = folder / _SPOOL
    rows = find_builder(job.builder)(source, job.builder)
    num_built = spool_rows(spool, job.form, rows, on_progress, job.builder.extra_columns)
    left_out = {
        "problems": dict(checker.problems),
        "solutions": dict(checker.solutions),
        "rows": dict(source.left_out),
    }
    if plan.critic is not None:
        left_out["critiques"] = dict(source.critiques_left_out)
    if not num_built:
        raise NothingToLearn(
            f"{job.kind}: expected rows from {plan.words}, the builder and its checks left none: "
            f"left out {left_out}"
        )
    kept = choose_rows(
        read_stages(spool), shares=job.builder.stage_shares, max_rows=job.max_rows, seed=job.seed
    )
    if num_thinned := num_built - int(kept.sum()):
        left_out["rows"]["over_share_or_max_rows"] = num_thinned
    target = folder / name
    target.mkdir()
    figures = SetFigures(job.form)
    for batch in copy_rows(spool, target, kept=kept, rows_per_file=job.rows_per_file):
        figures.add(batch)
    facts = _collect_facts(plan, sources, prompt_format, name=name)
    survey = sources.survey
    facts["counts"] = {
        **figures.to_dict(),
        "left_out": left_out,
        "solutions": {
            "ended": survey.num_ended,
            "cut": survey.num_truncated,
            "answerless": survey.num_answerless,
            "ungraded": survey.num_ungraded,
        },
    }
    write_card(target, facts, figures)
    return BuiltSet(target, facts, figures.num_rows)


def find_builder(config: BuilderConfig) -> Build:
    """The function `build` in the module named after the builder."""
    return import_module(f"tasks.dataset_export.builders.{config.type}").build


def open_prompt_format(job: DatasetExportJob) -> PromptFormat:
    """How the policy was prompted.

    Raises:
        ValueError: the prompt is a chat prompt, and its model is not known.
    """
    assert job.prompt is not None
    if isinstance(job.prompt, ChatPromptConfig) and job.policy is None:
        raise ValueError("policy: expected the model whose chat template the prompt uses, got none")
    # A plain prompt needs nothing from its engine.
    return make_prompt_format(job.prompt, job.policy or PlantedConfig())


def open_critic(plan: ExportPlan) -> CriticPrompts | None:
    """How the critics were prompted; None for builders that read no critiques."""
    asked = plan.critic
    if asked is None:
        return None
    prompt_format = make_prompt_format(asked.prompt, asked.engine or PlantedConfig())
    return CriticPrompts.of(prompt_format, asked.format)


def _collect_facts(
    plan: ExportPlan, sources: Sources, prompt_format: PromptFormat, *, name: str
) -> dict[str, Any]:
    """The content of set.json, without the counts."""
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
        **({"critics": list(sources.critics)} if sources.critics else {}),
        "filters": _describe_filters(job.builder, sources.min_score),
        "separator": prompt_format.separator,
        **({"step_rule": additions} if (additions := prompt_format.step_rule.additions) else {}),
        "has_chat_template": prompt_format.has_chat_template,
        "ends_with_text": job.builder.ends_with_text,
        "tokenizer": _fingerprint_tokenizer(job.policy),
        "pool": {
            "problems": sources.survey.num_problems,
            "solutions": sources.survey.num_solutions,
            "right": sources.survey.num_right,
            "wrong": sources.survey.num_wrong,
        },
        "config": job.model_dump(mode="json"),
    }


def _describe_filters(builder: BuilderConfig, min_score: float | None) -> str:
    """Which solutions were kept, in words."""
    if min_score is None:
        return builder.keeps
    return f"{builder.keeps} of {builder.score_reduction} score at least {min_score:.4f}"


def _fingerprint_tokenizer(policy: EngineConfig | None) -> str | None:
    """The fingerprint of the prompts' tokenizer; None if this machine cannot read it."""
    if policy is None or policy.type != "vllm":
        return None
    from tasks.models.folders import load_tokenizer, resolve_model, tokenizer_fingerprint

    return tokenizer_fingerprint(load_tokenizer(resolve_model(policy.model, policy.revision)))
