"""A model that critiques solutions: `critiques` rows."""

from dataclasses import dataclass, replace

from schemas.critique_formats import CritiqueFormatConfig
from schemas.rows import Critique, Problem, Trajectory
from schemas.sampling_parameters import SamplingParameters
from schemas.units import derive_seed
from tasks.critics.asking import ShownSolution, ask_critic
from tasks.critics.drawing import DrawnAnswers, draw_answers
from tasks.critics.rows import critique_row
from tasks.engines.base import Engine
from tasks.prompts.formats import PromptFormat
from tasks.steps.token_ids import completion_columns


@dataclass(frozen=True, slots=True)
class ModelCritic:
    """A model that critiques solutions, and how it is asked."""

    engine: Engine
    prompt_format: PromptFormat
    format: CritiqueFormatConfig
    drawing: SamplingParameters
    """How critiques are drawn."""
    num_critiques: int
    max_tokens: int
    told: str
    """What the keys hold."""
    seed: int
    scope: str
    """Ids are unique within it."""

    async def critique(
        self, problem: Problem, solution: Trajectory, key: str | None
    ) -> list[Critique]:
        """All critiques of one solution; one row if the engine refuses."""
        shown = ShownSolution.of(solution)
        seed = derive_seed(self.seed, "critique", solution.trajectory_id)
        drawn = await draw_answers(
            self.engine,
            self.prompt_format,
            ask_critic(self.format, problem.question, shown, key),
            self.drawing,
            num=self.num_critiques,
            max_tokens=self.max_tokens,
            seed=seed,
        )
        return [
            self._row(problem, solution, key, drawn, index, seed + index)
            for index in range(drawn.num_rows)
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
        completion = drawn.answer(index)
        text = completion.text if completion else ""
        row = critique_row(
            self.prompt_format.answers([text])[0],
            problem,
            solution,
            format=self.format,
            scope=self.scope,
            critic=self.engine.model_id,
            engine=self.engine.name,
            index=index,
        )
        is_cut = completion is not None and completion.finish_reason == "length"
        fault = "it was cut at its token limit" if is_cut else row.fault
        return replace(
            row,
            told="nothing" if key is None else self.told,
            status="error" if completion is None else "truncated" if is_cut else "finished",
            fault=drawn.error(index) if completion is None else fault,
            text=text,
            temperature=self.drawing.temperature,
            seed=seed,
            **drawn.cost(index),
            **completion_columns(completion, self.engine.vocabulary),
        )
