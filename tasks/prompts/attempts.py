"""The message that asks for the next attempt, in view of the earlier ones."""

from collections.abc import Sequence

from tasks.prompts.messages import Message, user
from tasks.prompts.render import render


def ask_again(
    question: str, attempts: Sequence[str], *, template: str, joiner: str
) -> list[Message]:
    """The dialogue whose answer is the next attempt.

    Args:
        question: the question of the problem.
        attempts: the earlier attempts that are shown, in order; without any the question is bare.
        template: with `{question}` and `{attempts}`.
        joiner: stands between two attempts.
    """
    if not attempts:
        return [user(question)]
    shown = joiner.join(attempt.strip() for attempt in attempts)
    return [user(render(template, question=question, attempts=shown))]
