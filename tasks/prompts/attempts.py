"""The dialogue that asks for the next attempt, in view of the earlier ones."""

from collections.abc import Sequence

from tasks.prompts.messages import Message, assistant, user
from tasks.prompts.render import render


def ask_again(
    question: str, attempts: Sequence[str], *, template: str, feedback: str | None
) -> list[Message]:
    """The dialogue whose answer is the next attempt.

    Args:
        question: the question of the problem.
        attempts: the earlier attempts that are shown, in order; without any the question is bare.
        template: with `{question}` and `{attempts}`, for a single message of the user.
        feedback: what the user says after each attempt, which is then a turn of the model; None to
            put the attempts into the template.
    """
    shown = [attempt.strip() for attempt in attempts]
    if not shown:
        return [user(question)]
    if feedback is None:
        return [user(render(template, question=question, attempts="\n\n".join(shown)))]
    turns = [turn for attempt in shown for turn in (assistant(attempt), user(feedback))]
    return [user(question), *turns]
