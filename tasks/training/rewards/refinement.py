"""What a drawn critique earns by the second attempts that it leads to (CTRL, arXiv:2502.03492).

A fixed actor reads question, solution and critique and tries again n times; the critique earns the
share of right ones. A critique that is cut, that cannot be read, or that gives the gold answer away
earns `faulty` without any attempt: the shortest way to a right second attempt is to say the answer.
Deviation from CTRL: no run of tests, but the training's grader. Equal critiques of a solution get
equal attempts, since the seed is derived from the text.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Self

from schemas.prompts import PromptConfig
from schemas.rows import Problem, Status
from schemas.training.rewards import RefinementRewardConfig
from schemas.units import derive_seed
from tasks.critics.asking import ShownSolution, ask_actor
from tasks.critics.drawing import draw_answers
from tasks.critics.reading import leaks_answer, read_critique
from tasks.engines.base import Engine
from tasks.engines.open import open_engine
from tasks.graders import Grade, Grader, grade_all
from tasks.graders.verdicts import outcome, verdict
from tasks.prompts.formats import make_prompt_format
from tasks.thinking.thoughts import Thoughts
from tasks.training.rewards import Drawn, Earned


class RefinementReward:
    """Rewards critiques with the share of right second attempts."""

    def __init__(
        self, config: RefinementRewardConfig, actor: Engine, grader: Grader, prompt: PromptConfig
    ) -> None:
        """Use an open actor.

        Args:
            config: of the reward.
            actor: tries again.
            grader: decides which second attempts are right.
            prompt: of the critic in training.
        """
        self._config = config
        self._actor = actor
        self._grader = grader
        self._thinking = prompt.thinking
        self._prompt_format = make_prompt_format(config.prompt, config.actor)

    @classmethod
    async def open(
        cls, config: RefinementRewardConfig, *, prompt: PromptConfig, grader: Grader, **_: object
    ) -> Self:
        """The reward, with its actor loaded."""
        actor = await open_engine(config.actor, "policy", separator=config.prompt.step_rule)
        return cls(config, actor, grader, prompt)

    async def judge(self, state: Mapping[str, Any], drawn: Drawn) -> list[Earned]:
        """See `Reward`."""
        return await asyncio.gather(
            *(
                self._earn(state, self._spoken(state, text), is_finished=is_finished)
                for text, is_finished in zip(drawn.texts, drawn.finished, strict=True)
            )
        )

    async def close(self) -> None:
        """See `Reward`."""
        await self._actor.close()

    def _spoken(self, state: Mapping[str, Any], text: str) -> str:
        """A critique without thoughts."""
        if self._thinking is None:
            return text
        return Thoughts.of(self._thinking, state["prompt"]).answer(text)

    async def _earn(
        self, state: Mapping[str, Any], critique: str, *, is_finished: bool
    ) -> float | None:
        config = self._config
        question, answer, attempt = state["question"], state["answer"] or "", state["attempt"]
        reading = read_critique(critique, len(attempt), config.format)
        if (
            not is_finished
            or reading.fault is not None
            or leaks_answer(critique, answer, question, *attempt)
        ):
            return config.faulty
        drawn = await draw_answers(
            self._actor,
            self._prompt_format,
            ask_actor(config.format, question, ShownSolution(tuple(attempt)), critique),
            config,
            num=config.num_refinements,
            max_tokens=config.max_tokens,
            seed=derive_seed("reward", state["prompt"], critique),
        )
        texts = self._prompt_format.answers(each.text for each in drawn.usable)
        problem = Problem(
            problem_id=state.get("problem_id") or "",
            source=state.get("source") or "",
            split="train",
            question=question,
            answer=answer,
            check=state.get("check"),
        )
        grades = await grade_all(self._grader, texts, problem)
        statuses: list[Status] = [
            "finished" if each.finish_reason == "stop" else "truncated" for each in drawn.usable
        ]
        return refinement_reward(grades, statuses)


def refinement_reward(grades: Sequence[Grade], statuses: Sequence[Status]) -> float | None:
    """The share of right second attempts; None where none could be judged.

    Args:
        grades: [n] of the whole texts.
        statuses: [n] how they ended.
    """
    outcomes = []
    for grade, status in zip(grades, statuses, strict=True):
        counted = verdict(grade, status, "solution")
        outcomes.append(
            outcome(status, has_answer=counted.answer is not None, correct=counted.correct)
        )
    known = [each for each in outcomes if each is not None]
    return sum(known) / len(known) if known else None


REWARD = RefinementReward
