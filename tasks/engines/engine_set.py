"""The engines that every actor of a pool holds: a config per role."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import get_args

from schemas.engines import COMPUTING_ENGINES, EngineConfig, OpenAIConfig
from schemas.rows import ModelRole
from schemas.steps import StepEnding, StepRule

_ROLES: tuple[ModelRole, ...] = get_args(ModelRole)


class EngineSet(Mapping[ModelRole, EngineConfig]):
    """Maps roles to engine configs, in the order of `ModelRole`; hashable by content."""

    def __init__(self, *, separator: StepEnding = "\n", **engines: EngineConfig | None) -> None:
        """Collect engines by role.

        Args:
            separator: what ends a step; a verifier must have been trained with the same.
            engines: the config of each role; None for a role without an engine.

        Raises:
            ValueError: a role is unknown.
        """
        unknown = [name for name in engines if name not in _ROLES]
        if unknown:
            raise ValueError(f"expected roles among {', '.join(_ROLES)}, got {', '.join(unknown)}")
        self.separator = StepRule.of(separator)
        self._engines: dict[ModelRole, EngineConfig] = {
            role: config for role in _ROLES if (config := engines.get(role)) is not None
        }

    def __getitem__(self, role: ModelRole) -> EngineConfig:
        """The engine of a role."""
        return self._engines[role]

    def __iter__(self) -> Iterator[ModelRole]:
        """The roles that have an engine."""
        return iter(self._engines)

    def __len__(self) -> int:
        """How many roles have an engine."""
        return len(self._engines)

    def __eq__(self, other: object) -> bool:
        """Whether another set has the same engines and separator."""
        return isinstance(other, EngineSet) and self._key() == other._key()

    def __hash__(self) -> int:
        """Equal for equal sets."""
        return hash(self._key())

    def with_engine(self, role: ModelRole, config: EngineConfig) -> "EngineSet":
        """A copy with another engine for one role."""
        return EngineSet(separator=self.separator, **{**self._engines, role: config})

    def are_served(self) -> bool:
        """Whether all engines run on servers elsewhere."""
        return bool(self) and all(isinstance(config, OpenAIConfig) for config in self.values())

    def run_anywhere(self) -> bool:
        """Whether there are engines, and none of them computes with a model in its process."""
        return bool(self) and not self.compute()

    def compute(self) -> bool:
        """Whether one of the engines computes with a model in its process."""
        return any(config.type in COMPUTING_ENGINES for config in self.values())

    def shared_by(self, num_actors: int) -> "EngineSet":
        """The engines of one of `num_actors` actors, each with its share of a server's limits.

        Raises:
            ValueError: a server allows fewer concurrent requests than the number of actors times
                the number of roles it serves.
        """
        served = {r: c for r, c in self.items() if isinstance(c, OpenAIConfig)}
        num_roles = Counter(config.server.base_url for config in served.values())
        shared = {
            role: config.shared_by(num_actors, num_roles=num_roles[config.server.base_url])
            for role, config in served.items()
        }
        return EngineSet(separator=self.separator, **{**self._engines, **shared})

    def _key(self) -> tuple[object, ...]:
        return (self.separator, *self._engines.items())
