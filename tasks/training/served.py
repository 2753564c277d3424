"""An engine beside a trainer: on its own GPU, and with the weights of the model in training."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from schemas.engines import GenerationRequest
from tasks.engines.base import Engine
from tasks.engines.probe import check_logprobs


async def check_served(
    engine: Engine,
    model: Any,
    probe: GenerationRequest,
    prompt_ids: Sequence[int],
    *,
    tolerance: float,
) -> None:
    """Refuse an engine whose log probabilities are not those of a transformers model.

    Args:
        engine: continues the probe.
        model: the one that the engine should serve.
        probe: one continuation of a prompt, with log probabilities.
        prompt_ids: the prompt as the engine reads it.
        tolerance: allowed mean difference per token, in nats.

    Raises:
        EngineFailed: they differ by more.
    """
    import torch

    completion = (await engine.generate(probe)).completions[0]
    assert completion.logprobs is not None
    ids = torch.tensor([[*prompt_ids, *completion.token_ids]], device=model.device)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits[0, len(prompt_ids) - 1 : -1]
    model.train(was_training)
    logprobs = torch.log_softmax(logits.float(), dim=-1)
    expected = logprobs.gather(1, ids[0, len(prompt_ids) :, None])[:, 0].cpu()
    check_logprobs(engine.name, expected.tolist(), completion.logprobs, tolerance=tolerance)


@contextlib.contextmanager
def own_gpu(num_processes: int) -> Iterator[None]:
    """Show an engine that starts in the block only this trainer's GPU."""
    import torch

    if num_processes == 1 or not torch.cuda.is_available():
        yield
        return
    name = "CUDA_VISIBLE_DEVICES"
    before = os.environ.get(name)
    visible = before.split(",") if before else list(map(str, range(torch.cuda.device_count())))
    os.environ[name] = visible[torch.cuda.current_device()]
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
