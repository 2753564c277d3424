"""The coroutine of each strategy. A new one is a file beside these, its config, and a line here."""

from collections.abc import Awaitable, Callable
from typing import Any

from schemas.search import (
    BeamConfig,
    BestOfNConfig,
    DvtsConfig,
    FilterVoteConfig,
    LookaheadConfig,
    MajorityConfig,
    MctsConfig,
    RebaseConfig,
    RevisionsConfig,
    StrategyConfig,
    TreeOfThoughtsConfig,
)
from tasks.search.beam import beam_search
from tasks.search.best_of_n import best_of_n
from tasks.search.dvts import diverse_tree_search
from tasks.search.filter_vote import filter_vote
from tasks.search.lookahead import lookahead_search
from tasks.search.majority import sample_for_majority
from tasks.search.mcts import tree_search
from tasks.search.rebase import rebase_search
from tasks.search.revisions import revise
from tasks.search.session import Search
from tasks.search.tree import Node
from tasks.search.tree_of_thoughts import tree_of_thoughts

SearchFunction = Callable[[Search, Any], Awaitable[list[Node]]]
"""An empty search and the strategy's config in, the candidates for answer out."""

STRATEGIES: dict[type[StrategyConfig], SearchFunction] = {
    MajorityConfig: sample_for_majority,
    BestOfNConfig: best_of_n,
    FilterVoteConfig: filter_vote,
    BeamConfig: beam_search,
    LookaheadConfig: lookahead_search,
    DvtsConfig: diverse_tree_search,
    RebaseConfig: rebase_search,
    MctsConfig: tree_search,
    TreeOfThoughtsConfig: tree_of_thoughts,
    RevisionsConfig: revise,
}
