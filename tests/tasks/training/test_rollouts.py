"""New weights in a running engine, and the check that notices old ones."""

import asyncio
from pathlib import Path

import pytest

from schemas.engines import GenerationRequest, VLLMConfig
from schemas.errors import EngineFailed, ModelUnusable
from tasks.engines.probe import tolerance_nats
from tasks.engines.vllm_engine import VLLMEngine, open_vllm_engine
from tasks.models.folders import has_tied_embeddings
from tasks.steps.segmentation import split_steps
from tasks.training.models import load_weights, write_weights
from tasks.training.rollouts import Rollouts
from tasks.training.served import check_served
from tasks.training.start_states import stop_strings
from tasks.verifiers.layout import Encoder, lay_out

PROBE = GenerationRequest(
    prompt="Monday: Dan has 20 shells.\n", temperature=0.0, max_tokens=12, with_logprobs=True
)
TOLERANCE = 1e-3


@pytest.fixture(scope="module", params=[False, True], ids=["untied", "tied"])
def two_models(request, tmp_path_factory) -> tuple[Path, Path]:
    """Two random policies of one shape."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tasks.world.tokenizer import build_tokenizer

    tokenizer = build_tokenizer()
    folders = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=128,
            initializer_range=0.2,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
            tie_word_embeddings=request.param,
        )
        folder = tmp_path_factory.mktemp("model") / f"seed-{seed}"
        LlamaForCausalLM(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        folders.append(folder)
    assert has_tied_embeddings(folders[0]) is request.param
    return folders[0], folders[1]


def test_start_states_within_solutions_cannot_have_a_maximum_of_steps(make_job, tmp_path):
    job = make_job(tmp_path, type="grpo", batch_size=8)
    job = job.with_fields(prompt=job.prompt.with_fields(steps={"max_steps": 4}))
    states = [{"prompt": "1 + 1?", "prefix": ""}, {"prompt": "1 + 1?", "prefix": "1 + 1\n"}]
    with pytest.raises(ValueError, match="got 4 and the prefix of state 1"):
        Rollouts(job, states, None, None, work_dir=tmp_path, rank=0, num_processes=1)


def test_rewards_of_critiques_and_of_solutions_need_sets_of_their_own(make_job, tmp_path):
    state = {"prompt": "1 + 1?", "prefix": ""}
    request = {**state, "question": "1 + 1?", "attempt": ["2"]}
    reward = {"type": "refinement", "actor": {"type": "planted"}}
    pays_critiques = make_job(tmp_path, type="grpo", batch_size=8, reward=reward)
    for job, given, words in (
        (make_job(tmp_path, type="grpo", batch_size=8), request, "grade rewards solutions"),
        (pays_critiques, state, "refinement rewards critiques"),
    ):
        with pytest.raises(ValueError, match=f"{words}, but the set asks for"):
            Rollouts(job, [given], None, None, work_dir=tmp_path, rank=0, num_processes=1)


@pytest.mark.slow
def test_an_engine_serves_the_weights_it_was_given_last(two_models):
    from tasks.models.folders import load_tokenizer

    first, second = two_models
    models = [load_weights(folder) for folder in two_models]
    prompt_ids = load_tokenizer(first)(PROBE.prompt)["input_ids"]

    async def check(engine: VLLMEngine, model):
        await check_served(engine, model, PROBE, prompt_ids, tolerance=TOLERANCE)

    async def go():
        config = VLLMConfig(model=str(first), max_model_len=128)
        engine = await open_vllm_engine(config, "policy", separator="\n")
        try:
            await check(engine, models[0])
            # The prefix cache holds the probe; none of it may be reused.
            with pytest.raises(EngineFailed, match="does not serve them"):
                await check(engine, models[1])
            await engine.update_weights(second)
            await check(engine, models[1])
            with pytest.raises(EngineFailed, match=r"got .* off"):
                await check(engine, models[0])
            await engine.update_weights(first)
            await check(engine, models[0])
            with pytest.raises(ModelUnusable, match="expected a folder"):
                await engine.update_weights(first / "nothing")
        finally:
            await engine.close()

    asyncio.run(go())


@pytest.mark.slow
@pytest.mark.parametrize("two_models", [False], ids=["untied"], indirect=True)
def test_an_engine_in_a_process_of_its_own_serves_new_weights(two_models):
    from tasks.models.folders import load_tokenizer

    first, second = two_models
    old, new = (load_weights(folder) for folder in two_models)
    prompt_ids = load_tokenizer(first)(PROBE.prompt)["input_ids"]

    async def go():
        config = VLLMConfig(model=str(first), max_model_len=128, process="own")
        engine = await open_vllm_engine(config, "policy", separator="\n")
        try:
            await check_served(engine, old, PROBE, prompt_ids, tolerance=TOLERANCE)
            await engine.update_weights(second)
            await check_served(engine, new, PROBE, prompt_ids, tolerance=TOLERANCE)
            with pytest.raises(EngineFailed, match="does not serve them"):
                await check_served(engine, old, PROBE, prompt_ids, tolerance=TOLERANCE)
        finally:
            await engine.close()

    asyncio.run(go())


@pytest.fixture
def verifier(tmp_path) -> Path:
    """A verifier of the shipped policy's shape with random weights."""
    import torch
    from transformers import AutoConfig, LlamaForTokenClassification

    from tasks.models.folders import load_tokenizer, resolve_model

    base, folder = resolve_model("world-policy"), tmp_path / "verifier"
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(base, num_labels=2, initializer_range=0.2)
    LlamaForTokenClassification(config).save_pretrained(folder)
    load_tokenizer(base).save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_solution_earns_the_lowest_score_of_a_verifier(
    make_set, make_job, start_states, verifier, tmp_path
):
    import torch
    from transformers import AutoModelForTokenClassification

    from tasks.models.folders import load_tokenizer, resolve_model

    tokenizer = load_tokenizer(resolve_model("world-policy"))
    reads = AutoModelForTokenClassification.from_pretrained(verifier).eval()
    engine = {"type": "vllm", "model": str(verifier), "max_model_len": 128}
    recipe = {"batch_size": 16, "group_size": 8, "max_new_tokens": 24}
    job = make_job(
        make_set(start_states), "grpo", reward={"type": "verifier", "verifier": engine}, **recipe
    )
    model = load_weights(resolve_model("world-policy"))
    rollouts = Rollouts(
        job, start_states, model, tokenizer, work_dir=tmp_path, rank=0, num_processes=1
    )
    try:
        drawn = rollouts(["0"] * 8 + ["1"] * 8, 0)
    finally:
        rollouts.close()
    encode = Encoder(tokenizer)
    places = [0] * 8 + [1] * 8
    paid = set()
    for place, ids, reward in zip(places, drawn["completion_ids"], drawn["reward"], strict=True):
        if ids[-1] != tokenizer.eos_token_id:  # cut off
            assert reward == 0.0
            continue
        state = start_states[place]
        text = state["prefix"] + tokenizer.decode(ids, skip_special_tokens=True)
        layout = lay_out(encode, state["prompt"], split_steps(text, "\n"), "\n")
        with torch.no_grad():
            scores = reads(torch.tensor([layout.token_ids])).logits[0, layout.positions].softmax(-1)
        assert reward == pytest.approx(scores[:, 1].min().item(), abs=1e-4)
        paid.add(reward)
    assert len(paid) > 1


@pytest.mark.slow
def test_a_stop_string_ends_a_solution_and_is_trained_on(
    make_set, make_job, start_states, tmp_path
):
    from tasks.models.folders import load_tokenizer, resolve_model

    tokenizer = load_tokenizer(resolve_model("world-policy"))
    recipe = {"batch_size": 8, "group_size": 8, "max_new_tokens": 64, "stop": ("\nAnswer:",)}
    job = make_job(make_set(start_states), "grpo", **recipe)
    assert stop_strings(job) == ("\nAnswer:",)
    model = load_weights(resolve_model("world-policy"))
    rollouts = Rollouts(
        job, start_states, model, tokenizer, work_dir=tmp_path, rank=0, num_processes=1
    )
    try:
        drawn = rollouts(["0"] * 8, 0)
    finally:
        rollouts.close()
    texts = [tokenizer.decode(ids) for ids in drawn["completion_ids"]]
    stopped = [text for text in texts if "\nAnswer:" in text]
    assert stopped
    assert all(text.rstrip().endswith("Answer:") for text in stopped)
    assert set(drawn["reward"]) == {0.0}  # what stands before it has no answer


def test_low_rank_additions_are_written_out_without_touching_the_model(two_models, tmp_path):
    import peft
    import torch

    model = load_weights(two_models[0])
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=2, target_modules="all-linear"))
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.2)
    ids = torch.tensor([[1, 5, 9, 12]])
    with torch.no_grad():
        before = adapted(input_ids=ids).logits
        write_weights(adapted, tmp_path / "served")
        assert torch.equal(adapted(input_ids=ids).logits, before)
        written = load_weights(tmp_path / "served")(input_ids=ids).logits
    assert torch.allclose(written, before, atol=1e-4)
    assert not torch.allclose(load_weights(two_models[0])(input_ids=ids).logits, before, atol=0.1)


def test_half_precision_may_be_off_by_more(two_models):
    assert tolerance_nats(VLLMConfig(model="m"), two_models[0]) == TOLERANCE
    assert tolerance_nats(VLLMConfig(model="m", dtype="bfloat16"), two_models[0]) > TOLERANCE
