"""Particle filtering against REBASE, which resamples without chance."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.experiments.experiment import QUICK_LINE, TRAINED, ExperimentConfig, Subject
from schemas.experiments.relation import DecidedAnswers, Relation
from schemas.factory import FactoryConfig
from schemas.problems import WorldProblemsConfig
from schemas.search import ScoreConfig, SearchJob, SearchLimits
from schemas.search.strategies import BeamConfig, ParticleFilteringConfig, RebaseConfig


class ParticlesConfig(ExperimentConfig):
    """Particle filtering, REBASE and beam search, all ranked by the verifier alone."""

    name: ClassVar[str] = "particles"
    subject: ClassVar[Subject] = "Search"
    details: ClassVar[str] = "search.md#votes-that-stop-early-and-particle-filtering"
    whole_minutes: ClassVar[float | None] = 14
    other_parts: ClassVar[tuple[str, ...]] = ("line",)
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "line": QUICK_LINE,
        "particles": {"problems": {"num_problems": 60}},
    }

    line: FactoryConfig = FactoryConfig()
    """The line, which trains the verifier; not run if `particles` names another one."""
    particles: SearchJob = SearchJob(
        problems=WorldProblemsConfig(split="dev", num_problems=200, seed=2),
        verifier=TRAINED,
        strategies=(BeamConfig(), RebaseConfig(), ParticleFilteringConfig()),
        budgets=(16,),
        score=ScoreConfig(by="verifier"),
        limits=SearchLimits(max_tokens=128, max_step_tokens=64),
    )
    """The searches."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        budget = max(self.particles.budgets)
        return tuple(
            Relation(
                name="particles_win",
                claim="particle filtering beats deterministic resampling",
                paper="particle filtering, arXiv:2502.01618",
                published="no figure",
                larger=_answers("particle_filtering", budget),
                smaller=_answers(other, budget),
                point=f"above {other}, N = {budget}",
            )
            for other in ("rebase", "beam")
        )


def _answers(strategy: str, budget: int) -> DecidedAnswers:
    label = f"{strategy} at N = {budget}"
    return DecidedAnswers(label=label, part="particles", strategy=f"{strategy} by*", budget=budget)
