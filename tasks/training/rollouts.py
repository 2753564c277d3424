"""Solutions of start states, drawn by an engine from the current policy.

The engine is the one used for all sampling. Its weights are replaced whenever training has changed
them, and each time the log probabilities of a probe are compared with those of the model in
training: nothing else would reveal an engine that kept its old weights.
"""

import asyncio
import shutil
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from schemas.engines import Generation, GenerationRequest
from schemas.errors import EngineFailed
from schemas.policy_training import PolicyTrainingJob
from schemas.prompts import ChatPromptConfig
from schemas.training.drawing import DrawingRecipe, GroupRecipe
from schemas.units import derive_seed
from tasks.engines.probe import tolerance_nats
from tasks.engines.vllm_engine import VLLMEngine, open_vllm_engine
from tasks.graders import Grade, Grader, grade_all, make_grader
from tasks.graders.base import UNGRADED
from tasks.steps.outputs import num_written, written_mask
from tasks.steps.stop_strings import end_at_stop
from tasks.thinking.thoughts import Thoughts
from tasks.tools.engine import with_tools
from tasks.training.drawn_rows import DrawnRows
from tasks.training.models import write_weights
from tasks.training.overlong import less, overlong_penalty
from tasks.training.rewards import Drawn, Earned, Reward, open_reward, total
from tasks.training.rows import RowEncoder
from tasks.training.served import check_served, own_gpu
from tasks.training.start_states import (
    check_prefixes,
    check_reward,
    judge,
    problem_of,
    stop_strings,
)

PROBE_TOKENS = 16
ZERO_VARIANCE = "zero_variance_share"
"""The share of the groups drawn whose solutions all earned the same, and which teach nothing."""
UNFILLED = "unfilled_share"
"""The share of a batch's groups that were still like that after all redraws."""


class Rollouts:
    """Draws and rewards solutions for a trainer, which calls `sync_weights` for new weights."""

    def __init__(
        self,
        job: PolicyTrainingJob,
        states: Sequence[Mapping[str, Any]],
        model: Any,
        tokenizer: Any,
        *,
        work_dir: Path,
        rank: int,
        num_processes: int,
        drawn: DrawnRows | None = None,
    ) -> None:
        """Open the engines.

        Args:
            job: the policy, how vLLM runs it, the grader, the reward.
            states: the start states.
            model: the policy in training.
            tokenizer: its tokenizer.
            work_dir: gets the weights for the engine.
            rank: this process's rank among those that train.
            num_processes: how many train; each has an engine of its own.
            drawn: gets every solution as a row.
        """
        assert isinstance(job.method, DrawingRecipe)
        check_prefixes(states, job.prompt)
        check_reward(states[0], job.method)
        self._job, self._method = job, job.method
        self._states = states
        self._model = model
        self._drawn = drawn
        self._rank = rank
        self._is_chat = isinstance(job.prompt, ChatPromptConfig)
        self._stop = stop_strings(job)
        self._rows = RowEncoder(tokenizer, has_chat_template=self._is_chat)
        self._folder = work_dir / f"served-{rank}"
        self._tokenizer = tokenizer
        self._figures: defaultdict[str, list[float]] = defaultdict(list)
        self.generated_tokens = 0
        self._grader: Grader = make_grader(job.grader)
        # One event loop for the whole training: an engine belongs to the loop it was first used in.
        self._runner = asyncio.Runner()
        with own_gpu(num_processes):
            self._policy: VLLMEngine = self._runner.run(
                open_vllm_engine(
                    # In this process vLLM would use the process group of all trainers as its own.
                    job.policy if num_processes == 1 else job.policy.with_fields(process="own"),
                    "policy",
                    separator=job.prompt.step_rule,
                )
            )
        self._writer = with_tools(self._policy, job.prompt)
        self._reward: Reward = self._runner.run(
            open_reward(
                self._method.reward, job.prompt, self._grader, model=model, tokenizer=tokenizer
            )
        )

    def __call__(self, prompts: Sequence[str], step: int) -> dict[str, list[Any]]:
        """Solutions of some start states, in TRL's form, with what each earns as `reward`.

        Where solutions run programs, `env_mask` is 0 for the tokens that these printed.

        Args:
            prompts: indices of start states as text, one per solution to draw.
            step: the optimizer steps so far; other steps draw other solutions.

        Raises:
            TrainingDiverged: a reward is not finite.
        """
        groups = [(int(number), len(list(group))) for number, group in groupby(prompts)]
        begun = time.monotonic()
        drawn = self._runner.run(self._draw_all(groups, step))
        if self._drawn is not None:
            self._drawn.seconds += time.monotonic() - begun
        return drawn

    def sync_weights(self) -> None:
        """Give the engine the current weights, and check that it has them.

        Raises:
            EngineFailed: the engine does not compute what the model in training computes.
        """
        shutil.rmtree(self._folder, ignore_errors=True)
        write_weights(self._model, self._folder)
        self._tokenizer.save_pretrained(self._folder)
        self._runner.run(self._update())

    def take_figures(self) -> dict[str, float]:
        """Mean figures since the last call: shares of right solutions, overall and by stage."""
        figures = {name: sum(values) / len(values) for name, values in self._figures.items()}
        self._figures.clear()
        return figures

    def close(self) -> None:
        """Free the engines and end the grader."""
        self._runner.run(self._policy.close())
        self._runner.run(self._reward.close())
        self._runner.close()
        self._grader.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _update(self) -> None:
        await self._policy.update_weights(self._folder)
        state = self._states[0]
        await check_served(
            self._policy,
            self._model,
            self._request(state, n=1, seed=0, temperature=0.0, max_tokens=PROBE_TOKENS),
            self._rows.prompt_ids(state),
            tolerance=tolerance_nats(self._job.policy, self._folder),
        )

    async def _draw_all(self, groups: Sequence[tuple[int, int]], step: int) -> dict[str, list[Any]]:
        """The solutions of all groups; as many start states at once as the engine can hold."""
        drawn = await asyncio.gather(
            *(
                self._draw_group(number, n=n, step=step, place=place)
                for place, (number, n) in enumerate(groups)
            )
        )
        return {name: [value for part in drawn for value in part[name]] for name in drawn[0]}

    async def _draw_group(
        self, number: int, *, n: int, step: int, place: int
    ) -> dict[str, list[Any]]:
        """N solutions of a start state, or of another one where those all earn the same."""
        method = self._method
        if not isinstance(method, GroupRecipe):
            return await self._draw(self._states[number], n=n, step=step, place=(place,))
        drawn: dict[str, list[Any]] = {}
        for attempt in range(method.max_redraws + 1):
            at = (place, attempt) if attempt else (place,)
            if attempt:
                number = derive_seed("state", method.seed, step, self._rank, *at)
                number %= len(self._states)
            drawn = await self._draw(self._states[number], n=n, step=step, place=at)
            self._figures[ZERO_VARIANCE].append(float(all_equal(drawn["reward"])))
            if not all_equal(drawn["reward"]):
                break
        if method.max_redraws:
            self._figures[UNFILLED].append(float(all_equal(drawn["reward"])))
        return drawn

    async def _draw(
        self, state: Mapping[str, Any], *, n: int, step: int, place: tuple[int, ...]
    ) -> dict[str, list[Any]]:
        """N solutions of one start state, rewarded and kept as rows."""
        # Two workers may share a group, and a set may hold a state twice.
        seed = derive_seed("rollout", self._method.seed, step, self._rank, *place)
        generation = await self._writer.generate(
            self._request(
                state, n=n, seed=seed, temperature=1.0, max_tokens=self._method.max_new_tokens
            )
        )
        completions = generation.completions
        token_ids = [list(completion.token_ids) for completion in completions]
        for completion in completions:
            if completion.error is not None:
                raise EngineFailed(f"policy: {completion.error}")
        num_tokens = [num_written(completion) for completion in completions]
        self.generated_tokens += sum(num_tokens)
        prefix = state.get("prefix") or ""
        ended = tuple(end_at_stop(each, self._stop, prefix=prefix) for each in completions)
        generation = replace(generation, completions=ended)
        prompt_ids = self._rows.prompt_ids(state)
        grades, rewards = await self._judge(state, generation, prompt_ids, token_ids)
        if self._drawn is not None:
            self._drawn.add(
                state,
                generation,
                grades,
                rewards,
                num_tokens,
                step=step,
                place=(self._rank, *place),
                seed=seed,
                group_size=self._method.group_size,
                grader=self._grader.name,
                engine=self._policy.name,
                vocabulary=self._policy.vocabulary,
            )
        drawn: dict[str, list[Any]] = {
            "prompt_ids": [prompt_ids] * n,
            "completion_ids": token_ids,
            "logprobs": [list(completion.logprobs or ()) for completion in completions],
            "reward": rewards,
        }
        if self._job.prompt.tools is not None:
            drawn["env_mask"] = [written_mask(completion) for completion in completions]
        return drawn

    async def _judge(
        self,
        state: Mapping[str, Any],
        generation: Generation,
        prompt_ids: list[int],
        token_ids: list[list[int]],
    ) -> tuple[list[Grade], list[Earned]]:
        """The grades of one start state's solutions, and what they earn."""
        prefix = state.get("prefix") or ""
        texts = [prefix + completion.text for completion in generation.completions]
        finished = [completion.finish_reason == "stop" for completion in generation.completions]
        if self._method.reward.of_critiques:
            grades = [UNGRADED] * len(texts)
        else:
            answers = self._answers(state, texts)
            grades = [*await grade_all(self._grader, answers, problem_of(state))]
            self._count_right(state, grades, finished)
        drawn = Drawn(
            texts=texts,
            grades=grades,
            finished=finished,
            prompt_ids=prompt_ids,
            token_ids=token_ids,
        )
        rewards = await judge(self._reward, state, drawn, name=self._method.reward.type)
        return grades, [
            less(earned, self._overlong(len(ids)))
            for earned, ids in zip(rewards, token_ids, strict=True)
        ]

    def _overlong(self, num_tokens: int) -> float:
        """The penalty of a solution of this many tokens."""
        method = self._method
        if method.overlong_buffer is None:
            return 0.0
        penalty = overlong_penalty(
            num_tokens,
            max_tokens=method.max_new_tokens,
            buffer=method.overlong_buffer,
            weight=method.overlong_penalty,
        )
        self._figures["overlong_share"].append(float(penalty > 0))
        return penalty

    def _count_right(
        self, state: Mapping[str, Any], grades: Sequence[Grade], finished: Sequence[bool]
    ) -> None:
        for grade, is_finished in zip(grades, finished, strict=True):
            if is_finished and grade.answer is not None and grade.correct is None:
                continue  # nobody knows
            is_right = float(bool(grade.correct and is_finished))
            self._figures["p_right"].append(is_right)
            if state.get("stage") is not None:
                self._figures[f"p_right_stage_{state['stage']}"].append(is_right)

    def _answers(self, state: Mapping[str, Any], texts: list[str]) -> list[str]:
        """The texts as the grader reads them: without thoughts."""
        if (config := self._job.prompt.thinking) is None:
            return texts
        thoughts = Thoughts.of(config, state["prompt"])
        return [thoughts.answer(text) for text in texts]

    def _request(
        self,
        state: Mapping[str, Any],
        *,
        n: int,
        seed: int,
        temperature: float,
        max_tokens: int,
    ) -> GenerationRequest:
        ids = self._rows.sampled(state, "prefix_ids")
        return GenerationRequest(
            prompt=state["prompt"],
            prefix=state.get("prefix") or "",
            prefix_ids=None if ids is None else tuple(ids),
            n=n,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=self._stop,
            needs_stop_string=False,
            seed=seed,
            with_logprobs=True,
            has_chat_template=self._is_chat,
        )


def all_equal(rewards: Sequence[Earned]) -> bool:
    """Whether solutions all earned the same in all, so that comparing them teaches nothing."""
    return len({total(earned) for earned in rewards} - {None}) < 2
