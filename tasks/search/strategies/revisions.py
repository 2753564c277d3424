"""Sequential revisions: chains of attempts, each prompted with the latest earlier attempts.

arXiv:2408.03314, section 6. P chains of S attempts make N = S x P; the paper's appendix O varies
the ratio of S to P. Any policy can be prompted this way; one trained on revisions does better.
Unfinished attempts are not shown to later ones, and of others not the thoughts. An attempt that
does not fit into the context after its prompt is repeated with fewer earlier attempts; its own row
is not a candidate.
"""

import asyncio

from schemas.search.strategies import RevisionsConfig
from tasks.prompts.attempts import ask_again
from tasks.search.session import Search
from tasks.search.tree import Node


async def revise(search: Search, config: RevisionsConfig) -> list[Node]:
    """All attempts, chain by chain, in the order written."""

    async def write_chain(place: int) -> list[Node]:
        chain = await search.complete(search.root, 1)
        while len(chain) < config.sequential:
            chain.append(await _write_next(search, config, chain, place))
        return chain

    chains = await asyncio.gather(
        *(write_chain(place) for place in range(search.budget // config.sequential))
    )
    return [attempt for chain in chains for attempt in chain]


async def _write_next(
    search: Search, config: RevisionsConfig, chain: list[Node], place: int
) -> Node:
    """The next attempt of a chain; `place` is the chain's index."""
    finished = [attempt for attempt in chain if attempt.state == "finished"]
    said = [search.context.answer_text(attempt.writer, attempt.text) for attempt in finished]
    seen = [text for text in said if text.strip()][-config.context :]
    tries: tuple[int, ...] = ()
    while True:
        asked = ask_again(search.question, seen, template=config.template, joiner=config.joiner)
        root = search.begin(asked, place, len(chain), *tries, after=chain[-1])
        (end,) = await search.complete(root, 1, with_scores=False)
        fills_context = (
            end.state == "truncated" and end.num_tokens < search.context.limits.max_tokens
        )
        if not seen or not (end.state == "error" or fills_context):
            await search.score(
                [end], prompt=root.prompt if config.verifier_reads == "history" else None
            )
            return end
        if end.state == "error":
            search.roots.remove(root)  # nothing was drawn
        tries = (len(seen),)
        seen = seen[1:]
