"""Filter vote: the policy or a judge reads every solution, and rejected ones do not vote.

arXiv:2403.02419. A judgement without a verdict does not reject. If every finished solution is
rejected, all of them vote. The judge is asked by the template, or for a critique in a format that
trained critics and the built-in world's policy write.
"""

import asyncio
import re

from schemas.search.strategies import FilterVoteConfig
from tasks.prompts.messages import user
from tasks.prompts.render import render
from tasks.search.critics import critique
from tasks.search.session import Search
from tasks.search.tree import Node, prune

_VERDICT = re.compile(r"\[\[(correct|wrong)\]\]", re.IGNORECASE)


async def filter_vote(search: Search, config: FilterVoteConfig) -> list[Node]:
    """The solutions that are not rejected; all N if every finished one is."""
    ends = await search.complete(search.root, search.budget, with_scores=False)

    async def is_rejected(place: int, end: Node) -> bool:
        return end.state == "finished" and await _judge(search, config, place, end) is False

    rejected = await asyncio.gather(*(is_rejected(place, end) for place, end in enumerate(ends)))
    judged = list(zip(ends, rejected, strict=True))
    if all(is_out for end, is_out in judged if end.state == "finished"):
        return ends
    for end, is_out in judged:
        if is_out:
            prune(end, "judged wrong")
    return [end for end, is_out in judged if not is_out]


async def _judge(search: Search, config: FilterVoteConfig, place: int, end: Node) -> bool | None:
    """The judge's verdict on a finished solution; None without one."""
    if config.format is not None:
        judgement = await critique(
            search,
            end,
            config.format,
            place,
            role="judge",
            max_tokens=config.max_judge_tokens,
            temperature=config.judge_temperature,
        )
        return judgement.verdict
    text = render(config.template, question=search.question, solution=end.text.strip())
    root = search.begin(
        [user(text)], place, after=end, role="judge", writer=search.context.writer("judge")
    )
    (judgement,) = await search.complete(
        root,
        1,
        with_scores=False,
        max_tokens=config.max_judge_tokens,
        temperature=config.judge_temperature,
    )
    return read_verdict(judgement.text)


def read_verdict(text: str) -> bool | None:
    """The last verdict in a judgement; None without a verdict."""
    found = _VERDICT.findall(text)
    return found[-1].lower() == "correct" if found else None
