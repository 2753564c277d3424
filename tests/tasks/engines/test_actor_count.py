"""How many actors start: by cores, and by memory."""

import json

import pytest

from schemas.engines import SHIPPED_POLICY, MarkovConfig, OpenAIConfig, ServerConfig, VLLMConfig
from tasks.engines.actor_count import (
    ENGINE_PROCESS_BYTES,
    PLAIN_PROCESS_BYTES,
    ActorMemory,
    NodeRoom,
    actor_memory,
    asked_count,
    usual_count,
)
from tasks.engines.engine_set import EngineSet
from tasks.models.folders import resolve_model

GB = 10**9
ACTOR = ActorMemory(process=1_000_000_000, weights=400_000_000, cache=1_000_000_000)
"""2.4 GB."""


@pytest.mark.parametrize(
    ("num_cpus", "free", "number", "is_short"),
    [
        (2, 24 * GB, 2, False),
        (16, 64 * GB, 8, False),  # never more than eight
        (16, 19_199_999_999, 7, True),  # eight take 19.2 GB
        (16, 19_200_000_000, 8, False),
        (8, 5 * GB, 2, True),
        (8, 2 * GB, 1, True),  # one is always tried
        (1, 2_400_000_000, 1, False),
        (1, 0, 1, True),
        (0.5, 24 * GB, 1, False),
        (4, None, 4, False),  # memory that is not known limits nothing
    ],
)
def test_one_actor_per_core_as_far_as_memory_allows(num_cpus, free, number, is_short):
    count = usual_count([NodeRoom(num_cpus, free)], ACTOR)
    assert (count.number, count.is_short) == (number, is_short)


def test_each_node_holds_whole_actors():
    """4 GB and 4 GB hold one each, though 8 GB together would hold three."""
    assert usual_count([NodeRoom(8, 4 * GB), NodeRoom(8, 4 * GB)], ACTOR).number == 2
    assert usual_count([NodeRoom(1, 24 * GB), NodeRoom(1, 3 * GB)], ACTOR).number == 2
    # A head without cores holds no actors.
    assert usual_count([NodeRoom(0, 500 * GB), NodeRoom(8, 5 * GB)], ACTOR).number == 2
    assert usual_count([NodeRoom(8, 5 * GB), NodeRoom(8, None)], ACTOR).number == 8


def test_a_number_that_is_asked_for_is_kept_and_doubted():
    short = asked_count(4, [NodeRoom(2, 5 * GB)], ACTOR)
    assert (short.number, short.is_short) == (4, True)
    assert short.reason == (
        "4 actors, by pool.num_actors, though memory may suffice for 2 only: 2 cores, free memory "
        "5.0 GB, an actor takes about 2.4 GB (weights 0.4, key-value cache 1.0, process 1.0)"
    )
    fits = asked_count(2, [NodeRoom(2, 5 * GB)], ACTOR)
    assert (fits.number, fits.is_short) == (2, False)


def test_the_reason_says_what_decided():
    assert usual_count([NodeRoom(8, 5 * GB)], ACTOR).reason.startswith(
        "2 actors, as many as memory allows: 8 cores, free memory 5.0 GB, "
    )
    assert usual_count([NodeRoom(8, GB)], ACTOR).reason.startswith(
        "1 actor, though memory may not suffice: 8 cores, free memory 1.0 GB, "
    )
    two = usual_count([NodeRoom(1, 24 * GB), NodeRoom(1, None)], ACTOR)
    assert two.reason.startswith(
        "2 actors, one per core, at most 8: 2 cores, free memory 24.0 GB + unknown, "
    )


def test_an_actor_takes_the_weights_and_caches_of_all_its_engines():
    policy = VLLMConfig(model=SHIPPED_POLICY)
    size = (resolve_model(SHIPPED_POLICY) / "model.safetensors").stat().st_size
    assert actor_memory(EngineSet(policy=policy)) == ActorMemory(
        process=ENGINE_PROCESS_BYTES, weights=size, cache=1 << 30
    )
    half = policy.with_fields(dtype="bfloat16", cpu_kv_cache_gb=3)
    assert actor_memory(EngineSet(policy=half)) == ActorMemory(
        process=ENGINE_PROCESS_BYTES, weights=size // 2, cache=3 << 30
    )
    both = actor_memory(EngineSet(policy=policy, verifier=half))
    assert both == ActorMemory(
        process=ENGINE_PROCESS_BYTES, weights=size + size // 2, cache=4 << 30
    )
    own = actor_memory(EngineSet(policy=policy.with_fields(process="own")))
    assert own.process == 2 * ENGINE_PROCESS_BYTES


def test_engines_without_weights_take_a_plain_process():
    served = OpenAIConfig(model="m", server=ServerConfig(base_url="http://localhost:1/v1"))
    plain = ActorMemory(process=PLAIN_PROCESS_BYTES)
    assert actor_memory(EngineSet(policy=MarkovConfig())) == plain
    assert actor_memory(EngineSet(policy=served)) == plain


def test_a_model_that_cannot_be_read_counts_without_weights(tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.safetensors").write_bytes(b"none")
    for text in ("{", json.dumps({}), "[]"):
        (broken / "config.json").write_text(text)
        actor = actor_memory(EngineSet(policy=VLLMConfig(model=str(broken))))
        assert (actor.weights, actor.cache) == (0, 1 << 30)
    assert actor_memory(EngineSet(policy=VLLMConfig(model=str(tmp_path / "no")))).weights == 0
