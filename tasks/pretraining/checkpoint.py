"""What an interrupted pretraining goes on from: weights, optimizer, random state and progress.

One file, replaced as a whole between two refills of the corpus, so the training that resumes draws
the texts that it would have drawn and ends with the same weights.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOSS_WINDOW = 50
"""The loss reported at the end is the mean over this many last steps."""

_FILE = "pretraining.pt"


@dataclass(slots=True)
class Progress:
    """How far a training is."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Of training, those before an interruption included."""
    losses: list[float] = field(default_factory=list)
    """Of the last steps, `LOSS_WINDOW` at most."""

    def add(self, tokens: int, loss: float) -> None:
        """Count a step."""
        self.step += 1
        self.tokens += tokens
        self.losses = [*self.losses[-LOSS_WINDOW + 1 :], loss]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumable:
    """The parts of a training that change, and the folder and recipe that they belong to."""

    model: Any
    optimizer: Any
    rng: random.Random
    folder: Path | None
    """None saves nothing."""
    config_hash: str

    def save(self, progress: Progress) -> None:
        """Replace the file."""
        if self.folder is None:
            return
        import torch

        state = {
            "config_hash": self.config_hash,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.getstate(),
            "progress": (progress.step, progress.tokens, progress.seconds, progress.losses),
        }
        unfinished = self.folder / f"{_FILE}.new"
        torch.save(state, unfinished)
        unfinished.replace(self.folder / _FILE)

    def load(self) -> Progress:
        """Go on where the file is; from the start without one, or with one of another recipe."""
        if self.folder is None or not (self.folder / _FILE).exists():
            return Progress()
        import torch

        state = torch.load(self.folder / _FILE, weights_only=True)
        if state["config_hash"] != self.config_hash:
            return Progress()
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        version, words, gauss = state["rng"]
        self.rng.setstate((version, tuple(words), gauss))
        step, tokens, seconds, losses = state["progress"]
        return Progress(step, tokens, seconds, list(losses))
