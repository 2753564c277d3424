"""A model that critiques solutions: `critiques` rows."""

from dataclasses import dataclass

from schemas.critique_formats import CritiqueFormatConfig
from schemas.rows import Critique, Problem, Trajectory, now
from schemas.sampling_parameters import SamplingParameters
from schemas.units import derive_id, derive_seed
from tasks.critics.asking import ShownSolution, ask_critic
from tasks.critics.drawing import DrawnAnswers, draw_answers
from tasks.critics.reading import CritiqueReading, leaks_answer, read_critique
from tasks.engines.base import Engine
from tasks.prompts.formats import PromptFormat
from tasks.steps.token_ids import completion_columns


@dataclass(frozen=True, slots=True)
class Critic:
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
            self._row(problem, solution, shown, key, drawn, index, seed + index)
            for index in range(len(drawn.completions) or 1)
        ]

    def _row(
        self,
        problem: Problem,
        solution: Trajectory,
        shown: ShownSolution,
        key: str | None,
        drawn: DrawnAnswers,
        index: int,
        seed: int,
    ) -> Critique:
        completion = drawn.completions[index] if drawn.completions else None
        text = completion.text if completion else ""
        answer = self.prompt_format.answers([text])[0]
        reading = CritiqueReading((), None, drawn.error)
        if completion is not None:
            reading = read_critique(answer, len(shown.steps), self.format)
        is_cut = completion is not None and completion.finish_reason == "length"
        first_error = reading.first_error
        return Critique(
            critique_id=derive_id(self.scope, solution.trajectory_id, index),
            trajectory_id=solution.trajectory_id,
            problem_id=problem.problem_id,
            critic=self.engine.model_id,
            told="nothing" if key is None else self.told,
            sample_index=index,
            status="error" if completion is None else "truncated" if is_cut else "finished",
            fault="it was cut at its token limit" if is_cut else reading.fault,
            text=text,
            steps=reading.steps,
            first_error=None if first_error is None else first_error + shown.num_hidden,
            verdict=reading.verdict,
            leaks=leaks_answer(answer, problem.answer or "", problem.question, *shown.steps),
            temperature=self.drawing.temperature,
            seed=seed,
            **drawn.cost(index),
            **completion_columns(completion, self.engine.vocabulary),
            round=solution.round,
            engine=self.engine.name,
            created_at=now(),
        )
