"""The base policy: a small Llama trained from random weights on traces of a mixture.

The loss is the cross entropy to the mixture's exact next-symbol probabilities on its traces: the
expectation, given each prefix, of that to the symbol that was drawn, with the same minimum and less
noise. Every batch is drawn anew.
"""

from typing import TYPE_CHECKING

from schemas.experiments.planted import BaseTrainingConfig
from tasks.engines.planted_engine import NUM_GOLD
from tasks.planted.mixtures import Mixture
from tasks.planted.model import new_model, text_ids
from tasks.planted.traces import draw_inputs, draw_traces, next_symbol_probs, seeded
from tasks.planted.training import Descent

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

_WARMUP_STEPS = 50


def train_base(
    mixture: Mixture, horizon: int, config: BaseTrainingConfig, seed: int
) -> "LlamaForCausalLM":
    """A policy that writes like the mixture.

    Raises:
        TrainingDiverged: the loss is not finite.
    """
    import torch

    model = new_model(config.architecture, horizon, seed=seed)
    generator = seeded(seed)
    descent = Descent(
        model,
        hidden_lr=config.hidden_lr,
        other_lr=config.other_lr,
        num_steps=config.num_steps,
        num_warmup_steps=_WARMUP_STEPS,
    )
    model.train()
    for _ in range(config.num_steps):
        inputs = draw_inputs(config.batch_traces, generator)
        traces, _ = draw_traces(mixture, inputs, horizon, generator)
        logits = model(input_ids=text_ids(traces)[:, :-1], use_cache=False).logits[:, NUM_GOLD:]
        probs = next_symbol_probs(mixture, traces)
        descent.step(torch.nn.functional.cross_entropy(logits.flatten(0, 1), probs.flatten(0, 1)))
    return model.eval()
