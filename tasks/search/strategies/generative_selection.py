"""Generative selection: a model reads the solutions side by side and names the best (GenSelect).

arXiv:2504.16891. The policy, or the model with the role `judge`, reads up to `group` finished
solutions with their numbers from 0; more meet in rounds, in groups of nearly equal size. The choice
is the number behind the last `Judgment:` of its text, in brackets or not. Where none can be read,
or it is not one of the group, the group's most common answer among all solutions wins, of equals
the one drawn first. A group that the judge's context cannot hold is halved.
The judgement's row continues the solution that it chose; without a parent, it chose none.
Deviation: a group whose answers are all the same is not judged; its first solution wins.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence

from schemas.search.strategies import GenerativeSelectionConfig
from tasks.prompts.messages import user
from tasks.prompts.render import render
from tasks.search.session import Search
from tasks.search.tree import Node

_CHOICE = re.compile(r"judge?ment\W{0,8}(?:solution\W{0,3})?(\d{1,9})(?!\d)", re.IGNORECASE)


async def generative_selection(search: Search, config: GenerativeSelectionConfig) -> list[Node]:
    """The solutions, the chosen one first, the others in the order of drawing."""
    ends = await search.complete(search.root, search.budget, with_scores=False)
    contest = [end for end in ends if end.state == "finished"]
    if not contest:
        return ends
    answers = dict(zip(contest, await search.classes(contest), strict=True))
    votes = Counter(answers.values())

    def num_votes(answer: int | None) -> int:
        return 0 if answer is None else votes[answer]

    async def choose(group: Sequence[Node], *places: int) -> Node:
        first = answers[group[0]]
        if len(group) == 1 or (first is not None and {answers[end] for end in group} == {first}):
            return group[0]
        text = render(config.template, question=search.question, solutions=_number(search, group))
        root = search.begin(
            [user(text)], *places, role="judge", writer=search.context.writer("judge")
        )
        (judgement,) = await search.complete(
            root,
            1,
            with_scores=False,
            max_tokens=config.max_judge_tokens,
            temperature=config.judge_temperature,
        )
        if judgement.state == "error" and len(group) > 2:
            half = len(group) // 2
            halves = await asyncio.gather(
                choose(group[:half], *places, 1), choose(group[half:], *places, 2)
            )
            return await choose(halves, *places, 3)
        choice = read_choice(judgement.text, len(group))
        if choice is None:
            return max(group, key=lambda end: num_votes(answers[end]))  # the first of equals
        root.after = group[choice]
        return group[choice]

    num_round = 0
    while len(contest) > 1:
        groups = _split(contest, config.group)
        contest = list(
            await asyncio.gather(
                *(choose(group, num_round, place) for place, group in enumerate(groups))
            )
        )
        num_round += 1
    return [contest[0], *(end for end in ends if end is not contest[0])]


def read_choice(text: str, num: int) -> int | None:
    """The number that a judgement names last; None if there is none, or it is not below `num`."""
    found = _CHOICE.findall(text)
    choice = int(found[-1]) if found else num
    return choice if choice < num else None


def _number(search: Search, group: Sequence[Node]) -> str:
    """The solutions with their numbers, without thoughts."""
    texts = [search.context.answer_text(end.writer, end.text).strip() for end in group]
    return "\n\n".join(f"Solution {number}:\n{text}" for number, text in enumerate(texts))


def _split(contest: Sequence[Node], size: int) -> list[Sequence[Node]]:
    """Groups of at most `size`, whose sizes differ by at most one."""
    num_groups = -(-len(contest) // size)
    each, extra = divmod(len(contest), num_groups)
    groups, start = [], 0
    for place in range(num_groups):
        end = start + each + (place < extra)
        groups.append(contest[start:end])
        start = end
    return groups
