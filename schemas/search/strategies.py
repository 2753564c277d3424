"""The search strategies: each has a config, whose class variables say what the strategy is.

To add a strategy, add a config here and its name to the union `Strategy`, a file with one coroutine
in `tasks/search/strategies/`, and a line in the registry there.
"""

import re
from typing import Annotated, ClassVar, Literal, Self, cast

from pydantic import Field, model_validator

from schemas.base import Since
from schemas.critique_formats import CritiqueFormatConfig
from schemas.fields import variants_of
from schemas.rows import ModelRole
from schemas.search.critique import CritiqueConfig
from schemas.search.ratp import RatpConfig
from schemas.search.strategy import Pick, StrategyConfig, check_places

Width = Annotated[int, Field(ge=1)]

_LABEL = re.compile(r"(?P<type>\w+)(\[.*\])?( by \S+)?")


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
    """The prompt of the judge; `{question}` and `{solution}` are filled in. Not used if a format is
    given."""
    max_judge_tokens: Annotated[int, Field(ge=1)] = 512
    """Maximum tokens of a judgement; one without a verdict rejects nothing."""
    judge_temperature: Annotated[float, Field(ge=0)] = 0.0
    """Temperature of the judge; 0 is greedy."""
    format: Annotated[CritiqueFormatConfig | None, Since(4)] = None
    """The judge writes a critique in this format, whose verdict counts; None for the template."""

    @model_validator(mode="after")
    def _names_both(self) -> Self:
        return check_places(self, self.template, "{question}", "{solution}")


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
    in_ratios: ClassVar[bool] = True
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
    joiner: Annotated[str, Since(4)] = "\n\n"
    """What stands between two attempts in the prompt. The shipped policy knows the template
    `{question}\\n{attempts}\\nAgain:` with the joiner `\\nAgain:\\n`."""
    verifier_reads: Annotated[Literal["attempt", "history"], Since(4)] = "attempt"
    """The prompt under which the verifier scores an attempt: the bare question's, or the one with
    the earlier attempts, for a verifier trained on a set of `revision_outcomes`. Families that are
    shown the bare question read that in both cases."""

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
        return check_places(self, self.template, "{question}", "{attempts}")


class AdaptiveConsistencyConfig(StrategyConfig):
    """Solutions until the leading answer is safe, N at most (arXiv:2305.11860, 2401.10480)."""

    ranks: ClassVar[bool] = False
    is_stepwise: ClassVar[bool] = False
    default_pick: ClassVar[Pick] = "majority"
    stops_early: ClassVar[bool] = True
    type: Literal["adaptive_consistency"] = "adaptive_consistency"
    rule: Literal["posterior", "unanimous"] = "posterior"
    """`posterior` stops where the leading answer is the more frequent of the two most common ones
    with probability `bound`; `unanimous` where the answers of a whole window are the same
    (early-stopping self-consistency)."""
    bound: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Probability at which `posterior` stops."""
    window: Annotated[int, Field(ge=2)] = 5
    """Solutions of a window under `unanimous`; they are drawn window by window."""


class ConfidenceVoteConfig(StrategyConfig):
    """The most confident of N solutions vote by their confidence (DeepConf, arXiv:2508.15260)."""

    ranks: ClassVar[bool] = False
    is_stepwise: ClassVar[bool] = False
    default_pick: ClassVar[Pick] = "confidence"
    stops_early: ClassVar[bool] = True
    type: Literal["confidence_vote"] = "confidence_vote"
    mode: Literal["offline", "online"] = "offline"
    """`offline` draws all N whole; `online` cuts later ones where their confidence falls, and stops
    at a consensus."""
    confidence: Literal["mean", "lowest_groups", "lowest_group", "tail"] = "lowest_group"
    """Of a solution, from its tokens': the mean of all, of the least confident tenth of its groups,
    of the least confident group, or of the last `window` tokens."""
    keep: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of solutions that vote, the most confident; 0.1 and 0.9 as published."""
    window: Annotated[int, Field(ge=1)] = 2048
    """Tokens of a group; every run of that many tokens is one, and a shorter solution is itself
    one. As published, for traces of ten thousand tokens; choose less for shorter ones."""
    num_alternatives: Annotated[int, Field(ge=1)] = 20
    """Most likely tokens (k) whose log probabilities make a token's confidence."""
    warmup: Annotated[int, Field(ge=1)] = 16
    """First solutions, drawn whole, that set the threshold of the others; `online` only."""
    chunk_tokens: Annotated[int, Field(ge=1)] = 256
    """Tokens drawn between two looks at a solution's confidence; `online` only."""
    round_size: Annotated[int, Field(ge=1)] = 4
    """Solutions drawn between two looks at the consensus; `online` only."""
    consensus: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Share of the weight of all votes at which the leading answer ends the search; `online`
    only."""

    def check_budget(self, budget: int) -> None:
        """See StrategyConfig."""
        if self.mode == "online" and budget < self.warmup:
            raise ValueError(
                f"confidence_vote: expected N to be at least the {self.warmup} solutions of the "
                f"warm-up, got N={budget}"
            )

    @property
    def draws_pieces(self) -> bool:
        """See StrategyConfig."""
        return self.mode == "online"

    @model_validator(mode="after")
    def _can_look_early(self) -> Self:
        if self.mode == "online" and self.confidence != "lowest_group":
            raise ValueError(
                "confidence: expected lowest_group, the only one known before a solution ends, as "
                f"the mode is online, got {self.confidence}"
            )
        return self


class GenerativeSelectionConfig(StrategyConfig):
    """The policy or a judge compares N solutions and names the best (GenSelect, 2504.16891)."""

    ranks: ClassVar[bool] = False
    is_stepwise: ClassVar[bool] = False
    default_pick: ClassVar[Pick] = "chosen"
    optional_roles: ClassVar[tuple[ModelRole, ...]] = ("judge",)
    type: Literal["generative_selection"] = "generative_selection"
    group: Annotated[int, Field(ge=2)] = 8
    """Maximum number of solutions in a prompt; more meet in rounds, the winners of a round in the
    next one."""
    template: Annotated[str, Field(min_length=1)] = (
        "Here is a problem and several solutions, each with its number.\n\nProblem: {question}\n\n"
        "{solutions}\n\nCompare the solutions: find where they contradict each other, rule out "
        "those with mistakes, and choose the one that is most likely right. End with the line\n"
        "Judgment: [number]\n"
    )
    """The prompt of the judge; `{question}` and `{solutions}` are filled in, the latter with
    `Solution 0:` and its text, `Solution 1:` and so on."""
    max_judge_tokens: Annotated[int, Field(ge=1)] = 1024
    """Maximum tokens of a judgement."""
    judge_temperature: Annotated[float, Field(ge=0)] = 0.0
    """Temperature of the judge; 0 is greedy, 0.6 as published."""

    @model_validator(mode="after")
    def _names_both(self) -> Self:
        return check_places(self, self.template, "{question}", "{solutions}")


class ParticleFilteringConfig(StrategyConfig):
    """N prefixes, resampled after each step by the odds of their scores (arXiv:2502.01618)."""

    roles: ClassVar[tuple[ModelRole, ...]] = ("policy", "verifier")
    by_verifier: ClassVar[bool] = True
    default_pick: ClassVar[Pick] = "weighted"
    type: Literal["particle_filtering"] = "particle_filtering"
    weight_temperature: Annotated[float, Field(gt=0)] = 1.0
    """Temperature of the softmax over the log odds of the reduced scores."""
    resampling: Literal["multinomial", "systematic"] = "multinomial"
    """`multinomial` draws each place on its own, as published; `systematic` all with one random
    number, which varies less."""


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
    | RevisionsConfig
    | AdaptiveConsistencyConfig
    | ConfidenceVoteConfig
    | GenerativeSelectionConfig
    | ParticleFilteringConfig
    | CritiqueConfig
    | RatpConfig,
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
