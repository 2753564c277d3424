"""How a model thinks before it answers: the tags of its thoughts, and their budget."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig

THOUGHT_TAGS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
)
"""Tags of the known families of models; graders leave out what is between them, in any case."""

Tag = Annotated[str, Field(min_length=1, pattern=r"\S")]


class ThinkingConfig(FrozenConfig):
    """The thoughts of a model, which are part of its solutions but never of its answers.

    With a limit or extensions, thoughts are forced as in s1 (arXiv:2501.19393): one that is too
    long is ended by its tag, one that ends too early goes on with another word.
    """

    start: Tag = THOUGHT_TAGS[0][0]
    """The tag that opens a thought."""
    end: Tag = THOUGHT_TAGS[0][1]
    """The tag that ends it; the answer is behind it."""
    is_opened: bool | None = None
    """Whether the prompt opens the thought, so that solutions only have the tag that ends it; None
    if that is to be seen at the end of the prompt. A chat server's prompt cannot be seen."""
    max_thinking_tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of a thought after which it is ended; None for no limit but that of the solution."""
    closing: str | None = None
    """Text that ends a thought at its limit; it contains the tag. None for the tag on a line of its
    own, and an empty line."""
    num_extensions: Annotated[int, Field(ge=0)] = 0
    """How often a thought that is about to end is prolonged instead."""
    extension: Annotated[str, Field(min_length=1)] = "Wait"
    """Text that stands in place of the tag where a thought is prolonged."""

    @property
    def is_forced(self) -> bool:
        """Whether thoughts are ended or prolonged."""
        return self.max_thinking_tokens is not None or self.num_extensions > 0

    @property
    def closing_text(self) -> str:
        """What is written to end a thought."""
        return f"\n{self.end}\n\n" if self.closing is None else self.closing

    @model_validator(mode="after")
    def _tags_differ(self) -> Self:
        if self.start == self.end:
            raise ValueError(f"end: expected another tag than start, got {self.end!r} for both")
        if self.end not in self.closing_text:
            raise ValueError(f"closing: expected {self.end!r} in it, got {self.closing!r}")
        if self.end in self.extension:
            raise ValueError(f"extension: expected no {self.end!r} in it, got {self.extension!r}")
        return self
