"""The base of the search strategies' configs: all that a strategy can say about itself."""

from typing import Any, ClassVar, Literal, Self

from schemas.base import FrozenConfig
from schemas.rows import ModelRole
from schemas.units import derive_id

Pick = Literal["majority", "best", "weighted", "confidence", "chosen"]
"""How one answer is picked among the candidates of a search: `majority` by votes, `best` by the
value that the search ranks by, `weighted` by votes weighted with the verifier's scores,
`confidence` by votes weighted with the policy's confidence; `chosen` is the first candidate that
the strategy returns, which it chose itself."""


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
    by_verifier: ClassVar[bool] = False
    """Whether it keeps by the verifier's reduced scores alone, whatever the job's score is, so that
    the policy need not report log probabilities."""
    stops_early: ClassVar[bool] = False
    """Whether it may draw fewer than N solutions; the figure `saved_rate` says how many fewer."""

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


def check_places(config: Any, template: str, *places: str) -> Any:
    """The config, if its template has all the placeholders."""
    for place in places:
        if place not in template:
            raise ValueError(f"template: expected {place} in it, got {template!r}")
    return config


def _short(value: Any) -> str:
    """A setting as part of a name: a hash of a long text, other values as they are."""
    return f"#{derive_id(value)[:6]}" if isinstance(value, str) and len(value) > 20 else str(value)
