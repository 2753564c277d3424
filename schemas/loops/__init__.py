"""Loops of self-improvement: a policy's own solutions become its next training set, round by round.

Each loop has a config, whose class variables say what the loop is. To add a loop, add a config to a
module of this package, a flow in `flows/loops/` and its deployment in `prefect.yaml`.

The defaults run in minutes on the built-in world. A control is the same loop without one part,
which separates the gain of that part from the effect of more training of any kind.
"""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from schemas.loops.loop import LoopConfig, RoundsConfig
from schemas.loops.rise import RiseLoopConfig
from schemas.loops.solving import (
    CurriculumArm,
    DpoRoundsConfig,
    RestEmLoopConfig,
    RestLoopConfig,
    ReverseCurriculumLoopConfig,
    VStarLoopConfig,
)

__all__ = [
    "CurriculumArm",
    "DpoRoundsConfig",
    "LoopConfig",
    "RestEmLoopConfig",
    "RestLoopConfig",
    "ReverseCurriculumLoopConfig",
    "RiseLoopConfig",
    "RoundsConfig",
    "VStarLoopConfig",
    "loop_configs",
]


_FIRST = f"{__name__}.solving"


def loop_configs() -> dict[str, type[LoopConfig]]:
    """The config of every loop, by its name: those of `solving` first, then by module."""
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
    found = sorted(_named(LoopConfig), key=lambda c: (c.__module__ != _FIRST, c.__module__))
    return {config.name: config for config in found}


def _named(base: type[LoopConfig]) -> Iterator[type[LoopConfig]]:
    for config in base.__subclasses__():
        if "name" in vars(config):
            yield config
        yield from _named(config)
