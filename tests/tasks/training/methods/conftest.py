"""A language model of a few thousand weights, and solutions whose right steps it can tell."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.prm_training.examples import StepExample


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for one another make a training of this size thirty times slower."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def toy_tokenizer() -> Any:
    """`<s>` in front; a token per word and per digit."""
    from tasks.world.tokenizer import build_tokenizer

    return build_tokenizer()


@pytest.fixture(scope="session")
def toy_base(toy_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained causal language model on disk."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("models") / "toy"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(toy_tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    toy_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def toy_examples() -> Callable[[int], list[StepExample]]:
    """Solutions of two steps; a step is right exactly if it ends in 7."""

    def make(num_problems: int) -> list[StepExample]:
        return [
            StepExample(
                trajectory_id=f"t{i}",
                problem_id=f"p{i}",
                prompt=f"How many {'pens' if i % 3 else 'books'} does Ana have now?\n",
                steps=(f"{i % 10} + 1 = {7 if i % 2 else 3}\n", f"Answer: {7 if i % 4 < 2 else 5}"),
                labels=(float(i % 2), float(i % 4 < 2)),
            )
            for i in range(num_problems)
        ]

    return make
