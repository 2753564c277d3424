"""What the searches of a unit share: engines, prompts, limits and counters."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.retrieval import RetrievalConfig
from schemas.rows import ModelRole
from schemas.search import ScoreConfig, SearchLimits
from tasks.engines.base import Engine, Retriever
from tasks.engines.host import Counters
from tasks.prompts.formats import PromptFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchContext:
    """The engines of a search by role, and how they are used."""

    engines: Mapping[ModelRole, Engine]
    """By role; every search has a policy."""
    prompt_formats: Mapping[ModelRole, PromptFormat]
    """By role; every engine that generates has one."""
    limits: SearchLimits
    score: ScoreConfig
    needs_likelihood: bool
    """Whether a continuation without log probabilities cannot be used."""
    counters: Counters
    retrieval: RetrievalConfig | None = None
    """How documents are retrieved and shown; None for a search without documents."""

    @property
    def policy(self) -> Engine:
        """The model that solves."""
        return self.engines["policy"]

    @property
    def prompt_format(self) -> PromptFormat:
        """How the policy is prompted, and what ends a step."""
        return self.prompt_formats["policy"]

    @property
    def retriever(self) -> Retriever:
        """What finds documents, for searches with documents."""
        found = self.engines.get("retriever")
        if not isinstance(found, Retriever):
            raise ValueError("expected a search with documents, got one without a retriever")
        return found

    @property
    def verifier(self) -> Engine | None:
        """The model that scores steps; None for searches without one."""
        return self.engines.get("verifier")

    def answer_text(self, writer: ModelRole, text: str) -> str:
        """What a model wrote, as graders and other models read it: without thoughts."""
        return self.prompt_formats[writer].answers([text])[0]

    def writer(self, role: ModelRole) -> ModelRole:
        """The role itself if a model has it; otherwise the policy, which stands in for it."""
        return role if role in self.prompt_formats else "policy"
