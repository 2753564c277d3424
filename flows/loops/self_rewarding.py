"""Self-rewarding: a policy that judges its own solutions, and how well it judges, round by round.

Round 1 makes a judge of the first policy (M1 in arXiv:2401.10020), later rounds train by DPO on
pairs by its own scores. Every judge is measured on the same held-out solutions, the first policy's,
against the grader, whose verdicts decide nothing else. Deviations: problems are given, not
generated; a judgement is a critique with its verdict, not points of a rubric.
"""

from flows.loops.critiquing import (
    columns_of,
    critics_of,
    critique_figures,
    have_critiqued,
    length_row,
)
from flows.loops.loop import EVAL, TRAIN, Arm, Loop, open_loop
from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.recording import name_run
from schemas.critiques import CritiquesJob, ModelCriticConfig, RefiningConfig
from schemas.engines import VLLMConfig
from schemas.errors import NothingToLearn
from schemas.loops.self_rewarding import SelfRewardingLoopConfig
from schemas.metric_names import Bin
from schemas.rows import METRICS
from schemas.units import Unit
from tasks.critics.judging import mean_judgement
from tasks.engines.open import identify_engine
from tasks.evaluation.figures import About
from tasks.evaluation.judging import AUC, Judged, judge_rows
from tasks.graders.verdicts import outcome


@flow(name="self_rewarding", flow_run_name=name_run)
def self_rewarding(config: SelfRewardingLoopConfig, root: str, run_id: str | None = None) -> str:
    """Run the rounds; the folder of the best policy."""
    with open_loop(config, root, run_id) as loop:
        arm = loop.begin("self_rewarding")
        control = loop.begin("graded") if config.with_control else None
        reached = [_measure_judge(loop, config, arm, 0)]
        for number in loop.rounds(arm, config):
            try:
                if number == 1:
                    _teach(loop, config, arm)
                else:
                    _reward(loop, config, arm, number)
            except NothingToLearn as reason:
                say(f"{arm.name}: the loop ends before round {number}: {reason}")
                break
            if control is not None:
                control = _improve_control(loop, config, control, arm, number)
            reached.append(_measure_judge(loop, config, arm, number))
            if _has_fallen(reached, config):
                break
        return loop.finish(arm)


def _teach(loop: Loop, config: SelfRewardingLoopConfig, arm: Arm) -> None:
    """Train the first policy to judge and to solve."""
    if config.judge_set is not None:
        name = f"{arm.name}-r1"
        arm.policy = loop.train(arm.policy, config.judge_set, config.judge_training, name)
        loop.measure(arm, "1", 1, {})
        return
    grown = loop.grow(1, arm.policy)
    made = have_critiqued(
        loop,
        _judging_job(config, arm.policy, 1).with_fields(
            critic=config.annotator,
            critiquing=config.judging.with_fields(num_critiques=1, temperature=0.0),
        ),
    )
    annotators = critics_of(loop.store, made.critiques)
    builder = config.judge_builder.with_fields(critics=annotators or None)
    built = loop.build(builder, [grown])
    figures = critique_figures(loop, made)
    loop.improve(arm, "1", [grown], built, config.judge_training, more=figures)


def _reward(loop: Loop, config: SelfRewardingLoopConfig, arm: Arm, number: int) -> None:
    """Sample, judge, and train on pairs by the judge's scores."""
    judge = arm.policy
    samples = [loop.grow(number, judge)]
    made = have_critiqued(loop, _judging_job(config, judge, number))
    figures = critique_figures(loop, made)
    others: tuple[str, ...] | None = None
    if config.rejected_from == "first":
        first = config.policy
        samples.append(loop.grow(1, first))
        job = _judging_job(config, first, 1).with_fields(critic=ModelCriticConfig(engine=judge))
        more = critique_figures(loop, have_critiqued(loop, job))
        figures = {name: value + more[name] for name, value in figures.items()}
        others = (identify_engine(first),)
    say(
        f"{arm.name}, round {number}: {figures['num_judgements']:.0f} of "
        f"{figures['num_critiques']:.0f} judgements have a verdict"
    )
    builder = config.builder.with_fields(
        critics=(identify_engine(judge),), told="nothing", rejected=others
    )
    built = loop.build(builder, samples)
    loop.improve(arm, f"{number}", samples[:1], built, config.training, more=figures)


def _improve_control(
    loop: Loop, config: SelfRewardingLoopConfig, control: Arm, arm: Arm, number: int
) -> Arm | None:
    """The control after this round: the arm's first judge, then trained on pairs by grade."""
    if number == 1:
        control.policy = arm.policy
        loop.measure(control, "1", 1, {})
        return control
    try:
        loop.run_round(control, number, config.control_builder, config.training)
    except NothingToLearn as reason:
        say(f"{control.name}: ends before round {number}: {reason}")
        return None
    return control


def _judging_job(
    config: SelfRewardingLoopConfig, policy: VLLMConfig, number: int, set_name: str = TRAIN
) -> CritiquesJob:
    """How a round's solutions are judged, by the policy that wrote them."""
    return CritiquesJob(
        set_name=set_name,
        round=number,
        policy=policy,
        prompt=config.prompt,
        format=config.format,
        grader=config.grader,
        critiquing=config.judging,
        refining=RefiningConfig(num_refinements=0),
        pool=config.pool,
        seed=config.seed,
    )


def _measure_judge(
    loop: Loop, config: SelfRewardingLoopConfig, arm: Arm, number: int
) -> float | None:
    """Commit the figures of an arm's judge on the first policy's held-out solutions; its AUC."""
    store, judge = loop.store, arm.policies[number]
    unit = Unit(
        run_id=loop.run_id,
        stage=config.name,
        name=f"{arm.name}.{number}.judge",
        table=METRICS.name,
    )
    if not store.has(unit):
        job = _judging_job(config, config.policy, 0, EVAL)
        if number:
            job = job.with_fields(critic=ModelCriticConfig(engine=judge))
        made = have_critiqued(loop, job.with_fields(max_per_problem=config.tested_per_problem))
        rows = judge_rows(
            _read_judged(loop, made.solutions, made.critiques),
            About("judge", arm=arm.name),
            identify_engine(judge),
            config.evaluation,
            bin_name=str(Bin(round=f"{number}")),
        )
        store.commit(unit, [*rows, length_row(loop, arm, f"{number}", number)])
    found = {row.metric: row.value for row in store.read(unit.path)}
    words = "unknown" if AUC not in found else f"{found[AUC]:.3f}"
    say(f"{arm.name}, round {number}: the judge's AUC against the grader is {words}")
    return found.get(AUC)


def _read_judged(
    loop: Loop, solutions: tuple[str, ...], critiques: tuple[str, ...]
) -> list[Judged]:
    """The solutions that have both a grade and a score."""
    said: dict[str, list[tuple[float | None, bool | None]]] = {}
    for row in columns_of(loop, critiques, "trajectory_id", "p_right", "verdict"):
        said.setdefault(row["trajectory_id"], []).append((row["p_right"], row["verdict"]))
    names = ("trajectory_id", "problem_id", "status", "answer", "correct")
    judged = []
    for row in columns_of(loop, solutions, *names):
        score = mean_judgement(said.get(row["trajectory_id"], ()))
        right = outcome(row["status"], has_answer=row["answer"] is not None, correct=row["correct"])
        if score is not None and right is not None:
            judged.append(Judged(row["problem_id"], right, score))
    return judged


def _has_fallen(reached: list[float | None], config: SelfRewardingLoopConfig) -> bool:
    """Whether the last judge is so much worse than the best one before it that the loop ends."""
    *earlier, last = reached
    best = max((auc for auc in earlier if auc is not None), default=None)
    if config.max_auc_drop is None or best is None:
        return False
    if last is not None and last >= best - config.max_auc_drop:
        return False
    words = "unknown" if last is None else f"{last:.3f}"
    say(
        f"self_rewarding: the judge's AUC is {words}, more than {config.max_auc_drop:g} below the "
        f"best so far, {best:.3f}: the last round"
    )
    return True
