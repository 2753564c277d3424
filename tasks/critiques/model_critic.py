"""Critiques by a model."""

from dataclasses import dataclass, replace

from schemas.critiques import CritiquesJob
from schemas.rows import Critique, Problem, Trajectory
from schemas.units import Unit, derive_seed
from tasks.critics.asking import ShownSolution, ask_critic
from tasks.critics.drawing import DrawnAnswers, draw_answers
from tasks.critiques.critic import read_row
from tasks.engines.base import Engine
from tasks.engines.host import UnitContext
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import PromptFormat, make_prompt_format
from tasks.steps.token_ids import completion_columns


@dataclass(frozen=True, slots=True)
class ModelCritic:
    """A model that critiques solutions, and how it is asked."""

    unit: Unit
    job: CritiquesJob
    engine: Engine
    prompt_format: PromptFormat

    async def critique(
        self, problem: Problem, solution: Trajectory, key: str | None
    ) -> list[Critique]:
        """All critiques of one solution; one row if the engine refuses."""
        job = self.job
        shown = ShownSolution.of(solution)
        seed = derive_seed(job.seed, "critique", solution.trajectory_id)
        drawn = await draw_answers(
            self.engine,
            self.prompt_format,
            ask_critic(job.format, problem.question, shown, key),
            job.critiquing,
            num=job.critiquing.num_critiques,
            max_tokens=job.critiquing.max_tokens,
            seed=seed,
        )
        return [
            self._row(problem, solution, key, drawn, index, seed + index)
            for index in range(len(drawn.completions) or 1)
        ]

    def _row(
        self,
        problem: Problem,
        solution: Trajectory,
        key: str | None,
        drawn: DrawnAnswers,
        index: int,
        seed: int,
    ) -> Critique:
        completion = drawn.completions[index] if drawn.completions else None
        text = completion.text if completion else ""
        (answer,) = self.prompt_format.answers([text])
        row = read_row(
            answer,
            problem,
            solution,
            self.job,
            unit=self.unit,
            critic=self.engine.model_id,
            engine=self.engine.name,
            index=index,
        )
        is_cut = completion is not None and completion.finish_reason == "length"
        fault = "it was cut at its token limit" if is_cut else row.fault
        return replace(
            row,
            told="nothing" if key is None else self.job.critic.told,
            status="error" if completion is None else "truncated" if is_cut else "finished",
            fault=drawn.error if completion is None else fault,
            text=text,
            temperature=self.job.critiquing.temperature,
            seed=seed,
            **drawn.cost(index),
            **completion_columns(completion, self.engine.vocabulary),
        )


async def make_model_critic(unit: Unit, job: CritiquesJob, context: UnitContext) -> ModelCritic:
    """The critic of a job, on the engine of its role."""
    model = job.critic.engine or job.policy
    return ModelCritic(
        unit,
        job.with_fields(critiquing=with_recommended(job.critiquing, model)),
        context.engine(job.critic_role),
        make_prompt_format(job.critic_prompt, model),
    )
