"""In every strategy, what was sampled is what is continued, scored and stored."""

import pytest

from schemas.engines import GenerationRequest, ScoringRequest
from schemas.search import ScoreConfig
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.steps.token_ids import step_ids, whole_step_ids
from tasks.steps.trees import whole_steps
from tests.tasks.search.test_search_session import EVERY, MENDING, name_of


class IdEngine(MarkovEngine):
    """Reports its vocabulary, and checks the tokens that it is given."""

    vocabulary: str | None = "markov"

    def __init__(self) -> None:
        super().__init__(MENDING)
        self.vocabulary = "markov"
        self.num_prefixes = self.num_scored = 0

    def text_of(self, ids: tuple[int, ...]) -> str:
        return "".join(self._vocabulary[token_id] for token_id in ids)

    async def generate(self, request: GenerationRequest):
        assert request.prefix_ids is not None
        assert self.text_of(request.prefix_ids) == request.prefix
        self.num_prefixes += bool(request.prefix)
        return await super().generate(request)

    async def score(self, request: ScoringRequest):
        assert request.step_ids is not None
        assert request.vocabulary == "markov"
        assert [*map(self.text_of, request.step_ids)] == [*request.steps]
        self.num_scored += 1
        return await super().score(request)


@pytest.mark.parametrize("strategy", EVERY, ids=name_of)
def test_ids_are_continued_scored_and_stored(find, strategy):
    engine = IdEngine()
    (found,) = find(
        strategy,
        engine,
        markov_problems(1, seed=1),
        budget=8,
        verifier=engine,
        score=ScoreConfig(reduction="last"),
    )
    assert engine.num_prefixes or not strategy.is_stepwise
    rows = {row.trajectory_id: row for row in found.rows}
    for row in found.rows:
        if row.status == "error":
            continue
        assert row.vocabulary == "markov"
        ids, whole = step_ids(row), whole_step_ids(row, rows)
        assert ids is not None
        assert whole is not None
        assert [*map(engine.text_of, ids)] == [step.text for step in row.steps]
        assert [*map(engine.text_of, whole)] == [step.text for step in whole_steps(row, rows)]
