"""Round 0 of a loop with a critic: an annotator's critiques of the first policy's solutions."""

from dataclasses import dataclass

from flows.loops.critiquing import critics_of, have_critiqued
from flows.loops.loop import TRAIN, Grown, Loop
from schemas.critiques import CritiquesJob
from schemas.engines import VLLMConfig
from schemas.loops.critique_in_the_loop import CritiqueInTheLoopConfig


@dataclass(frozen=True, slots=True)
class Critic:
    """Who critiques the solutions of a loop."""

    engine: VLLMConfig | None
    """None for each round's policy itself."""
    annotated: tuple[Grown, ...] = ()
    """Solutions with an annotator's critiques and second attempts that join every set."""
    annotators: tuple[str, ...] = ()
    """The ids of what wrote those critiques."""


def make_critic(loop: Loop, config: CritiqueInTheLoopConfig) -> Critic:
    """The critic of all rounds, trained on annotated solutions of round 0 if the config says so."""
    if (training := config.critic_training) is None:
        return Critic(config.critic)
    grown = loop.grow(0, config.policy)
    num_tries = config.refining.num_refinements if config.with_annotated else 0
    job = CritiquesJob(
        set_name=TRAIN,
        round=0,
        max_per_problem=training.per_problem,
        policy=config.policy,
        prompt=config.prompt,
        critic=training.annotator,
        format=config.format,
        grader=config.grader,
        critiquing=config.critiquing,
        refining=config.refining.with_fields(num_refinements=num_tries),
        pool=config.pool,
        seed=config.seed,
    )
    made = have_critiqued(loop, job)
    annotators = critics_of(loop.store, made.critiques)
    built = loop.build(training.builder.with_fields(critics=annotators or None), [grown])
    engine = loop.train(config.policy, built, training.training, "critic", "critic")
    return Critic(engine, (grown,), annotators) if config.with_annotated else Critic(engine)
