"""Search by critique: a critic reads each attempt, and the policy tries again with what it says.

arXiv:2411.16579, section 5: N / rounds first attempts, and from each a chain of `rounds` second
attempts, so parallel, sequential or both. The policy reads itself if the search has no critic.
At test time all attempts are critiqued; nobody knows which are right.

* The newest finished attempt of a chain is critiqued, once, and shown to the next. If none is
  finished, the next one is a fresh attempt at the question.
* A critique without a verdict, or cut at its limit, is given to the policy as it is. Where the
  engine refuses one (it does not fit), or it is empty, the attempt stands to the end of its chain.
* With `refine: flagged` an attempt that its critique does not call wrong stands as well.

Which attempts then vote is decided from the rows (`tasks/critics/chains.py`).
"""

import asyncio

from schemas.search.critique import CritiqueConfig
from tasks.critics.asking import ask_actor
from tasks.prompts.messages import user
from tasks.search.critics import critique, show
from tasks.search.session import Search
from tasks.search.tree import REFINEMENT, Node

_CRITIQUE, _ATTEMPT = 0, 1
"""The last part of the places of a root in a chain."""


async def critique_search(search: Search, config: CritiqueConfig) -> list[Node]:
    """All attempts, chain by chain, in the order written."""
    firsts = await search.complete(search.root, search.budget // config.rounds)
    chains = await asyncio.gather(
        *(_write_chain(search, config, place, first) for place, first in enumerate(firsts))
    )
    return [attempt for chain in chains for attempt in chain]


async def _write_chain(
    search: Search, config: CritiqueConfig, place: int, first: Node
) -> list[Node]:
    """The attempts of one chain; `place` is its index."""
    chain = [first]
    critiques: dict[Node, Node] = {}
    for number in range(1, config.rounds + 1):
        shown = _newest_finished(search, chain)
        if shown is None:
            root = search.begin(
                [user(search.question)], place, number, _ATTEMPT, after=chain[-1], role=REFINEMENT
            )
            chain += await search.complete(root, 1)
            continue
        given = None
        if config.with_critique:
            if shown not in critiques:
                critiques[shown] = await critique(
                    search,
                    shown,
                    config.format,
                    place,
                    number,
                    _CRITIQUE,
                    role="critic",
                    max_tokens=config.max_critique_tokens,
                    temperature=config.critic_temperature,
                )
            given = critiques[shown]
            if not _asks_again(search, given, config):
                break  # an attempt is critiqued once, so later rounds would end here too
        said = None if given is None else search.context.answer_text(given.writer, given.text)
        root = search.begin(
            ask_actor(config.format, search.question, show(search, shown), said),
            place,
            number,
            _ATTEMPT,
            after=shown,
            given=given,
            role=REFINEMENT,
        )
        chain += await search.complete(root, 1, temperature=config.refine_temperature)
    return chain


def _newest_finished(search: Search, chain: list[Node]) -> Node | None:
    """The newest attempt with an end and visible text."""
    for attempt in reversed(chain):
        if attempt.state == "finished" and any(show(search, attempt).steps):
            return attempt
    return None


def _asks_again(search: Search, given: Node, config: CritiqueConfig) -> bool:
    """Whether the policy tries again with this critique."""
    if given.state == "error" or not search.context.answer_text(given.writer, given.text).strip():
        return False
    return config.refine == "all" or given.verdict is False
