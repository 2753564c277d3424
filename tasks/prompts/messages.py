"""A dialogue: a model's instructions, its prompts, and its answers so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MessageRole = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a dialogue."""

    role: MessageRole
    text: str


def system(text: str) -> Message:
    """What holds for the whole dialogue; it can only come first."""
    return Message("system", text)


def user(text: str) -> Message:
    """What the model is to answer."""
    return Message("user", text)


def assistant(text: str) -> Message:
    """What the model, or another one in its place, has answered."""
    return Message("assistant", text)


def check_dialogue(messages: Sequence[Message]) -> None:
    """Refuse a dialogue that no model can answer.

    Raises:
        ValueError: it is not an optional system message followed by turns of user and assistant
            that begin and end with the user's.
    """
    roles = [message.role for message in messages]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    wanted = ["user" if index % 2 == 0 else "assistant" for index in range(len(turns))]
    if len(turns) % 2 == 0 or turns != wanted:
        raise ValueError(
            "expected a dialogue of user and assistant in turn that begins and ends with user, "
            f"after a system message or none, got {', '.join(roles) or 'no message'}"
        )
