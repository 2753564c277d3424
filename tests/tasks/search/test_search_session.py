"""What is common to all strategies: limits, blanks, seeds, accounts, refusals."""

import asyncio
import math
from dataclasses import replace

import pytest

from schemas.critique_formats import LinesCritiqueConfig, StepwiseCritiqueConfig
from schemas.engines import GenerationRequest, MarkovConfig, ScoringRequest, StepScoring
from schemas.errors import EngineFailed
from schemas.search import ScoreConfig
from schemas.search.critique import CritiqueConfig
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
    TreeOfThoughtsConfig,
)
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.search.tree import walk
from tasks.steps.trees import whole_steps

STEPWISE = [
    BeamConfig(width=2),
    LookaheadConfig(width=2, depth=2),
    DvtsConfig(width=2),
    RebaseConfig(),
    MctsConfig(width=2),
    MctsConfig(select="uct", width=2),
    TreeOfThoughtsConfig(width=2),
    TreeOfThoughtsConfig(width=2, order="dfs", threshold=0.05),
    ParticleFilteringConfig(),
    ParticleFilteringConfig(resampling="systematic", weight_temperature=2.0),
]
WHOLE = [
    MajorityConfig(),
    BestOfNConfig(),
    FilterVoteConfig(),
    RevisionsConfig(sequential=2),
    AdaptiveConsistencyConfig(),
    AdaptiveConsistencyConfig(rule="unanimous", window=2),
    ConfidenceVoteConfig(window=2),
    ConfidenceVoteConfig(mode="online", warmup=2, window=2, chunk_tokens=2, keep=0.5),
    GenerativeSelectionConfig(group=3),
    FilterVoteConfig(format=LinesCritiqueConfig()),
    CritiqueConfig(rounds=2),
    CritiqueConfig(with_critique=False),
    CritiqueConfig(refine="flagged", format=StepwiseCritiqueConfig()),
]
EVERY = [*STEPWISE, *WHOLE]
MIXED = ScoreConfig(reduction="last")
MENDING = MarkovConfig(num_steps=4, p_right=0.6, p_recover=0.2)


def name_of(strategy: object) -> str:
    return strategy.label()  # type: ignore[attr-defined]


class CountingEngine(MarkovEngine):
    """Records the requests that it gets."""

    def __init__(self, config: MarkovConfig) -> None:
        super().__init__(config)
        self.num_generated = self.num_prompted = self.num_scored = 0
        self.seeds: list[int] = []

    async def generate(self, request: GenerationRequest):
        assert request.seed is not None
        if request.temperature:
            self.seeds += range(request.seed, request.seed + request.n)
        generation = await super().generate(request)
        self.num_generated += sum(len(c.token_ids) for c in generation.completions)
        self.num_prompted += generation.prompt_tokens
        return generation

    async def score(self, request: ScoringRequest) -> StepScoring:
        scoring = await super().score(request)
        self.num_scored += scoring.scored_tokens - scoring.cached_tokens
        return scoring


@pytest.mark.parametrize("strategy", EVERY, ids=name_of)
def test_rows_hold_all_that_was_drawn_and_all_that_it_cost(find, strategy):
    engine = CountingEngine(MENDING)
    (found,) = find(
        strategy, engine, markov_problems(1, seed=1), budget=8, verifier=engine, score=MIXED
    )
    rows = {row.trajectory_id: row for row in found.rows}
    assert len(rows) == len(found.rows)
    assert sum(row.generated_tokens for row in found.rows) == engine.num_generated
    assert sum(row.prompt_tokens for row in found.rows) == engine.num_prompted
    assert sum(row.scored_tokens for row in found.rows) == engine.num_scored
    nodes = [node for root in found.search.roots for node in walk(root)]
    assert sum(len(row.steps) for row in found.rows) == sum(n.step is not None for n in nodes)
    texts = {"".join(step.text for step in whole_steps(row, rows)) for row in found.rows}
    assert texts <= {node.text for node in nodes}
    assert {end.text for end in found.ends} <= texts
    assert [row.sample_index for row in found.rows] == list(range(len(found.rows)))
    for row in found.rows:
        assert (row.status in ("pruned", "truncated")) == (row.reason is not None)
        assert row.budget == 8
        assert row.verifier == engine.model_id
        if row.status in ("finished", "truncated") and row.role is None:
            assert row.correct is not None


@pytest.mark.parametrize("strategy", EVERY, ids=name_of)
def test_the_same_seed_makes_the_same_tree_and_another_seed_another(find, strategy):
    def rows(seed: int) -> list[tuple]:
        engine = MarkovEngine(MENDING)
        (found,) = find(
            strategy, engine, markov_problems(1, seed=1), budget=8, verifier=engine, seed=seed
        )
        return [
            (row.trajectory_id, row.parent_id, row.branch_step, row.seed, row.steps, row.reason)
            for row in found.rows
        ]

    assert rows(3) == rows(3)
    assert rows(3) != rows(4)


@pytest.mark.parametrize("strategy", EVERY, ids=name_of)
def test_a_tree_does_not_depend_on_when_engines_answer(find, strategy):
    class UnevenEngine(MarkovEngine):
        """Later requests overtake earlier ones."""

        num_asked = 0

        async def generate(self, request: GenerationRequest):
            self.num_asked += 1
            for _ in range(7 * self.num_asked % 5):
                await asyncio.sleep(0)
            return await super().generate(request)

    def rows(engine: MarkovEngine) -> list[tuple]:
        (found,) = find(strategy, engine, markov_problems(1, seed=1), budget=8, verifier=engine)
        return [(row.trajectory_id, row.parent_id, row.seed, row.steps) for row in found.rows]

    assert rows(UnevenEngine(MENDING)) == rows(MarkovEngine(MENDING))


@pytest.mark.parametrize("strategy", EVERY, ids=name_of)
def test_no_seed_is_drawn_with_twice(find, strategy):
    engine = CountingEngine(MENDING)
    find(strategy, engine, markov_problems(1, seed=1), budget=16, verifier=engine)
    assert len(set(engine.seeds)) == len(engine.seeds)


@pytest.mark.parametrize("strategy", EVERY, ids=name_of)
def test_problems_side_by_side_are_searched_as_if_alone(find, strategy):
    problems = markov_problems(4, seed=1)
    engine = MarkovEngine(MENDING)
    together = find(strategy, engine, problems, budget=4, verifier=engine)
    for index, problem in enumerate(problems):
        (alone,) = find(strategy, engine, [problem], budget=4, verifier=engine, seed=index)
        assert [row.steps for row in alone.rows] == [row.steps for row in together[index].rows]


@pytest.mark.parametrize(
    ("strategy", "num_ends"),
    [(s, 8) for s in (BeamConfig(width=2), LookaheadConfig(width=2, depth=1), RebaseConfig())]
    + [(MctsConfig(width=2), 8), (DvtsConfig(width=2), 4), (TreeOfThoughtsConfig(width=2), 4)]
    + [(strategy, 8) for strategy in (MajorityConfig(), BestOfNConfig(), FilterVoteConfig())]
    + [(RevisionsConfig(sequential=2), 8)],
    ids=lambda value: value if isinstance(value, int) else name_of(value),
)
def test_the_budget_asked_is_the_budget_spent(find, strategy, num_ends):
    engine = MarkovEngine(MENDING)
    for found in find(strategy, engine, markov_problems(4, seed=5), budget=8, verifier=engine):
        assert len(found.ends) == len(set(found.ends)) == num_ends
        assert found.main_decision().num_candidates == num_ends


@pytest.mark.parametrize("strategy", STEPWISE, ids=name_of)
@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_steps": 2}, "not finished after 2 steps"),
        ({"max_tokens": 2}, "not finished after 2 tokens"),
    ],
    ids=["steps", "tokens"],
)
def test_a_search_that_finishes_nothing_says_so(find, strategy, limits, reason):
    engine = MarkovEngine(MENDING)
    (found,) = find(
        strategy, engine, markov_problems(1, seed=1), budget=4, verifier=engine, **limits
    )
    assert found.ends
    assert {end.state for end in found.ends} == {"truncated"}
    cut = [row for row in found.rows if row.status == "truncated"]
    assert {row.reason for row in cut} <= {reason, "looked ahead"}
    assert all(row.correct is None for row in cut)
    decision = found.main_decision()
    assert (decision.status, decision.correct, decision.answer) == ("unfinished", False, None)
    assert decision.num_finished == 0


@pytest.mark.parametrize("strategy", WHOLE, ids=name_of)
@pytest.mark.parametrize("limits", [{}, {"max_tokens": 3}], ids=["steps", "tokens"])
def test_whole_solutions_are_given_up_by_their_tokens_alone(
    table_engine, find_one, strategy, limits
):
    table = {"": {"a\n": 1.0}, "a\n": {"b\n": 1.0}, "a\nb\n": {"Answer: ": 1.0}}
    table["a\nb\nAnswer: "] = {"4": 1.0}
    scores = dict.fromkeys(("a\n", "a\nb\n", "a\nb\nAnswer: ", "a\nb\nAnswer: 4"), 0.8)
    engine = table_engine(table, scores)
    found = find_one(strategy, engine, budget=2, max_steps=1, max_step_tokens=1, **limits)
    expected = ("truncated", None) if limits else ("finished", "4")
    assert {end.state for end in found.ends} == {expected[0]}
    assert found.main_decision().answer == expected[1]


@pytest.mark.parametrize("strategy", STEPWISE, ids=name_of)
def test_a_step_cut_by_its_length_is_truncated_and_never_finished(table_engine, find_one, strategy):
    table = {"": {"a": 1.0}, "a": {"b": 1.0}, "ab": {"c": 1.0}, "abc": {"\n": 1.0}}
    engine = table_engine(table, {"ab": 0.9})
    found = find_one(strategy, engine, budget=4, max_step_tokens=2)
    assert {end.text for end in found.ends} == {"ab"}
    assert {end.state for end in found.ends} == {"truncated"}
    cut = [row for row in found.rows if row.status == "truncated"]
    assert {row.reason for row in cut} <= {"a step of more than 2 tokens", "looked ahead"}
    assert found.main_decision().status == "unfinished"


@pytest.mark.parametrize("strategy", STEPWISE, ids=name_of)
def test_a_policy_that_never_writes_a_separator_is_cut_or_finishes(
    table_engine, find_one, strategy
):
    table = {"": {"Answer: ": 1.0}, "Answer: ": {"4": 0.5, "5": 0.5}}
    table |= {"Answer: 5": {"5": 1.0}, "Answer: 55": {"5": 1.0}}
    engine = table_engine(table, {"Answer: 4": 0.4, "Answer: 555": 0.9})
    found = find_one(strategy, engine, budget=2, max_step_tokens=4)
    assert {end.text for end in found.ends} <= {"Answer: 4", "Answer: 555"}
    assert "finished" in {end.state for end in found.ends}
    assert found.main_decision().answer == "4"


@pytest.mark.parametrize("strategy", STEPWISE, ids=name_of)
def test_a_policy_that_writes_only_separators_is_cut(table_engine, find_one, strategy):
    table = {"\n" * number: {"\n": 1.0} for number in range(20)}
    engine = table_engine(table)
    found = find_one(strategy, engine, budget=4)
    assert engine.scored == []
    assert {end.state for end in found.ends} == {"truncated"}
    assert engine.num_drawn == sum(row.generated_tokens for row in found.rows)
    assert engine.num_drawn <= 16
    assert all(row.steps == () for row in found.rows)
    assert found.main_decision().status == "unfinished"


@pytest.mark.parametrize("strategy", STEPWISE, ids=name_of)
def test_separators_before_a_step_belong_to_it(table_engine, find_one, strategy):
    table = {"": {"\n": 1.0}, "\n": {"a\n": 1.0}, "\na\n": {"\n": 1.0}}
    table |= {"\na\n\n": {"Answer: 4": 1.0}}
    engine = table_engine(table, {"\na\n": 0.9, "\na\n\nAnswer: 4": 0.8})
    found = find_one(strategy, engine, budget=2)
    (text,) = set(found.texts)
    assert text == "\na\n\nAnswer: 4"
    assert [step.text for step in found.ends[0].steps()] == ["\na\n", "\nAnswer: 4"]
    assert [step.num_tokens for step in found.ends[0].steps()] == [2, 3]
    assert found.ends[0].scores() == [0.9, 0.8]
    assert found.ends[0].num_tokens == 5
    assert sum(row.generated_tokens for row in found.rows) == engine.num_drawn


@pytest.mark.parametrize("strategy", STEPWISE, ids=name_of)
def test_an_end_behind_a_separator_is_no_step_and_is_not_scored(table_engine, find_one, strategy):
    table = {"": {"Answer: 4\n": 1.0}, "Answer: 4\n": {"": 1.0}}
    engine = table_engine(table, {"Answer: 4\n": 0.9})
    found = find_one(strategy, engine, budget=2)
    assert {end.state for end in found.ends} == {"finished"}
    assert set(engine.scored) == {"Answer: 4\n"}
    for end in found.ends:
        assert end.scores() == [0.9]
        assert end.ranking == 0.9
    decision = found.main_decision()
    assert (decision.answer, decision.correct) == ("4", True)


@pytest.mark.parametrize("strategy", STEPWISE, ids=name_of)
def test_a_step_cut_by_the_solution_s_length_says_so(table_engine, find_one, strategy):
    table = {"": {"a\n": 1.0}, "a\n": {"b": 1.0}, "a\nb": {"c": 1.0}, "a\nbc": {"\n": 1.0}}
    engine = table_engine(table, {"a\n": 0.9, "a\nbc": 0.9})
    found = find_one(strategy, engine, budget=2, max_tokens=3)
    assert {end.state for end in found.ends} == {"truncated"}
    assert {end.reason for end in found.ends} == {"not finished after 3 tokens"}
    assert max(request.max_tokens for request in engine.requests) == 3


def test_scoring_asks_only_for_what_is_not_known(table_engine, find_one):
    requests: list[ScoringRequest] = []
    table = {"": {"a\n": 1.0}, "a\n": {"b\n": 1.0}, "a\nb\n": {"Answer: 4": 1.0}}
    scores = {"a\n": 0.5, "a\nb\n": 0.6, "a\nb\nAnswer: 4": 0.7}

    class ListeningEngine(table_engine):
        async def score(self, request: ScoringRequest) -> StepScoring:
            requests.append(request)
            return await super().score(request)

    found = find_one(BeamConfig(width=1), ListeningEngine(table, scores), budget=1)
    assert [request.num_known for request in requests] == [0, 1, 2]
    assert [len(request.steps) for request in requests] == [1, 2, 3]
    assert [request.is_whole for request in requests] == [False, False, True]
    assert {request.question for request in requests} == {"p0?"}
    assert found.ends[0].scores() == [0.5, 0.6, 0.7]


@pytest.mark.parametrize("strategy", [s for s in EVERY if s.needs_verifier], ids=name_of)
@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ((float("nan"),), "score 0: expected one in [0, 1], got nan"),
        ((1.5,), "score 0: expected one in [0, 1], got 1.5"),
        ((-0.1,), "score 0: expected one in [0, 1], got -0.1"),
        ((0.5,) * 9, "expected 1 scores, got 9"),
        ((), "expected 1 scores, got 0"),
    ],
    ids=["nan", "above", "below", "many", "none"],
)
def test_scores_that_cannot_be_used_are_errors_of_their_rows(
    table_engine, find_one, strategy, scores, message
):
    class OddVerifier(table_engine):
        async def score(self, request: ScoringRequest) -> StepScoring:
            return StepScoring(scores=scores, scored_tokens=3, cached_tokens=1)

    engine = OddVerifier({"": {"Answer: 4": 1.0}})
    found = find_one(strategy, engine, budget=2)
    assert {row.status for row in found.rows if row.status != "pruned"} == {"error"}
    assert all(row.error == f"verifier: {message}" for row in found.rows if row.error)
    assert sum(row.scored_tokens for row in found.rows) >= 2
    decision = found.main_decision()
    assert (decision.status, decision.correct) == ("error", None)
    assert decision.error == f"verifier: {message}"


@pytest.mark.parametrize("strategy", EVERY, ids=name_of)
def test_a_prompt_that_fills_the_context_is_an_error_of_its_problem(
    table_engine, find, make_problem, strategy
):
    engine = table_engine({"": {"Answer: 4": 1.0}}, {"Answer: 4": 0.9}, most_tokens=60)
    problems = [make_problem("short"), make_problem("long", question="word " * 100)]
    short, long = find(strategy, engine, problems, budget=2, verifier=engine)
    assert short.main_decision().correct is True
    assert {row.status for row in long.rows} == {"error"}
    assert all("room for 60" in (row.error or "") for row in long.rows)
    decision = long.main_decision()
    assert (decision.status, decision.correct) == ("error", None)
    assert len(long.rows) == decision.num_candidates


@pytest.mark.parametrize("strategy", STEPWISE, ids=name_of)
def test_a_context_that_fills_up_on_the_way_is_an_error(table_engine, find_one, strategy):
    table = {"": {"a\n": 1.0}, "a\n": {"b\n": 1.0}, "a\nb\n": {"c\n": 1.0}}
    engine = table_engine(table, {"a\n": 0.9, "a\nb\n": 0.9}, most_tokens=3)
    found = find_one(strategy, engine, budget=2)
    assert {end.state for end in found.ends} == {"error"}
    assert {row.error for row in found.rows if row.status == "error"} == {
        "prompt of 3 tokens, room for 3"
    }
    assert found.main_decision().status == "error"


@pytest.mark.parametrize("role", ["policy", "verifier"])
@pytest.mark.parametrize("strategy", [s for s in EVERY if s.needs_verifier], ids=name_of)
def test_an_engine_that_is_gone_ends_the_search(table_engine, find_one, strategy, role):
    class DyingEngine(table_engine):
        async def generate(self, request: GenerationRequest):
            if role == "policy":
                raise EngineFailed("the policy is gone")
            return await super().generate(request)

        async def score(self, request: ScoringRequest) -> StepScoring:
            raise EngineFailed("the verifier is gone")

    engine = DyingEngine({"": {"Answer: 4": 1.0}})
    with pytest.raises(EngineFailed, match=f"the {role} is gone"):
        find_one(strategy, engine, budget=4)


@pytest.mark.parametrize("strategy", STEPWISE, ids=name_of)
def test_greedy_draws_end(find, strategy):
    engine = MarkovEngine(MENDING)
    (found,) = find(
        strategy, engine, markov_problems(1, seed=1), budget=8, verifier=engine, temperature=0
    )
    assert len(set(found.texts)) == 1
    assert found.main_decision().status == "decided"


@pytest.mark.parametrize(
    "strategy",
    [BeamConfig(), DvtsConfig(), RebaseConfig(), MctsConfig(), TreeOfThoughtsConfig()],
    ids=name_of,
)
def test_a_large_budget_asks_the_policy_in_rounds_not_one_by_one(find, strategy):
    engine = CountingEngine(MarkovConfig(num_steps=3, p_right=0.6, p_recover=0.2))
    (found,) = find(strategy, engine, markov_problems(1, seed=1), budget=256, verifier=engine)
    assert found.main_decision().status == "decided"
    assert engine.num_generated <= 256 * 4 * 4


def test_a_model_of_whole_solutions_scores_their_last_step(table_engine, find_one):
    class WholeVerifier(table_engine):
        async def score(self, request: ScoringRequest) -> StepScoring:
            value = 0.9 if request.steps[-1] == "Answer: 4" else 0.2
            return StepScoring(scores=(value,), scored_tokens=5, cached_tokens=0)

    table = {"": {"a\n": 1.0}, "a\n": {"Answer: 4": 0.5, "Answer: 1": 0.5}}
    found = find_one(BestOfNConfig(), WholeVerifier(table), budget=3)
    assert [[step.score for step in row.steps] for row in found.rows] == [
        [None, 0.9], [None, 0.2], [None, 0.9],
    ]  # fmt: skip
    decisions = found.decide()
    assert decisions["best_of_n[min]"].correct is True
    assert decisions["weighted[prod]"].correct is True


@pytest.mark.parametrize("strategy", EVERY, ids=name_of)
def test_every_row_holds_a_seed_that_the_policy_was_asked_with(find, strategy):
    engine = CountingEngine(MENDING)
    (found,) = find(
        strategy, engine, markov_problems(1, seed=2), budget=8, verifier=engine, score=MIXED
    )
    drawn = [row for row in found.rows if row.temperature]
    assert {row.seed for row in drawn} <= set(engine.seeds)
    assert len({row.seed for row in drawn}) == len(drawn)


def test_the_pick_is_what_the_search_ranked_best_though_the_end_stands_alone(
    table_engine, find_one
):
    """An end of text after a separator is not a step, and counts in neither."""
    table = {
        "": {"Answer: 1\n": 0.5, "Answer: 4\n": 0.4},
        "Answer: 1\n": {"": 0.05},
        "Answer: 4\n": {"": 0.9},
    }
    engine = table_engine(table, {"Answer: 1\n": 0.5, "Answer: 4\n": 0.5})
    found = find_one(BeamConfig(width=1), engine, budget=2, score=ScoreConfig(reduction="last"))
    best = max(found.ends, key=lambda end: end.ranking or 0.0)
    assert [end.ranking for end in found.ends] == pytest.approx([math.log(0.5), math.log(0.4)])
    assert found.main_decision().answer == best.text.removeprefix("Answer: ").strip() == "1"


@pytest.fixture
def silent_policy(table_engine):
    """A policy that reports no log probabilities."""

    class SilentPolicy(table_engine):
        async def generate(self, request: GenerationRequest):
            generation = await super().generate(request)
            silent = tuple(replace(c, logprobs=None) for c in generation.completions)
            return replace(generation, completions=silent)

    return SilentPolicy


@pytest.mark.parametrize("strategy", [s for s in STEPWISE if not s.by_verifier], ids=name_of)
def test_a_score_that_needs_a_likelihood_that_is_not_reported_is_refused(
    silent_policy, find_one, strategy
):
    engine = silent_policy({"": {"Answer: 4": 1.0}}, {"Answer: 4": 0.9})
    found = find_one(strategy, engine, budget=4, score=ScoreConfig())
    assert {row.status for row in found.rows} == {"error"}
    decision = found.main_decision()
    assert (decision.status, decision.correct) == ("error", None)
    assert "reports no log probabilities" in (decision.error or "")
    assert "set score.by=verifier" in (decision.error or "")
    assert sum(row.generated_tokens for row in found.rows) == engine.num_drawn


@pytest.mark.parametrize("strategy", [*WHOLE, *(s for s in STEPWISE if s.by_verifier)], ids=name_of)
def test_votes_and_verifiers_need_no_likelihood(silent_policy, find_one, strategy):
    engine = silent_policy({"": {"Answer: 4": 1.0}}, {"Answer: 4": 0.9})
    found = find_one(strategy, engine, budget=4, score=ScoreConfig())
    assert found.main_decision().correct is True


def test_a_likelihood_that_is_not_told_is_none(silent_policy, find_one):
    table = {"": {"a\n": 0.5, "b\n": 0.5}, "a\n": {"Answer: 4": 1.0}, "b\n": {"Answer: 1": 1.0}}
    scores = {"a\n": 0.9, "b\n": 0.1, "a\nAnswer: 4": 0.9}
    found = find_one(BeamConfig(width=2), silent_policy(table, scores), budget=2)
    assert found.texts == ["a\nAnswer: 4"] * 2
    assert all(step.logprob is None for row in found.rows for step in row.steps)
    decisions = found.decide()
    assert decisions["likelihood"].trajectory_id is None
    assert decisions["best_of_n[last]"].correct is True
