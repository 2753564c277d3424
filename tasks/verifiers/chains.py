"""The critiques of a generative verifier, chain by chain, and the scores of steps in them.

A layout that stops at the first wrong step says nothing about later ones: a solution that has
failed has failed, so each later step gets the lowest score so far, that of the failing step. Under
`min` the solution's score is then that of its worst verdict, however many steps follow, and the
first step below a threshold is the one that was found wrong. A step without a verdict scores .5.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.critique_formats import (
    AnyCritiqueFormat,
    LinesCritiqueConfig,
    StepwiseCritiqueConfig,
)
from schemas.generative import GenPrmLayoutConfig, VerdictLayoutConfig
from tasks.critics.asking import ShownSolution, ask_critic
from tasks.prompts.messages import Message, assistant, system, user
from tasks.prompts.render import render

NO_VERDICT = 0.5
"""The score of a step without a verdict."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What one critic has written about the first steps of a solution."""

    texts: tuple[str, ...] = ()
    """[num_turns]; or one critique, up to the end of what it says about the last step judged."""
    scores: tuple[float, ...] = ()
    """P(right) of each step judged, in order."""
    has_failed: bool = False
    """Whether it found a step wrong and says nothing more."""

    def step_scores(self, num_steps: int) -> list[float]:
        """[num_steps] the scores, also of steps that were not judged."""
        rest = min(self.scores) if self.has_failed else NO_VERDICT
        return [*self.scores[:num_steps], *[rest] * (num_steps - len(self.scores))]


@dataclass(slots=True)
class Spent:
    """Tokens of a critic's requests."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0


@dataclass(slots=True)
class KnownChains:
    """The chains of prefixes that may be continued; the oldest ones are forgotten."""

    limit: int
    _chains: dict[tuple[str, ...], tuple[Chain, ...]] = field(default_factory=dict)

    def get(self, question: str, steps: Sequence[str]) -> tuple[Chain, ...] | None:
        """The chains about exactly these steps."""
        return self._chains.get((question, *steps))

    def add(self, question: str, steps: Sequence[str], chains: Sequence[Chain]) -> None:
        """Remember the chains about these steps."""
        self._chains[question, *steps] = tuple(chains)
        while len(self._chains) > self.limit:
            del self._chains[next(iter(self._chains))]


def mean_scores(chains: Sequence[Chain], num_steps: int) -> list[float]:
    """[num_steps] the mean over the chains."""
    columns = zip(*(chain.step_scores(num_steps) for chain in chains), strict=True)
    return [sum(column) / len(chains) for column in columns]


def stops_at_error(layout: VerdictLayoutConfig) -> bool:
    """Whether a critique says nothing after the first wrong step."""
    if isinstance(layout, AnyCritiqueFormat):
        return layout.judges == "to_first_error"
    return layout.type == "thinkprm"


def ask_for_verdicts(
    layout: VerdictLayoutConfig, question: str, steps: Sequence[str]
) -> list[Message]:
    """Ask for one critique of the steps so far."""
    if isinstance(layout, LinesCritiqueConfig | StepwiseCritiqueConfig):
        return ask_critic(layout, question, ShownSolution(tuple(steps)))
    numbered = "\n".join(f"Step {n}: {step.strip()}" for n, step in enumerate(steps, 1))
    assert layout.type == "thinkprm"
    return [user(render(layout.template, question=question, solution=numbered))]


def ask_for_turn(
    layout: GenPrmLayoutConfig, question: str, steps: Sequence[str], turns: Sequence[str]
) -> list[Message]:
    """Ask for the turn about the last of the steps, after those about the others."""
    messages = [] if layout.system is None else [system(layout.system)]
    messages.append(user(render(layout.template, question=question, step=steps[0])))
    for step, turn in zip(steps[1:], turns, strict=True):
        messages += [assistant(turn), user(step)]
    return messages
