"""How steps are labelled: by rollouts, the answer, a checker, a judge, or where two agree."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig, SetName, Since
from schemas.critique_formats import CritiqueFormatConfig, LinesCritiqueConfig
from schemas.engines import EngineConfig
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.pool import PoolConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.rows import ModelRole
from schemas.sampling_parameters import PromptedConfig, SamplingParameters

ROLLOUT_STRATEGY = "rollout"
"""The `strategy` of a rollout."""


class TreeConfig(FrozenConfig):
    """How a tree of rollouts grows from each question (OmegaPRM, arXiv:2406.06592, section 3.3)."""

    alpha: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The lower, the more wrong rollouts of states that are usually solved are preferred."""
    beta: Annotated[float, Field(gt=0, le=1)] = 0.9
    """The lower, the more short rollouts are preferred."""
    length_scale_tokens: Annotated[int, Field(ge=1)] = 500
    """Tokens that cost a rollout a factor of `beta` (L in the paper)."""
    c_puct: Annotated[float, Field(ge=0)] = 0.125
    """Weight of states that were seldom selected."""
    max_searches: Annotated[int, Field(ge=1)] = 100
    """Searches for a first error per question."""
    max_rollouts: Annotated[int, Field(ge=1)] | None = None
    """Rollouts of a question after which no further search begins; None for no limit."""


class RolloutsByRateConfig(FrozenConfig):
    """More rollouts where right answers are rare (GenPRM, arXiv:2504.00891)."""

    low_rate: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Problems solved less often than this are hard."""
    high_rate: Annotated[float, Field(ge=0, le=1)] = 0.9
    """Problems solved at least this often are easy."""
    hard: Annotated[int, Field(ge=1)] = 128
    """Rollouts per prefix of a hard problem."""
    medium: Annotated[int, Field(ge=1)] = 64
    """Rollouts per prefix of other problems, and of those without a graded solution."""
    easy: Annotated[int, Field(ge=1)] = 32
    """Rollouts per prefix of an easy problem."""

    @model_validator(mode="after")
    def _rates_in_order(self) -> "RolloutsByRateConfig":
        if self.low_rate > self.high_rate:
            raise ValueError(
                f"low_rate must be at most high_rate ({self.high_rate}), got {self.low_rate}"
            )
        return self

    def num_rollouts(self, pass_rate: float | None) -> int:
        """Rollouts per prefix of a problem that is solved this often; None if that is unknown."""
        if pass_rate is None or self.low_rate <= pass_rate < self.high_rate:
            return self.medium
        return self.hard if pass_rate < self.low_rate else self.easy

    def __str__(self) -> str:
        """The numbers, and the rates if they are not the published ones: `128/64/32`."""
        numbers = f"{self.hard}/{self.medium}/{self.easy}"
        rates = (self.low_rate, self.high_rate)
        return numbers if rates == (0.1, 0.9) else f"{numbers}@{rates[0]:g}/{rates[1]:g}"


class MonteCarloConfig(SamplingParameters):
    """Label a step by how often the policy still solves the problem from it (arXiv:2312.08935)."""

    identity_order: ClassVar[tuple[str, ...]] = (
        "type",
        "num_rollouts",
        "min_correct",
        "temperature",
        "top_p",
    )

    type: Literal["monte_carlo"] = "monte_carlo"
    num_rollouts: Annotated[int, Field(ge=1)] = 8
    """Rollouts per prefix (N in Math-Shepherd); with `stopping`, the maximum."""
    min_correct: Annotated[int, Field(ge=1)] = 1
    """Right rollouts that make the hard label right; 1 is Math-Shepherd's hard estimate."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Temperature of the rollouts; 0 would draw the same rollout every time."""
    max_rollout_tokens: Annotated[int, Field(ge=1)] = 2048
    """Cut-off in tokens; a rollout cut here gets status `truncated`, not a verdict."""
    stopping: Literal["none", "first_hit", "confidence"] = "none"
    """When a prefix needs no more rollouts. `first_hit`: once its hard label cannot change any
    more. `confidence`: also once the chance that it changes is at most 1 - `confidence`. Stopping
    early biases the soft estimate of a prefix towards its hard label."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.97
    """Chance that an early label is the one that all rollouts would give, for `confidence`
    stopping."""
    p_fatal: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of prefixes assumed beyond repair before the first rollout, for `confidence`
    stopping; the solve rate of the others is assumed uniform."""
    wave_size: Annotated[int, Field(ge=1)] = 1
    """Concurrent rollouts of one prefix under `stopping`; more of them fill an idle engine."""
    reuse_solutions: bool = False
    """Count a solution as a rollout of each of its own prefixes. This is done only if the completer
    sampled it at this temperature and top-p. Leave it off for solutions that were picked by their
    outcome or score, which are a biased sample."""
    search: Literal["linear", "bisection", "omega"] = "linear"
    """Which prefixes get rollouts: all; those that a bisection for the first error visits; or those
    of the tree that OmegaPRM grows from each question by bisecting wrong rollouts as well as wrong
    solutions, which get labels, too (arXiv:2406.06592). The last two assume that no step repairs an
    earlier error."""
    audit_fraction: Annotated[float, Field(ge=0, le=1)] = 0.03
    """Share of the trajectories that are also labelled in full, to measure the errors that the
    assumption of `bisection`, `omega` or `confidence` stopping causes."""
    tree: Annotated[TreeConfig, Since(4)] = TreeConfig()
    """How the tree of `omega` grows."""
    min_progress: Annotated[float | None, Field(gt=0), Since(4)] = None
    """Label a step right if the share of right rollouts after it is at least this times the share
    before it (.8 in GenPRM, arXiv:2504.00891), and wrong after the first step without a right
    rollout; None to label it by `min_correct`."""
    rollouts_by_rate: Annotated[RolloutsByRateConfig | None, Since(4)] = None
    """Rollouts per prefix by how often the problem is solved, instead of `num_rollouts`; that many
    solutions and further draws estimate how often. None for the same number everywhere."""

    @model_validator(mode="after")
    def _can_be_right(self) -> "MonteCarloConfig":
        if self.min_correct > (fewest := min(self._numbers)):
            raise ValueError(
                f"min_correct must be at most num_rollouts ({fewest}), "
                f"got {self.min_correct}: no step could ever be right"
            )
        if self.reuse_solutions and self.unrecorded:
            raise ValueError(
                f"reuse_solutions: expected false beside {self.unrecorded[0]}, since rows do not "
                "say whether a solution was sampled with it"
            )
        return self

    @model_validator(mode="after")
    def _estimates_are_whole(self) -> "MonteCarloConfig":
        for by, is_used, needed in (
            ("min_progress", self.min_progress is not None, {"search": "linear"}),
            ("search omega", self.search == "omega", {"reuse_solutions": False}),
        ):
            for name, value in {"stopping": "none", "min_correct": 1, **needed}.items():
                if is_used and (given := getattr(self, name)) != value:
                    raise ValueError(
                        f"{by} needs whole estimates of steps: expected {name} {value}, got {given}"
                    )
        return self

    @property
    def _numbers(self) -> tuple[int, ...]:
        """Every number of rollouts that a prefix may get."""
        rule = self.rollouts_by_rate
        return (rule.hard, rule.medium, rule.easy) if rule else (self.num_rollouts,)

    @property
    def needs_audit(self) -> bool:
        """Whether labels depend on an assumption; stopping at the first hit does not."""
        return self.search != "linear" or self.stopping == "confidence"

    @property
    def needs_root(self) -> bool:
        """Whether labels depend on how often the problem is solved from its beginning."""
        by_rate = self.rollouts_by_rate is not None
        return by_rate or self.search == "omega" or self.min_progress is not None

    @property
    def method(self) -> str:
        """The value of the `method` column: `monte_carlo[n=8]`, `monte_carlo[n=8,bisection]`."""
        parts = [f"n={self.rollouts_by_rate or self.num_rollouts}"]
        if self.min_correct != 1:
            parts.append(f"min={self.min_correct}")
        if self.stopping == "first_hit":
            parts.append("first_hit")
        if self.stopping == "confidence":
            parts.append(f"confidence={self.confidence:g}")
        if self.reuse_solutions:
            parts.append("reuse")
        if self.min_progress is not None:
            parts.append(f"progress={self.min_progress:g}")
        if self.search != "linear":
            parts.append(self.search)
        return f"monte_carlo[{','.join(parts)}]"

    def without_shortcuts(self) -> "MonteCarloConfig":
        """The config of the plain labels that this config approximates."""
        return self.with_fields(stopping="none", search="linear")

    def for_problem(self, pass_rate: float | None) -> "MonteCarloConfig":
        """The config of a problem that is solved this often; None if that is unknown."""
        if self.rollouts_by_rate is None:
            return self
        num_rollouts = self.rollouts_by_rate.num_rollouts(pass_rate)
        return self.with_fields(num_rollouts=num_rollouts, rollouts_by_rate=None)


class OutcomeConfig(FrozenConfig):
    """Label only the last step, by the final answer: what an ORM learns from."""

    type: Literal["outcome"] = "outcome"

    @property
    def method(self) -> str:
        """The value of the `method` column."""
        return "outcome"


class CheckerConfig(FrozenConfig):
    """Label every step by the exact checker of the built-in world."""

    type: Literal["checker"] = "checker"

    @property
    def method(self) -> str:
        """The value of the `method` column."""
        return "checker"


class JudgeConfig(SamplingParameters):
    """Label steps by where a model's critiques find the first error (arXiv:2501.07301).

    A step before it is right, that one and those after it are wrong.
    """

    type: Literal["judge"] = "judge"
    engine: EngineConfig | None = None
    """The judge; None for the job's policy."""
    prompt: PromptConfig | None = None
    """How the judge is prompted; None for the prompt of the job without what is about solving."""
    format: CritiqueFormatConfig = LinesCritiqueConfig()
    """How the judge is asked, and how its critique is read."""
    told: Literal["nothing", "answer"] = "nothing"
    """Whether the judge reads the gold answer, where there is one."""
    num_judgements: Annotated[int, Field(ge=1)] = 1
    """Critiques of each solution. A first error (or none) that more than half of the readable ones
    find makes the labels; without one the solution has none."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """0 is greedy; several judgements need more."""
    max_tokens: Annotated[int, Field(ge=1)] = 1536
    """Maximum tokens of a critique; a longer one cannot be read."""

    @model_validator(mode="after")
    def _judgements_differ(self) -> "JudgeConfig":
        is_greedy = self.temperature == 0 and "temperature" not in self.from_model
        if self.num_judgements > 1 and is_greedy:
            raise ValueError(
                "num_judgements: expected 1 at temperature 0, where all critiques are the same, "
                f"got {self.num_judgements}"
            )
        return self

    @property
    def method(self) -> str:
        """The value of the `method` column: `judge[n=1]`, `judge[n=3,answer]`."""
        told = "" if self.told == "nothing" else f",{self.told}"
        return f"judge[n={self.num_judgements}{told}]"


class StoredLabelsConfig(FrozenConfig):
    """Labels that are stored already: imported ones, or those of a run with another completer."""

    type: Literal["stored"] = "stored"
    method: str
    """The labels' method, as in the `method` column."""
    run_id: str | None = None
    """The run that has them; None for the run that is labelled. Steps are matched by the question
    and the text up to their end."""


class ConsensusConfig(FrozenConfig):
    """Keep the Monte Carlo labels that another labeller confirms (arXiv:2501.07301)."""

    type: Literal["consensus"] = "consensus"
    first: MonteCarloConfig = MonteCarloConfig()
    """The labels by rollouts."""
    second: Annotated[
        CheckerConfig | StoredLabelsConfig | JudgeConfig, Field(discriminator="type")
    ] = CheckerConfig()
    """The other labels."""
    keep: Literal["solutions", "steps"] = "solutions"
    """What both must agree on: `solutions` keeps those in which both find the same first error, or
    none; `steps` keeps every step to which both give the same label."""

    @property
    def second_method(self) -> str:
        """The method under which the other labels are stored again."""
        return f"{_SECOND}{self.second.method}]"

    @property
    def method(self) -> str:
        """The value of the `method` column of the labels that are kept."""
        return consensus_method(self.first.method, self.second_method, self.keep)


def consensus_method(first: str, second: str, keep: str) -> str:
    """The method of the labels on which two methods agree: `consensus[A,B]`."""
    of_steps = "" if keep == "solutions" else f",{keep}"
    return f"{_CONSENSUS}{first},{second.removeprefix(_SECOND).removesuffix(']')}{of_steps}]"


def type_of_method(method: str) -> str:
    """The type of labels that have a method: `checker`, or `monte_carlo` of `monte_carlo[n=8]`."""
    return "consensus" if is_second_method(method) else method.split("[")[0]


def is_derived_method(method: str) -> bool:
    """Whether labels were stored for a consensus, beside those that they were taken from."""
    return method.startswith((_SECOND, _CONSENSUS))


def is_second_method(method: str) -> bool:
    """Whether these are the other labeller's labels, stored for a consensus."""
    return method.startswith(_SECOND)


_SECOND, _CONSENSUS = "second[", "consensus["

StepLabelsConfig = Annotated[
    MonteCarloConfig | OutcomeConfig | CheckerConfig | JudgeConfig | ConsensusConfig,
    Field(discriminator="type"),
]


class StepLabelsJob(PromptedConfig):
    """Which stored solutions get step labels, and how."""

    set_name: SetName = "train"
    """The set of solutions, as named by the sampling stage."""
    policy: EngineConfig | None = None
    """The completer: the model that continues solutions from their prefixes, and judges them if no
    judge is named; None where labels need neither."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the solutions' policy was prompted, and what ends a step."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether a rollout's answer is right."""
    labels: StepLabelsConfig = MonteCarloConfig()
    """How steps are labelled."""
    trajectories_per_unit: Annotated[int, Field(ge=1)] = 200
    """Solutions per unit."""
    pool: PoolConfig = PoolConfig()
    """The actors."""
    seed: int = 0
    """Combined with problem, prefix and index into the seed of each rollout."""

    @model_validator(mode="after")
    def _has_completer(self) -> Self:
        judges = self.judge is not None and self.judge.engine is None
        if self.policy is None and (self.rollouts is not None or judges):
            raise ValueError(
                f"policy: expected the model that labels by {self.labels.type} ask, got none"
            )
        return self

    @property
    def completer(self) -> EngineConfig:
        """The policy, of labels that need one."""
        assert self.policy is not None
        return self.policy

    def stored_sets(self) -> tuple[str, ...] | None:
        """The set of solutions."""
        return (self.set_name,)

    @property
    def rollouts(self) -> MonteCarloConfig | None:
        """How rollouts are drawn; None for labels without rollouts."""
        labels = self.labels.first if isinstance(self.labels, ConsensusConfig) else self.labels
        return labels if isinstance(labels, MonteCarloConfig) else None

    @property
    def judge(self) -> JudgeConfig | None:
        """The judge of the labels; None for labels without one."""
        labels = self.labels.second if isinstance(self.labels, ConsensusConfig) else self.labels
        return labels if isinstance(labels, JudgeConfig) else None

    @property
    def judge_role(self) -> ModelRole:
        """The role of the engine that judges."""
        return "policy" if self.judge is None or self.judge.engine is None else "judge"
