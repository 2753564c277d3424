"""Critiques within a search: one model reads a solution and says what is wrong with it."""

from schemas.critique_formats import CritiqueFormatConfig
from schemas.rows import ModelRole
from tasks.critics.asking import ShownSolution, ask_critic
from tasks.critics.reading import read_critique
from tasks.search.session import Search
from tasks.search.tree import Node


def show(search: Search, end: Node) -> ShownSolution:
    """A solution as critic and policy read it: without thoughts."""
    steps = end.steps()
    thinking = search.context.prompt_formats[end.writer].count_thinking(steps)
    return ShownSolution.from_steps(steps, thinking or 0)


async def critique(
    search: Search,
    end: Node,
    config: CritiqueFormatConfig,
    *places: int,
    role: ModelRole,
    max_tokens: int,
    temperature: float,
    question: str | None = None,
) -> Node:
    """A critique of a finished solution, with its verdict; it may be cut, or an error.

    Args:
        search: the search of the solution.
        end: its last node.
        config: how the critic is asked and read.
        places: identify the critique in the search (see `Search.begin`).
        role: of the critic; the policy stands in for a role without a model.
        max_tokens: maximum tokens of the critique.
        temperature: at which it is drawn.
        question: the question as the solution's writer read it; None for the search's.
    """
    shown, writer = show(search, end), search.context.writer(role)
    messages = ask_critic(config, search.question if question is None else question, shown)
    root = search.begin(messages, *places, after=end, role=role, writer=writer)
    (written,) = await search.complete(
        root, 1, with_scores=False, max_tokens=max_tokens, temperature=temperature
    )
    if written.state != "error":
        text = search.context.answer_text(writer, written.text)
        reading = read_critique(text, len(shown.steps), config)
        written.verdict = reading.verdict
        if reading.first_error is not None:
            written.error_step = reading.first_error + shown.num_hidden
    return written
