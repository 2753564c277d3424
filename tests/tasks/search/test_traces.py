"""Solutions drawn piece by piece: the same solutions as in one piece, and every token counted."""

import asyncio
import random
from dataclasses import replace

import pytest

from schemas.engines import Completion, Generation, GenerationRequest, MarkovConfig
from schemas.errors import RequestRejected
from schemas.search import ScoreConfig, SearchLimits
from tasks.engines.host import Counters
from tasks.engines.markov_engine import MarkovEngine, markov_problems, p_right_answer
from tasks.prompts.formats import PromptFormat
from tasks.search.context import SearchContext
from tasks.search.session import Search
from tasks.search.traces import Watch
from tasks.search.tree import walk

FORMAT = PromptFormat(
    build=lambda messages: messages[-1].text, has_chat_template=False, separator="\n"
)
PIECEWISE = Watch(num_alternatives=3, chunk_tokens=2)


def draw(engine, num, watch, *, question="q?", seed=0, **limits):
    """`num` whole solutions, and the search."""
    context = SearchContext(
        engines={"policy": engine},
        prompt_formats={"policy": FORMAT},
        limits=SearchLimits(**limits),
        score=ScoreConfig(by="likelihood"),
        needs_likelihood=False,
        counters=Counters(),
    )
    search = Search(question, num, context, seed=seed)
    complete = search.complete(search.root, num, with_scores=False, watch=watch)
    return asyncio.run(complete), search


def cost_of(search):
    return sum(node.cost.generated_tokens for node in walk(search.root))


@pytest.mark.parametrize("chunk_tokens", [1, 2, 3, 50])
def test_pieces_make_the_solution_that_the_policy_writes_in_one(table_engine, chunk_tokens):
    table = {"": {"a": 1.0}, "a": {"b\n": 1.0}, "ab\n": {"Answer: ": 1.0}}
    table["ab\nAnswer: "] = {"4": 1.0}
    engine = table_engine(table)
    (end,), search = draw(engine, 1, replace(PIECEWISE, chunk_tokens=chunk_tokens))
    (whole,), _ = draw(table_engine(table), 1, Watch(num_alternatives=3))
    assert (end.text, end.state, end.num_tokens) == ("ab\nAnswer: 4", "finished", 5)
    assert [(step.text, step.num_tokens) for step in end.steps()] == [
        (step.text, step.num_tokens) for step in whole.steps()
    ]
    assert (end.logprob, end.confidences) == (whole.logprob, whole.confidences)
    assert cost_of(search) == engine.num_drawn == 5


def test_a_piece_continues_the_exact_tokens(table_engine):
    engine = table_engine({"": {"a": 1.0}, "a": {"b": 1.0}, "ab": {"c": 1.0}})
    engine.vocabulary = "of the table"
    draw(engine, 1, PIECEWISE)
    told = [(r.prefix, r.prefix_ids, r.max_tokens, r.num_alternatives) for r in engine.requests]
    assert told == [("", (), 2, 3), ("ab", (0, 1), 2, 3)]
    assert len({request.seed for request in engine.requests}) == 2


def test_piecewise_solutions_are_distributed_as_whole_ones(assert_rate):
    config = MarkovConfig(num_steps=4, p_right=0.7, p_recover=0.2)
    (problem,) = markov_problems(1, seed=1)
    watch = replace(PIECEWISE, chunk_tokens=1)
    ends, _ = draw(MarkovEngine(config), 800, watch, question=problem.question)
    right = [end.text.endswith(f"Answer: {problem.answer}") for end in ends]
    assert_rate(right, p_right_answer(0, True, config))
    assert all(len(end.steps()) == 5 for end in ends)


def test_a_solution_is_given_up_at_the_first_look_after_its_confidence_fell(table_engine):
    """Tokens with two even options have confidence log 2, sure ones 0."""
    even = {"x": 0.5, "y": 0.5}
    table = {"": even, "x": even, "xx": {"z": 1.0}, "xxz": even, "xxzx": even}
    engine = table_engine(table, is_dealt=False)
    watch = Watch(num_alternatives=2, chunk_tokens=1, window=2, threshold=0.5)
    ends, search = draw(engine, 40, watch, seed=3)
    given_up = [end for end in ends if end.state == "open"]
    assert {end.text for end in given_up} == {"xxz"}
    assert {end.text for end in ends if end.state == "finished"} <= {"y", "xy"}
    assert 0 < len(given_up) < 40
    assert cost_of(search) == engine.num_drawn


def test_every_group_is_looked_at_whatever_was_seen_before():
    """Against all groups at once, for random confidences and pieces."""
    rng = random.Random(0)
    for _ in range(300):
        confidences = tuple(rng.random() for _ in range(rng.randint(1, 40)))
        watch = Watch(
            num_alternatives=1, chunk_tokens=1, window=rng.randint(1, 8), threshold=rng.random()
        )
        groups = [
            sum(confidences[end - watch.window : end]) / watch.window
            for end in range(watch.window, len(confidences) + 1)
        ]
        seen, is_given_up = 0, False
        while seen < len(confidences):
            now = min(seen + rng.randint(1, 9), len(confidences))
            is_given_up |= watch.gives_up(told(confidences[:now]), seen)
            seen = now
        assert is_given_up == any(group < watch.threshold for group in groups)


def told(confidences: tuple[float, ...]) -> Completion:
    return Completion(
        text="",
        token_ids=(0,) * len(confidences),
        logprobs=None,
        finish_reason="length",
        stop_string=None,
        confidences=confidences,
    )


def test_a_window_that_is_not_full_gives_up_nothing(table_engine):
    engine = table_engine({"": {"a": 1.0}, "a": {"b": 1.0}, "ab": {"Answer: 4": 1.0}})
    watch = Watch(num_alternatives=2, chunk_tokens=1, window=5, threshold=9.0)
    (end,), _ = draw(engine, 1, watch)
    assert end.state == "finished"


@pytest.mark.parametrize(
    ("limits", "most_tokens", "reason"),
    [
        ({"max_tokens": 3}, 10**6, "not finished after 3 tokens"),
        ({}, 4, "not finished after 3 tokens, which fill the policy's context"),
    ],
    ids=["limit", "context"],
)
def test_a_solution_that_fills_the_room_is_cut_as_in_one_piece(
    table_engine, limits, most_tokens, reason
):
    table = {"a" * n: {"a": 1.0} for n in range(9)}

    class OneWord(table_engine):
        """Its prefixes are a token a letter, as the pieces are."""

        async def generate(self, request: GenerationRequest):
            room = most_tokens - 1 - len(request.prefix)
            if room < 1:
                raise RequestRejected("full")
            return await super().generate(
                replace(request, max_tokens=min(request.max_tokens, room))
            )

    for watch in (PIECEWISE, Watch(num_alternatives=3)):
        (end,), _ = draw(OneWord(table), 1, watch, **limits)
        assert (end.text, end.state, end.reason) == ("aaa", "truncated", reason)


def test_an_error_on_the_way_keeps_what_was_paid(table_engine):
    class Breaking(table_engine):
        async def generate(self, request: GenerationRequest):
            if request.prefix:
                raise RequestRejected("no more")
            return await super().generate(request)

    engine = Breaking({"a" * n: {"a": 1.0} for n in range(9)})
    (end,), search = draw(engine, 1, PIECEWISE)
    assert (end.state, end.reason) == ("error", "no more")
    assert cost_of(search) == engine.num_drawn == 2


class ByteEngine:
    """A policy whose tokens are the bytes of one text."""

    name = model_id = "bytes"
    vocabulary: str | None = "bytes"

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self.num_drawn = 0

    async def generate(self, request: GenerationRequest) -> Generation:
        start = len(request.prefix_ids or ())
        assert self.data[:start].decode() == request.prefix
        ids = (*self.data[start : start + request.max_tokens],)
        self.num_drawn += len(ids)
        is_over = start + len(ids) == len(self.data)
        completion = Completion(
            text=bytes(ids).decode(errors="replace"),
            token_ids=ids,
            logprobs=(0.0,) * len(ids),
            finish_reason="stop" if is_over else "length",
            stop_string=None,
            confidences=(1.0,) * len(ids),
        )
        return Generation(completions=(completion,), prompt_tokens=1, cached_tokens=0)


@pytest.mark.parametrize("chunk_tokens", [1, 2, 3, 4, 5])
def test_a_character_of_several_tokens_is_never_torn_apart(chunk_tokens):
    text = "√2 ≠ √3\nAntwort: «½» 😀."
    engine = ByteEngine(text)
    (end,), search = draw(engine, 1, replace(PIECEWISE, chunk_tokens=chunk_tokens))
    assert (end.text, end.state, end.num_tokens) == (text, "finished", len(text.encode()))
    assert cost_of(search) == engine.num_drawn >= len(text.encode())
