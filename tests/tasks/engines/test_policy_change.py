"""Changing the policy's checkpoint in running engines: when it is possible, and what they serve."""

import asyncio
import json
import os
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from schemas.engines import MarkovConfig, VLLMConfig
from schemas.errors import EngineFailed, ModelUnusable
from schemas.graders import ExactGraderConfig
from schemas.pool import PoolConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS, TRAJECTORIES
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.units import Unit
from tasks.engines.engine_set import EngineSet
from tasks.engines.policy_change import is_exchangeable
from tasks.engines.pool import open_pool
from tasks.engines.probe import (
    PROBE_FILE,
    Probe,
    check_logprobs,
    read_probe,
    take_probe,
    tolerance_nats,
)
from tasks.models.checkpoints import save_checkpoint
from tasks.models.folders import identify_model, load_tokenizer, resolve_model
from tasks.problems.load import load_problems
from tasks.sampling.sample import sample_problems
from tasks.training.models import load_weights

SHIPPED = VLLMConfig(model="world-policy", max_model_len=128)
TEXT = "Monday: Dan has 20 shells. Tuesday: Dan finds 3 shells. How many shells now?\n"
CONFIG = PoolConfig(num_actors=1)
HERE = PoolConfig(num_actors=0)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Two neighbours of the shipped policy with their probes, by name."""
    import torch

    shipped = resolve_model("world-policy")
    tokenizer = load_tokenizer(shipped)
    folders = {}
    for seed, name in enumerate(["first", "second"]):
        model = load_weights(shipped)
        torch.manual_seed(seed)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * parameter.std() * 0.1)
        probe = take_probe(model, tokenizer(TEXT)["input_ids"])
        _, folders[name] = save_checkpoint(
            model,
            tokenizer,
            model_name=name,
            texts={PROBE_FILE: probe.to_json()},
            checkpoints_dir=tmp_path_factory.mktemp("checkpoints"),
        )
    return folders


@pytest.fixture
def copy_of(checkpoints, tmp_path):
    """A copy of the first checkpoint, to be spoiled."""
    return shutil.copytree(checkpoints["first"], tmp_path / "copy")


def policy_of(folder, **fields):
    return SHIPPED.with_fields(model=str(folder), **fields)


def test_a_probe_is_what_the_model_gives_and_no_part_of_its_name(checkpoints, copy_of):
    import torch

    probe = read_probe(copy_of)
    assert probe is not None
    model = load_weights(copy_of)
    with torch.no_grad():
        logprobs = model(torch.tensor([probe.token_ids])).logits[0].log_softmax(-1)
    expected = [logprobs[i, token].item() for i, token in enumerate(probe.token_ids[1:])]
    assert probe.logprobs == pytest.approx(expected, abs=1e-5)
    assert probe.token_ids[0] == load_tokenizer(copy_of).bos_token_id

    with_probe = identify_model(str(copy_of))
    (copy_of / PROBE_FILE).unlink()
    assert identify_model(str(copy_of)) == with_probe
    assert read_probe(copy_of) is None


def test_a_probe_takes_the_beginning_of_a_long_text(copy_of):
    model = load_weights(copy_of).train()
    probe = take_probe(model, [5] * 200)
    assert (len(probe.token_ids), len(probe.logprobs)) == (64, 63)
    assert model.training


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"token_ids": [1, 2]}',
        '{"token_ids": [1], "logprobs": []}',
        '{"token_ids": [1, 2, 3], "logprobs": [-1.0]}',
        '{"token_ids": [1, 2], "logprobs": ["much"]}',
    ],
)
def test_a_file_that_is_no_probe_is_named(text, tmp_path):
    (tmp_path / PROBE_FILE).write_text(text)
    with pytest.raises(ModelUnusable, match=r"probe\.json: expected"):
        read_probe(tmp_path)


def test_an_engine_may_be_off_by_the_tolerance_and_no_more():
    check_logprobs("e", [-1.0, -2.0], [-1.0, -2.2], tolerance=0.11)
    with pytest.raises(EngineFailed, match=r"to 0\.09 nats a token, got 0\.1 off"):
        check_logprobs("e", [-1.0, -2.0], [-1.0, -2.2], tolerance=0.09)
    with pytest.raises(EngineFailed, match="got nan off"):
        check_logprobs("e", [-1.0], [float("nan")], tolerance=1.0)


def test_the_tolerance_goes_by_what_the_engine_computes_in(checkpoints):
    assert tolerance_nats(SHIPPED, checkpoints["first"]) == 1e-3
    assert tolerance_nats(SHIPPED.with_fields(dtype="bfloat16"), checkpoints["first"]) == 0.2


def test_weights_of_one_shape_can_be_exchanged(checkpoints):
    first, second = (policy_of(folder) for folder in checkpoints.values())
    assert is_exchangeable(SHIPPED, first)
    assert is_exchangeable(first, second)


@pytest.mark.parametrize("fields", [{"max_num_seqs": 8}, {"dtype": "bfloat16"}, {"seed": 1}])
def test_an_engine_run_in_another_way_cannot_be_exchanged(checkpoints, fields):
    assert not is_exchangeable(SHIPPED, policy_of(checkpoints["first"], **fields))


def test_engines_of_another_kind_cannot_be_exchanged(checkpoints):
    first = policy_of(checkpoints["first"])
    assert not is_exchangeable(None, first)
    assert not is_exchangeable(MarkovConfig(), first)
    assert not is_exchangeable(first, MarkovConfig())
    assert not is_exchangeable(first, SHIPPED)  # it carries no probe
    with pytest.raises(ModelUnusable, match="which does not exist"):
        is_exchangeable(first, policy_of("/nowhere/at/all"))


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("config.json", "rms_norm_eps", 1e-5),
        ("config.json", "rope_parameters", {"rope_theta": 500.0, "rope_type": "default"}),
        ("config.json", "model_type", "unheard of"),
        ("generation_config.json", "eos_token_id", [2, 3]),
        ("tokenizer_config.json", "eos_token", "<pad>"),
        ("tokenizer_config.json", "model_max_length", 77),
    ],
)
def test_other_settings_or_another_tokenizer_cannot_be_exchanged(copy_of, name, key, value):
    assert is_exchangeable(SHIPPED, policy_of(copy_of))
    settings = json.loads((copy_of / name).read_text())
    assert settings.get(key) != value
    (copy_of / name).write_text(json.dumps({**settings, key: value}))
    assert not is_exchangeable(SHIPPED, policy_of(copy_of))


@pytest.mark.parametrize("config", [CONFIG, HERE])
def test_a_pool_is_found_by_the_policy_it_was_given_last(store, checkpoints, config):
    """None of these pools starts, so only a name changes."""
    first, second = (policy_of(folder) for folder in checkpoints.values())

    def pool_of(policy):
        return open_pool(store.url, EngineSet(policy=policy), config)

    with pool_of(SHIPPED) as pool:
        assert pool.change_policy(SHIPPED)
        assert pool.change_policy(first)
        with pool_of(first) as found:
            assert found is pool
            assert pool.change_policy(second)
        with pool_of(second) as same, pool_of(first) as other:
            assert same is pool
            assert other is not pool
            assert not pool.change_policy(first)  # another pool has it
            assert not other.change_policy(second)
        assert pool.change_policy(first)
    with pool_of(first) as later:
        assert later is not pool


@pytest.fixture
def solve(store):
    """Have a pool solve the same problems: what it calls its policy, and the texts."""
    problems = Unit(run_id="run", stage="problems", name="eval", table=PROBLEMS.name)
    store.commit(problems, load_problems(WorldProblemsConfig(num_problems=24))[0])
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=SHIPPED,
        grader=ExactGraderConfig(),
        sampling=SamplingConfig(num_samples=1, max_tokens=60, temperature=0.0),
    )

    def run(pool, name):
        unit = Unit(
            run_id="run",
            stage="sampling",
            name=name,
            table=TRAJECTORIES.name,
            inputs=(problems.path,),
        )
        pool.run(unit, sample_problems, job)
        rows = store.read(unit.path)
        (policy,) = {row.policy for row in rows}
        return policy, [row.text for row in rows]

    return run


@pytest.fixture
def odd(checkpoints, tmp_path):
    """The probe of one checkpoint, the weights of another: an engine with them is refused."""
    folder = shutil.copytree(checkpoints["second"], tmp_path / "odd")
    told, right = read_probe(checkpoints["first"]), read_probe(folder)
    assert told is not None
    assert right is not None
    (folder / PROBE_FILE).write_text(Probe(right.token_ids, told.logprobs).to_json())
    return folder


@pytest.mark.ray
@pytest.mark.slow
def test_an_actor_serves_the_policy_it_is_given(store, local_ray, checkpoints, solve, odd):
    with open_pool(store.url, EngineSet(policy=SHIPPED), CONFIG) as pool:
        before = solve(pool, "shipped")
        (actor,) = pool.process_ids()

        assert pool.change_policy(policy_of(checkpoints["first"]))
        changed = solve(pool, "changed")
        assert pool.process_ids() == [actor]
        assert changed[0] == identify_model(str(checkpoints["first"])) != before[0]
        assert changed[1] != before[1]

        os.kill(actor, signal.SIGKILL)
        assert solve(pool, "replaced") == changed
        (fresh,) = pool.process_ids()
        assert fresh != actor

        assert pool.change_policy(policy_of(odd))
        other = solve(pool, "odd")
        assert other[0] == identify_model(str(odd))
        assert other[1] not in (before[1], changed[1])
        (another,) = pool.process_ids()
        assert another != fresh

        # Back and forth: the fresh actor's engine takes other weights too.
        assert pool.change_policy(policy_of(checkpoints["first"]))
        assert solve(pool, "back") == changed
        assert pool.process_ids() == [another]


def test_an_engine_of_this_process_serves_the_policy_it_is_given(store, checkpoints, solve, odd):
    with open_pool(store.url, EngineSet(policy=SHIPPED), HERE) as pool:
        before = solve(pool, "shipped")
        assert pool.process_ids() == [os.getpid()]
        assert pool.change_policy(policy_of(checkpoints["first"]))
        changed = solve(pool, "changed")
        assert changed[0] == identify_model(str(checkpoints["first"])) != before[0]
        assert changed[1] != before[1]
        assert pool.change_policy(policy_of(odd))  # refused, and opened anew
        other = solve(pool, "odd")
        assert other[0] == identify_model(str(odd))
        assert other[1] not in (before[1], changed[1])
        assert pool.change_policy(policy_of(checkpoints["first"]))
        assert solve(pool, "back") == changed
        begun, go_on = threading.Event(), threading.Event()

        async def linger(unit, config, context) -> list[object]:
            begun.set()
            await asyncio.to_thread(go_on.wait)
            return []

        unit = Unit(run_id="run", stage="sampling", name="lingers", table=TRAJECTORIES.name)
        with ThreadPoolExecutor(1) as thread:
            lingering = thread.submit(pool.run, unit, linger, None)
            assert begun.wait(60)
            with pytest.raises(ValueError, match="expected no units while the policy changes"):
                pool.change_policy(policy_of(checkpoints["second"]))
            go_on.set()
            assert lingering.result().num_rows == 0
        with open_pool(store.url, EngineSet(policy=SHIPPED), HERE) as second:
            assert solve(second, "beside") == before
            assert solve(pool, "again") == changed
        assert pool.counters().rows == 24 * 5
