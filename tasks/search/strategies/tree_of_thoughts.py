"""Tree of Thoughts over steps, breadth first or depth first (arXiv:2305.10601).

Breadth first keeps the N / width best prefixes of a level; unlike in beam search, finished ones
compete with open ones and can be displaced. Depth first follows the best child and backtracks below
a threshold; once all children are followed or abandoned it restarts at the root, until no new
prefix is found there. Deviation: the verifier values prefixes, instead of a prompt to the policy.
"""

from schemas.search.strategies import TreeOfThoughtsConfig
from tasks.search.ranking import verifier_value
from tasks.search.session import Search
from tasks.search.tree import Node, best_first, keep_best, merge_equal, prune, split_open


async def tree_of_thoughts(search: Search, config: TreeOfThoughtsConfig) -> list[Node]:
    """The ends that are kept: at most N / width if breadth first, at most N if depth first."""
    if config.order == "bfs":
        return await _breadth_first(search, config)
    return await _depth_first(search, config)


async def _breadth_first(search: Search, config: TreeOfThoughtsConfig) -> list[Node]:
    breadth = search.budget // config.width
    kept: list[Node] = []
    children = await search.expand(search.root, search.budget)
    while True:
        kept = keep_best([*kept, *merge_equal(children, against=kept)], breadth)
        ended, frontier = split_open(kept)
        if not frontier:
            return ended
        kept = ended
        children = await search.expand_all([(node, config.width) for node in frontier])


async def _depth_first(search: Search, config: TreeOfThoughtsConfig) -> list[Node]:
    ended: list[Node] = []
    num_turned = 0

    def is_spent() -> bool:
        return len(ended) + num_turned >= search.budget

    async def visit(node: Node) -> None:
        nonlocal num_turned
        there = [*node.children]
        drawn = await search.expand(node, config.width)
        for child in best_first(merge_equal(drawn, against=there)):
            value = verifier_value(child, search.context.score)
            if is_spent():
                prune(child, f"{search.budget} prefixes had ended or were turned away from")
            elif child.is_open and (value is None or value < config.threshold):
                shown = "unknown" if value is None else f"{value:.3f}"
                prune(child, f"value {shown}, threshold {config.threshold:g}")
                num_turned += 1
            elif child.is_open:
                await visit(child)
            else:
                ended.append(child)

    num_before = -1
    while not is_spent() and len(ended) + num_turned > num_before:
        num_before = len(ended) + num_turned
        await visit(search.root)
    return ended
