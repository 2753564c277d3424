"""SCORE: a refiner from hinted critiques; verifiers decide which solutions it refines."""

from collections.abc import Callable

from flows.loops.critiquing import critics_of, have_critiqued
from flows.loops.loop import EVAL, TRAIN, Grown, Loop, open_loop
from flows.prm_training import train_verifier
from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.reading import reading_units
from flows.runs.recording import name_run
from flows.runs.units import run_on_engines
from schemas.critiques import CritiquesJob, ModelCriticConfig, RefiningConfig
from schemas.engines import VLLMConfig
from schemas.loops.score import ScoreLoopConfig
from schemas.prm_training import PrmTrainingJob
from schemas.rows import METRICS, STEP_SCORES, TRAJECTORIES, Trajectory
from schemas.score import CorrectingConfig
from schemas.unit_names import ScoresName, SolutionsGroup
from schemas.units import Stage, Unit, derive_id
from tasks.critiques.task import correct_unit
from tasks.engines.engine_set import EngineSet
from tasks.engines.open import identify_engine
from tasks.evaluation.refinement_gate import (
    Refined,
    choose_threshold,
    gate_rows,
    is_dev,
)
from tasks.graders.verdicts import outcome

_Judge = Callable[[Trajectory], float | None]
"""A verifier: from a solution to the probability that it is wrong."""


@flow(name="score", flow_run_name=name_run)
def score(config: ScoreLoopConfig, root: str, run_id: str | None = None) -> str:
    """Make the refiner, refine the held-out solutions, and report by verifier; its folder."""
    with open_loop(config, root, run_id) as loop:
        arm = loop.begin("policy")
        grown = loop.grow(1, config.policy)
        refiner = _train_refiner(loop, config, grown)
        solutions, corrections = _refine(loop, config, refiner)
        trained = None
        if "trained" in config.verifiers:
            trained = config.verifier or _train_verifier(loop, config, grown)
            loop.score(EVAL, config.policy, trained, 0)
        judges: dict[str, Callable[[], _Judge]] = {
            "oracle": lambda: _judge_by_grade,
            "always": lambda: lambda row: 2.0,  # above every threshold
            "trained": lambda: _judge_by_scores(loop, config, trained),
            "own": lambda: _judge_by_reviews(loop, config),
        }
        for name in config.verifiers:
            _report(loop, config, name, judges[name], refiner, solutions, corrections)
        loop.finish(arm)
        return refiner.model


def _job(config: ScoreLoopConfig, set_name: str, number: int, **fields: object) -> CritiquesJob:
    """Critiques of the policy's solutions of a round."""
    return CritiquesJob.from_partial(
        {
            "set_name": set_name,
            "round": number,
            "policy": config.policy,
            "prompt": config.prompt,
            "format": config.format,
            "grader": config.grader,
            "pool": config.pool,
            "seed": config.seed,
            **fields,
        }
    )


def _train_refiner(loop: Loop, config: ScoreLoopConfig, grown: Grown) -> VLLMConfig:
    """Hinted critiques of wrong solutions, checked by a greedy attempt, as a set to train on."""
    check = RefiningConfig(temperature=0.0, max_tokens=config.check_max_tokens)
    job = _job(
        config,
        TRAIN,
        grown.number,
        which="wrong",
        critic=config.critic,
        critiquing=config.critiquing,
        refining=check,
    )
    made = have_critiqued(loop, job)
    critics = critics_of(loop.store, made.critiques)
    builder = config.builder.with_fields(
        critics=critics, told=config.critic.told, format=config.format
    )
    built = loop.build(builder, [grown])
    return loop.train(config.policy, built, config.training, "refiner")


def _train_verifier(loop: Loop, config: ScoreLoopConfig, grown: Grown) -> VLLMConfig:
    """A verifier of whole solutions, from the graded solutions."""
    checks = config.checks.with_fields(min_step_chars=1)
    built = loop.build(config.verifier_builder, [grown], checks=checks)
    loop.release()
    job = PrmTrainingJob(
        set_names=(TRAIN,),
        policy=config.policy,
        prompt=config.prompt,
        training=config.verifier_training.with_fields(
            base_model=config.policy.model, separator=config.prompt.separator
        ),
        training_set=built,
    )
    return VLLMConfig(model=train_verifier(job, loop.store.url, loop.run_id))


def _refine(
    loop: Loop, config: ScoreLoopConfig, refiner: VLLMConfig
) -> tuple[list[Trajectory], dict[str, Trajectory]]:
    """The held-out solutions, and the refiner's completion of each by its id."""
    loop.release()
    group = SolutionsGroup.of_round(EVAL, 0, identify_engine(config.policy))
    units = reading_units(
        loop.store,
        loop.run_id,
        set_name=EVAL,
        group=group,
        reader=identify_engine(refiner),
        table=TRAJECTORIES,
        stage=config.name,
    )
    receipts = run_on_engines(
        correct_unit,
        units,
        CorrectingConfig(
            refiner=refiner,
            prompt=config.prompt,
            format=config.format,
            joiner=config.builder.with_fields(format=config.format).written_joiner,
            grader=config.grader,
            drawing=config.refining,
            seed=config.seed,
        ),
        store=loop.store,
        engines=EngineSet(policy=refiner, separator=config.prompt.step_rule),
        pool=config.pool,
        title=f"refine {group}",
    )
    solutions = [row for unit in units for row in loop.store.read(unit.inputs[0])]
    written = [row for receipt in receipts for row in loop.store.read(receipt.path)]
    return solutions, {row.parent_id: row for row in written}


def _judge_by_grade(row: Trajectory) -> float | None:
    right = _is_right(row)
    return None if right is None else 2.0 * (not right)


def _judge_by_scores(loop: Loop, config: ScoreLoopConfig, verifier: VLLMConfig | None) -> _Judge:
    """By the verifier's score of the last step, at which it was trained."""
    assert verifier is not None
    group = SolutionsGroup.of_round(EVAL, 0, identify_engine(config.policy))
    reader = derive_id(identify_engine(verifier))
    paths = loop.store.files(STEP_SCORES.name, run_id=loop.run_id, stage=Stage.SCORING)
    names = {path: ScoresName.of(path) for path in paths}
    scores = {
        row.trajectory_id: row.scores[-1]
        for path, name in names.items()
        if name.group == group and name.verifier_id == reader
        for row in loop.store.read(path)
        if row.scores
    }
    return lambda row: None if (p := scores.get(row.trajectory_id)) is None else 1 - p


def _judge_by_reviews(loop: Loop, config: ScoreLoopConfig) -> _Judge:
    """By the share of the policy's own reviews that find a solution wrong."""
    job = _job(
        config,
        EVAL,
        0,
        which="all",
        critic=ModelCriticConfig(),
        critiquing=config.own_critiques,
        refining=RefiningConfig(num_refinements=0),
    )
    said: dict[str, list[bool]] = {}
    for path in have_critiqued(loop, job).critiques:
        for row in loop.store.read(path):
            if row.verdict is not None:
                said.setdefault(row.trajectory_id, []).append(row.verdict)
    return lambda row: (
        None if (v := said.get(row.trajectory_id)) is None else v.count(False) / len(v)
    )


def _report(
    loop: Loop,
    config: ScoreLoopConfig,
    name: str,
    open_judge: Callable[[], _Judge],
    refiner: VLLMConfig,
    solutions: list[Trajectory],
    corrections: dict[str, Trajectory],
) -> None:
    """Commit the figures of refining what one verifier flags."""
    unit = Unit(run_id=loop.run_id, stage=config.name, name=f"by-{name}", table=METRICS.name)
    if loop.store.has(unit):
        return
    judge = open_judge()
    rows = [
        Refined(
            row.problem_id,
            before,
            _is_right(corrections[row.trajectory_id]) if row.trajectory_id in corrections else None,
            judge(row),
        )
        for row in solutions
        if (before := _is_right(row)) is not None
    ]
    dev = [row for row in rows if is_dev(row.problem_id, config.dev_share)]
    others = [row for row in rows if not is_dev(row.problem_id, config.dev_share)]
    threshold = choose_threshold(dev)
    figures = gate_rows(
        name, identify_engine(refiner), others, threshold, config.evaluation, set_name=EVAL
    )
    loop.store.commit(unit, figures)
    reached = {row.metric: row.value for row in figures}
    say(
        f"score, {name}: threshold {threshold:.2f}, accuracy {reached['before']:.3f} -> "
        f"{reached['after']:.3f}"
    )


def _is_right(row: Trajectory) -> bool | None:
    return outcome(row.status, has_answer=row.answer is not None, correct=row.correct)
