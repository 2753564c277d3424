"""Critique in the loop against self-improvement without a critic (arXiv:2411.16579, section 5).

Every round samples, has a critic read what is wrong, lets the policy try again, and trains the
first policy on what is right. The further samples of the control are stored under rounds of their
own: 1002 and 2002 are its second and third pass of round 2. Only the control reads them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from flows.loops.critique_training import Critic, make_critic
from flows.loops.critiquing import (
    critics_of,
    critique_figures,
    have_critiqued,
    measure_second_attempts,
)
from flows.loops.loop import TRAIN, Arm, Grown, Loop, open_loop
from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.recording import name_run
from schemas.critiques import CritiquesJob, ModelCriticConfig
from schemas.engines import VLLMConfig
from schemas.loops.critique_in_the_loop import CritiqueArm, CritiqueInTheLoopConfig

PASS = 1000
"""Added to the number of a round for each further pass of the control."""


@flow(name="critique_in_the_loop", flow_run_name=name_run)
def critique_in_the_loop(
    config: CritiqueInTheLoopConfig, root: str, run_id: str | None = None
) -> str:
    """Run the rounds of every arm and test them with the critic; the folder of the best policy."""
    with open_loop(config, root, run_id) as loop:
        critic = make_critic(loop, config)
        builders: dict[CritiqueArm, Callable[[_Pool, int], None]] = {
            "critique": _Critiqued(loop, config, critic).build,
            "vanilla": lambda pool, _: pool.build(),
            "control": _build_as_many,
        }
        pools: dict[CritiqueArm, _Pool] = {
            name: _Pool(loop, config, loop.begin(name)) for name in builders if name in config.arms
        }
        first, last = next(iter(pools.values())).arm, 0
        for last in loop.rounds(first, config):
            num_rows = 0
            for name, pool in pools.items():
                pool.grow(last)
                builders[name](pool, num_rows)
                pool.improve(last)
                if name == "critique":
                    num_rows = loop.num_rows(pool.built)
        if config.tested_per_problem:
            for pool in pools.values():
                _test(loop, config, critic, pool.arm, last)
        return loop.finish(first)


def critiques_job(
    config: CritiqueInTheLoopConfig, policy: VLLMConfig, critic: VLLMConfig | None, number: int
) -> CritiquesJob:
    """How a round's wrong solutions are critiqued and tried again."""
    return CritiquesJob(
        set_name=TRAIN,
        round=number,
        which="wrong",
        policy=policy,
        prompt=config.prompt,
        critic=ModelCriticConfig(engine=critic),
        format=config.format,
        grader=config.grader,
        critiquing=config.critiquing,
        refining=config.refining,
        pool=config.pool,
        seed=config.seed,
    )


@dataclass(slots=True)
class _Pool:
    """What one arm learns from: its solutions of the round, or of all rounds so far."""

    loop: Loop
    config: CritiqueInTheLoopConfig
    arm: Arm
    samples: list[Grown] = field(default_factory=list)
    built: str = ""
    """The newest set."""
    figures: dict[str, float] = field(default_factory=dict)
    """Of what the newest set was made from."""

    def grow(self, number: int) -> None:
        """Sample the arm's policy."""
        earlier = self.samples if self.config.keep_rounds else []
        self.samples = [*earlier, self.loop.grow(number, self.arm.policy)]

    def build(self, max_rows: int | None = None) -> None:
        """Build a set of right solutions."""
        self.built = self.loop.build(self.config.plain, self.samples, max_rows=max_rows)

    def improve(self, number: int) -> None:
        """Train the first policy on the set, and measure it."""
        config = self.config
        self.loop.improve(
            self.arm,
            f"{number}",
            self.samples,
            self.built,
            config.training,
            base=config.policy,
            more=self.figures,
            number=number,
        )


@dataclass(slots=True)
class _Critiqued:
    """Builds sets with second attempts, and knows which rounds have some."""

    loop: Loop
    config: CritiqueInTheLoopConfig
    critic: Critic
    critics: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """By round, what wrote the critiques that led to right second attempts."""

    def build(self, pool: _Pool, num_rows: int) -> None:
        """Critique the newest solutions, and build a set with the right second attempts."""
        number, config = pool.samples[-1].number, self.config
        job = critiques_job(config, pool.arm.policy, self.critic.engine, number)
        made = have_critiqued(self.loop, job)
        pool.figures = figures = critique_figures(self.loop, made)
        where = f"{pool.arm.name}, round {number}"
        if not figures["num_critiques"]:
            say(f"{where}: there is no wrong solution to critique")
        elif not figures["num_faultless_critiques"]:
            say(f"{where}: none of {figures['num_critiques']:.0f} critiques is usable")
        if figures["num_right_refinements"]:
            self.critics[number] = critics_of(self.loop.store, made.critiques)
        else:
            say(f"{where}: no second attempt is right, so none joins the set")
        critics = set(self.critic.annotators)
        critics.update(*(self.critics.get(each.number, ()) for each in pool.samples))
        if not critics:
            pool.build()
            return
        builder = config.builder.with_fields(critics=tuple(sorted(critics)))
        pool.built = self.loop.build(builder, [*self.critic.annotated, *pool.samples])


def _build_as_many(pool: _Pool, num_rows: int) -> None:
    """Sample until right solutions make so many rows."""
    pool.build(max_rows=num_rows)
    number, most = pool.samples[-1].number, pool.config.max_control_passes
    for place in range(1, most):
        if pool.loop.num_rows(pool.built) >= num_rows:
            return
        pool.samples.append(pool.loop.grow(number + place * PASS, pool.arm.policy))
        pool.build(max_rows=num_rows)
    if (found := pool.loop.num_rows(pool.built)) < num_rows:
        say(
            f"{pool.arm.name}, round {number}: {found} rows from {most} passes over the problems, "
            f"fewer than the {num_rows} wanted"
        )


def _test(loop: Loop, config: CritiqueInTheLoopConfig, critic: Critic, arm: Arm, last: int) -> None:
    """Critique held-out solutions of an arm's first and last policy, and try again once."""
    for number in dict.fromkeys((0, last)):
        job = critiques_job(config, arm.policies[number], critic.engine, number)
        job = job.with_fields(
            max_per_problem=config.tested_per_problem,
            refining=config.refining.with_fields(num_refinements=1),
        )
        measure_second_attempts(loop, arm.name, f"{number}", number, job)
