"""How a critic is asked about a solution, how it answers, and how an actor is asked again."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig

Template = Annotated[str, Field(min_length=1)]


class AnyCritiqueFormat(FrozenConfig):
    """The four prompts of a critique format, each a message of the user."""

    template: Template
    """Asks for a critique; `{question}` and `{solution}` are filled in."""
    key_template: Template
    """Asks for a critique by one who has a key; `{question}`, `{key}` and `{solution}`."""
    refine_template: Template
    """Asks for a second attempt; `{question}`, `{solution}` and `{critique}`."""
    retry_template: Template
    """Asks for a second attempt without a critique; `{question}` and `{solution}`."""
    judges: Literal["to_first_error", "all"] = "to_first_error"
    """The steps that a critique judges: up to the first wrong one, or all."""

    @model_validator(mode="after")
    def _templates_name_their_places(self) -> Self:
        wanted = {
            "template": ("question", "solution"),
            "key_template": ("question", "key", "solution"),
            "refine_template": ("question", "solution", "critique"),
            "retry_template": ("question", "solution"),
        }
        for name, places in wanted.items():
            text = getattr(self, name)
            for place in places:
                if text.count(f"{{{place}}}") != 1:
                    raise ValueError(f"{name}: expected {{{place}}} exactly once, got {text!r}")
        return self


class LinesCritiqueConfig(AnyCritiqueFormat):
    """A line per step that ends with its verdict, then `Review: right` or `Review: wrong`.

    The reviews of the built-in world: a line is wrong if it says `wrong` or `missing`.
    """

    type: Literal["lines"] = "lines"
    template: Template = "{question}\n{solution}\nReview:"
    """Asks for a critique; `{question}` and `{solution}` are filled in."""
    key_template: Template = "{question}\nKey:\n{key}\nAttempt:\n{solution}\nReview:"
    """Asks for a critique by one who has a key; `{question}`, `{key}` and `{solution}`."""
    refine_template: Template = "{question}\n{solution}\nReview:\n{critique}\nAgain:"
    """Asks for a second attempt; `{question}`, `{solution}` and `{critique}`."""
    retry_template: Template = "{question}\n{solution}\nAgain:"
    """Asks for a second attempt without a critique; `{question}` and `{solution}`."""


_TASK = (
    "For each step of the solution, in order, write\nStep N: the step, repeated\n"
    "Correctness: correct or wrong\nExplanation: why\n"
    "Stop after the first wrong step. End with the line\nConclusion: correct\nor\n"
    "Conclusion: wrong\nwhich says whether the final answer is right. Do not solve the problem "
    "anew.\n"
)


class StepwiseCritiqueConfig(AnyCritiqueFormat):
    """Per step `Step N`, `Correctness`, `Explanation`; then a `Conclusion` (arXiv:2411.16579)."""

    type: Literal["stepwise"] = "stepwise"
    template: Template = (
        "Here is a problem and a student's solution in numbered steps.\n\nProblem: {question}\n\n"
        f"Solution:\n{{solution}}\n\n{_TASK}"
    )
    """Asks for a critique; `{question}` and `{solution}`, its steps numbered, are filled in."""
    key_template: Template = (
        "Here is a problem, its reference answer, and a student's solution in numbered steps.\n\n"
        f"Problem: {{question}}\n\nReference: {{key}}\n\nSolution:\n{{solution}}\n\n{_TASK}"
        "Do not mention the reference.\n"
    )
    """Asks for a critique by one who has a key; `{question}`, `{key}` and `{solution}`."""
    refine_template: Template = (
        "Problem: {question}\n\nYour first solution:\n{solution}\n\n"
        "A critique of it:\n{critique}\n\n"
        "Write a whole new solution that takes the critique into account.\n"
    )
    """Asks for a second attempt; `{question}`, `{solution}` and `{critique}`."""
    retry_template: Template = (
        "Problem: {question}\n\nYour first solution:\n{solution}\n\n"
        "It may be wrong. Write a whole new solution.\n"
    )
    """Asks for a second attempt without a critique; `{question}` and `{solution}`."""


CritiqueFormatConfig = Annotated[
    LinesCritiqueConfig | StepwiseCritiqueConfig, Field(discriminator="type")
]
