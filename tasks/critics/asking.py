"""The messages by which critics and actors are asked, and the steps that a critic is shown."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.critique_formats import CritiqueFormatConfig
from schemas.rows import Step, Trajectory
from tasks.prompts.messages import Message, user
from tasks.prompts.render import render
from tasks.steps.segmentation import step_body


@dataclass(frozen=True, slots=True)
class ShownSolution:
    """A solution as critic and actor read it: the steps behind its thought."""

    steps: tuple[str, ...]
    """Without the white space at their ends."""
    num_hidden: int = 0
    """Steps of the stored solution before these, which are thoughts."""

    @classmethod
    def of(cls, row: Trajectory) -> "ShownSolution":
        """The shown part of a stored solution."""
        return cls.from_steps(row.steps, row.thinking_tokens or 0)

    @classmethod
    def from_steps(cls, steps: Sequence[Step], thinking_tokens: int = 0) -> "ShownSolution":
        """The shown part of these steps, whose first tokens are thoughts."""
        num_hidden, done = 0, 0
        for step in steps:
            if done >= thinking_tokens:
                break
            done += step.num_tokens
            num_hidden += 1
        return cls(tuple(step_body(step.text) for step in steps[num_hidden:]), num_hidden)

    def text(self, config: CritiqueFormatConfig) -> str:
        """The steps as a format shows them."""
        if config.type == "lines":
            return "\n".join(self.steps).strip("\n")
        return "\n".join(f"Step {n}: {step.strip()}" for n, step in enumerate(self.steps, 1))


def ask_critic(
    config: CritiqueFormatConfig, question: str, solution: ShownSolution, key: str | None = None
) -> list[Message]:
    """Ask for a critique of a solution; `key` is the answer or solution that the critic is told."""
    shown = solution.text(config)
    if key is None:
        return [user(render(config.template, question=question, solution=shown))]
    filled = render(config.key_template, question=question, key=key.strip(), solution=shown)
    return [user(filled)]


def ask_actor(
    config: CritiqueFormatConfig, question: str, solution: ShownSolution, critique: str | None
) -> list[Message]:
    """Ask for a second attempt, with a critique or without (None)."""
    shown = solution.text(config)
    if critique is None:
        return [user(render(config.retry_template, question=question, solution=shown))]
    filled = render(
        config.refine_template, question=question, solution=shown, critique=critique.strip()
    )
    return [user(filled)]
