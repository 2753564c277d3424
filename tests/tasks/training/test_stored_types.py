"""Policies and verifiers made from a base with bfloat16 weights and tied embeddings."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from schemas.engines import GenerationRequest, ScoringRequest, VLLMConfig
from schemas.errors import ModelUnusable
from schemas.policy_training import PolicyTrainingJob
from schemas.prm_training import PrmTrainingJob
from tasks.engines.vllm_engine import open_vllm_engine
from tasks.models.files import stored_dtype
from tasks.models.folders import check_model_folder, load_tokenizer
from tasks.training.models import load_base, load_weights

METHODS = ["sft", "dpo", "prm"]
LORA = {"optimizer": "adamw", "hidden_lr": 1e-2, "lora": {"rank": 4}}
MIXED = {"precision": "bfloat16", "gradient_checkpointing": True}
EMBEDDINGS = "model.embed_tokens.weight"


@pytest.fixture(scope="session")
def half_base(toy_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random causal language model in bfloat16 whose embeddings are tied."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("models") / "half"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(toy_tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=128,
        initializer_range=0.1,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).bfloat16().save_pretrained(folder)
    toy_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def job_on(make_set, right_rows, pairs, toy_rows) -> Callable[..., tuple[Any, Path]]:
    """A job of a method on a base, and the set it trains on."""
    sets = {"sft": right_rows, "dpo": pairs, "prm": toy_rows(12)}

    def make(base: Path, method: str, **fields: Any) -> tuple[Any, Path]:
        folder = make_set(sets[method], method)
        steps = {"batch_size": 4, "max_steps": 3, "warmup_steps": 0, "num_workers": 0}
        recipe = {**steps, **fields}
        model = {"type": "vllm", "model": str(base), "max_model_len": 128}
        if method == "prm":
            verifier = {"base_model": str(base), "model_name": "half", "eval_fraction": 0.3}
            recipe = {**verifier, **recipe}
            return PrmTrainingJob.from_partial({"policy": model, "training": recipe}), folder
        fields = {"policy": model, "training_set": str(folder), "grader": {"type": "exact"}}
        return PolicyTrainingJob.from_partial(
            {**fields, "method": {"type": method, **recipe}}
        ), folder

    return make


def stored(folder: str | Path) -> dict[str, torch.Tensor]:
    with safe_open(Path(folder) / "model.safetensors", framework="pt") as tensors:
        return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118


def check_stored(trained: Any, base: Path, method: str) -> None:
    """The folder has the base's type and ties, and transformers reads all of it."""
    from transformers import AutoModelForCausalLM, AutoModelForTokenClassification

    before, after = stored(base), stored(trained.path)
    head = {"score.weight", "score.bias"} if method == "prm" else set()
    assert set(after) == set(before) | head
    assert {after[name].dtype for name in before} == {torch.bfloat16}
    assert {after[name].dtype for name in head} <= {torch.float32}
    config = json.loads((Path(trained.path) / "config.json").read_text())
    assert (config["dtype"], config["tie_word_embeddings"]) == ("bfloat16", method != "prm")
    check_model_folder(trained.path, "verifier" if method == "prm" else "policy", separator="\n")

    kind: Any = AutoModelForTokenClassification if method == "prm" else AutoModelForCausalLM
    model, report = kind.from_pretrained(trained.path, output_loading_info=True)
    assert not any(report[part] for part in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert model.dtype == torch.bfloat16
    for name, weight in model.state_dict().items():
        expected = after[EMBEDDINGS if name == "lm_head.weight" else name]
        assert torch.equal(weight, expected.to(weight.dtype))
    if method != "prm":
        assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("recipe", [{}, LORA, MIXED, {**LORA, **MIXED}], ids=str)
def test_a_trained_model_has_the_type_and_ties_of_its_base(
    half_base, job_on, train, method, recipe
):
    job, folder = job_on(half_base, method, **recipe)
    trained = train(job, set_folder=folder)
    check_stored(trained, half_base, method)
    before, after = stored(half_base), stored(trained.path)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    if "lora" in recipe:
        assert EMBEDDINGS not in moved
        assert {name for name in moved if "_proj" not in name} == set()
    else:
        assert EMBEDDINGS in moved
    assert any("q_proj" in name for name in moved)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("recipe", [{}, LORA], ids=["whole", "lora"])
def test_gradient_checkpointing_gives_the_same_weights(half_base, job_on, train, method, recipe):
    job, folder = job_on(half_base, method, **recipe)
    plain = train(job, set_folder=folder, work="plain")
    job, _ = job_on(half_base, method, gradient_checkpointing=True, **recipe)
    assert train(job, set_folder=folder, work="again").model_id == plain.model_id


@pytest.mark.parametrize("method", METHODS)
def test_updates_too_small_for_bfloat16_add_up(half_base, job_on, train, method):
    """A step changes a weight of .1 by about 1e-5, where bfloat16's next number is 4e-4 off."""
    slow = {"optimizer": "adamw", "hidden_lr": 1e-5, "decay_fraction": 0.0, "batch_size": 1}
    job, folder = job_on(half_base, method, max_steps=100, **slow)
    before, after = stored(half_base), stored(train(job, set_folder=folder).path)
    name = "model.layers.0.self_attn.v_proj.weight"
    share = (before[name] != after[name]).float().mean().item()
    assert share > 0.2


def test_only_a_frozen_base_stays_in_bfloat16(half_base, job_on):
    def types(method: str, **recipe: Any) -> set[tuple[bool, torch.dtype]]:
        model = load_base(job_on(half_base, method, **recipe)[0]).model
        return {(weight.requires_grad, weight.dtype) for weight in model.parameters()}

    trained, frozen = (True, torch.float32), (False, torch.bfloat16)
    for method in METHODS:
        assert types(method, precision="bfloat16") == {trained}
        assert types(method, **LORA) == {trained, (False, torch.float32)}
    assert types("sft", **LORA, precision="bfloat16") == {trained, frozen}
    # peft keeps the untrained score layer too.
    assert types("prm", **LORA, precision="bfloat16") >= {trained, frozen}


def test_additions_to_tied_embeddings_are_refused(half_base, job_on, train):
    for module in ("lm_head", "embed_tokens"):
        lora = {"lora": {"target_modules": ["q_proj", module]}, "optimizer": "adamw"}
        job, folder = job_on(half_base, "sft", **lora)
        with pytest.raises(ValueError, match=f"weights of their own, got .*{module}"):
            train(job, set_folder=folder)


def test_weights_tell_their_type_where_the_config_does_not(half_base, job_on, train, tmp_path):
    from transformers import AutoModelForCausalLM

    folder = tmp_path / "unnamed"
    AutoModelForCausalLM.from_pretrained(half_base).half().save_pretrained(folder)
    load_tokenizer(half_base).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    assert config.pop("dtype") == "float16"
    assert stored_dtype(folder, {"torch_dtype": "bfloat16"}) == "bfloat16"
    assert stored_dtype(folder, {"text_config": {"dtype": "float32"}}) == "float32"
    assert stored_dtype(folder, config) == "float16"
    (folder / "config.json").write_text(json.dumps(config))
    job, set_folder = job_on(folder, "prm")
    trained = train(job, set_folder=set_folder)
    assert stored(trained.path)[EMBEDDINGS].dtype == torch.float16

    save_file({"w": torch.zeros(3, dtype=torch.int8)}, folder / "model.safetensors")
    with pytest.raises(ModelUnusable, match="expected weights in float64, float32"):
        load_base(job)


async def serve(folder: str, role: Any, request: Any, dtype: Any) -> Any:
    config = VLLMConfig(model=folder, max_model_len=128, dtype=dtype)
    engine = await open_vllm_engine(config, role, separator="\n")
    try:
        if isinstance(request, ScoringRequest):
            return (await engine.score(request)).scores
        return (await engine.generate(request)).completions[0]
    finally:
        await engine.close()


def check_policy_served(folder: str) -> None:
    """vLLM gives the tokens it samples the log probabilities that transformers gives them."""
    prompt = "Monday: Dan has 20 shells.\n"
    request = GenerationRequest(prompt=prompt, temperature=0.0, max_tokens=8, with_logprobs=True)
    completion = asyncio.run(serve(folder, "policy", request, "float32"))
    prompt_ids = load_tokenizer(Path(folder))(prompt)["input_ids"]
    ids = [*prompt_ids, *completion.token_ids]
    with torch.no_grad():
        logits = load_weights(Path(folder))(torch.tensor([ids])).logits[0].float()
    expected = logits.log_softmax(-1)[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    assert list(completion.logprobs) == pytest.approx(
        expected[len(prompt_ids) - 1 :].tolist(), abs=1e-3
    )


def check_verifier_served(job: Any, folder: str, row: dict[str, Any]) -> None:
    """vLLM computes in the stored type what transformers computes in float32."""
    from transformers import AutoModelForTokenClassification

    from tasks.training.measure import score_rows
    from tasks.training.methods.prm import PrmTrainer
    from tasks.training.rows import RowEncoder

    request = ScoringRequest(prompt=row["prompt"], steps=tuple(row["completions"]))
    scores = asyncio.run(serve(folder, "verifier", request, "auto"))
    encoder = RowEncoder(load_tokenizer(Path(folder)), has_chat_template=False)
    model = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32)
    expected = score_rows(model, [PrmTrainer.encode_row(encoder, row, job)])[0]
    assert max(abs(score - 0.5) for score in expected) > 0.05
    assert list(scores) == pytest.approx(expected, abs=0.02)


@pytest.mark.slow
def test_what_is_trained_is_served(half_base, job_on, train, toy_rows):
    job, folder = job_on(half_base, "sft", hidden_lr=2e-2)
    policy = train(job, set_folder=folder, work="policy")
    check_policy_served(policy.path)
    job, folder = job_on(half_base, "prm", hidden_lr=2e-2, head_lr=2e-2, max_steps=30)
    verifier = train(job, set_folder=folder, work="verifier")
    check_verifier_served(job, verifier.path, toy_rows(1)[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "recipe"),
    [
        ("sft", {"optimizer": "adamw", "hidden_lr": 1e-4}),
        ("dpo", {**LORA, "hidden_lr": 1e-3, **MIXED}),
        ("prm", {"optimizer": "adamw", "hidden_lr": 1e-4, "head_lr": 1e-3, **MIXED}),
    ],
    ids=METHODS,
)
def test_a_public_model_can_be_trained(exhibit_model, job_on, train, method, recipe, toy_rows):
    job, folder = job_on(exhibit_model, method, batch_size=2, max_steps=2, **recipe)
    trained = train(job, set_folder=folder)
    check_stored(trained, exhibit_model, method)
    base_bytes = (exhibit_model / "model.safetensors").stat().st_size
    made_bytes = (Path(trained.path) / "model.safetensors").stat().st_size
    assert made_bytes == pytest.approx(base_bytes, rel=0.001)
    before, after = stored(exhibit_model), stored(trained.path)
    assert torch.equal(before[EMBEDDINGS], after[EMBEDDINGS]) is ("lora" in recipe)
    if method == "prm":
        check_verifier_served(job, trained.path, toy_rows(1)[0])
    else:
        check_policy_served(trained.path)
