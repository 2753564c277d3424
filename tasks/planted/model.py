"""A small Llama over the symbols of the planted subsequence: its text, its sampler, its losses.

A text is `<bos> x_1 .. x_K y_1 .. y_H`; inputs and symbols share the ids 1 to 30. All texts of a
batch have one length, so nothing is padded.
"""

from typing import TYPE_CHECKING, Any

from tasks.engines.planted_engine import NUM_GOLD, NUM_SYMBOLS
from tasks.planted.traces import Traces

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from transformers import LlamaForCausalLM

    from schemas.pretraining import ArchitectureConfig

NUM_IDS = NUM_SYMBOLS + 1
"""Symbols 1 to 30, and `<bos>`, which is 0."""


def new_model(architecture: "ArchitectureConfig", horizon: int, *, seed: int) -> "LlamaForCausalLM":
    """An untrained Llama for texts of a horizon."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=NUM_IDS,
        hidden_size=architecture.hidden_size,
        intermediate_size=architecture.mlp_size,
        num_hidden_layers=architecture.num_layers,
        num_attention_heads=architecture.num_heads,
        num_key_value_heads=architecture.num_heads,
        max_position_embeddings=num_text_tokens(horizon),
        rope_parameters={"rope_type": "default", "rope_theta": architecture.rope_theta},
        bos_token_id=0,
        eos_token_id=None,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def num_text_tokens(horizon: int) -> int:
    """Tokens of a whole text: `<bos>`, the inputs and the symbols."""
    return 1 + NUM_GOLD + horizon


def copy_of(model: Any) -> Any:
    """Another model with the same weights."""
    import copy

    return copy.deepcopy(model)


def prompt_ids(inputs: "Tensor") -> "Tensor":
    """[num, 1 + K] the ids before the first symbol."""
    import torch

    return torch.nn.functional.pad(inputs, (1, 0))


def text_ids(traces: Traces) -> "Tensor":
    """[num_traces, 1 + K + H] the ids of whole texts."""
    import torch

    return torch.cat([prompt_ids(traces.inputs), traces.symbols], 1)


def symbol_logprobs(model: Any, traces: Traces) -> "Tensor":
    """[num_traces, H] the log probability of each symbol, with gradients."""
    import torch

    logits = model(input_ids=text_ids(traces)[:, :-1], use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(
        logits[:, NUM_GOLD:].flatten(0, 1), traces.symbols.flatten(), reduction="none"
    )
    return -losses.view(traces.symbols.shape)


def sample(
    model: Any,
    inputs: "Tensor",
    horizon: int,
    generator: "Generator",
    *,
    temperature: float = 1.0,
    batch: int = 1024,
) -> Traces:
    """A trace of the model for each question."""
    import torch

    parts = [_sample(model, part, horizon, generator, temperature) for part in inputs.split(batch)]
    return Traces(inputs, torch.cat(parts))


def trace_logprobs(model: Any, traces: Traces, *, batch: int = 1024) -> "Tensor":
    """[num_traces] the log probability of each whole trace, in nats, without gradients."""
    import torch

    with torch.no_grad():
        parts = [
            symbol_logprobs(model, traces[start : start + batch]).double().sum(1)
            for start in range(0, len(traces), batch)
        ]
    return torch.cat(parts)


def _sample(
    model: Any, inputs: "Tensor", horizon: int, generator: "Generator", temperature: float
) -> "Tensor":
    import torch

    with torch.no_grad():
        ids, past = prompt_ids(inputs), None
        symbols = []
        for _ in range(horizon):
            made = model(input_ids=ids, past_key_values=past, use_cache=True)
            past = made.past_key_values
            p_next = torch.softmax(made.logits[:, -1] / temperature, -1)
            ids = torch.multinomial(p_next, 1, generator=generator)
            symbols.append(ids[:, 0])
    return torch.stack(symbols, 1)
