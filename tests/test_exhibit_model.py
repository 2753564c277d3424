"""The public model: what the command that makes it accepts, and what it can do."""

import shutil
import subprocess
import sys

from benchmarks.exhibit_model import hash_weights


def make(folder) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.exhibit_model", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_whole_folder_is_left_as_it_is(exhibit_model):
    before = (exhibit_model / "model.safetensors").stat().st_mtime_ns
    made = make(exhibit_model)
    assert (made.returncode, made.stdout) == (0, f"{exhibit_model.resolve()} is whole\n")
    assert (exhibit_model / "model.safetensors").stat().st_mtime_ns == before


def test_weights_that_are_cut_are_named(exhibit_model, tmp_path):
    folder = tmp_path / "cut"
    shutil.copytree(exhibit_model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    whole = (exhibit_model / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    made = make(folder)
    assert made.returncode == 1
    assert "model.safetensors is damaged" in made.stderr


def test_a_folder_with_other_files_is_not_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    made = make(tmp_path)
    assert made.returncode == 1
    assert "got other files" in made.stderr
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_hash_depends_on_values_and_types_and_not_on_the_header(tmp_path):
    import torch
    from safetensors.torch import save_file

    def written(name: str, tensors: dict, **header: str) -> str:
        save_file(tensors, tmp_path / name, header)
        return hash_weights(tmp_path / name)

    weights = {"b": torch.tensor([1.0, 2.0]), "a": torch.tensor([3.0])}
    plain = written("plain", weights)
    assert written("again", dict(reversed(weights.items())), format="pt") == plain
    assert written("value", {**weights, "a": torch.tensor([3.5])}) != plain
    assert written("type", {**weights, "a": torch.tensor([3.0]).half()}) != plain
