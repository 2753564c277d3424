"""The search strategies: each has a config, whose class variables say what the strategy is.

To add a strategy, add a config here and its name to the union `Strategy`, a file with one coroutine
in `tasks/search/strategies/`, and a line in the registry there.
"""

import re
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import Field, model_validator

from schemas.base import FrozenConfig
from schemas.fields import variants_of
from schemas.rows import ModelRole
from schemas.units import derive_id

Pick = Literal["majority", "best", "weighted"]
"""How one answer is picked among the candidates of a search: `majority` by votes, `best` by the
value that the search ranks by, `weighted` by votes weighted with the verifier's scores."""


Width = Annotated[int, Field(ge=1)]

_LABEL = re.compile(r"(?P<type>\w+)(\[.*\])?( by \S+)?")


class StrategyConfig(FrozenConfig):
    """Base of the strategies' configs. The class variables say what a strategy is."""

    roles: ClassVar[tuple[ModelRole, ...]] = ("policy",)
    """The roles of the models that it needs. It also needs a verifier if it ranks and the job's
    score reads one."""
    optional_roles: ClassVar[tuple[ModelRole, ...]] = ()
    """Roles that the policy fills if the job has no model for them."""
    ranks: ClassVar[bool] = True
    """Whether the job's score decides what it keeps or picks."""
    is_stepwise: ClassVar[bool] = True
    """Whether it draws solutions step by step from the bare question. The pruned branches of such
    a search become preference pairs (builder `search_trees`)."""
    is_independent: ClassVar[bool] = False
    """Whether its candidates are independent samples of the policy, none of them pruned. The
    difficulty of problems is read from such candidates, and the view `outcomes` has them."""
    has_chains: ClassVar[bool] = False
    """Whether its candidates form chains of attempts, which vote chain by chain."""
    default_pick: ClassVar[Pick] = "best"
    """The pick whose answers are reported as the strategy's."""
    in_sweep: ClassVar[bool] = False
    """Whether `stepmill search --sweep` runs it."""

    type: str

    @property
    def needs_verifier(self) -> bool:
        """Whether it cannot run without a verifier."""
        return "verifier" in self.roles

    @classmethod
    def grid(cls, budget: int) -> list[Self]:
        """The settings to compare with one another at a budget; unless overridden, the defaults."""
        return [cls.model_validate({})]

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
        """Reject a budget that cannot be spent exactly.

        Raises:
            ValueError: says what was expected.
        """


class _WidthConfig(StrategyConfig):
    """A strategy that draws `width` continuations of a prefix."""

    width: Width = 4
    """Continuations of each kept prefix (M)."""

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
    """N independent solutions; the most common answer (self-consistency, arXiv:2203.11171)."""

    ranks: ClassVar[bool] = False
    is_stepwise: ClassVar[bool] = False
    is_independent: ClassVar[bool] = True
    default_pick: ClassVar[Pick] = "majority"
    type: Literal["majority"] = "majority"


class BestOfNConfig(StrategyConfig):
    """N independent solutions, every step scored; picks by the best and by weighted votes."""

    roles: ClassVar[tuple[ModelRole, ...]] = ("policy", "verifier")
    is_stepwise: ClassVar[bool] = False
    is_independent: ClassVar[bool] = True
    default_pick: ClassVar[Pick] = "weighted"
    in_sweep: ClassVar[bool] = True
    type: Literal["best_of_n"] = "best_of_n"


class FilterVoteConfig(StrategyConfig):
    """N solutions, each judged by the policy or a judge; the accepted ones vote (2403.02419)."""

    ranks: ClassVar[bool] = False
    is_stepwise: ClassVar[bool] = False
    default_pick: ClassVar[Pick] = "majority"
    optional_roles: ClassVar[tuple[ModelRole, ...]] = ("judge",)
    type: Literal["filter_vote"] = "filter_vote"
    template: Annotated[str, Field(min_length=1)] = (
        "Here is a problem and a solution.\n\nProblem: {question}\n\nSolution:\n{solution}\n\n"
        "Restate what is asked and what is answered, look for mistakes step by step, and end with "
        "[[correct]] or [[wrong]].\n"
    )
    """The prompt of the judge; `{question}` and `{solution}` are filled in."""
    max_judge_tokens: Annotated[int, Field(ge=1)] = 512
    """Maximum tokens of a judgement; one without a verdict rejects nothing."""
    judge_temperature: Annotated[float, Field(ge=0)] = 0.0
    """Temperature of the judge; 0 is greedy."""

    @model_validator(mode="after")
    def _names_both(self) -> Self:
        return _check_places(self, self.template, "{question}", "{solution}")


class BeamConfig(_WidthConfig):
    """Keep the best N / width prefixes, draw `width` steps from each (arXiv:2408.03314, 5.2)."""

    in_sweep: ClassVar[bool] = True
    type: Literal["beam"] = "beam"


class DvtsConfig(_WidthConfig):
    """N / width independent subtrees; for each step the best of `width` is kept."""

    default_pick: ClassVar[Pick] = "weighted"
    in_sweep: ClassVar[bool] = True
    type: Literal["dvts"] = "dvts"


class RebaseConfig(StrategyConfig):
    """Draws shared among prefixes by a softmax of their scores (REBASE, arXiv:2408.00724)."""

    default_pick: ClassVar[Pick] = "weighted"
    in_sweep: ClassVar[bool] = True
    type: Literal["rebase"] = "rebase"
    balance_temperature: Annotated[float, Field(gt=0)] | None = None
    """Temperature of the softmax; None is 0.2 for a verifier's scores, as published, and 1 for log
    probabilities."""


class LookaheadConfig(_WidthConfig):
    """Beam search that ranks by the score some steps ahead; those steps are discarded."""

    roles: ClassVar[tuple[ModelRole, ...]] = ("policy", "verifier")
    in_sweep: ClassVar[bool] = True
    type: Literal["lookahead"] = "lookahead"
    depth: Annotated[int, Field(ge=1)] = 3
    """Steps to look ahead (k)."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """Temperature of these steps; 0 is greedy, as published, unlike the policy's own steps."""


class MctsConfig(StrategyConfig):
    """Monte Carlo tree search: N walks from the root, each to the end of a new solution."""

    roles: ClassVar[tuple[ModelRole, ...]] = ("policy", "verifier")
    in_sweep: ClassVar[bool] = True
    type: Literal["mcts"] = "mcts"
    select: Literal["puct", "uct"] = "puct"
    """`puct` with the policy's likelihood as prior (as in AlphaZero), or `uct`."""
    width: Width = 4
    """Continuations drawn from a prefix when it is first visited, and again whenever all of them
    are used up."""
    exploration: Annotated[float, Field(gt=0)] = 0.7
    """Weight of the bonus for rarely visited prefixes under `uct`; `puct` computes its own
    weight."""
    root_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of Dirichlet noise in the prior at the root under `puct`; AlphaZero uses 0.25."""
    noise_alpha: Annotated[float, Field(gt=0)] = 0.3
    """Concentration of that noise."""


class TreeOfThoughtsConfig(_WidthConfig):
    """Breadth-first or depth-first over steps, valued by the verifier (arXiv:2305.10601)."""

    roles: ClassVar[tuple[ModelRole, ...]] = ("policy", "verifier")
    type: Literal["tree_of_thoughts"] = "tree_of_thoughts"
    order: Literal["bfs", "dfs"] = "bfs"
    """`bfs` keeps the N / width best of a level, finished ones included; `dfs` follows the best
    and backtracks, until N prefixes have ended or were abandoned."""
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Reduced verifier score below which `dfs` backtracks."""


class RevisionsConfig(StrategyConfig):
    """Chains of attempts that each see the earlier ones (arXiv:2408.03314, 6)."""

    ranks: ClassVar[bool] = False
    is_stepwise: ClassVar[bool] = False
    has_chains: ClassVar[bool] = True
    default_pick: ClassVar[Pick] = "weighted"
    type: Literal["revisions"] = "revisions"
    sequential: Annotated[int, Field(ge=1)] = 4
    """Attempts in a chain; N / sequential chains run side by side."""
    context: Annotated[int, Field(ge=1)] = 4
    """Maximum number of earlier attempts, the newest, that an attempt sees; fewer if they do not
    fit."""
    template: Annotated[str, Field(min_length=1)] = (
        "{question}\n\nEarlier attempts, which may be wrong:\n\n{attempts}\n\nA better attempt:\n"
    )
    """The prompt from the second attempt on; `{question}` and `{attempts}` are filled in."""

    @classmethod
    def grid(cls, budget: int) -> list[Self]:
        """Chains of every power of two that divides the budget.

        For powers of two up to 128 these are the ratios of arXiv:2408.03314, appendix O.
        """
        lengths = [1 << i for i in range(budget.bit_length()) if not budget % (1 << i)]
        return [cls(sequential=length) for length in lengths]

    def check_budget(self, budget: int) -> None:
        """See StrategyConfig."""
        if budget % self.sequential:
            raise ValueError(
                f"revisions: expected N to be a multiple of the {self.sequential} attempts of a "
                f"chain, got N={budget}"
            )

    @model_validator(mode="after")
    def _names_both(self) -> Self:
        return _check_places(self, self.template, "{question}", "{attempts}")


Strategy = Annotated[
    MajorityConfig
    | BestOfNConfig
    | FilterVoteConfig
    | BeamConfig
    | DvtsConfig
    | RebaseConfig
    | LookaheadConfig
    | MctsConfig
    | TreeOfThoughtsConfig
    | RevisionsConfig,
    Field(discriminator="type"),
]

STRATEGY_CONFIGS: dict[str, type[StrategyConfig]] = variants_of(Strategy)
"""The config of each strategy, by its name."""

SWEEP: tuple[Strategy, ...] = tuple(
    cast(Strategy, config.model_validate({}))
    for config in STRATEGY_CONFIGS.values()
    if config.in_sweep
)
"""The strategies of `stepmill search --sweep`; votes are picks of the first one."""


def strategy_of(label: str) -> type[StrategyConfig] | None:
    """The strategy whose candidates and branches have this label in the `strategy` column.

    None for anything but a search, and for judgements and lookaheads of a search.
    """
    found = _LABEL.fullmatch(label)
    return None if found is None else STRATEGY_CONFIGS.get(found["type"])


def draws_stepwise(label: str) -> bool:
    """Whether rows with this label continue the bare question, step by step."""
    strategy = strategy_of(label)
    return strategy is not None and strategy.is_stepwise


def _check_places(config: Any, template: str, *places: str) -> Any:
    """The config, if its template has all the placeholders."""
    for place in places:
        if place not in template:
            raise ValueError(f"template: expected {place} in it, got {template!r}")
    return config


def _short(value: Any) -> str:
    """A setting as part of a name: a hash of a long text, other values as they are."""
    return f"#{derive_id(value)[:6]}" if isinstance(value, str) and len(value) > 20 else str(value)
