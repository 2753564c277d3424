"""RISE: attempts that improve on failed ones, and policies measured over several turns."""

from collections.abc import Callable, Mapping, Sequence

from flows.loops.critiquing import have_critiqued
from flows.loops.loop import EVAL, TRAIN, Arm, Loop, open_loop
from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.recording import name_run
from flows.runs.search_units import search_plan
from flows.runs.sets import named_files
from flows.search import search
from schemas.critiques import CritiquesJob, FixedCriticConfig
from schemas.loops.rise import RiseLoopConfig
from schemas.rows import METRICS, TRAJECTORIES, Trajectory
from schemas.search import ScoreConfig, SearchJob
from schemas.unit_names import TreesName
from schemas.units import Stage, Unit
from tasks.engines.open import identify_engine
from tasks.evaluation.searches.turns import turn_rows, turn_values
from tasks.evaluation.statistics.curves import majority_curve
from tasks.graders import Grader, make_grader


@flow(name="rise", flow_run_name=name_run)
def rise(config: RiseLoopConfig, root: str, run_id: str | None = None) -> str:
    """Run the rounds; the folder of the policy whose last turn is the best."""
    with open_loop(config, root, run_id) as loop:
        arm = loop.begin("rise")
        control = loop.begin("single_turn") if config.with_control else None
        _compare_by_turns(arm, measure_turns(loop, arm, "0", config), config)
        for number in loop.rounds(arm, config):
            grown = loop.grow(number, arm.policy)
            have_critiqued(loop, improving_job(config, arm, number))
            built = loop.build(config.builder, [grown])
            loop.improve(arm, f"{number}", [grown], built, config.training, base=config.policy)
            _compare_by_turns(arm, measure_turns(loop, arm, f"{number}", config), config)
            if control is not None:
                method = config.training
                loop.run_round(control, number, config.control, method, base=config.policy)
                measure_turns(loop, control, f"{number}", config)
        return loop.finish(arm)


def improving_job(config: RiseLoopConfig, arm: Arm, number: int) -> CritiquesJob:
    """The second attempts at a round's wrong solutions."""
    return CritiquesJob(
        set_name=TRAIN,
        round=number,
        which="wrong",
        policy=arm.policy,
        prompt=config.prompt,
        critic=FixedCriticConfig(),
        format=config.format,
        grader=config.grader,
        refining=config.improving,
        pool=config.pool,
        seed=config.seed,
    )


def _compare_by_turns(arm: Arm, figures: Mapping[str, float], config: RiseLoopConfig) -> None:
    """Compare the arm's policies by their last turn, which is what they are trained for."""
    last = f"turn_{config.turns}"
    arm.compared_by = f"turn {config.turns}"
    arm.reached[-1] = figures.get(last, 0.0)


def measure_turns(loop: Loop, arm: Arm, label: str, config: RiseLoopConfig) -> Mapping[str, float]:
    """Commit the figures of an arm's policy over several turns; their values, by their names."""
    unit = Unit(
        run_id=loop.run_id,
        stage=config.name,
        name=f"{arm.name}.{label}.turns",
        table=METRICS.name,
    )
    if not loop.store.has(unit):
        _commit_turns(loop, arm, label, config, unit)
    found = {row.metric: row.value for row in loop.store.read(unit.path)}
    shown = {"turn_1": "turn 1", f"turn_{config.turns}": f"turn {config.turns}"}
    shown |= {"turns_majority": "majority", "turns_any": "any"}
    words = ", ".join(
        f"{title} {found[name]:.3f}" for name, title in shown.items() if name in found
    )
    say(f"{config.name}, {arm.name}, round {label}: {words}")
    return found


def _commit_turns(loop: Loop, arm: Arm, label: str, config: RiseLoopConfig, unit: Unit) -> None:
    """Search with an arm's policy, turn after turn, and commit what comes out."""
    loop.release()
    job = SearchJob(
        problems=config.eval_problems,
        set_name=EVAL,
        policy=arm.policy,
        prompt=config.prompt,
        grader=config.grader,
        strategies=(config.chains,),
        budgets=(config.turns * config.num_chains,),
        score=ScoreConfig(by="likelihood", reduction="min"),
        limits=config.limits,
        pool=config.pool,
        seed=config.seed,
    )
    search(job, loop.store.url, loop.run_id)
    values = turn_values(_attempts(loop, job), majority_by(make_grader(config.grader)))
    policy = identify_engine(arm.policy)
    rows = turn_rows(arm.name, label, policy, values, config.evaluation)
    loop.store.commit(unit, rows)


def _attempts(loop: Loop, job: SearchJob) -> list[Trajectory]:
    """The rows of a search of this loop's run."""
    cells = set(search_plan(job, loop.run_id))
    names = named_files(loop.store, TreesName, TRAJECTORIES.name, loop.run_id, Stage.SEARCH)
    paths = [path for path, name in names.items() if str(name.cell) in cells]
    return [row for path in paths for row in loop.store.read(path)]


def majority_by(grader: Grader) -> Callable[[Sequence[Trajectory]], float | None]:
    """The chance that a vote among the finished, graded attempts of a chain is right.

    None if the chain has none, but for one whose attempts were all cut, which is not right.
    """

    def majority_of(chain: Sequence[Trajectory]) -> float | None:
        ended = [row for row in chain if row.status == "finished" and row.correct is not None]
        if not ended:
            return 0.0 if all(row.status == "truncated" for row in chain) else None
        classes = grader.classes([row.answer for row in ended])
        right = [bool(row.correct) for row in ended]
        return float(majority_curve(classes, right, (len(ended),))[0])

    return majority_of
