"""A language model judges stored trajectories: `judgements` rows, several per trajectory.

Reads one trajectories file, the run's problems, and for rollouts the solutions that they continue.
All judgements of a unit are in flight at once. One that the engine refuses, such as a prompt longer
than the context, is a row with status `error` and the reason, and its solution stays ungraded.
Trajectories that no verdict counts on are not judged: those without a text, and those that were cut
before they marked an answer.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.judging import JudgeGraderConfig
from schemas.rows import Judgement, Problem, Trajectory, now
from schemas.units import Unit, derive_id, derive_seed
from tasks.critics.drawing import DrawnAnswers, draw_answers
from tasks.engines.host import UnitContext
from tasks.engines.open import identify_engine
from tasks.graders import Grade, extract_answer
from tasks.graders.judge_grader import ask_judge, find_reference, read_judgement
from tasks.graders.verdicts import kind_of, verdict
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import PromptFormat, make_prompt_format
from tasks.thinking.thoughts import answer_text


def judge_name(config: JudgeGraderConfig) -> str:
    """The value of the `grader` column: the judge's model, and a digest of its settings.

    Raises:
        ModelUnusable: the model does not exist.
    """
    return f"judge-1+{identify_engine(config.engine, 'judge')}+{own_settings(config)[:8]}"


def own_settings(config: JudgeGraderConfig) -> str:
    """A hash of all settings but the model."""
    return config.with_fields(engine=JudgeGraderConfig().engine).config_hash()


@dataclass(frozen=True, slots=True)
class _Judge:
    """A judge in an actor, ready to be asked."""

    config: JudgeGraderConfig
    drawing: JudgeGraderConfig
    """The config with the parameters that its model recommends."""
    grader: str
    prompt_format: PromptFormat
    context: UnitContext
    scope: str

    async def judge(self, problem: Problem, row: Trajectory, text: str) -> list[Judgement]:
        """All judgements of one solution; one row if the engine refuses."""
        told, reference = find_reference(self.config, problem)
        seed = derive_seed(self.config.seed, "judge", row.trajectory_id)
        drawn = await draw_answers(
            self.context.engine("judge"),
            self.prompt_format,
            ask_judge(self.config, problem.question, text.strip(), reference),
            self.drawing,
            num=self.config.num_judgements,
            max_tokens=self.config.max_tokens,
            seed=seed,
        )
        rows = [self._row(row, told, drawn, index, seed + index) for index in range(drawn.num_rows)]
        counters = self.context.counters
        counters.rows += len(rows)
        counters.generated_tokens += sum(each.generated_tokens for each in rows)
        return rows

    def _row(
        self, row: Trajectory, told: str, drawn: DrawnAnswers, index: int, seed: int
    ) -> Judgement:
        engine = self.context.engine("judge")
        completion = drawn.answer(index)
        text = completion.text if completion else ""
        reading = read_judgement(self.prompt_format.answers([text])[0], self.config)
        is_cut = completion is not None and completion.finish_reason == "length"
        fault, said = reading.fault, reading.verdict
        if completion is None:
            fault, said = drawn.error(index), None
        elif is_cut:
            fault, said = "it was cut at its token limit", None
        return Judgement(
            judgement_id=derive_id(self.scope, row.trajectory_id, index),
            trajectory_id=row.trajectory_id,
            problem_id=row.problem_id,
            grader=self.grader,
            judge=engine.model_id,
            told=told,
            sample_index=index,
            status="error" if completion is None else "truncated" if is_cut else "finished",
            fault=fault,
            text=text,
            verdict=said,
            temperature=self.drawing.temperature,
            seed=seed,
            **drawn.cost(index),
            round=row.round,
            engine=engine.name,
            created_at=now(),
        )


async def judge_trajectories(
    unit: Unit, config: JudgeGraderConfig, context: UnitContext
) -> list[Judgement]:
    """The judgements of a unit's trajectories, in their order."""
    trajectories: list[Trajectory] = await context.read(unit.inputs[0], unit.rows)
    problems: dict[str, Problem] = {
        problem.problem_id: problem for problem in await context.read(unit.inputs[1])
    }
    before: dict[str, Trajectory] = {
        row.trajectory_id: row for path in unit.inputs[2:] for row in await context.read(path)
    }
    judge = _Judge(
        config,
        with_recommended(config, config.engine),
        judge_name(config),
        make_prompt_format(config.own_prompt, config.engine),
        context,
        f"{unit.run_id}/{unit.stage}/{unit.name}",
    )
    texts = {row.trajectory_id: answer_text(row, before) for row in trajectories}
    judged = await asyncio.gather(
        *(
            judge.judge(problems[row.problem_id], row, texts[row.trajectory_id])
            for row in choose_judged(trajectories, texts)
        )
    )
    return [row for rows in judged for row in rows]


def choose_judged(trajectories: Sequence[Trajectory], texts: dict[str, str]) -> list[Trajectory]:
    """The trajectories on which a verdict would count, in order."""
    return [
        row
        for row in trajectories
        if verdict(
            Grade(extract_answer(texts[row.trajectory_id]), True), row.status, kind_of(row)
        ).correct
    ]
