"""Test-time search: which strategies are run on which problems, and what they share."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig, SetName, Since
from schemas.engines import SHIPPED_POLICY, EngineConfig, RoleConfig, VLLMConfig
from schemas.evaluation import EvaluationConfig, Reduction
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.pool import PoolConfig
from schemas.problems import ProblemsConfig, WorldProblemsConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.reductions import FALLBACK
from schemas.retrieval import DiariesConfig, RetrievalConfig
from schemas.rows import ModelRole
from schemas.sampling_parameters import PromptedConfig, SamplingParameters
from schemas.search.strategies import BeamConfig, Strategy, StrategyConfig


class ScoreConfig(FrozenConfig):
    """The value of a prefix, by which a search ranks everything it keeps."""

    by: Literal["verifier", "likelihood", "likelihood+logit"] = "likelihood+logit"
    """`verifier` is the reduced step scores; `likelihood` the policy's summed log probability;
    `likelihood+logit` that sum + weight x logit of the reduced scores. A verifier alone is misled
    by rare, odd steps that it has never seen; they have a low likelihood."""
    reduction: Reduction | None = None
    """How the step scores so far are reduced to one; None for the reduction that suits the labels
    that the verifier was trained on (schemas/reductions.py), `min` if they are not known."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of the logit in `likelihood+logit`."""

    @property
    def how(self) -> Reduction:
        """The reduction, or the default if none is named and the labels are not known."""
        return self.reduction or FALLBACK

    @property
    def reads_verifier(self) -> bool:
        """Whether steps need a verifier's score."""
        return self.by != "likelihood"

    @property
    def name(self) -> str:
        """Named like a ranker: `likelihood+logit[min]`, `verifier[last]` or `likelihood`."""
        if self.by == "likelihood":
            return self.by
        weight = "" if self.by == "verifier" or self.weight == 1 else f",{self.weight:g}"
        return f"{self.by}[{self.how}{weight}]"


class SearchLimits(SamplingParameters):
    """How steps are drawn, and when a solution is cut.

    `max_steps` and `max_step_tokens` apply if solutions are drawn step by step; strategies that
    draw whole solutions use only `max_tokens`.
    """

    temperature: Annotated[float, Field(ge=0)] = 1.0
    """0 is greedy, which makes all continuations of a prefix the same."""
    max_tokens: Annotated[int, Field(ge=1)] = 2048
    """Maximum tokens of a solution; a longer one is `truncated`, never finished."""
    max_step_tokens: Annotated[int, Field(ge=1)] = 512
    """Maximum tokens of a step; a solution with a longer one is `truncated`."""
    max_steps: Annotated[int, Field(ge=1)] = 40
    """Maximum number of steps of a solution; one that is not finished by then is `truncated`."""


class SearchJob(PromptedConfig):
    """Which problems are searched, by which strategies, at which budgets."""

    problems: ProblemsConfig = WorldProblemsConfig(split="dev", num_problems=200, seed=1)
    """The problems; loaded into the run first if it does not have them."""
    set_name: SetName = "eval"
    """The name of this set of problems in the run."""
    policy: EngineConfig = VLLMConfig(model=SHIPPED_POLICY)
    """The model that solves."""
    verifier: EngineConfig | None = None
    """The model that scores steps; None if no strategy needs one."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the policy is prompted, and what ends a step."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether an answer is right, and which answers are the same."""
    strategies: Annotated[tuple[Strategy, ...], Field(min_length=1)] = (BeamConfig(),)
    """The strategies; each is run at each budget."""
    budgets: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (16,)
    """Candidates per problem (N)."""
    score: ScoreConfig = ScoreConfig()
    """The value that prefixes are ranked by."""
    limits: SearchLimits = SearchLimits()
    """How steps are drawn, and how long solutions may be."""
    candidates_per_unit: Annotated[int, Field(ge=1)] = 1024
    """Approximate number of candidates of a unit; a problem is never split. All problems of a unit
    are searched concurrently."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Bins, intervals and reductions of the reported figures."""
    pool: PoolConfig = PoolConfig()
    """The actors."""
    seed: int = 0
    """Combined with problem, strategy and budget into the seed of each draw."""
    roles: Annotated[dict[ModelRole, RoleConfig], Since(4)] = {}  # noqa: RUF012
    """Models that strategies prompt besides policy and verifier, such as a judge or a critic."""
    retrieval: Annotated[RetrievalConfig | None, Since(4)] = None
    """Documents that are retrieved and shown with the questions; None for none."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for strategy in self.strategies:
            for budget in self.budgets:
                strategy.check_budget(budget)
            if strategy.needs_documents and self.retrieval is None:
                raise ValueError(
                    f"retrieval: expected documents, as {strategy.type} retrieves some, got none"
                )
            if strategy.draws_pieces and self.prompt.tools is not None:
                raise ValueError(
                    f"prompt.tools: expected none, as {strategy.type} looks at solutions between "
                    "pieces of so many tokens, which the output of a program may not fit into; set "
                    "mode to offline"
                )
        labels = [strategy.label() for strategy in self.strategies]
        if len(set(labels)) < len(labels) or len(set(self.budgets)) < len(self.budgets):
            raise ValueError(
                f"expected distinct strategies and budgets, got {labels}, {self.budgets}"
            )
        ranks = any(strategy.ranks for strategy in self.strategies)
        if self.verifier is None and self.score.reads_verifier and ranks:
            raise ValueError(
                f"verifier: expected one, as score.by is {self.score.by!r}, got none; "
                "or set score.by to likelihood"
            )
        used = {role for s in self.strategies for role in (*s.roles, *s.optional_roles)}
        for role in self.roles:
            if role not in used or role in ("policy", "verifier"):
                others = ", ".join(sorted(used - {"policy", "verifier"})) or "they use none"
                raise ValueError(
                    f"roles: expected a role that one of the strategies uses ({others}), "
                    f"got {role!r}"
                )
        self._check_diaries()
        for strategy in self.strategies:
            for role in strategy.roles:
                if role not in self.engines():
                    place = role if role in ("policy", "verifier") else "roles"
                    raise ValueError(
                        f"{place}: expected a {role}, as {strategy.type} needs it, got none"
                    )
        return self

    def _check_diaries(self) -> None:
        documents = None if self.retrieval is None else self.retrieval.documents
        if not isinstance(documents, DiariesConfig):
            return
        told = documents.problems.num_problems
        asked = self.problems
        if isinstance(asked, WorldProblemsConfig) and asked.num_problems <= told:
            asked = asked.with_fields(num_problems=told)
        if asked != documents.problems:
            raise ValueError(
                "problems: expected those whose stories are in the diaries (retrieval.documents."
                f"problems: {documents.problems}), or the first of them, got {self.problems}"
            )

    def roles_of(self, strategy: StrategyConfig) -> dict[ModelRole, RoleConfig]:
        """The models besides policy and verifier that one strategy prompts."""
        used = (*strategy.roles, *strategy.optional_roles)
        return {role: asked for role, asked in self.roles.items() if role in used}

    def engines(self, strategy: StrategyConfig | None = None) -> dict[ModelRole, EngineConfig]:
        """The engines that the job holds by role, or those that one strategy uses."""
        roles = self.roles if strategy is None else self.roles_of(strategy)
        own: dict[ModelRole, EngineConfig] = {"policy": self.policy}
        if self.verifier is not None:
            own["verifier"] = self.verifier
        for role, asked in roles.items():
            own[role] = asked.engine
        return own

    @property
    def reads_verifier(self) -> bool:
        """Whether a strategy cannot run without a verifier."""
        by_score = self.score.reads_verifier
        return any(s.needs_verifier or (by_score and s.ranks) for s in self.strategies)

    @property
    def picks_by_verifier(self) -> bool:
        """Whether a strategy picks by a verifier if one is given, and by votes otherwise."""
        return any(s.default_pick == "weighted" and not s.ranks for s in self.strategies)

    def label(self, strategy: StrategyConfig) -> str:
        """The value of the `strategy` column: the strategy, and its score if not the default."""
        name = strategy.label()
        if self.score.name == ScoreConfig().name or not strategy.ranks:
            return name
        return f"{name} by {self.score.name}"

    def needs_likelihood(self, strategy: StrategyConfig) -> bool:
        """Whether a strategy cannot run with a policy that reports no log probabilities."""
        prunes = strategy.ranks and not strategy.is_independent and not strategy.by_verifier
        return prunes and self.score.by != "verifier"
