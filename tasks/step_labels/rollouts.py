"""Monte Carlo rollouts: the policy finishes a solution from each of its prefixes.

Reads trajectories, makes `trajectories` rows with strategy `rollout`, whose `parent_id` and
`branch_step` say which prefix they continue (arXiv:2312.08935; arXiv:2406.06592 for bisection).

All prefixes of all solutions are in flight at once and share their past in the engine's prefix
cache. Each prefix is a coroutine of its own: none waits for another, except a bisection for its
own last test. Rollout i of a prefix is drawn with a seed that depends on the prefix and i alone,
so stopping earlier draws a prefix of the same rollouts. The last step needs no rollout.

The tree of a question (`omega.py`) waits for its own tests alone, too. A rollout from one of its
rollouts has that one as its parent, and counts steps from the beginning of the whole solution.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.engines import GenerationRequest
from schemas.errors import RequestRejected
from schemas.rows import Problem, Status, Trajectory, now
from schemas.step_labels import ROLLOUT_STRATEGY, MonteCarloConfig
from schemas.units import derive_id, derive_seed
from tasks.engines.base import Engine
from tasks.graders import Grader, grade_all
from tasks.graders.verdicts import verdict
from tasks.prompts.formats import PromptFormat
from tasks.step_labels.bisection import bisect_first_error
from tasks.step_labels.estimates import hard_label, right_share
from tasks.step_labels.omega import Tree, grow_tree
from tasks.step_labels.prefixes import (
    Prefix,
    PrefixKey,
    by_problem,
    collect_prefixes,
    prefix_key,
    root_key,
)
from tasks.step_labels.stopping import num_to_draw
from tasks.steps.outputs import num_written, output_columns
from tasks.steps.segmentation import measure_steps
from tasks.steps.stop_strings import end_at_stop
from tasks.steps.token_ids import completion_columns, prefix_ids


async def roll_out_trajectories(
    problems: Mapping[str, Problem],
    trajectories: Sequence[Trajectory],
    config: MonteCarloConfig,
    *,
    engine: Engine,
    grader: Grader,
    prompt_format: PromptFormat,
    seed: int,
    scope: str,
    on_rows: Callable[[list[Trajectory]], None] = lambda rows: None,
) -> list[Trajectory]:
    """The rollouts that the labels of these solutions need.

    A rollout cut at the token limit, or that could not be graded, has no verdict (null). A
    request that the engine rejects becomes a row with status `error`.

    Args:
        problems: by problem id.
        trajectories: the solutions; those without steps get no rollouts.
        config: how many rollouts, of which prefixes.
            With `omega` a problem's tree grows from its solutions in `trajectories`.
        engine: the completer.
        grader: judges the whole text, prefix included.
        prompt_format: how the completer is prompted.
        seed: with problem, prefix and index it makes the seed of each rollout.
        scope: ids are unique within it.
        on_rows: called with rows as they are made, for a progress bar.

    Returns:
        Rows by prefix in the order in which prefixes first appear in `trajectories`, then those of
        trees in the order in which they asked for them; within a prefix by sample index. Tokens of
        a prompt that several rollouts share are counted on the first.

    Raises:
        ValueError: a trajectory's problem is missing.
        EngineFailed: the engine is gone; what was in flight is cancelled.
    """
    for trajectory in trajectories:
        if trajectory.problem_id not in problems:
            raise ValueError(
                f"trajectory {trajectory.trajectory_id}: its problem {trajectory.problem_id} "
                f"is not among the {len(problems)} problems given"
            )
    prefixes = collect_prefixes(trajectories, config, engine.model_id)
    known = list(prefixes)
    job = _Job(problems, config, engine, grader, prompt_format, seed, scope, on_rows, prefixes)
    is_linear = config.search == "linear"
    wanted = [key for key, prefix in prefixes.items() if is_linear or prefix.is_audited]
    searched = trajectories if config.search == "bisection" else []
    grown = by_problem(trajectories).values() if config.search == "omega" else []
    trees = [asyncio.create_task(_grow(solutions, job)) for solutions in grown]
    await _finish_all(
        [
            *(job.rows_of(key) for key in wanted),
            *(asyncio.create_task(_bisect(trajectory, job)) for trajectory in searched),
            *trees,
        ],
        job,
    )
    keys = dict.fromkeys([*known, *(key for tree in trees for key in tree.result().states)])
    return [row for key in keys if key in job.tasks for row in job.tasks[key].result()]


@dataclass(slots=True)
class _Job:
    """What every coroutine of one call shares."""

    problems: Mapping[str, Problem]
    config: MonteCarloConfig
    engine: Engine
    grader: Grader
    prompt_format: PromptFormat
    seed: int
    scope: str
    on_rows: Callable[[list[Trajectory]], None]
    prefixes: dict[PrefixKey, Prefix]
    """Those of the solutions, and those that trees have asked for."""
    tasks: dict[PrefixKey, asyncio.Task[list[Trajectory]]] = field(default_factory=dict)
    """The prefixes that were started; a second request for one waits for the first."""

    def rows_of(self, key: PrefixKey) -> asyncio.Task[list[Trajectory]]:
        """The rollouts of a prefix, started if they were not."""
        if key not in self.tasks:
            self.tasks[key] = asyncio.create_task(_roll_out_prefix(self.prefixes[key], self))
        return self.tasks[key]


async def _finish_all(waiting: Sequence[asyncio.Task[Any]], job: _Job) -> None:
    """Wait for all; the first failure cancels the others and is raised unchanged."""
    try:
        await asyncio.gather(*waiting)
    except BaseException:
        unfinished = [task for task in (*waiting, *job.tasks.values()) if not task.done()]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        raise


async def _bisect(trajectory: Trajectory, job: _Job) -> None:
    """Roll out the prefixes that a search for the first error needs."""
    search = bisect_first_error(len(trajectory.steps), trajectory.correct)
    verdict: bool | None = None
    with suppress(StopIteration):
        while True:
            key = prefix_key(trajectory, search.send(verdict))
            rows = await job.rows_of(key)
            verdicts = [*job.prefixes[key].known, *(row.correct for row in rows)]
            verdict = hard_label(verdicts, job.config)


async def _grow(solutions: Sequence[Trajectory], job: _Job) -> Tree:
    """Roll out the prefixes that the tree of a question asks for."""
    known = job.prefixes[root_key(solutions[0].problem_id)].known
    growth = grow_tree(solutions, known, job.config)
    parent, num_steps = next(growth)
    while True:
        key = prefix_key(parent, num_steps)
        job.prefixes.setdefault(key, Prefix(key, parent, num_steps, False))
        rows = await job.rows_of(key)
        try:
            parent, num_steps = growth.send(rows)
        except StopIteration as end:
            return end.value


async def _roll_out_prefix(prefix: Prefix, job: _Job) -> list[Trajectory]:
    """Wave after wave of rollouts until the stopping rule has enough."""
    is_whole = prefix.is_audited or prefix.is_root
    config = job.config.without_shortcuts() if is_whole else job.config
    if job.config.rollouts_by_rate and not prefix.is_root:
        root = root_key(prefix.parent.problem_id)
        verdicts = [*job.prefixes[root].known, *(row.correct for row in await job.rows_of(root))]
        config = config.for_problem(right_share(verdicts))
    rows: list[Trajectory] = []
    while wave := num_to_draw([*prefix.known, *(row.correct for row in rows)], config):
        drawn = await _draw_wave(prefix, len(rows), wave, job)
        job.on_rows(drawn)
        rows += drawn
        if all(row.status == "error" for row in drawn):
            break  # the same request again would be rejected again
    return rows


async def _draw_wave(prefix: Prefix, first: int, num: int, job: _Job) -> list[Trajectory]:
    """Rollouts `first` to `first + num - 1` of a prefix in one request; one row if rejected."""
    problem_id, text = prefix.key
    problem = job.problems[problem_id]
    stop = job.prompt_format.ends(job.config.stop)
    request = GenerationRequest(
        prompt=job.prompt_format.ask(problem.question),
        prefix=text,
        prefix_ids=prefix_ids(prefix.parent, prefix.num_steps, job.engine.vocabulary),
        following="".join(step.text for step in prefix.parent.steps[prefix.num_steps :]),
        n=num,
        **job.config.request_fields(),
        max_tokens=job.config.max_rollout_tokens,
        stop=stop,
        needs_stop_string=False,
        seed=derive_seed(job.seed, *prefix.key) + first,
        has_chat_template=job.prompt_format.has_chat_template,
        thought_tags=job.prompt_format.thought_tags,
        takes_errors=True,
    )
    try:
        generation = await job.engine.generate(request)
    except RequestRejected as rejection:
        return [replace(_empty_row(prefix, first, job), error=str(rejection))]
    completions = [end_at_stop(each, stop, prefix=text) for each in generation.completions]
    texts = [text + completion.text for completion in completions]
    grades = await grade_all(job.grader, job.prompt_format.answers(texts), problem)
    rule = job.prompt_format.step_rule.after(prefix.num_steps)
    rows = []
    for offset, completion in enumerate(completions):
        status: Status = "finished" if completion.finish_reason == "stop" else "truncated"
        status = "error" if completion.error else status
        grade = verdict(None if completion.error else grades[offset], status, "rollout")
        steps = measure_steps(completion, rule)
        rows.append(
            replace(
                _empty_row(prefix, first + offset, job),
                status=status,
                error=completion.error,
                steps=steps,
                thinking_tokens=job.prompt_format.count_thinking(steps, text),
                answer=grade.answer,
                correct=grade.correct,
                check_result=grade.check,
                prompt_tokens=0 if offset else generation.prompt_tokens,
                cached_tokens=0 if offset else generation.cached_tokens,
                generated_tokens=num_written(generation.completions[offset]),
                **completion_columns(completion, job.engine.vocabulary),
                **output_columns(completion, steps),
            )
        )
    return rows


def _empty_row(prefix: Prefix, index: int, job: _Job) -> Trajectory:
    """Rollout `index` of a prefix before anything was generated."""
    parent = prefix.parent
    return Trajectory(
        trajectory_id=derive_id(job.scope, parent.trajectory_id, prefix.num_steps, index),
        problem_id=parent.problem_id,
        policy=job.engine.model_id,
        strategy=ROLLOUT_STRATEGY,
        role="rollout",
        sample_index=index,
        parent_id=parent.trajectory_id,
        branch_step=prefix.num_steps,
        status="error",
        steps=(),
        grader=job.grader.name,
        temperature=job.config.temperature,
        top_p=job.config.top_p,
        seed=derive_seed(job.seed, *prefix.key) + index,
        prompt_tokens=0,
        cached_tokens=0,
        generated_tokens=0,
        round=parent.round,
        engine=job.engine.name,
        created_at=now(),
    )
