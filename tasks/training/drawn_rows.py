"""Solutions drawn during training, as rows of `trajectories`: none lost, none stored twice.

What their tokens earned is in rows of `token_rewards`, where a reward says so by token.

The rows drawn since the last checkpoint are written into the next one, so they are complete exactly
if it is; then they are committed as a unit named after the checkpoint's step. A training that is
killed in between commits them when it resumes from that checkpoint, and what was drawn after the
checkpoint is drawn again. The rows belong to the training's own stage and have its method's name as
strategy, such as `grpo`, so no stage mistakes them for the sampled solutions of a set.

A row's policy is the exact one that wrote it: `<id of the base>+<unit>@<optimizer steps so far>`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from schemas.engines import Generation
from schemas.policy_training import PolicyTrainingJob
from schemas.rows import TOKEN_REWARDS, TRAJECTORIES, TokenRewards, Trajectory, now, to_table
from schemas.units import Unit, derive_id
from storage import Store
from tasks.graders import Grade
from tasks.graders.verdicts import verdict
from tasks.models.folders import identify_model
from tasks.steps.outputs import output_columns
from tasks.steps.segmentation import measure_steps, split_steps
from tasks.steps.token_ids import completion_columns
from tasks.thinking.thoughts import Thoughts
from tasks.training.rewards import Earned, total
from tasks.verifiers.credit import Credited, to_row

_FILES = {TRAJECTORIES: "drawn-{rank}.parquet", TOKEN_REWARDS: "token-rewards-{rank}.parquet"}
_SECONDS_KEY = b"seconds"


class DrawnRows:
    """The rows of one process since its last checkpoint."""

    def __init__(self, root: str | None, unit: Unit | None, job: PolicyTrainingJob) -> None:
        """Start without rows.

        Args:
            root: the store; None keeps no rows.
            unit: the training's; its stage and name are those of the rows' units.
            job: the policy and the prompt.
        """
        self._root, self._unit = root, unit
        self._rule, self._thinking = job.prompt.step_rule, job.prompt.thinking
        self._strategy = job.method.method
        self._rows: list[Trajectory] = []
        self._token_rewards: list[TokenRewards] = []
        self.seconds = 0.0
        """What drawing and judging them took."""
        self._base = identify_model(*job.base) if root is not None else ""

    def add(
        self,
        state: Mapping[str, Any],
        generation: Generation,
        grades: Sequence[Grade],
        rewards: Sequence[Earned],
        num_tokens: Sequence[int],
        *,
        step: int,
        place: tuple[int, ...],
        seed: int,
        group_size: int,
        grader: str,
        engine: str,
        vocabulary: str | None = None,
    ) -> None:
        """Keep the solutions of one start state.

        Args:
            state: the row of the set.
            generation: [n] solutions.
            grades: [n] of their answers.
            rewards: [n] what they earned, in all or by token; None where that is unknown.
            num_tokens: [n] tokens that were sampled, a stop string's included, and not those that
                programs printed.
            step: optimizer steps before they were drawn.
            place: the process's rank, the index of the start state among its own in this step, and
                the number of the redraw if it is one.
            seed: of the first solution; the others count up from it.
            group_size: solutions of the whole group, including those of other processes.
            grader: its name.
            engine: its name.
            vocabulary: of its token ids.
        """
        unit = self._unit
        if unit is None or self._root is None:
            return
        prefix = state.get("prefix") or ""
        sources = state.get("source_ids") or ()
        is_critique = state.get("attempt") is not None
        thoughts = self._thinking and Thoughts.of(self._thinking, state["prompt"])
        num_before = len(split_steps(prefix, self._rule.unlimited))
        scope = (unit.run_id, unit.stage, unit.name, step)
        is_redraw = len(place) > 2
        # Workers may share a group of a start state, but not a redrawn one.
        group_id = derive_id(*scope, state["row"], *(place if is_redraw else ()))
        drawn = zip(generation.completions, grades, rewards, num_tokens, strict=True)
        for index, (completion, grade, reward, num_sampled) in enumerate(drawn):
            trajectory_id = derive_id(*scope, *place, index)
            if isinstance(reward, Credited):
                self._token_rewards.append(to_row(trajectory_id, reward))
            status = "finished" if completion.finish_reason == "stop" else "truncated"
            # Its text begins with a prefix that was given, which may mark an answer: a rollout's.
            counted = verdict(grade, status, "rollout")
            steps = measure_steps(completion, self._rule.after(num_before))
            self._rows.append(
                Trajectory(
                    trajectory_id=trajectory_id,
                    problem_id=state.get("problem_id") or "",
                    policy=f"{self._base}+{unit.name}@{step}",
                    strategy=self._strategy,
                    sample_index=index,
                    parent_id=sources[0] if (prefix or is_critique) and sources else None,
                    branch_step=num_before if prefix else None,
                    role="critic" if is_critique else None,
                    status=status,
                    steps=steps,
                    thinking_tokens=thoughts and thoughts.num_tokens(steps, prefix),
                    answer=counted.answer,
                    correct=counted.correct,
                    check_result=counted.check,
                    grader=grader,
                    temperature=1.0,
                    top_p=1.0,
                    seed=seed + index,
                    prompt_tokens=generation.prompt_tokens if index == 0 else 0,
                    cached_tokens=generation.cached_tokens if index == 0 else 0,
                    generated_tokens=num_sampled,
                    engine=engine,
                    created_at=now(),
                    budget=group_size,
                    reward=total(reward),
                    group_id=group_id,
                    training_step=step,
                    **completion_columns(completion, vocabulary),
                    **output_columns(completion, steps),
                )
            )

    def save(self, checkpoint: Path) -> None:
        """Write the rows into a checkpoint that is being written, and start without rows again."""
        if self._root is None:
            return
        from tasks.training.common import training_rank

        checkpoint.mkdir(parents=True, exist_ok=True)
        rank = training_rank()
        # Judging is part of drawing, whose time is told once.
        for spec, rows, seconds in (
            (TRAJECTORIES, self._rows, self.seconds),
            (TOKEN_REWARDS, self._token_rewards, 0.0),
        ):
            if rows or spec is TRAJECTORIES:
                table = to_table(spec, rows)
                table = table.replace_schema_metadata({_SECONDS_KEY: str(seconds)})
                pq.write_table(
                    table, checkpoint / _FILES[spec].format(rank=rank), compression="zstd"
                )
            rows.clear()
        self.seconds = 0.0

    def commit(self, checkpoint: Path) -> None:
        """Commit the rows of a complete checkpoint; those already committed stay."""
        if self._root is None or self._unit is None:
            return
        store, step = Store(self._root), int(checkpoint.name.rpartition("-")[2])
        for spec, name in _FILES.items():
            for file in sorted(checkpoint.glob(name.format(rank="*"))):
                rank = file.stem.rpartition("-")[2]
                unit = Unit(
                    run_id=self._unit.run_id,
                    stage=self._unit.stage,
                    name=f"{self._unit.name}.{step:06d}-{rank}",
                    table=spec.name,
                    seed=self._unit.seed,
                )
                if not store.has(unit):
                    rows = pq.read_table(file, schema=spec.schema)
                    seconds = float((pq.read_schema(file).metadata or {})[_SECONDS_KEY])
                    store.commit(unit, rows, seconds)
