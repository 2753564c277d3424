"""A two-class reward model, opened so that its reward and its attention are told together.

R = logit(right) - logit(wrong) at the token where the model reads the whole solution: the log odds
that it is right. Tokens that the model reads are counted: they are its cost.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from schemas.errors import ModelUnusable
from schemas.steps import StepEnding, StepRule
from schemas.training.rewards import RewardModelConfig
from tasks.models.folders import (
    check_model_folder,
    identify_model,
    load_tokenizer,
    resolve_model,
    tokenizer_fingerprint,
)
from tasks.verifiers.attention import AttentionReader
from tasks.verifiers.families import Verifier, find_family, open_verifier
from tasks.verifiers.sampled_layout import CREDITING, SampledSolution, lay_out_sampled

_HEAD = "score"


@dataclass(frozen=True, slots=True)
class RewardReading:
    """What a reward model says of one solution."""

    log_odds: float
    """R; of a model with one output, that output. It may be infinite or not a number."""
    attention: list[float]
    """[num_sampled] attention to each sampled token where R is read; 0 to unread ones."""
    scored_tokens: int
    """Tokens that the model read."""


class RewardModel:
    """Reads solutions; not thread-safe."""

    def __init__(self, verifier: Verifier, model: Any, *, model_id: str, max_batch_tokens: int):
        """Wrap a loaded classifier.

        Raises:
            ModelUnusable: it has no linear score layer, or its attention cannot be read.
        """
        import torch

        name = f"reward model {verifier.folder}"
        head = getattr(model, _HEAD, None)
        if not isinstance(head, torch.nn.Linear) or head.out_features not in (1, 2):
            raise ModelUnusable(
                f"{name}: expected a linear layer `{_HEAD}` of one output, or of two (wrong, right)"
            )
        self.model_id = model_id
        self.verifier = verifier
        self._head = head
        self._max_tokens: int | None = getattr(model.config, "max_position_embeddings", None)
        self._reader = AttentionReader(model, max_batch_tokens=max_batch_tokens, name=name)
        self._reader.check()

    @classmethod
    def open(cls, config: RewardModelConfig, *, separator: StepEnding) -> Self:
        """Load a model that `check_reward_model` accepts, on a GPU if there is one.

        Args:
            config: which model.
            separator: what ends a step; a verifier of steps must have been trained with the same.

        Raises:
            ModelUnusable: it is no classifier of solutions with the two classes wrong and right.
        """
        import torch
        import transformers

        folder = resolve_model(config.model, config.revision)
        settings = check_model_folder(folder, "verifier", separator=separator)
        model_id = identify_model(config.model, config.revision)
        verifier = open_verifier(
            folder,
            settings,
            "auto",
            load_tokenizer(folder),
            separator=StepRule.of(separator).separator,
            model_id=model_id,
        )
        of_steps = verifier.family == "token_classification"
        loader = (
            transformers.AutoModelForTokenClassification
            if of_steps
            else transformers.AutoModelForSequenceClassification
        )
        try:
            model = loader.from_pretrained(
                verifier.folder,
                dtype=torch.float32,
                attn_implementation="eager",
                use_safetensors=True,
                trust_remote_code=False,
            )
        except (ValueError, OSError) as error:
            raise ModelUnusable(
                f"reward model {folder}: expected an architecture that transformers has with eager "
                f"attention: {error}"
            ) from error
        if config.dtype != "float32":  # the score layer stays float32, as it is stored
            model.base_model.to(getattr(torch, config.dtype))
        model.to("cuda" if torch.cuda.is_available() else "cpu")
        return cls(
            verifier, model.eval(), model_id=model_id, max_batch_tokens=config.max_batch_tokens
        )

    def can_read(self, solution: SampledSolution) -> bool:
        """Whether the solution is short enough for the model."""
        length = len(lay_out_sampled(self.verifier, solution).token_ids)
        return self._max_tokens is None or length <= self._max_tokens

    def read(self, solutions: Sequence[SampledSolution]) -> list[RewardReading]:
        """R and attention of each solution, in order."""
        layouts = [lay_out_sampled(self.verifier, solution) for solution in solutions]
        readings = []
        for layout, reading in zip(layouts, self._reader.read(layouts), strict=True):
            logits = self._head(reading.hidden.to(self._head.weight.dtype)).detach().tolist()
            gap = logits[-1] - (logits[0] if len(logits) == 2 else 0.0)
            readings.append(RewardReading(gap, reading.attention, len(layout.token_ids)))
        return readings


def check_reward_model(
    config: RewardModelConfig, policy: Path, *, separator: StepEnding
) -> dict[str, Any]:
    """Refuse a reward model that does not fit the policy; no weights are loaded.

    Args:
        config: which model.
        policy: the folder of the policy whose tokens get the credit.
        separator: what ends a step.

    Returns:
        The model's config.json.

    Raises:
        ModelUnusable: it does not exist, is no classifier of right and wrong, was trained with
            other steps, or has another tokenizer.
    """
    folder = resolve_model(config.model, config.revision)
    settings = check_model_folder(folder, "verifier", separator=separator)
    if (family := find_family(folder, settings, "auto")) not in CREDITING:
        raise ModelUnusable(
            f"reward model {folder}: expected a classifier of family {' or '.join(CREDITING)}, "
            f"whose attention is over the sampled tokens, got {family}"
        )
    own, theirs = load_tokenizer(folder), load_tokenizer(policy)
    if tokenizer_fingerprint(own) != tokenizer_fingerprint(theirs):
        raise ModelUnusable(
            f"reward model {config.model}: expected the tokenizer of the policy {policy}, whose "
            f"tokens get the credit ({len(theirs)} tokens), got another one ({len(own)} tokens)"
        )
    return settings


def to_p_right(log_odds: float) -> float:
    """The probability of log odds; what is not a number stays that."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    return math.exp(log_odds) / (1 + math.exp(log_odds))
