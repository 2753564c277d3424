"""A language model as a grader: what it is asked, and how its verdict is read."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.base import FrozenConfig
from schemas.engines import SHIPPED_POLICY, EngineConfig, VLLMConfig
from schemas.pool import PoolConfig
from schemas.prompts import ChatPromptConfig, PlainPromptConfig, PromptConfig
from schemas.sampling_parameters import SamplingParameters

Words = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


def _check_pattern(text: str) -> str:
    try:
        num_groups = re.compile(text).groups
    except re.error as error:
        raise ValueError(f"expected a regular expression, got {text!r}: {error}") from error
    if num_groups != 1:
        raise ValueError(
            f"expected a regular expression with one group, the rest of a verdict's line, "
            f"got {text!r} with {num_groups}"
        )
    return text


class AnyJudgeLayout(FrozenConfig):
    """What a judge is asked, a message of the user, and what its verdict looks like."""

    template: str
    """Asks for a verdict; `{question}` and `{solution}` are filled in."""
    key_template: str
    """Asks a judge who is told a `{reference}`; `{question}` and `{solution}` are filled in too."""
    verdict: Annotated[str, AfterValidator(_check_pattern)]
    """A regular expression that finds verdicts. Its only group is what follows on the line."""
    right_words: Words = ("right", "correct", "true", "yes")
    """First words of a group that calls the solution right; case does not count."""
    wrong_words: Words = ("wrong", "incorrect", "false", "no")
    """First words of a group that calls it wrong. Any other word is no verdict."""

    @property
    def rubric_text(self) -> str | None:
        """What is filled in as `{rubric}`; None for a layout without one."""
        return None

    @model_validator(mode="after")
    def _templates_name_their_places(self) -> Self:
        places = ["question", "solution"] + (["rubric"] if self.rubric_text is not None else [])
        wanted = {"template": places, "key_template": [*places, "reference"]}
        for name, fields in wanted.items():
            text = getattr(self, name)
            for place in fields:
                if text.count(f"{{{place}}}") != 1:
                    raise ValueError(f"{name}: expected {{{place}}} exactly once, got {text!r}")
        if both := {w.casefold() for w in self.right_words} & {
            w.casefold() for w in self.wrong_words
        }:
            raise ValueError(
                f"wrong_words: expected none of right_words, got {', '.join(sorted(both))}"
            )
        return self


class ReviewLayoutConfig(AnyJudgeLayout):
    """The reviews of the built-in world, which end with `Review: right` or `Review: wrong`."""

    type: Literal["review"] = "review"
    template: str = "{question}\n{solution}\nReview:"
    """Asks for a verdict; `{question}` and `{solution}` are filled in."""
    key_template: str = "{question}\nKey:\n{reference}\nAttempt:\n{solution}\nReview:"
    """Asks a judge who is told a `{reference}`; `{question}` and `{solution}` are filled in too."""
    verdict: Annotated[str, AfterValidator(_check_pattern)] = r"(?m)^Review:[ \t]*([^\n]*)"
    """A regular expression that finds verdicts. Its only group is what follows on the line."""


_ASK = "End with one line, `Verdict: right` or `Verdict: wrong`.\n"


class RubricLayoutConfig(AnyJudgeLayout):
    """A rubric for an instruction model, which ends with `Verdict: right` or `Verdict: wrong`."""

    type: Literal["rubric"] = "rubric"
    rubric: Annotated[str, Field(min_length=1)] = (
        "The solution is right if its final answer is right. A solution without a final answer is "
        "wrong. How it is written does not matter."
    )
    """What decides, in words; `{rubric}` of the templates."""
    template: str = (
        "You grade a solution of a problem.\n\nRubric: {rubric}\n\nProblem:\n{question}\n\n"
        f"Solution:\n{{solution}}\n\n{_ASK}"
    )
    """Asks for a verdict; `{question}`, `{solution}` and `{rubric}` are filled in."""
    key_template: str = (
        "You grade a solution of a problem by a reference.\n\nRubric: {rubric}\n\n"
        "Problem:\n{question}\n\nReference:\n{reference}\n\nSolution:\n{solution}\n\n" + _ASK
    )
    """Asks a judge who is told a `{reference}`; the three others are filled in too."""
    verdict: Annotated[str, AfterValidator(_check_pattern)] = (
        r"(?im)\bverdict\b[^\w\n]{0,20}(?:(?:the|this)\s(?:\w+\s){0,2}is\b[^\w\n]{0,20})?([^\n]*)"
    )
    """A regular expression that finds verdicts. Its only group is what follows on the line."""

    @property
    def rubric_text(self) -> str | None:
        """What is filled in as `{rubric}`."""
        return self.rubric


JudgeLayoutConfig = Annotated[ReviewLayoutConfig | RubricLayoutConfig, Field(discriminator="type")]


class JudgeGraderConfig(SamplingParameters):
    """Solutions that a language model calls right; for `stepmill regrade` alone."""

    type: Literal["judge"] = "judge"
    engine: EngineConfig = VLLMConfig(model=SHIPPED_POLICY)
    """The judge: any engine that generates."""
    prompt: PromptConfig | None = None
    """How the message becomes its prompt; None for a plain prompt for `review`, and for its chat
    without a system message for `rubric`."""
    layout: JudgeLayoutConfig = ReviewLayoutConfig()
    """What it is asked, and where its verdict stands."""
    told: Literal["nothing", "answer", "solution"] = "nothing"
    """The reference: the gold `answer`, or the worked `solution` of the problem, else the answer. A
    problem without it is judged without."""
    num_judgements: Annotated[int, Field(ge=1)] = 1
    """Judgements of each solution."""
    combine: Literal["majority", "average"] = "majority"
    """`majority` of the judgements with a verdict, null at a tie; `average`: right if at least
    `min_share` of them say so."""
    min_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """With `average`, the least share of right verdicts."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """Temperature of the judgements; more than one needs a temperature above 0."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Maximum tokens of a judgement; one that is cut has no verdict."""
    pool: PoolConfig = PoolConfig()
    """The actors."""
    seed: int = 0
    """Combined with the solution's id into the seed of each judgement."""

    @model_validator(mode="after")
    def _judgements_differ(self) -> Self:
        if (
            self.num_judgements > 1
            and self.temperature == 0
            and "temperature" not in self.from_model
        ):
            raise ValueError(
                "num_judgements: expected 1 at temperature 0, where all judgements are the same, "
                f"got {self.num_judgements}"
            )
        return self

    @property
    def own_prompt(self) -> PromptConfig:
        """How the message becomes a prompt."""
        if self.prompt is not None:
            return self.prompt
        return (
            PlainPromptConfig() if self.layout.type == "review" else ChatPromptConfig(system=None)
        )
