"""Self-correction: self-talk, correction of whole solutions, two players, from one sample."""

from collections import defaultdict
from dataclasses import replace
from statistics import fmean

from flows.loops.critiquing import have_critiqued, length_row
from flows.loops.loop import EVAL, TRAIN, Arm, Grown, Loop, open_loop
from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.recording import name_run
from flows.runs.sets import problems_path
from flows.self_talk import write_self_talk
from schemas.critiques import CritiquesJob
from schemas.dataset_export.builders import RestConfig
from schemas.errors import NothingToLearn
from schemas.loops.self_correction import SelfCorrectionConfig
from schemas.rows import METRICS, Critique, Trajectory, now
from schemas.self_talk import SelfTalkJob
from schemas.units import Unit
from tasks.engines.open import identify_engine
from tasks.evaluation.rounds import pass_at_1, round_rows
from tasks.evaluation.solutions.candidates import build_candidates
from tasks.evaluation.solutions.figures import solution_figures
from tasks.graders import make_grader

ROUND = "1"
"""The one round of the loop."""


@flow(name="self_correction", flow_run_name=name_run)
def self_correction(config: SelfCorrectionConfig, root: str, run_id: str | None = None) -> str:
    """Train and measure every arm; the folder of the first trained one's best policy."""
    with open_loop(config, root, run_id) as loop:
        arms = {name: loop.begin(name) for name in config.arms if name != "two_players"}
        grown = loop.grow(1, config.policy)
        if arms.keys() & {"self_talk", "correction"}:
            loop.release()
            write_self_talk(_talk_job(config, grown), loop.store.url, loop.run_id)
        num_rows: int | None = None
        trained: list[Arm] = []
        for name, arm in arms.items():
            try:
                built = _build(loop, config, name, grown, num_rows)
            except NothingToLearn as reason:
                say(f"{config.name}, {name}: {reason}")
                continue
            num_rows = num_rows or loop.num_rows(built)
            loop.improve(arm, ROUND, [grown], built, config.training)
            _measure_length(loop, arm)
            trained.append(arm)
        if "two_players" in config.arms:
            _measure_players(loop, config)
        return loop.finish(next(iter([*trained, *arms.values()])))


def _talk_job(config: SelfCorrectionConfig, grown: Grown) -> SelfTalkJob:
    """How the training solutions become talks."""
    return SelfTalkJob.from_partial(
        {
            **_shared(config),
            "set_name": TRAIN,
            "round": grown.number,
            "critic": config.critic,
            "max_rounds": config.max_rounds,
            "voice": config.voice,
        }
    )


def _shared(config: SelfCorrectionConfig) -> dict[str, object]:
    names = ("policy", "prompt", "format", "grader", "critiquing", "refining", "pool", "seed")
    return {name: getattr(config, name) for name in names}


def _build(
    loop: Loop, config: SelfCorrectionConfig, name: str, grown: Grown, num_rows: int | None
) -> str:
    """The set of an arm; that of `plain` has as many rows as the first arm's."""
    if name == "plain":
        return loop.build(
            RestConfig(per_problem=config.builder.per_problem), [grown], max_rows=num_rows
        )
    own = "chain" if config.voice is None else "monologue"
    written = "correction" if name == "correction" else own
    return loop.build(config.builder.with_fields(written=written), [grown])


def _measure_players(loop: Loop, config: SelfCorrectionConfig) -> None:
    """Commit the figures of second attempts at every held-out solution of the first policy."""
    arm = Arm("two_players", config.policy)
    unit = Unit(
        run_id=loop.run_id,
        stage=config.name,
        name=f"{arm.name}.{ROUND}",
        table=METRICS.name,
    )
    store = loop.store
    if not store.has(unit):
        job = CritiquesJob.from_partial(
            {**_shared(config), "set_name": EVAL, "round": 0, "critic": config.player}
        )
        made = have_critiqued(loop, job)
        solutions, critiques, seconds = (
            [row for path in paths for row in store.read(path)]
            for paths in (made.solutions, made.critiques, made.refinements)
        )
        rows = charge_attempts(solutions, critiques, seconds)
        problems = store.read(problems_path(loop.run_id, EVAL))
        candidates = build_candidates(problems, rows, [], make_grader(config.grader))
        evaluated = solution_figures(
            candidates,
            config.evaluation,
            policy=identify_engine(config.policy),
            verifier=None,
        )
        evaluated = [replace(row, set_name=EVAL) for row in evaluated]
        length = {"mean_solution_tokens": _mean_tokens(rows)}
        store.commit(unit, round_rows(arm.name, ROUND, evaluated, length))
    say(f"{config.name}, {arm.name}: pass@1 {pass_at_1(store.read(unit.path)):.3f}")


def charge_attempts(
    solutions: list[Trajectory], critiques: list[Critique], seconds: list[Trajectory]
) -> list[Trajectory]:
    """An attempt per solution, charged for all that was written for it.

    The attempt is the first second one. A solution without any, as one that was cut has none,
    stands as it is.
    """
    by_solution: dict[str, list[Critique]] = defaultdict(list)
    for critique in critiques:
        by_solution[critique.trajectory_id].append(critique)
    by_parent: dict[str | None, list[Trajectory]] = defaultdict(list)
    for second in seconds:
        if second.critique_id is not None:
            by_parent[second.parent_id].append(second)
    charged = []
    for row in solutions:
        tries = by_parent[row.trajectory_id]
        num_tokens = row.generated_tokens + sum(
            written.generated_tokens for written in (*by_solution[row.trajectory_id], *tries)
        )
        if (second := next((each for each in tries if each.status != "error"), None)) is not None:
            row = replace(second, trajectory_id=row.trajectory_id, sample_index=row.sample_index)
        charged.append(replace(row, generated_tokens=num_tokens))
    return charged


def _measure_length(loop: Loop, arm: Arm) -> None:
    """Commit the mean tokens of an arm's held-out solutions."""
    unit = Unit(
        run_id=loop.run_id,
        stage=loop.config.name,
        name=f"{arm.name}.{ROUND}.length",
        table=METRICS.name,
    )
    if loop.store.has(unit):
        return
    figure = length_row(loop, arm, ROUND, 1)
    loop.store.commit(unit, [replace(figure, set_name=EVAL, created_at=now())])


def _mean_tokens(rows: list[Trajectory]) -> float:
    return fmean(row.generated_tokens for row in rows) if rows else 0.0
