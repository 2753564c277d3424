"""What each token of a stored solution would earn in training: `token_rewards` rows.

Reads a file of trajectories and the run's problems, and gives their solutions to the reward of a
training (`tasks/training/rewards`), those of a problem together. A solution whose tokens are not
stored is encoded from its text. One that cannot be rewarded becomes a row with an error.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.engines import EngineConfig
from schemas.errors import RequestRejected
from schemas.graders import MathGraderConfig
from schemas.rows import Problem, TokenRewards, Trajectory, now
from schemas.token_rewards import TokenRewardsJob
from schemas.training.rewards import AttentionRewardConfig
from schemas.units import Unit
from storage import Store
from tasks.engines.open import identify_engine
from tasks.graders import Grade, make_grader
from tasks.models.folders import identify_model, load_tokenizer, resolve_model
from tasks.prompts.formats import make_prompt_format
from tasks.steps.sampled import align
from tasks.steps.token_texts import TokenDecoder
from tasks.training.rewards import Drawn, Earned, Reward, open_reward
from tasks.verifiers.credit import Credited, to_row
from tasks.verifiers.layout import Encoder
from tasks.verifiers.reward_models import check_reward_model


class Crediting:
    """One open reward over many files."""

    def __init__(self, job: TokenRewardsJob) -> None:
        """Load the reward's models.

        Raises:
            ModelUnusable: a model does not exist or does not fit, or the tokenizers differ.
            ValueError: the policy has no model folder.
        """
        check_job(job)
        folder = policy_folder(job.policy)
        tokenizer, model = load_tokenizer(folder), None
        if divides_itself(job):
            model = _load_policy(folder)
        self.num_rows = self.scored_tokens = 0
        self._job = job
        # One event loop for all files: an engine belongs to the loop it was first used in.
        self._runner = asyncio.Runner()
        grader = make_grader(MathGraderConfig())  # rewards of answers need one
        try:
            self._reward: Reward = self._runner.run(
                open_reward(job.reward, job.prompt, grader, model=model, tokenizer=tokenizer)
            )
        finally:
            grader.close()
        self._encode = Encoder(tokenizer)
        self._decoder = TokenDecoder(tokenizer)
        self._prompt_format = make_prompt_format(job.prompt, job.policy)
        self._policy = identify_engine(job.policy)

    def close(self) -> None:
        """Free the models."""
        self._runner.run(self._reward.close())
        self._runner.close()

    def rows(self, store: Store, unit: Unit) -> list[TokenRewards]:
        """The rows of a unit, whose inputs are a file of trajectories and the problems."""
        return self._runner.run(self._rows(store, unit))

    async def _rows(self, store: Store, unit: Unit) -> list[TokenRewards]:
        trajectories: list[Trajectory] = store.read(unit.inputs[0], unit.rows)
        problems = {p.problem_id: p for path in unit.inputs[1:] for p in store.read(path)}
        by_problem: dict[str, list[Trajectory]] = {}
        for trajectory in trajectories:
            by_problem.setdefault(trajectory.problem_id, []).append(trajectory)
        found: dict[str, TokenRewards] = {}
        for problem_id, rows in by_problem.items():
            credited = await self._credit(problems[problem_id], rows)
            self.num_rows += len(rows)
            self.scored_tokens += sum(row.scored_tokens for row in credited.values())
            found |= credited
        return [found[trajectory.trajectory_id] for trajectory in trajectories]

    async def _credit(
        self, problem: Problem, rows: Sequence[Trajectory]
    ) -> dict[str, TokenRewards]:
        """The rows of a problem's solutions; one at a time where not all can be rewarded."""
        try:
            return dict(zip(_ids(rows), await self._credit_all(problem, rows), strict=True))
        except (ValueError, RequestRejected) as error:
            if len(rows) == 1:
                return {rows[0].trajectory_id: self._failed(rows[0], str(error))}
        alone = [await self._credit(problem, [row]) for row in rows]
        return {name: row for each in alone for name, row in each.items()}

    async def _credit_all(self, problem: Problem, rows: Sequence[Trajectory]) -> list[TokenRewards]:
        for row in rows:
            self._check(row)
        prompt = self._prompt_format.ask(problem.question)
        is_chat = self._prompt_format.has_chat_template
        token_ids = [self._tokens_of(row) for row in rows]
        drawn = Drawn(
            texts=[row.text for row in rows],
            grades=[Grade(row.answer, row.correct) for row in rows],
            finished=[row.status == "finished" for row in rows],
            prompt_ids=self._encode(prompt, add_special_tokens=not is_chat),
            token_ids=token_ids,
        )
        state = {"prompt": prompt, "prefix": "", "question": problem.question}
        earned = await self._reward.judge(state, drawn)
        return [
            to_row(row.trajectory_id, each)
            if isinstance(each, Credited)
            else self._plain(row, each, ids)
            for row, each, ids in zip(rows, earned, token_ids, strict=True)
        ]

    def _tokens_of(self, row: Trajectory) -> Sequence[int]:
        """The sampled tokens of a solution, or those of its text."""
        if row.token_ids is not None and row.vocabulary == self._encode.vocabulary:
            return row.token_ids
        return self._encode.afresh(row.text)

    def _check(self, row: Trajectory) -> None:
        """Refuse a row that is no solution of the job's policy.

        Raises:
            ValueError: says why.
        """
        if row.status not in ("finished", "truncated") or not row.text.strip():
            raise ValueError(row.error or f"expected a solution with text, got status {row.status}")
        if divides_itself(self._job) and row.policy != self._policy:
            raise ValueError(
                f"expected a solution of {self._policy}, whose attention divides, got one of "
                f"{row.policy}"
            )

    def _plain(self, row: Trajectory, earned: Earned, ids: Sequence[int]) -> TokenRewards:
        """The row of a reward that is a number for the whole, or unknown."""
        if earned is None or isinstance(earned, Sequence):
            return self._failed(row, "no reward is known: no token, or too many for the model")
        pieces = align(self._decoder, ids, row.text).pieces
        return TokenRewards(
            trajectory_id=row.trajectory_id,
            reward=self._job.reward.label,
            total=earned,
            tokens=pieces,
            rewards=(*[0.0] * (len(pieces) - 1), earned),
            created_at=now(),
        )

    def _failed(self, row: Trajectory, error: str) -> TokenRewards:
        return TokenRewards(
            trajectory_id=row.trajectory_id,
            reward=self._job.reward.label,
            error=error,
            created_at=now(),
        )


def check_job(job: TokenRewardsJob) -> None:
    """Refuse a job whose models cannot be used together; no weights are loaded.

    Raises:
        ModelUnusable: a model does not exist, or the reward model has another tokenizer.
        ValueError: the policy has no model folder.
    """
    folder = policy_folder(job.policy)
    if isinstance(job.reward, AttentionRewardConfig):
        check_reward_model(job.reward.verifier, folder, separator=job.prompt.step_rule)


def divides_itself(job: TokenRewardsJob) -> bool:
    """Whether the policy's own attention decides the shares."""
    reward = job.reward
    return isinstance(reward, AttentionRewardConfig) and reward.credit == "policy_attention"


def reader_name(job: TokenRewardsJob) -> str:
    """What decides the rows besides the solutions, as a text: models and settings."""
    reward = job.reward
    if not isinstance(reward, AttentionRewardConfig):
        return f"{reward.label} by {identify_engine(reward.verifier, 'verifier')}"
    verifier = identify_model(reward.verifier.model, reward.verifier.revision)
    own = f" of {identify_engine(job.policy)}" if divides_itself(job) else ""
    return f"{reward.label}{own} by {verifier}"


def policy_folder(engine: EngineConfig) -> Path:
    """The folder with a policy's tokenizer.

    Raises:
        ModelUnusable: it does not exist.
        ValueError: engines of this type have none.
    """
    if engine.type == "vllm":
        return resolve_model(engine.model, engine.revision)
    if engine.type == "openai" and engine.tokenizer is not None:
        return resolve_model(engine.tokenizer)
    raise ValueError(
        f"policy: expected an engine whose tokens are known (type vllm, or openai with a "
        f"tokenizer), got type {engine.type}"
    )


def _load_policy(folder: Path) -> Any:
    """The policy's weights, to read its attention."""
    import torch

    from tasks.training.models import load_weights

    return load_weights(folder).to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _ids(rows: Sequence[Trajectory]) -> list[str]:
    return [row.trajectory_id for row in rows]
