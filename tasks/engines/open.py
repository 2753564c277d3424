"""From a config to an open engine, and to the name under which rows record it."""

from collections.abc import Mapping

from schemas.engines import (
    ENGINE_WORK,
    ROLE_WORK,
    EngineConfig,
    LinesConfig,
    MarkovConfig,
    OpenAIConfig,
    PlantedConfig,
    TacticsConfig,
    VLLMConfig,
)
from schemas.errors import ModelUnusable
from schemas.rows import ModelRole
from schemas.steps import StepEnding
from schemas.units import derive_id
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
    is_verifier = ROLE_WORK[role] == "score"
    if config.type == "vllm":
        from tasks.engines.vllm_engine import open_vllm_engine

        if is_verifier and config.verifier == "implicit":
            from tasks.engines.implicit_engine import open_implicit_engine

            return await open_implicit_engine(config, role, separator=separator)
        if is_verifier and config.verifier == "generative":
            engine = await open_vllm_engine(config, "critic", separator=separator)
            vocabulary = engine.encoder.tokenizer.get_vocab()
            return await _as_verifier(engine, config, role, vocabulary=vocabulary)
        return await open_vllm_engine(config, role, separator=separator)
    if config.type == "openai":
        from tasks.engines.openai_engine import open_openai_engine

        served = await open_openai_engine(config, role)
        if not is_verifier:
            return served
        return await _as_verifier(served, config, role, can_continue=served.can_continue)
    if config.type == "index":
        from tasks.engines.index_engine import open_index_engine

        return await open_index_engine(config)
    return _open_analytic(config)


async def _as_verifier(
    writer: Engine,
    config: VLLMConfig | OpenAIConfig,
    role: ModelRole,
    *,
    can_continue: bool = True,
    vocabulary: Mapping[str, int] | None = None,
) -> Engine:
    """A generative verifier whose critiques an open engine writes; closed if it cannot be one."""
    from tasks.engines.generative_engine import GenerativeEngine

    try:
        model_id = identify_engine(config, role)
        return GenerativeEngine(
            writer,
            config.generative,
            config,
            model_id,
            can_continue=can_continue,
            vocabulary=vocabulary,
        )
    except BaseException:
        await writer.close()
        raise


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


def identify_engine(config: EngineConfig, role: ModelRole = "policy") -> str:
    """The name of this engine in rows (`policy`, `verifier` and the like), without opening it.

    A verifier whose scores depend on more than its weights is named by that too:
    `<model>--generative-<eight hex digits>`.

    Raises:
        ModelUnusable: the model does not exist.
    """
    is_verifier = ROLE_WORK[role] == "score"
    if config.type == "vllm":
        from tasks.models.adapters import identify_served
        from tasks.models.folders import identify_model

        model_id = identify_served(config)
        if is_verifier and config.verifier == "generative":
            return f"{model_id}--generative-{config.generative.config_hash()[:8]}"
        if is_verifier and config.implicit is not None:
            reference = identify_model(config.implicit.reference, config.implicit.revision)
            return f"{model_id}--implicit-{derive_id(reference, config.implicit.beta)[:8]}"
        return model_id
    if config.type == "openai":
        from tasks.engines.openai_engine import served_model_id

        model_id = served_model_id(config)
        if is_verifier:
            return f"{model_id}--generative-{config.generative.config_hash()[:8]}"
        return model_id
    if config.type == "index":
        from tasks.retrieval.index import identify_index

        return identify_index(config.path)
    return _open_analytic(config).model_id


def _open_analytic(config: PlantedConfig | MarkovConfig | TacticsConfig | LinesConfig) -> Engine:
    if isinstance(config, PlantedConfig):
        from tasks.engines.planted_engine import PlantedEngine

        return PlantedEngine(config)
    if isinstance(config, TacticsConfig):
        from tasks.engines.tactics_engine import TacticsEngine

        return TacticsEngine(config)
    if isinstance(config, LinesConfig):
        from tasks.engines.lines_engine import LinesEngine

        return LinesEngine(config)
    from tasks.engines.markov_engine import MarkovEngine

    return MarkovEngine(config)
