"""The config of RATP: a tree search over thoughts that read retrieved documents."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.critique_formats import CritiqueFormatConfig, LinesCritiqueConfig
from schemas.rows import ModelRole
from schemas.search.strategy import Pick, StrategyConfig


class RatpConfig(StrategyConfig):
    """A tree of thoughts, each over earlier thoughts and retrieved documents (arXiv:2402.07812).

    N counts thoughts; `max_calls` bounds them and their critiques together.
    """

    ranks: ClassVar[bool] = False
    is_stepwise: ClassVar[bool] = False
    default_pick: ClassVar[Pick] = "chosen"
    optional_roles: ClassVar[tuple[ModelRole, ...]] = ("critic",)
    stops_early: ClassVar[bool] = True
    needs_documents: ClassVar[bool] = True
    type: Literal["ratp"] = "ratp"
    scorer: Literal["self", "verifier", "likelihood", "oracle"] = "self"
    """What a thought is worth: `self` is the verdict of a critique by the policy or a critic,
    `verifier` the reduced scores of a trained one, `likelihood` the mean probability of its tokens,
    `oracle` whether its answer is right, which is an upper bound and no method."""
    select: Literal["uct", "flat", "chain"] = "uct"
    """`uct` grows a tree. Two are controls without one: `flat` makes every thought from the
    question's own documents, another number of them each time; `chain` goes on from the last
    thought with one document more, and where no query is left from the question again."""
    width: Annotated[int, Field(ge=1)] = 3
    """Thoughts made from one by more documents; one more combines it with another thought."""
    exploration: Annotated[float, Field(gt=0)] = 0.7
    """Weight of the bonus for rarely visited thoughts."""
    max_calls: Annotated[int, Field(ge=1)] = 12
    """Model calls of a search at most."""
    max_retrievals: Annotated[int, Field(ge=1)] = 8
    """Queries of a search at most."""
    max_documents: Annotated[int, Field(ge=1)] = 8
    """Documents that a thought may read at most."""
    query: tuple[Literal["question", "documents", "thought"], ...] = (
        "question",
        "documents",
        "thought",
    )
    """What of a thought makes its query for more documents."""
    stop_score: Annotated[float, Field(gt=0, le=1)] | None = None
    """The search ends at a thought worth this much; None goes on to its limits. By the oracle it
    always ends at a right answer."""
    format: CritiqueFormatConfig = LinesCritiqueConfig()
    """How the critic is asked and read."""
    max_critique_tokens: Annotated[int, Field(ge=1)] = 512
    """Maximum tokens of a critique."""

    @property
    def needs_verifier(self) -> bool:
        """See StrategyConfig."""
        return self.scorer == "verifier"

    @property
    def calls_per_thought(self) -> int:
        """Model calls for a thought and its value."""
        return 2 if self.scorer == "self" else 1

    def num_solutions(self, budget: int) -> int:
        """See StrategyConfig."""
        return min(budget, self.max_calls // self.calls_per_thought)

    def check_budget(self, budget: int) -> None:
        """See StrategyConfig."""
        if self.max_calls < self.calls_per_thought:
            raise ValueError(
                f"ratp: expected max_calls of at least {self.calls_per_thought}, a thought and its "
                f"critique, got {self.max_calls}"
            )

    @property
    def judgement_tokens(self) -> int:
        """See StrategyConfig."""
        return self.max_critique_tokens if self.scorer == "self" else 0
