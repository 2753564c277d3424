"""From a config to an open engine, and to the name that rows remember it by."""

from schemas.engines import EngineConfig, MarkovConfig, PlantedConfig
from schemas.rows import ModelRole
from tasks.engines.base import Engine


async def open_engine(config: EngineConfig, role: ModelRole, *, separator: str) -> Engine:
    """Start the engine that a config describes, for one role.

    Args:
        config: which engine, and its settings.
        role: a policy and a critic generate, a verifier scores.
        separator: what ends a step.

    Raises:
        ModelUnusable: the model does not fit the role, or its server does not serve it.
        EngineFailed: the model's server cannot be reached.
    """
    if config.type == "vllm":
        from tasks.engines.vllm_engine import open_vllm_engine

        return await open_vllm_engine(config, role, separator=separator)
    if config.type == "openai":
        from tasks.engines.openai_engine import open_openai_engine

        return await open_openai_engine(config, role)
    return _open_analytic(config)


def identify_engine(config: EngineConfig) -> str:
    """What the `policy` and `verifier` columns say of this engine, without opening it.

    Raises:
        ModelUnusable: there is no such model.
    """
    if config.type == "vllm":
        from tasks.models.folders import identify_model

        return identify_model(config.model, config.revision)
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
