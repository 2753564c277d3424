"""The base of the search strategies' configs: all that a strategy can say about itself."""

import re
from typing import Any, ClassVar, Literal, Self

from schemas.base import FrozenConfig
from schemas.rows import ModelRole
from schemas.units import derive_id

Pick = Literal["majority", "best", "weighted", "confidence", "chosen", "refined"]
"""How one answer is picked among the candidates of a search: `majority` by votes, `best` by the
value that the search ranks by, `weighted` by votes weighted with the verifier's scores,
`confidence` by votes weighted with the policy's confidence; `chosen` is the first candidate that
the strategy returns, which it chose itself; `refined` by votes of the attempts that stand after
each round of critique."""


_ONE_LINE = re.compile(r".{0,20}")


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
    in_ratios: ClassVar[bool] = False
    """Whether `stepmill search --ratios` runs it if no strategy is named; it has chains."""
    against_plain: ClassVar[bool] = False
    """Whether it is compared with a plain vote at equal tokens, from the largest majority search of
    the run, and its first attempts with its later ones (`critique_figures.py`)."""
    by_verifier: ClassVar[bool] = False
    """Whether it keeps by the verifier's reduced scores alone, whatever the job's score is, so that
    the policy need not report log probabilities."""
    stops_early: ClassVar[bool] = False
    """Whether it may draw fewer than N solutions; the figure `saved_rate` says how many fewer."""

    needs_documents: ClassVar[bool] = False
    """Whether it retrieves documents by itself, so that the job needs them."""

    type: str

    @property
    def draws_pieces(self) -> bool:
        """Whether it draws a solution in pieces of so many tokens, wherever they end."""
        return False

    @property
    def needs_verifier(self) -> bool:
        """Whether it cannot run without a verifier."""
        return "verifier" in self.roles

    @classmethod
    def grid(cls, budget: int) -> list[Self]:
        """The settings to compare with one another at a budget; unless overridden, the defaults."""
        return [cls.model_validate({})]

    def num_solutions(self, budget: int) -> int:
        """Solutions that it draws at most."""
        return budget

    @property
    def judgement_tokens(self) -> int:
        """Maximum tokens of what it has written about each candidate; 0 for nothing."""
        return getattr(self, "max_judge_tokens", 0)

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


def check_places(config: Any, template: str, *places: str) -> Any:
    """The config, if its template has all the placeholders."""
    for place in places:
        if place not in template:
            raise ValueError(f"template: expected {place} in it, got {template!r}")
    return config


def _short(value: Any) -> str:
    """A setting as part of a name: a hash of a text that is long or has several lines.

    A config is its type, with a hash if it is not the default of that type.
    """
    if isinstance(value, FrozenConfig):
        name, default = getattr(value, "type", type(value).__name__), type(value)()
        return name if value == default else f"{name}#{value.config_hash()[:6]}"
    is_short = not isinstance(value, str) or _ONE_LINE.fullmatch(value)
    return str(value) if is_short else f"#{derive_id(value)[:6]}"
