"""What a model folder must hold, and how models are named."""

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from schemas.errors import ModelUnusable
from schemas.rows import ModelRole
from schemas.steps import StepRule
from tasks.models.folders import check_model_folder, identify_model, is_folder, resolve_model


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "policy", {"architectures": ["LlamaForCausalLM"]})


@pytest.fixture
def verifier(tmp_path: Path) -> Path:
    config = {"architectures": ["LlamaForTokenClassification"], "step_separator": "\n"}
    return make_folder(tmp_path / "verifier", config)


def make_folder(folder: Path, config: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    save_file({"weight": np.zeros(2, np.float32)}, folder / "model.safetensors")
    return folder


def test_good_folders_pass_and_give_their_config(policy: Path, verifier: Path) -> None:
    assert check_model_folder(policy, "policy")["architectures"] == ["LlamaForCausalLM"]
    check_model_folder(policy, "critic", separator="\n")
    check_model_folder(verifier, "verifier", separator="\n")


def test_a_name_changes_with_the_weights_alone(policy: Path, tmp_path: Path) -> None:
    name = identify_model(str(policy))
    assert name.startswith("policy-")
    assert len(name) == len("policy-") + 10
    (policy / "README.md").write_text("a card")
    assert identify_model(str(policy)) == name
    copy = shutil.copytree(policy, tmp_path / "elsewhere" / "policy")
    assert identify_model(str(copy)) == name
    (copy / "model.safetensors").write_bytes(b"other weights")
    assert identify_model(str(copy)) != name


def test_all_files_of_sharded_weights_count(policy: Path) -> None:
    name = identify_model(str(policy))
    (policy / "model-00002.safetensors").write_bytes(b"more")
    assert identify_model(str(policy)) != name


@pytest.mark.parametrize(
    ("name", "local"),
    [("Qwen/Qwen3-0.6B", False), ("./models/a", True), ("/models/a", True), ("a/b/c", True)],
)
def test_a_folder_is_told_from_an_id(name: str, local: bool) -> None:
    assert is_folder(name) is local


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    for name_model in (identify_model, resolve_model):
        with pytest.raises(ModelUnusable, match="nowhere"):
            name_model(str(tmp_path / "nowhere"))


def test_an_id_that_cannot_be_fetched_is_unusable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelUnusable, match="expected a folder or a Hugging Face id"):
        identify_model("nobody/no-such-model")


@pytest.mark.parametrize("role", ["policy", "verifier", "critic"])
def test_a_missing_folder_is_unusable(role: ModelRole, tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match=f"^{role} .*expected a folder"):
        check_model_folder(tmp_path / "nowhere", role)


def test_a_folder_without_config_is_unusable(policy: Path) -> None:
    (policy / "config.json").unlink()
    with pytest.raises(ModelUnusable, match=r"expected a config\.json, got none"):
        check_model_folder(policy, "policy")


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("[]", "to be an object")])
def test_a_broken_config_is_unusable(policy: Path, text: str, message: str) -> None:
    (policy / "config.json").write_text(text)
    with pytest.raises(ModelUnusable, match=message):
        check_model_folder(policy, "policy")


def test_a_folder_without_weights_is_unusable(policy: Path) -> None:
    (policy / "model.safetensors").unlink()
    with pytest.raises(ModelUnusable, match=r"expected weights in \*\.safetensors, got none"):
        check_model_folder(policy, "policy")


def test_pickled_weights_are_refused(policy: Path) -> None:
    (policy / "model.safetensors").rename(policy / "pytorch_model.bin")
    with pytest.raises(ModelUnusable, match=r"got pytorch_model\.bin \(pickled"):
        check_model_folder(policy, "policy")
    with pytest.raises(ModelUnusable, match="pickled"):
        identify_model(str(policy))


def test_a_folder_without_tokenizer_is_unusable(policy: Path) -> None:
    (policy / "tokenizer.json").unlink()
    with pytest.raises(ModelUnusable, match="expected a tokenizer"):
        check_model_folder(policy, "policy")


def test_an_architecture_of_another_role_is_unusable(policy: Path, verifier: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"got \['LlamaForTokenClassification'\]"):
        check_model_folder(verifier, "policy")
    with pytest.raises(ModelUnusable, match=r"ForTokenClassification, got \['LlamaForCausalLM'\]"):
        check_model_folder(policy, "verifier")


@pytest.mark.parametrize(
    "labels",
    [{"id2label": {"0": "a", "1": "b", "2": "c"}}, {"num_labels": 1}, {"id2label": {"0": "a"}}],
)
def test_a_verifier_with_other_than_two_labels_is_unusable(
    verifier: Path, labels: dict[str, Any]
) -> None:
    config = json.loads((verifier / "config.json").read_text())
    (verifier / "config.json").write_text(json.dumps({**config, **labels}))
    with pytest.raises(ModelUnusable, match="expected 2 labels"):
        check_model_folder(verifier, "verifier")


def test_a_verifier_trained_with_another_separator_is_unusable(verifier: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"separator '\\n', this job's separator is '\\n\\n'"):
        check_model_folder(verifier, "verifier", separator="\n\n")


def test_a_verifier_trained_with_another_rule_is_unusable(verifier: Path) -> None:
    plain, long_steps = StepRule(separator="\n"), StepRule(separator="\n", min_chars=80)
    check_model_folder(verifier, "verifier", separator=plain)
    with pytest.raises(ModelUnusable, match=r"separator alone, this job's rule is .*min_chars"):
        check_model_folder(verifier, "verifier", separator=long_steps)
    config = json.loads((verifier / "config.json").read_text(encoding="utf-8"))
    config |= {"step_rule": {"min_chars": 80}}
    (verifier / "config.json").write_text(json.dumps(config), encoding="utf-8")
    check_model_folder(verifier, "verifier", separator=long_steps)
    for other in (plain, "\n", StepRule(separator="\n", min_chars=40)):
        with pytest.raises(ModelUnusable, match=r'step rule \{"min_chars": 80\}'):
            check_model_folder(verifier, "verifier", separator=other)


def test_a_verifier_that_stores_no_separator_passes(verifier: Path) -> None:
    (verifier / "config.json").write_text(
        json.dumps({"architectures": ["MistralForTokenClassification"]})
    )
    check_model_folder(verifier, "verifier", separator="\n\n")


def test_weights_are_read_once_however_often_they_are_named(policy: Path) -> None:
    size = 64 << 20
    weights = policy / "model.safetensors"
    save_file({"weight": np.arange(size // 4, dtype=np.float32)}, weights)

    def read_bytes() -> int:
        counters = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        return int(counters["rchar"])

    begun = read_bytes()
    name = identify_model(str(policy))
    after_one = read_bytes()
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(identify_model, [str(policy)] * 100)) == {name}
    assert after_one - begun >= size
    assert read_bytes() - after_one < size // 16

    save_file({"weight": np.arange(1, size // 4 + 1, dtype=np.float32)}, weights)
    changed = identify_model(str(policy))
    assert changed != name
    assert read_bytes() - after_one >= size
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:10]
    assert changed == f"policy-{digest}"
