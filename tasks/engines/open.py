"""From a config to an open engine, and to the name under which rows record it."""

from schemas.engines import (
    ENGINE_WORK,
    ROLE_WORK,
    EngineConfig,
    MarkovConfig,
    PlantedConfig,
)
from schemas.errors import ModelUnusable
from schemas.rows import ModelRole
from schemas.steps import StepEnding
from tasks.engines.base import Engine


async def open_engine(config: EngineConfig, role: ModelRole, *, separator: StepEnding) -> Engine:
    """Start the engine that a config describes, for one role.

    Args:
        config: which engine, and its settings.
        role: what the model does; `ROLE_WORK` says what an engine must be able to do for it.
        separator: what ends a step.

    Raises:
        ModelUnusable: engines of this type cannot do what the role needs, the model does not fit
            the role, or its server does not serve it.
        EngineFailed: the model's server cannot be reached.
    """
    check_role(config, role)
    if config.type == "vllm":
        from tasks.engines.vllm_engine import open_vllm_engine

        return await open_vllm_engine(config, role, separator=separator)
    if config.type == "openai":
        from tasks.engines.openai_engine import open_openai_engine

        return await open_openai_engine(config, role)
    return _open_analytic(config)


def check_role(config: EngineConfig, role: ModelRole) -> None:
    """Refuse an engine for a role that engines of its type cannot fill.

    Raises:
        ModelUnusable: says which types can.
    """
    work = ROLE_WORK[role]
    if work not in ENGINE_WORK[config.type]:
        able = [name for name, works in ENGINE_WORK.items() if work in works]
        raise ModelUnusable(
            f"{role} {getattr(config, 'model', config.type)}: expected an engine that can {work} "
            f"({' or '.join(able) or 'no type of engine can'}), "
            f"got type {config.type}"
        )


def identify_engine(config: EngineConfig) -> str:
    """The name of this engine in rows (`policy`, `verifier` and the like), without opening it.

    Raises:
        ModelUnusable: the model does not exist.
    """
    if config.type == "vllm":
        from tasks.models.adapters import identify_served

        return identify_served(config)
    if config.type == "openai":
        from tasks.engines.openai_engine import served_model_id

        return served_model_id(config)
    return _open_analytic(config).model_id


def _open_analytic(config: PlantedConfig | MarkovConfig) -> Engine:
    if isinstance(config, PlantedConfig):
        from tasks.engines.planted_engine import PlantedEngine

        return PlantedEngine(config)
    from tasks.engines.markov_engine import MarkovEngine

    return MarkovEngine(config)
