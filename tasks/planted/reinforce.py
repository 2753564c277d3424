"""Policy gradient on a score per trace, with the mean of a question's group as the baseline.

The advantage is the score less the group's mean, over the group's standard deviation (GRPO,
arXiv:2402.03300); each batch is used for one step, so ratios are 1 and nothing is clipped. The loss
adds the divergence from the base (estimator k3). Every symbol of a trace has the same advantage.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from schemas.experiments.planted import ReinforceConfig
from tasks.planted.model import copy_of, sample, symbol_logprobs
from tasks.planted.traces import Traces, draw_inputs, seeded
from tasks.planted.training import Descent

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_DEVIATION = 1e-4


def reinforce(
    base: Any,
    score: "Callable[[Traces], Tensor]",
    horizon: int,
    config: ReinforceConfig,
    seed: int,
) -> Any:
    """The base after `num_steps` steps up the score.

    Args:
        base: where it starts, and what it stays near.
        score: [num_traces] numbers for traces.
        horizon: symbols of a trace.
        config: the recipe.
        seed: of questions and traces.

    Raises:
        TrainingDiverged: a score or the loss is not finite.
    """
    import torch

    from tasks.training.common import TrainingDiverged

    policy = copy_of(base).train()
    descent = Descent(policy, hidden_lr=config.rate, num_steps=config.num_steps)
    generator = seeded(seed)
    for step in range(config.num_steps):
        questions = draw_inputs(config.batch_questions, generator)
        inputs = questions.repeat_interleave(config.group_size, 0)
        traces = sample(policy, inputs, horizon, generator)
        scores = score(traces)
        if not scores.isfinite().all():
            raise TrainingDiverged(f"step {step}: a score is not finite")
        advantages = group_advantages(scores, config.group_size)
        logprobs = symbol_logprobs(policy, traces)
        loss = -(advantages[:, None] * logprobs).mean()
        if config.kl_weight:
            with torch.no_grad():
                change = symbol_logprobs(base, traces)
            change = change - logprobs
            loss = loss + config.kl_weight * (change.exp() - change - 1).mean()
        descent.step(loss)
    return policy.eval()


def group_advantages(scores: "Tensor", group_size: int) -> "Tensor":
    """[num_traces] how far each score lies above its group's mean, in standard deviations."""
    groups = scores.view(-1, group_size)
    spread = groups.std(1, correction=0, keepdim=True) + _LEAST_DEVIATION
    return ((groups - groups.mean(1, keepdim=True)) / spread).flatten()
