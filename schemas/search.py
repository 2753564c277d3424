"""Test-time search: one config per strategy, what they share, and which of them are run."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig, SetName
from schemas.engines import SHIPPED_POLICY, EngineConfig, VLLMConfig
from schemas.evaluation import EvaluationConfig, Reduction
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.pool import PoolConfig
from schemas.problems import ProblemsConfig, WorldProblemsConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.reductions import FALLBACK
from schemas.units import derive_id

Pick = Literal["majority", "best", "weighted"]
"""How the candidates of a search become one answer: `majority` by their votes, `best` by what the
search ranks by, `weighted` by votes that weigh what the verifier gives."""

Width = Annotated[int, Field(ge=1)]


class ScoreConfig(FrozenConfig):
    """What a prefix is worth: everything a search keeps, it keeps by this."""

    by: Literal["verifier", "likelihood", "likelihood+logit"] = "likelihood+logit"
    """`verifier` the reduced step scores; `likelihood` the policy's summed log probability;
    `likelihood+logit` that sum + weight x logit of the reduced scores. A verifier alone is misled
    by rare, odd steps it never saw; the likelihood knows that they are rare."""
    reduction: Reduction | None = None
    """How the step scores so far become one; None for what suits the labels that the verifier was
    trained on (schemas/reductions.py), `min` where they are not known."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of the logit in `likelihood+logit`."""

    @property
    def how(self) -> Reduction:
        """The reduction, or what is taken where none is named and the labels are not known."""
        return self.reduction or FALLBACK

    @property
    def reads_verifier(self) -> bool:
        """Whether steps need a verifier's score."""
        return self.by != "likelihood"

    @property
    def name(self) -> str:
        """As rankers are named: `likelihood+logit[min]`, `verifier[last]`, `likelihood`."""
        if self.by == "likelihood":
            return self.by
        weight = "" if self.by == "verifier" or self.weight == 1 else f",{self.weight:g}"
        return f"{self.by}[{self.how}{weight}]"


class StrategyConfig(FrozenConfig):
    """What every strategy's config has; the strategies below it say the rest."""

    needs_verifier: ClassVar[bool] = False
    ranks: ClassVar[bool] = True
    """Whether the job's score decides what it keeps or picks."""
    default_pick: ClassVar[Pick] = "best"

    type: str

    def label(self) -> str:
        """The name and every setting that is not the default: `beam[width=2]`."""
        fields = type(self).model_fields
        changed = {
            name: value
            for name in fields
            if name != "type" and (value := getattr(self, name)) != fields[name].default
        }
        settings = ",".join(f"{name}={_short(value)}" for name, value in changed.items())
        return f"{self.type}[{settings}]" if settings else self.type

    def check_budget(self, budget: int) -> None:
        """Refuse a budget that cannot be spent exactly.

        Raises:
            ValueError: says what was expected.
        """


class _WidthConfig(StrategyConfig):
    """A strategy that draws `width` continuations of a prefix."""

    width: Width = 4
    """Continuations of each prefix that is kept (M)."""

    def check_budget(self, budget: int) -> None:
        """See StrategyConfig."""
        if self.width > budget:
            raise ValueError(
                f"{self.type}: expected a width of at most N={budget}, got {self.width}"
            )
        if budget % self.width:
            raise ValueError(
                f"{self.type}: expected N to be a multiple of the width {self.width}, "
                f"got N={budget}"
            )


class MajorityConfig(StrategyConfig):
    """N independent solutions; the commonest answer (self-consistency, arXiv:2203.11171)."""

    ranks: ClassVar[bool] = False
    default_pick: ClassVar[Pick] = "majority"
    type: Literal["majority"] = "majority"


class BestOfNConfig(StrategyConfig):
    """N independent solutions, every step scored; picks by the best and by weighted votes."""

    needs_verifier: ClassVar[bool] = True
    default_pick: ClassVar[Pick] = "weighted"
    type: Literal["best_of_n"] = "best_of_n"


class FilterVoteConfig(StrategyConfig):
    """N solutions, each judged by the policy itself; a vote of those it lets pass (2403.02419)."""

    ranks: ClassVar[bool] = False
    default_pick: ClassVar[Pick] = "majority"
    type: Literal["filter_vote"] = "filter_vote"
    template: Annotated[str, Field(min_length=1)] = (
        "Here is a problem and a solution.\n\nProblem: {question}\n\nSolution:\n{solution}\n\n"
        "Restate what is asked and what is answered, look for mistakes step by step, and end with "
        "[[correct]] or [[wrong]].\n"
    )
    """What the judge is asked: `{question}` and `{solution}` are put in."""
    max_judge_tokens: Annotated[int, Field(ge=1)] = 512
    """Cut-off of a judgement; one without a verdict does not filter."""
    judge_temperature: Annotated[float, Field(ge=0)] = 0.0
    """Temperature of the judge; 0 is greedy."""

    @model_validator(mode="after")
    def _names_both(self) -> Self:
        for place in ("{question}", "{solution}"):
            if place not in self.template:
                raise ValueError(f"template: expected {place} in it, got {self.template!r}")
        return self


class BeamConfig(_WidthConfig):
    """Keep the best N / width prefixes, draw `width` steps from each (arXiv:2408.03314, 5.2)."""

    type: Literal["beam"] = "beam"


class LookaheadConfig(_WidthConfig):
    """Beam search ranked by the score some steps ahead, which are then thrown away."""

    needs_verifier: ClassVar[bool] = True
    type: Literal["lookahead"] = "lookahead"
    depth: Annotated[int, Field(ge=1)] = 3
    """Steps to look ahead (k)."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """Temperature of these steps; 0 is greedy, as published, and not how the policy goes on."""


class DvtsConfig(_WidthConfig):
    """N / width independent subtrees, of each step the best of `width` kept."""

    default_pick: ClassVar[Pick] = "weighted"
    type: Literal["dvts"] = "dvts"


class RebaseConfig(StrategyConfig):
    """Draws shared among prefixes by a softmax of their scores (REBASE, arXiv:2408.00724)."""

    default_pick: ClassVar[Pick] = "weighted"
    type: Literal["rebase"] = "rebase"
    balance_temperature: Annotated[float, Field(gt=0)] | None = None
    """Of the softmax; None is 0.2 for a verifier's scores, as published, and 1 where scores are
    log probabilities."""


class MctsConfig(StrategyConfig):
    """Monte Carlo tree search: N walks from the root, each to the end of a new solution."""

    needs_verifier: ClassVar[bool] = True
    type: Literal["mcts"] = "mcts"
    select: Literal["puct", "uct"] = "puct"
    """`puct` with the policy's likelihood as prior (as in AlphaZero), or `uct`."""
    width: Width = 4
    """Continuations drawn of a prefix that is entered, and again when all of them are used up."""
    exploration: Annotated[float, Field(gt=0)] = 0.7
    """Weight of the bonus for prefixes seldom visited under `uct`; `puct` computes its own."""
    root_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of Dirichlet noise in the prior at the root under `puct`; AlphaZero has 0.25."""
    noise_alpha: Annotated[float, Field(gt=0)] = 0.3
    """Concentration of that noise."""


class TreeOfThoughtsConfig(_WidthConfig):
    """Breadth or depth first over steps, valued by the verifier (arXiv:2305.10601)."""

    needs_verifier: ClassVar[bool] = True
    type: Literal["tree_of_thoughts"] = "tree_of_thoughts"
    order: Literal["bfs", "dfs"] = "bfs"
    """`bfs` keeps the N / width best of a level, finished ones among them; `dfs` follows the best
    and backtracks, until N prefixes have ended or were turned away from."""
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Reduced verifier score below which `dfs` turns back."""


class RevisionsConfig(StrategyConfig):
    """Chains of attempts that each see the ones before (arXiv:2408.03314, 6)."""

    ranks: ClassVar[bool] = False
    default_pick: ClassVar[Pick] = "weighted"
    type: Literal["revisions"] = "revisions"
    sequential: Annotated[int, Field(ge=1)] = 4
    """Attempts in a chain; N / sequential chains run side by side."""
    context: Annotated[int, Field(ge=1)] = 4
    """Most earlier attempts that an attempt sees, the newest; fewer where they do not fit."""
    template: Annotated[str, Field(min_length=1)] = (
        "{question}\n\nEarlier attempts, which may be wrong:\n\n{attempts}\n\nA better attempt:\n"
    )
    """What is asked from the second attempt on."""

    def check_budget(self, budget: int) -> None:
        """See StrategyConfig."""
        if budget % self.sequential:
            raise ValueError(
                f"revisions: expected N to be a multiple of the {self.sequential} attempts of a "
                f"chain, got N={budget}"
            )

    @model_validator(mode="after")
    def _names_both(self) -> Self:
        for place in ("{question}", "{attempts}"):
            if place not in self.template:
                raise ValueError(f"template: expected {place} in it, got {self.template!r}")
        return self


Strategy = Annotated[
    MajorityConfig
    | BestOfNConfig
    | FilterVoteConfig
    | BeamConfig
    | LookaheadConfig
    | DvtsConfig
    | RebaseConfig
    | MctsConfig
    | TreeOfThoughtsConfig
    | RevisionsConfig,
    Field(discriminator="type"),
]

SWEEP: tuple[Strategy, ...] = (
    BestOfNConfig(),
    BeamConfig(),
    DvtsConfig(),
    RebaseConfig(),
    LookaheadConfig(),
    MctsConfig(),
)
"""The strategies of `stepmill search --sweep`; votes are picks of the first."""


class SearchLimits(FrozenConfig):
    """How steps are drawn, and when a solution is given up.

    `max_steps` and `max_step_tokens` hold where solutions are drawn step by step; strategies that
    draw whole ones look at `max_tokens` alone.
    """

    temperature: Annotated[float, Field(ge=0)] = 1.0
    """0 is greedy, and then all continuations of a prefix are the same."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Nucleus: the share of probability that is sampled from."""
    max_tokens: Annotated[int, Field(ge=1)] = 2048
    """Longest solution in tokens; one cut here is `truncated`, never finished."""
    max_step_tokens: Annotated[int, Field(ge=1)] = 512
    """Longest step in tokens; a solution with a longer one is `truncated`."""
    max_steps: Annotated[int, Field(ge=1)] = 40
    """Most steps of a solution; one that is not finished by then is `truncated`."""


class SearchJob(FrozenConfig):
    """Which problems are searched, by which strategies, at which budgets."""

    problems: ProblemsConfig = WorldProblemsConfig(split="dev", num_problems=200, seed=1)
    """The problems; loaded into the run first, if they are not there."""
    set_name: SetName = "eval"
    """What this set of problems is called in the run."""
    policy: EngineConfig = VLLMConfig(model=SHIPPED_POLICY)
    """The model that solves."""
    verifier: EngineConfig | None = None
    """The model that scores steps; None for strategies that need none."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the policy is asked, and what ends a step."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether an answer is right, and which answers are the same."""
    strategies: Annotated[tuple[Strategy, ...], Field(min_length=1)] = (BeamConfig(),)
    """Each is run at each budget."""
    budgets: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (16,)
    """Candidates per problem (N)."""
    score: ScoreConfig = ScoreConfig()
    """What prefixes are ranked by."""
    limits: SearchLimits = SearchLimits()
    """How steps are drawn, and how long solutions may be."""
    candidates_per_unit: Annotated[int, Field(ge=1)] = 1024
    """About how many candidates one unit makes; a problem is never split. All problems of a unit
    are searched side by side."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Bins, intervals and reductions of what is reported."""
    pool: PoolConfig = PoolConfig()
    """The actors."""
    seed: int = 0
    """With problem, strategy and budget it makes the seed of each draw."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for strategy in self.strategies:
            for budget in self.budgets:
                strategy.check_budget(budget)
        labels = [strategy.label() for strategy in self.strategies]
        if len(set(labels)) < len(labels) or len(set(self.budgets)) < len(self.budgets):
            raise ValueError(
                f"expected distinct strategies and budgets, got {labels}, {self.budgets}"
            )
        if self.verifier is None:
            if self.score.reads_verifier and any(s.ranks for s in self.strategies):
                raise ValueError(
                    f"verifier: expected one, as score.by is {self.score.by!r}, got none; "
                    "or set score.by to likelihood"
                )
            for strategy in self.strategies:
                if strategy.needs_verifier:
                    raise ValueError(
                        f"verifier: expected one, as {strategy.type} needs it, got none"
                    )
        return self

    @property
    def reads_verifier(self) -> bool:
        """Whether a strategy cannot do without a verifier."""
        by_score = self.score.reads_verifier
        return any(s.needs_verifier or (by_score and s.ranks) for s in self.strategies)

    @property
    def picks_by_verifier(self) -> bool:
        """Whether a strategy chooses by a verifier where there is one, and by votes without."""
        return any(s.default_pick == "weighted" and not s.ranks for s in self.strategies)

    def label(self, strategy: StrategyConfig) -> str:
        """What the `strategy` column says: the strategy, and its score if another than usual."""
        name = strategy.label()
        if self.score.name == ScoreConfig().name or not strategy.ranks:
            return name
        return f"{name} by {self.score.name}"

    def needs_likelihood(self, strategy: StrategyConfig) -> bool:
        """Whether a strategy is lost where the policy does not tell its log probabilities."""
        is_search = strategy.ranks and not isinstance(strategy, BestOfNConfig)
        return is_search and self.score.by != "verifier"


def _short(value: Any) -> str:
    """A setting as part of a name: long texts by a hash, others as they are."""
    return f"#{derive_id(value)[:6]}" if isinstance(value, str) and len(value) > 20 else str(value)
