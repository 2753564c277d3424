"""Have a model put an error into a step."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.error_paths import ModelErrorsConfig
from schemas.rows import Problem
from tasks.critics.drawing import draw_answers
from tasks.engines.base import Engine
from tasks.error_paths.draw import Cost
from tasks.error_paths.rules import Edit, PlacedError
from tasks.prompts.formats import PromptFormat
from tasks.prompts.messages import user
from tasks.prompts.render import render
from tasks.steps.segmentation import split_steps, step_body


@dataclass(frozen=True, slots=True)
class Annotator:
    """A model that rewrites steps, and how it is asked."""

    engine: Engine
    prompt_format: PromptFormat
    config: ModelErrorsConfig

    async def rewrite(
        self,
        problem: Problem,
        steps: Sequence[str],
        place: int,
        kind: str,
        seed: int,
        cost: Cost,
    ) -> PlacedError | str:
        """A step with an error of a kind, or why the model wrote none.

        Args:
            problem: whose solution it is.
            steps: the whole solution, as it is shown.
            place: index of the step.
            kind: the name of the kind.
            seed: of the draw.
            cost: what is spent is added to it.
        """
        step = steps[place]
        asked = render(
            self.config.template,
            question=problem.question,
            before="".join(steps[:place]).strip(),
            step=step.strip(),
            kind=self.config.kinds[kind],
        )
        drawn = await draw_answers(
            self.engine,
            self.prompt_format,
            [user(asked)],
            self.config,
            num=1,
            max_tokens=self.config.max_tokens,
            seed=seed,
        )
        cost.add(**drawn.cost(0))
        completion = drawn.answer()
        if completion is None:
            return f"the annotator was refused: {drawn.error()}"
        (text,) = self.prompt_format.answers([completion.text])
        if completion.finish_reason != "stop":
            return f"the annotator's step was cut at {self.config.max_tokens} tokens"
        written = split_steps(text.strip(), self.prompt_format.step_rule)
        if not written:
            return "the annotator wrote no step"
        if len(written) > 1:
            return f"the annotator wrote {len(written)} steps instead of one"
        body = step_body(written[0])
        if " ".join(body.split()) == " ".join(step.split()):
            return "the annotator wrote the step without an error"
        content = f"{self.config.kinds[kind]}; the right step was {' '.join(step.split())!r}"
        return PlacedError(kind, place, Edit(body + step[len(step_body(step)) :], content))
