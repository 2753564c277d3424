"""Model folders that try to run code of their own: none of it runs."""

import asyncio
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from schemas.engines import GenerationRequest, VLLMConfig
from schemas.errors import ModelUnusable
from schemas.prm_training import PrmTrainingJob
from tasks.models.files import check_weights
from tasks.models.folders import (
    _FILES_OF_A_MODEL,
    check_model_folder,
    identify_model,
    load_tokenizer,
)
from tasks.training.models import load_base


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@pytest.fixture
def sprung(tmp_path: Path) -> Path:
    """The file that the folder's code would create."""
    return tmp_path / "code-was-run"


@pytest.fixture
def hostile(tmp_path: Path, sprung: Path) -> Path:
    """A model that works, with traps beside it: modules named by auto_map, and a pickle."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tasks.world.tokenizer import build_tokenizer

    folder, tokenizer = tmp_path / "hostile", build_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    trap = f"from pathlib import Path\nPath({str(sprung)!r}).touch()\n"
    for name in ("configuration_evil", "modeling_evil", "tokenization_evil"):
        (folder / f"{name}.py").write_text(trap)
    for name in ("pytorch_model.bin", "training_args.bin", "tokenizer.pkl"):
        (folder / name).write_bytes(pickle.dumps(Trap(sprung)))
    set_fields(
        folder / "config.json",
        auto_map={
            "AutoConfig": "configuration_evil.EvilConfig",
            "AutoModelForCausalLM": "modeling_evil.Evil",
            "AutoModelForTokenClassification": "modeling_evil.Evil",
        },
    )
    set_fields(
        folder / "tokenizer_config.json",
        auto_map={"AutoTokenizer": ["tokenization_evil.Evil", "tokenization_evil.Evil"]},
    )
    return folder


def set_fields(file: Path, **fields: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def test_the_traps_work(hostile: Path, sprung: Path) -> None:
    pickle.loads((hostile / "pytorch_model.bin").read_bytes())
    assert sprung.exists()
    sprung.unlink()
    exec((hostile / "modeling_evil.py").read_text())
    assert sprung.exists()


def test_a_known_architecture_loads_without_the_code_beside_it(hostile: Path, sprung: Path) -> None:
    check_model_folder(hostile, "policy")
    base = load_base(verifier_job(hostile))
    assert type(base.model).__name__ == "LlamaForTokenClassification"
    assert base.tokenizer("12")["input_ids"]
    assert not sprung.exists()


def test_an_architecture_that_is_only_code_is_refused(hostile: Path, sprung: Path) -> None:
    set_fields(hostile / "config.json", model_type="evil", architectures=["EvilForCausalLM"])
    with pytest.raises(ModelUnusable, match="expected an architecture that transformers has"):
        load_base(verifier_job(hostile))
    assert not sprung.exists()


def test_a_tokenizer_that_is_only_code_is_refused(hostile: Path, sprung: Path) -> None:
    set_fields(hostile / "tokenizer_config.json", tokenizer_class="EvilTokenizer")
    set_fields(hostile / "config.json", model_type="evil")
    (hostile / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelUnusable, match="its tokenizer cannot be loaded"):
        load_tokenizer(hostile)
    assert not sprung.exists()


@pytest.mark.slow
def test_vllm_serves_the_weights_and_leaves_the_code_alone(hostile: Path, sprung: Path) -> None:
    from tasks.engines.vllm_engine import open_vllm_engine

    async def serve() -> int:
        config = VLLMConfig(model=str(hostile), process="host")
        engine = await open_vllm_engine(config, "policy", separator="\n")
        request = GenerationRequest(
            prompt="Answer: ", prefix="", n=1, max_tokens=4, temperature=1.0, top_p=1.0, seed=1
        )
        generation = await engine.generate(request)
        await engine.close()
        return len(generation.completions)

    assert asyncio.run(serve()) == 1
    set_fields(hostile / "config.json", model_type="evil", architectures=["EvilForCausalLM"])
    with pytest.raises(ModelUnusable):
        asyncio.run(serve())
    assert not sprung.exists()


def verifier_job(folder: Path) -> PrmTrainingJob:
    policy = {"type": "vllm", "model": str(folder)}
    return PrmTrainingJob.from_partial({"policy": policy, "training": {"base_model": str(folder)}})


def test_pickled_weights_alone_are_refused(hostile: Path, sprung: Path) -> None:
    (hostile / "model.safetensors").unlink()
    for look in (
        lambda: check_model_folder(hostile, "policy"),
        lambda: load_base(verifier_job(hostile)),
    ):
        with pytest.raises(
            ModelUnusable, match=r"pytorch_model\.bin, tokenizer\.pkl, training_args\.bin \(pickled"
        ):
            look()
    assert not sprung.exists()


@pytest.mark.parametrize("damage", ["cut", "garbage", "header", "empty"])
def test_damaged_weights_are_named(hostile: Path, damage: str) -> None:
    file = hostile / "model.safetensors"
    whole = file.read_bytes()
    damaged = {
        "cut": whole[:-100],
        "garbage": b"not weights at all",
        "header": (1 << 40).to_bytes(8, "little") + whole[8:],
        "empty": b"",
    }
    file.write_bytes(damaged[damage])
    with pytest.raises(ModelUnusable, match=r"model\.safetensors: not a whole safetensors file"):
        check_model_folder(hostile, "policy")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../other/model.safetensors", "in the folder, got '../other/model.safetensors'"),
        ("/etc/model.safetensors", "in the folder, got '/etc/model.safetensors'"),
        ("sub/model.safetensors", "in the folder, got 'sub/model.safetensors'"),
        ("..", "got '..'"),
        ("pytorch_model.bin", r"\*\.safetensors files in the folder, got 'pytorch_model.bin'"),
        (7, "got 7"),
        ("model-00002.safetensors", "names model-00002.safetensors, which does not exist"),
    ],
)
def test_an_index_cannot_name_files_elsewhere(hostile: Path, name: object, message: str) -> None:
    index = hostile / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"lm_head.weight": name}}))
    with pytest.raises(ModelUnusable, match=message):
        check_model_folder(hostile, "policy")


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": []}}']
)
def test_an_index_that_is_none_is_refused(hostile: Path, text: str) -> None:
    (hostile / "model.safetensors.index.json").write_text(text)
    with pytest.raises(ModelUnusable, match="is not an index"):
        check_model_folder(hostile, "policy")


def test_an_adapter_cannot_bring_another_model(hostile: Path) -> None:
    adapter = {"base_model_name_or_path": "nobody/evil", "peft_type": "LORA"}
    (hostile / "adapter_config.json").write_text(json.dumps(adapter))
    with pytest.raises(ModelUnusable, match="expected whole weights, got an adapter"):
        check_model_folder(hostile, "policy")


@pytest.mark.parametrize(
    "fields",
    [
        {"attn_implementation": "nobody/evil-kernel"},
        {"_attn_implementation": "sdpa|nobody/evil-kernel@v1:attention"},
        {"text_config": {"attn_implementation": "nobody/evil-kernel"}},
        {"attn_implementation": {"": "nobody/evil-kernel"}},
    ],
)
def test_a_config_cannot_bring_an_attention_kernel(hostile: Path, fields: dict[str, Any]) -> None:
    set_fields(hostile / "config.json", **fields)
    with pytest.raises(ModelUnusable, match=r"expected _?attn_implementation to be one that"):
        check_model_folder(hostile, "policy")
    set_fields(hostile / "config.json", **dict.fromkeys(fields, "sdpa"))
    check_model_folder(hostile, "policy")


def test_links_are_followed_as_in_the_cache_of_hugging_face(hostile: Path, tmp_path: Path) -> None:
    name = identify_model(str(hostile))
    (hostile / "model.safetensors").rename(tmp_path / "blob")
    (hostile / "model.safetensors").symlink_to(tmp_path / "blob")
    check_model_folder(hostile, "policy")
    assert identify_model(str(hostile)) == name
    (tmp_path / "blob").write_text("root:x:0:0")
    with pytest.raises(ModelUnusable, match="not a whole safetensors file"):
        check_model_folder(hostile, "policy")
    (tmp_path / "blob").unlink()
    with pytest.raises(ModelUnusable, match=r"expected model\.safetensors to be a file"):
        check_model_folder(hostile, "policy")


def test_of_a_hub_repository_only_weights_and_settings_are_fetched() -> None:
    from huggingface_hub.utils import filter_repo_objects

    there = [
        "config.json",
        "model-00001-of-00002.safetensors",
        "chat_template.jinja",
        "tokenizer.model",
        "modeling_evil.py",
        "pytorch_model.bin",
        "original/consolidated.00.pth",
        "training_args.bin",
        "tokenizer.pkl",
        "model.gguf",
        "run.sh",
    ]
    assert list(filter_repo_objects(there, allow_patterns=_FILES_OF_A_MODEL)) == there[:4]


@pytest.mark.parametrize("kind", ["named pipe", "device", "folder"])
def test_weights_that_are_no_file_are_refused_before_they_are_opened(
    tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "model.safetensors"
    match kind:
        case "named pipe":
            os.mkfifo(place)
        case "device":
            place.symlink_to("/dev/zero")
        case _:
            place.mkdir()
    said = r"expected model\.safetensors to be a file, it is none"
    with pytest.raises(ModelUnusable, match=said):
        check_weights(tmp_path)
