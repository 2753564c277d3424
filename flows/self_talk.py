"""Self-talk: solutions judged and mended step by step, and written as one text.

Round by round, a critic judges the solutions of a file and the actor goes on from before the first
wrong step of each; then everything is put together. The first round's critiques are those of the
stage `critiques`, which may have been there before. A stopped run goes on at the unit it was at.
"""

from dataclasses import dataclass, replace
from typing import Any

from flows.critiques import critiques_digest, critiques_units, refinements_digest
from flows.runs.late_flow import flow
from flows.runs.recording import name_run, recorded_flow
from flows.runs.units import run_units, unit_runner
from schemas.rows import TRAJECTORIES
from schemas.self_talk import ModelVoiceConfig, SelfTalkJob
from schemas.unit_names import SolutionsName, TalkName
from schemas.units import Stage, Unit, derive_id
from storage import Store
from tasks.critiques.task import critique_unit, revise_unit, talk_unit
from tasks.engines.engine_set import EngineSet
from tasks.engines.open import identify_engine
from tasks.engines.pool import EnginePool, open_pool


@flow(name="self_talk", flow_run_name=name_run, task_runner=unit_runner())
def write_self_talk(job: SelfTalkJob, root: str, run_id: str | None = None) -> list[str]:
    """Write the self-talk of a set's solutions; the paths of its files."""
    part = f"{job.set_name}-{talks_digest(job)}"
    with recorded_flow(
        Stage.SELF_TALK, job, root, run_id, part=part, named_by_part=("policy", "critic", "voice")
    ) as (store, run_id):
        firsts = critiques_units(job, store, run_id)
        annotator = job.voice.engine if isinstance(job.voice, ModelVoiceConfig) else None
        engines = EngineSet(
            policy=job.policy,
            critic=job.critic.engine,
            annotator=annotator,
            separator=job.prompt.step_rule,
        )
        with open_pool(store.url, engines, job.pool) as pool:
            return _run_rounds(firsts, job, store, pool)


def talks_digest(job: SelfTalkJob) -> str:
    """Sixteen digits that change with everything that decides the talks."""
    voice, engine = job.voice, None
    if isinstance(voice, ModelVoiceConfig):
        voice, engine = voice.with_fields(engine=None), voice.engine
    return derive_id(
        rounds_digest(job),
        job.max_rounds,
        "none" if voice is None else voice.config_hash(),
        "none" if engine is None else identify_engine(engine),
    )


def rounds_digest(job: SelfTalkJob) -> str:
    """Sixteen digits that change with everything that decides the rounds of critique."""
    return derive_id(critiques_digest(job), refinements_digest(job), job.shows_critique)


def _run_rounds(firsts: list[Unit], job: SelfTalkJob, store: Store, pool: EnginePool) -> list[str]:
    """Critiques and revisions by turns, for all files at once, then the talks of every file.

    A file whose unit was quarantined is left out from there on.
    """

    def run(task: Any, units: list[Unit], what: str, config: SelfTalkJob = job) -> set[str]:
        done = run_units(
            task,
            units,
            config,
            store=store,
            pool=pool,
            total_rows=0,
            title=f"{what} {job.set_name}",
        )
        return {receipt.path for receipt in done}

    later = job.with_fields(which="all", max_per_problem=None)
    chains = [_Chain(first, (first.inputs[1], first.inputs[0]), first) for first in firsts]
    written = run(critique_unit, firsts, "critique")
    chains = [chain.after(chain.unit) for chain in chains if chain.unit.path in written]
    for number in range(1, job.max_rounds + 1):
        units = [_revisions_unit(job, chain, number) for chain in chains]
        written = run(revise_unit, units, f"round {number}: go on with")
        chains = [chain.after(u) for chain, u in _kept(chains, units, written)]
        units = [_critiques_unit(job, chain, number + 1) for chain in chains]
        written = run(critique_unit, units, f"round {number}: critique", later)
        chains = [chain.after(u) for chain, u in _kept(chains, units, written)]
    return sorted(run(talk_unit, [_talks_unit(job, c) for c in chains], "write self-talk of"))


@dataclass(frozen=True, slots=True)
class _Chain:
    """The files of one file of solutions."""

    first: Unit
    """Its first critiques."""
    inputs: tuple[str, ...]
    """The files of problems and solutions, and then of critiques and revisions by turns."""
    unit: Unit
    """The newest of their units."""

    def after(self, unit: Unit) -> "_Chain":
        """The files with those of one more unit."""
        return _Chain(self.first, (*self.inputs, unit.path), unit)

    def name(self, number: int, digest: str) -> str:
        """The name of a unit of a round; other first critiques make other units."""
        solutions = SolutionsName.of(self.inputs[1])
        return str(TalkName(solutions, number, derive_id(digest, self.first.name)))


def _kept(chains: list[_Chain], units: list[Unit], written: set[str]) -> list[tuple[_Chain, Unit]]:
    """The chains whose units were written, with them."""
    pairs = zip(chains, units, strict=True)
    return [(chain, unit) for chain, unit in pairs if unit.path in written]


def _revisions_unit(job: SelfTalkJob, chain: _Chain, number: int) -> Unit:
    """The revisions that follow a unit of critiques."""
    return replace(
        chain.first,
        stage=Stage.SELF_TALK,
        name=chain.name(number, rounds_digest(job)),
        table=TRAJECTORIES.name,
        inputs=(chain.unit.path, chain.unit.inputs[0], chain.inputs[0]),
    )


def _critiques_unit(job: SelfTalkJob, chain: _Chain, number: int) -> Unit:
    """The critiques of a unit of revisions; a key may be one of the first solutions."""
    return replace(
        chain.first,
        stage=Stage.SELF_TALK,
        name=chain.name(number, rounds_digest(job)),
        inputs=(chain.unit.path, *chain.inputs[:2]),
    )


def _talks_unit(job: SelfTalkJob, chain: _Chain) -> Unit:
    """The talks of a file of solutions."""
    return replace(
        chain.first,
        stage=Stage.SELF_TALK,
        name=chain.name(0, talks_digest(job)),
        table=TRAJECTORIES.name,
        inputs=chain.inputs,
    )
