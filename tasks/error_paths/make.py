"""Make error paths: `trajectories` rows with the role `error_path` (arXiv:2411.16579).

Reads one file of solutions, the run's problems and later verdicts on the solutions. A row holds the
whole path, so its `branch_step` is 0, and `parent_id` names the template that it begins like; its
cost is that of what was drawn. `error_step` and `error_note` say what is known of the error: for
`rg1` nothing, for `rg2` the first step that was drawn, for `rg3` place and content. The paper keeps
the wrong paths; the right ones are rows as well. A path with an error put in has no token ids,
since the policy did not write all of it. All paths of a unit are in flight at once, each with a
seed of its own.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas.error_paths import (
    ERROR_PATH,
    ErrorPathConfig,
    ErrorPathsJob,
    InjectedConfig,
    RisingConfig,
    RuleErrorsConfig,
)
from schemas.rows import Problem, Status, Step, Trajectory, now
from schemas.unit_names import ErrorPathsName
from schemas.units import Unit, derive_id, derive_seed
from tasks.critics.asking import ShownSolution
from tasks.critics.drawing import draw_answers
from tasks.engines.base import Engine
from tasks.engines.host import UnitContext
from tasks.error_paths.annotate import Annotator
from tasks.error_paths.draw import Beginning, Cost, Rest, Writer, join_ids
from tasks.error_paths.rules import PlacedError, place_error
from tasks.error_paths.templates import TemplatePool
from tasks.graders import Grader, grade_all
from tasks.graders.verdicts import apply_verdicts, verdict
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import PromptFormat, make_prompt_format
from tasks.prompts.messages import user
from tasks.steps.segmentation import measure_steps
from tasks.steps.token_ids import known_ids, prefix_ids, token_columns


async def make_error_paths(
    unit: Unit, job: ErrorPathsJob, context: UnitContext
) -> list[Trajectory]:
    """The paths of one way, template by template, or problem by problem where there is none."""
    verdicts = [v for path in unit.inputs[2:] for v in await context.read(path)]
    solutions = apply_verdicts(await context.read(unit.inputs[0]), verdicts)
    problems: dict[str, Problem] = {p.problem_id: p for p in await context.read(unit.inputs[1])}
    (config,) = job.paths
    maker = _Maker.of(unit, job, config, context)

    async def count(rows: list[Trajectory]) -> list[Trajectory]:
        context.counters.rows += len(rows)
        context.counters.generated_tokens += sum(row.generated_tokens for row in rows)
        return rows

    async def of_template(template: Trajectory, index: int) -> list[Trajectory]:
        path = await maker.branch(problems[template.problem_id], template, index)
        return await count([] if path is None else [path])

    async def of_problem(problem_id: str) -> list[Trajectory]:
        rounds = {row.round for row in solutions if row.problem_id == problem_id}
        number = rounds.pop() if len(rounds) == 1 else None
        return await count(await maker.draw_whole(problems[problem_id], number))

    if config.needs_template:
        templates = TemplatePool.of(solutions, job).templates
        waiting = [of_template(each, i) for each in templates for i in range(config.num_paths)]
    else:
        waiting = [of_problem(each) for each in dict.fromkeys(row.problem_id for row in solutions)]
    return [row for rows in await asyncio.gather(*waiting) for row in rows]


@dataclass(slots=True)
class _Path:
    """A path before its row: what it begins with, and what is known of its error."""

    begun: Beginning
    kept: tuple[Step, ...]
    """The steps that it begins with, one with an error put in included."""
    error_step: int
    error_note: str
    has_sampled_ids: bool
    """Whether `begun` is what a policy sampled, to the token."""
    is_whole: bool = False
    """Whether nothing is left to draw."""


@dataclass(frozen=True, slots=True)
class _Maker:
    """What all paths of a unit share."""

    engine: Engine
    prompt_format: PromptFormat
    grader: Grader
    config: ErrorPathConfig
    job: ErrorPathsJob
    writer: Writer
    annotator: Annotator | None
    scope: str
    """Ids are unique within it."""
    solutions: str
    """The name of the unit of solutions, part of the seeds of whole draws."""

    @classmethod
    def of(
        cls, unit: Unit, job: ErrorPathsJob, config: ErrorPathConfig, context: UnitContext
    ) -> "_Maker":
        """Set up from the unit's engines."""
        config = with_recommended(config, job.policy)
        engine = context.engine("policy")
        prompt_format = make_prompt_format(job.prompt, job.policy)
        return cls(
            engine=engine,
            prompt_format=prompt_format,
            grader=context.grader(job.grader),
            config=config,
            job=job,
            writer=Writer(engine, prompt_format, config),
            annotator=_make_annotator(config, job, context),
            scope=f"{unit.run_id}/{unit.stage}/{unit.name}",
            solutions=str(ErrorPathsName.parse(unit.name).solutions),
        )

    async def draw_whole(self, problem: Problem, number: int | None) -> list[Trajectory]:
        """Every hot solution of a problem; one row if the engine refuses."""
        config = self.config
        seed = derive_seed(self.job.seed, config.type, self.solutions, problem.problem_id)
        drawn = await draw_answers(
            self.engine,
            self.prompt_format,
            [user(problem.question)],
            config,
            num=config.num_paths,
            max_tokens=config.max_tokens,
            seed=seed,
        )
        rows = []
        for index in range(drawn.num_rows):
            rest = Rest(drawn.answer(index), drawn.error(index), config.temperature)
            cost = Cost()
            cost.add(**drawn.cost(index))
            row = await self._row(problem, None, index, seed + index, None, rest, cost)
            rows.append(replace(row, round=number))
        return rows

    async def branch(self, problem: Problem, template: Trajectory, index: int) -> Trajectory | None:
        """Path `index` of a template; None where no kind of error fits any of its steps."""
        config, cost = self.config, Cost()
        seed = derive_seed(self.job.seed, config.type, template.trajectory_id) + index
        rng = random.Random(derive_seed("place", seed))
        if isinstance(config, RisingConfig):
            path = self._keep(template, rng, config)
            rest = await self.writer.finish_rising(problem, path.begun, seed, cost, config)
            return await self._row(problem, template, index, seed, path, rest, cost)
        assert isinstance(config, InjectedConfig)
        placed = await self._place(problem, template, rng, seed, config, cost)
        if placed is None:
            return None
        if isinstance(placed, str):
            rest = Rest(None, placed, config.temperature)
            return await self._row(problem, template, index, seed, None, rest, cost)
        path = self._inject(template, placed)
        rest = Rest(None, None, config.temperature)
        if not path.is_whole:
            rest = await self.writer.finish(problem, path.begun, seed, cost)
        return await self._row(problem, template, index, seed, path, rest, cost)

    def _keep(self, template: Trajectory, rng: random.Random, config: RisingConfig) -> _Path:
        """The first steps of a template."""
        num_hidden = ShownSolution.of(template).num_hidden
        num_shown = len(template.steps) - num_hidden
        num_kept = rng.randint(1, num_shown - 1)
        if config.kept_share is not None:
            num_kept = min(max(round(config.kept_share * num_shown), 1), num_shown - 1)
        num_kept += num_hidden
        steps = template.steps[:num_kept]
        ids = prefix_ids(template, num_kept, self.engine.vocabulary)
        following = "".join(step.text for step in template.steps[num_kept:])
        begun = Beginning("".join(step.text for step in steps), ids, following)
        told = "the steps before it are those of a right solution; it may begin here or later"
        if not template.correct:
            told = "the steps from here on are drawn anew"
        return _Path(begun, _plain(steps), num_kept, told, has_sampled_ids=True)

    async def _place(
        self,
        problem: Problem,
        template: Trajectory,
        rng: random.Random,
        seed: int,
        config: InjectedConfig,
        cost: Cost,
    ) -> PlacedError | str | None:
        """The error to be put in, why the annotator wrote none, or None where no kind fits."""
        steps = [step.text for step in template.steps]
        places = range(ShownSolution.of(template).num_hidden, len(steps) - 1)
        errors = config.errors
        if isinstance(errors, RuleErrorsConfig):
            return place_error(steps, places, problem.question, errors.kinds, rng)
        assert self.annotator is not None
        kind, place = rng.choice(sorted(errors.kinds)), rng.choice(places)
        first = places.start
        placed = await self.annotator.rewrite(
            problem, steps[first:], place - first, kind, derive_seed("error", seed), cost
        )
        return placed if isinstance(placed, str) else replace(placed, place=place)

    def _inject(self, template: Trajectory, placed: PlacedError) -> _Path:
        """The first steps of a template and the step with the error."""
        before = template.steps[: placed.place]
        after = template.steps[placed.place + placed.edit.num_steps :]
        own_ids = self.engine.encode_text(placed.edit.text)
        ids = prefix_ids(template, placed.place, self.engine.vocabulary)
        begun = Beginning(
            "".join(step.text for step in before) + placed.edit.text,
            join_ids(ids, own_ids),
            "".join(step.text for step in after),
        )
        num_tokens = 1 if own_ids is None else len(own_ids)
        kept = (*_plain(before), Step(text=placed.edit.text, num_tokens=num_tokens))
        return _Path(begun, kept, placed.place, placed.note, False, is_whole=not after)

    async def _row(
        self,
        problem: Problem,
        template: Trajectory | None,
        index: int,
        seed: int,
        path: _Path | None,
        rest: Rest,
        cost: Cost,
    ) -> Trajectory:
        """The row of a path."""
        about = problem.problem_id if template is None else template.trajectory_id
        kept = () if path is None else path.kept
        status, steps, ids = self._end(kept, path, rest)
        grade = None
        if status != "error":
            (text,) = self.prompt_format.answers(["".join(step.text for step in steps)])
            (grade,) = await grade_all(self.grader, [text], problem)
        counted = verdict(grade, status, "solution")
        return Trajectory(
            trajectory_id=derive_id(self.scope, about, index),
            problem_id=problem.problem_id,
            policy=self.engine.model_id,
            strategy=self.config.type,
            role=ERROR_PATH,
            sample_index=index,
            parent_id=None if template is None else template.trajectory_id,
            branch_step=None if template is None else 0,
            status=status,
            error=rest.error,
            steps=steps,
            answer=counted.answer,
            correct=counted.correct,
            check_result=counted.check,
            grader=self.grader.name,
            temperature=rest.temperature,
            top_p=self.config.top_p,
            seed=seed,
            prompt_tokens=cost.prompt_tokens,
            cached_tokens=cost.cached_tokens,
            generated_tokens=cost.generated_tokens,
            thinking_tokens=self.prompt_format.count_thinking(steps) if steps else None,
            round=None if template is None else template.round,
            engine=self.engine.name,
            created_at=now(),
            error_step=None if path is None else path.error_step,
            error_note=None if path is None else path.error_note,
            **token_columns(ids, self.engine.vocabulary),
        )

    def _end(
        self, kept: tuple[Step, ...], path: _Path | None, rest: Rest
    ) -> tuple[Status, tuple[Step, ...], tuple[int, ...] | None]:
        """Status, steps and token ids of a path."""
        if path is not None and path.is_whole:
            return "finished", kept, None
        if rest.completion is None:
            return "error", (), None
        rule = self.prompt_format.step_rule
        drawn = measure_steps(rest.completion, rule.after(len(kept)) if kept else rule)
        status: Status = "finished" if rest.completion.finish_reason == "stop" else "truncated"
        own = known_ids(rest.completion, self.engine.vocabulary)
        if path is not None:
            own = join_ids(path.begun.token_ids, own) if path.has_sampled_ids else None
        return status, (*kept, *drawn), own


def _make_annotator(
    config: ErrorPathConfig, job: ErrorPathsJob, context: UnitContext
) -> Annotator | None:
    if not isinstance(config, InjectedConfig) or isinstance(config.errors, RuleErrorsConfig):
        return None
    errors = config.errors
    model = errors.engine or job.policy
    return Annotator(
        context.engine("policy" if errors.engine is None else "annotator"),
        make_prompt_format(errors.prompt or job.prompt.for_other_tasks(), model),
        with_recommended(errors, model),
    )


def _plain(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps without what verifiers and searches know of them."""
    return tuple(
        Step(text=step.text, num_tokens=step.num_tokens, logprob=step.logprob) for step in steps
    )
