"""Games whose optimum is known, in place of engine and reward; played by a tiny model."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from tasks.training.rewards import Earned

BEGIN, LEFT, RIGHT = 1, 3, 4
NUM_TOKENS = 6

Play = Callable[[Sequence[int]], tuple[float, bool]]
"""What the last of some actions pays, and whether it ends the game."""


class Game:
    """Draws actions from the model in training until the game ends; rewards each action."""

    def __init__(self, model: Any, play: Play, *, by_token: bool) -> None:
        self.generated_tokens = 0
        self._model, self._play, self._by_token = model, play, by_token

    def __call__(self, prompts: Sequence[str], step: int) -> dict[str, list[Any]]:
        generator = torch.Generator().manual_seed(step)
        solutions: list[list[int]] = [[] for _ in prompts]
        paid: list[list[float]] = [[] for _ in prompts]
        logprobs: list[list[float]] = [[] for _ in prompts]
        running = list(range(len(prompts)))
        while running:
            ids = torch.tensor([[BEGIN, *solutions[number]] for number in running])
            with torch.no_grad():
                known = self._model(input_ids=ids).logits[:, -1].log_softmax(-1)
            drawn = torch.multinomial(known.exp(), 1, generator=generator)[:, 0].tolist()
            ended = set()
            for line, (number, token) in enumerate(zip(running, drawn, strict=True)):
                solutions[number].append(token)
                logprobs[number].append(float(known[line, token]))
                reward, is_over = self._play(solutions[number])
                paid[number].append(reward)
                if is_over:
                    ended.add(number)
            running = [number for number in running if number not in ended]
        self.generated_tokens += sum(map(len, solutions))
        rewards: list[Earned] = [each if self._by_token else sum(each) for each in paid]
        return {
            "prompt_ids": [[BEGIN]] * len(prompts),
            "completion_ids": solutions,
            "logprobs": logprobs,
            "reward": rewards,
        }

    def sync_weights(self) -> None:
        """The model in training is the one that plays."""

    def take_figures(self) -> dict[str, float]:
        return {}

    def close(self) -> None:
        pass


class Printing(Game):
    """A game in which a program prints a token behind the first action of every solution."""

    def __call__(self, prompts: Sequence[str], step: int) -> dict[str, list[Any]]:
        drawn = super().__call__(prompts, step)
        for name, printed in (("completion_ids", BEGIN), ("logprobs", 0.0), ("reward", 0.0)):
            for each in drawn[name] if isinstance(drawn[name][0], list) else ():
                each.insert(1, printed)
        drawn["env_mask"] = [[1, 0, *[1] * (len(ids) - 2)] for ids in drawn["completion_ids"]]
        return drawn


def bandit(actions: Sequence[int]) -> tuple[float, bool]:
    """One action is a game; the best is worth 1."""
    return {LEFT: 0.2, RIGHT: 1.0, 5: 0.5}.get(actions[-1], 0.0), True


def chances(trainer: Any, *before: int) -> list[float]:
    """The probabilities of the next action."""
    with torch.no_grad():
        logits = trainer.model(input_ids=torch.tensor([[BEGIN, *before]])).logits[0, -1]
    return logits.softmax(-1).tolist()
