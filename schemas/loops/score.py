"""SCORE: a refiner that learns from hinted critiques, and verifiers that decide what to refine."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.critique_formats import CritiqueFormatConfig, LinesCritiqueConfig
from schemas.critiques import CriticConfig, CritiquingConfig, ModelCriticConfig
from schemas.dataset_export.score_builders import OutcomesConfig, ScoreConfig
from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.loops.loop import LoopConfig
from schemas.policy_training import SftConfig
from schemas.sampling import SamplingConfig
from schemas.score import RefinerConfig
from schemas.training.prm import PrmTrainingConfig

Gate = Literal["oracle", "trained", "own", "always"]


class ScoreLoopConfig(LoopConfig):
    """A refiner learns from its own hinted critiques, a verifier decides when (arXiv:2404.17140).

    The policy, told a right solution, criticises its wrong ones; critiques that pass rules and mend
    make the refiner's set. Then every held-out solution is refined, and for each verifier the
    threshold is chosen on some of the problems and the gain reported on the others: `oracle` knows
    the answers, `trained` is a verifier trained on the policy's graded solutions, `own` the
    policy's review, and `always` refines everything.
    """

    name: ClassVar[str] = "score"
    arm_names: ClassVar[tuple[str, ...]] = ("policy",)
    next_command: ClassVar[str] = "stepmill report {run_id} --root {root}"

    train_sampling: SamplingConfig = SamplingConfig(
        num_samples=10, max_tokens=128, with_logprobs=False, trajectories_per_unit=700
    )
    """Solutions to learn from, per problem; ten as published."""
    eval_sampling: SamplingConfig = SamplingConfig(
        num_samples=4, max_tokens=128, with_logprobs=False, trajectories_per_unit=400
    )
    """Solutions per problem that verifiers judge and the refiner refines."""
    format: CritiqueFormatConfig = LinesCritiqueConfig()
    """How critiques are asked for and read."""
    critic: CriticConfig = ModelCriticConfig(told="solution")
    """What criticises the wrong solutions, and what it is told."""
    critiquing: CritiquingConfig = CritiquingConfig(max_tokens=128)
    """How the hinted critiques are drawn; greedily, as published."""
    check_max_tokens: Annotated[int, Field(ge=1)] = 128
    """Maximum tokens of the greedy second attempt by which a critique is checked."""
    builder: ScoreConfig = ScoreConfig()
    """Which critiques the refiner learns from."""
    training: SftConfig = SftConfig(epochs=3)
    """How the policy is made into the refiner."""
    refining: RefinerConfig = RefinerConfig(max_tokens=256)
    """How the refiner's completions are drawn."""
    verifiers: Annotated[tuple[Gate, ...], Field(min_length=1)] = (
        "oracle",
        "trained",
        "own",
        "always",
    )
    """What decides which solutions are refined; each is reported by itself."""
    verifier_builder: OutcomesConfig = OutcomesConfig()
    """What the trained verifier learns from."""
    verifier_training: PrmTrainingConfig = PrmTrainingConfig(
        base_model=SHIPPED_POLICY, data="orm", hidden_lr=1e-3, epochs=3
    )
    """How the trained verifier learns; it starts from the policy, whatever `base_model` says."""
    verifier: VLLMConfig | None = None
    """A verifier that was trained before, to be used as `trained`; None trains one."""
    own_critiques: CritiquingConfig = CritiquingConfig(
        num_critiques=8, temperature=1.0, max_tokens=128
    )
    """The policy's reviews of its held-out solutions: the share that finds a solution wrong is its
    own probability of that."""
    dev_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of the held-out problems on which thresholds are chosen; results are of the others."""

    @model_validator(mode="after")
    def _verifiers_are_distinct(self) -> Self:
        if len(set(self.verifiers)) < len(self.verifiers):
            raise ValueError(f"verifiers: expected distinct ones, got {', '.join(self.verifiers)}")
        return self
