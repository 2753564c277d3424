"""Which committed files a training set is made from, and how its policy was prompted."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import TypeVar

from flows.runs.sets import may_have, named_files, problems_path, set_names
from flows.runs.stored import SOLVING, solving_configs
from schemas.base import FrozenConfig
from schemas.critiques import CritiquesJob
from schemas.dataset_export import DatasetExportJob
from schemas.dataset_export.critique_builders import AskingBuilderConfig, CritiquesBuilderConfig
from schemas.engines import EngineConfig
from schemas.rows import CRITIQUES, STEP_LABELS, STEP_SCORES, TRAJECTORIES, VERDICTS
from schemas.unit_names import (
    CritiquesName,
    ErrorPathsName,
    LabelsName,
    RefinementsName,
    ScoresName,
    SolutionsName,
    TalkName,
    TreesName,
    VerdictsName,
)
from schemas.units import Stage, UnitPath
from storage import Store
from storage.runs import recorded_configs
from tasks.dataset_export.sources import AskedCritic, ExportPlan
from tasks.models.checkpoints import find_checkpoint

Config = TypeVar("Config", bound=FrozenConfig)
_SourceName = (
    SolutionsName
    | TreesName
    | VerdictsName
    | ScoresName
    | LabelsName
    | ErrorPathsName
    | CritiquesName
    | RefinementsName
    | TalkName
)

_SOURCES = (
    (TRAJECTORIES.name, Stage.SAMPLING, SolutionsName),
    (TRAJECTORIES.name, Stage.IMPORTS, SolutionsName),
    (TRAJECTORIES.name, Stage.SEARCH, TreesName),
    (VERDICTS.name, Stage.REGRADING, VerdictsName),
    (STEP_SCORES.name, Stage.SCORING, ScoresName),
    (STEP_SCORES.name, Stage.IMPORTS, ScoresName),
    (STEP_LABELS.name, Stage.STEP_LABELS, LabelsName),
    (STEP_LABELS.name, Stage.IMPORTS, LabelsName),
)
"""The sources of sets: table, stage and the form of its unit names. Rollouts and rewards are not
sources. The order enters the names of sets."""
_CRITIQUED_SOURCES = (
    (TRAJECTORIES.name, Stage.ERROR_PATHS, ErrorPathsName),
    (CRITIQUES.name, Stage.CRITIQUES, CritiquesName),
    (TRAJECTORIES.name, Stage.REFINEMENTS, RefinementsName),
)
"""Further sources of the builders that read critiques."""
_TALK_SOURCES = ((TRAJECTORIES.name, Stage.SELF_TALK, TalkName),)
"""Further sources of the builders that read self-talk."""


def plan_export(store: Store, job: DatasetExportJob, run_id: str) -> ExportPlan:
    """The plan of a job, with its prompt and policy filled in.

    Raises:
        ValueError: a run or one of its sets does not exist, or the prompt is not known.
    """
    run_ids = (run_id, *(run for run in job.source.more_runs if run != run_id))
    there = {run: set_names(store, run) for run in run_ids}
    for run, names in there.items():
        if not names:
            raise ValueError(
                f"run {run} has no problems in {store.url}: expected a run that solved some; "
                '`stepmill sql "select * from run_state"` lists the runs'
            )
    mix_sets = job.builder.original_sets
    tests = job.checks.test_sets
    if tests is None:
        used = {*job.source.set_names, *mix_sets}
        tests = sorted({name for names in there.values() for name in names} - used)
    job, critic = _write_out_critic(store, job, run_ids)
    return ExportPlan(
        job=_write_out_prompt(store, job, run_id),
        critic=critic,
        run_ids=run_ids,
        problem_files=_find(there, job.source.set_names, "source.set_names"),
        original_files=_find(there, mix_sets, "builder.mix_set"),
        test_files=_find(there, tests, "checks.test_sets"),
        later_methods=_later_methods(store, run_ids),
    )


def input_files(store: Store, plan: ExportPlan) -> list[str]:
    """All committed files that a set may depend on; with an additional file it is a different set.

    Files that a loop adds after the rounds of a job, or later critics of the same rounds, are left
    out, so that a loop that is run again finds its sets.
    """
    found = [*plan.problem_files, *plan.original_files, *plan.test_files]
    sets = {UnitPath.parse(path).unit for path in (*plan.problem_files, *plan.original_files)}
    source = plan.job.source
    further = {"critiques": _CRITIQUED_SOURCES, "talks": _TALK_SOURCES}
    sources = [*_SOURCES, *further.get(plan.job.builder.reads, ())]
    for run_id in plan.run_ids:
        used: dict[str, _SourceName] = {}
        for table, stage, kind in sources:
            for path, name in named_files(store, kind, table, run_id, stage).items():
                is_used = name.group.set_name in sets
                if isinstance(name, LabelsName):
                    is_used &= may_have(name, plan.job.builder.label_method)
                if source.rounds is not None:
                    is_used &= name.group.is_of(source.rounds, source.policies)
                if is_used:
                    used[path] = name
        unread = set(_by_other_critics(store, plan, used))
        found += [path for path in used if path not in unread]
    return found


def _later_methods(store: Store, run_ids: Sequence[str]) -> frozenset[str]:
    """Methods that are only among step labels made after others of their set."""
    methods: dict[bool, set[str]] = {True: set(), False: set()}
    files = [
        (path, name)
        for run_id in run_ids
        for path, name in named_files(
            store, LabelsName, STEP_LABELS.name, run_id, Stage.IMPORTS, Stage.STEP_LABELS
        ).items()
    ]
    if any(name.labels_type for _, name in files):
        for path, name in files:
            methods[bool(name.labels_type)].update(store.column(path, "method"))
    return frozenset(methods[True] - methods[False])


def _by_other_critics(
    store: Store, plan: ExportPlan, used: Mapping[str, _SourceName]
) -> Iterator[str]:
    """Files of critiques by none of the critics that a job names, and of what these led to."""
    builder = plan.job.builder
    if not isinstance(builder, CritiquesBuilderConfig) or builder.critics is None:
        return
    others = {
        name: path
        for path, name in used.items()
        if isinstance(name, CritiquesName)
        and set(builder.critics).isdisjoint(store.columns(path, ("critic",))["critic"].to_pylist())
    }
    yield from others.values()
    if not builder.reads_retries:
        for path, name in used.items():
            if isinstance(name, RefinementsName) and name.critiques in others:
                yield path


def _find(there: Mapping[str, Sequence[str]], wanted: Sequence[str], field: str) -> tuple[str, ...]:
    """The files of these sets in all runs that have them."""
    for name in wanted:
        if not any(name in names for names in there.values()):
            known = ", ".join(sorted({each for names in there.values() for each in names}))
            raise ValueError(
                f"{field}: run {', '.join(there)} has no set {name!r}, expected one of {known}"
            )
    return tuple(problems_path(run, name) for run in there for name in wanted if name in there[run])


def _write_out_critic(
    store: Store, job: DatasetExportJob, run_ids: Sequence[str]
) -> tuple[DatasetExportJob, AskedCritic | None]:
    """The job with the recorded format, prompt and policy of the critiques that it reads.

    Raises:
        ValueError: the job gives none of them, and the critiques were not asked for in one way.
    """
    builder = job.builder
    if not isinstance(builder, AskingBuilderConfig):
        return job, None
    rounds = job.source.rounds
    recorded = [
        CritiquesJob.from_partial(config)
        for run_id in run_ids
        for config in recorded_configs(store, run_id, Stage.CRITIQUES)
        if config.get("set_name") in job.source.set_names
        # Critiques of later rounds must not change what an earlier round's set is called.
        and (rounds is None or config.get("round") in rounds)
    ]
    if not recorded and builder.format is None:
        raise ValueError(
            f"{builder.type}: expected critiques of the set {', '.join(job.source.set_names)}, run "
            f"{', '.join(run_ids)} has none: `stepmill critique --from-run {run_ids[0]} "
            f"--set-name {job.source.set_names[0]}` writes them"
        )
    where = f"the critiques of {', '.join(job.source.set_names)} in run {', '.join(run_ids)}"
    asked_format = builder.format or _only(
        [each.format for each in recorded], "builder.format", where
    )
    if recorded:
        critic = recorded[0]
        asked = AskedCritic(
            format=critic.format,
            prompt=critic.critic_prompt,
            engine=_with_found_model(store, critic.critic.engine or critic.policy),
        )
        prompt, policy = job.prompt, job.policy
        if prompt is None:
            is_critic = builder.asks == "critic"
            prompts = [each.critic_prompt if is_critic else each.prompt for each in recorded]
            prompt = _only(prompts, "prompt", where)
        if policy is None:
            policy = _with_found_model(store, critic.policy)
        job = job.with_fields(prompt=prompt.model_dump(), policy=policy.model_dump())
    else:
        job = _write_out_prompt(store, job, run_ids[0])
        assert job.prompt is not None
        asked = AskedCritic(format=asked_format, prompt=job.prompt, engine=job.policy)
    written = {**builder.model_dump(), "format": asked_format.model_dump()}
    return job.with_fields(builder=written), asked


def _only(found: Sequence[Config], field: str, where: str) -> Config:
    """The one config that all of these are.

    Raises:
        ValueError: there is none, or they differ.
    """
    distinct = {each.config_hash(): each for each in found}
    if len(distinct) != 1:
        got = "; ".join(each.model_dump_json() for each in distinct.values()) or "no record"
        raise ValueError(f"{field}: expected one, as {where} are not asked for in one way: {got}")
    (only,) = distinct.values()
    return only


def _with_found_model(store: Store, engine: EngineConfig) -> EngineConfig:
    """A recorded engine with the path of its model even if the store was moved."""
    if engine.type != "vllm" or not PurePath(engine.model).is_absolute():
        return engine
    return engine.with_fields(model=find_checkpoint(store, engine.model))


def _write_out_prompt(store: Store, job: DatasetExportJob, run_id: str) -> DatasetExportJob:
    """The job with the recorded prompt and policy of the run."""
    if job.prompt is not None:
        return job
    reads_trees = job.builder.reads == "trees"
    flows = (Stage.SEARCH,) if reads_trees else SOLVING
    for config in solving_configs(store, run_id, job.source.set_names, flows):
        given = config["policy"] if isinstance(config["policy"], dict) else None
        return job.with_fields(
            prompt=config["prompt"], policy=job.policy.model_dump() if job.policy else given
        )
    raise ValueError(
        f"prompt: expected one, since run {run_id} has no record of how the solutions of "
        f"{', '.join(job.source.set_names)} were prompted"
    )
