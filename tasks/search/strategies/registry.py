"""The coroutine of each strategy. To add one, write its config, a file here, and a line below."""

from collections.abc import Awaitable, Callable
from typing import Any

from schemas.search.critique import CritiqueConfig
from schemas.search.ratp import RatpConfig
from schemas.search.strategies import (
    AdaptiveConsistencyConfig,
    BeamConfig,
    BestOfNConfig,
    ConfidenceVoteConfig,
    DvtsConfig,
    FilterVoteConfig,
    GenerativeSelectionConfig,
    LookaheadConfig,
    MajorityConfig,
    MctsConfig,
    ParticleFilteringConfig,
    RebaseConfig,
    RevisionsConfig,
    StrategyConfig,
    TreeOfThoughtsConfig,
)
from tasks.search.session import Search
from tasks.search.strategies.adaptive_consistency import adaptive_consistency
from tasks.search.strategies.beam import beam_search
from tasks.search.strategies.best_of_n import best_of_n
from tasks.search.strategies.confidence_vote import confidence_vote
from tasks.search.strategies.critique import critique_search
from tasks.search.strategies.dvts import diverse_tree_search
from tasks.search.strategies.filter_vote import filter_vote
from tasks.search.strategies.generative_selection import generative_selection
from tasks.search.strategies.lookahead import lookahead_search
from tasks.search.strategies.majority import sample_for_majority
from tasks.search.strategies.mcts import tree_search
from tasks.search.strategies.particle_filtering import particle_filtering
from tasks.search.strategies.ratp import thought_search
from tasks.search.strategies.rebase import rebase_search
from tasks.search.strategies.revisions import revise
from tasks.search.strategies.tree_of_thoughts import tree_of_thoughts
from tasks.search.tree import Node

SearchFunction = Callable[[Search, Any], Awaitable[list[Node]]]
"""Takes an empty search and the strategy's config; returns the candidates for the answer."""

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
    AdaptiveConsistencyConfig: adaptive_consistency,
    ConfidenceVoteConfig: confidence_vote,
    GenerativeSelectionConfig: generative_selection,
    ParticleFilteringConfig: particle_filtering,
    CritiqueConfig: critique_search,
    RatpConfig: thought_search,
}
