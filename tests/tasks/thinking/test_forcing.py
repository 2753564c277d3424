"""Thoughts that are ended and prolonged: the text, the tokens and the costs of what comes out."""

import asyncio
import math

import pytest

from schemas.engines import UNTOLD_TOKEN, GenerationRequest
from schemas.errors import RequestRejected
from schemas.thinking import ThinkingConfig
from tasks.thinking.forcing import draw
from tasks.thinking.thoughts import Thoughts

HALF = math.log(0.5)
SHORT = {"": "<think>", "<think>": "a.", "a.": "</think>", "</think>": "4", "4": "<end>"}
ENDLESS = {"": "<think>", "<think>": "a.", "a.": "a.", "</think>\n\n": "4", "4": "<end>"}


def request(**fields) -> GenerationRequest:
    values = {"prompt": "2 + 2?", "max_tokens": 40, "seed": 5}
    return GenerationRequest(**{**values, **fields})


def draw_all(engine, asked: GenerationRequest | None = None, *, prompt: str = "", **fields):
    config = ThinkingConfig(**fields)
    return asyncio.run(draw(engine, asked or request(), config, Thoughts.of(config, prompt)))


def draw_one(engine, asked: GenerationRequest | None = None, **fields):
    _, (drawn,) = draw_all(engine, asked, **fields)
    return drawn


def test_a_thought_within_its_limit_is_left_alone(script_engine):
    engine = script_engine(SHORT)
    drawn = draw_one(engine, max_thinking_tokens=20)
    assert drawn.completion.text == "<think>a.</think>4"
    assert (drawn.reason, drawn.num_generated, len(engine.requests)) == (None, 5, 1)
    assert drawn.completion.finish_reason == "stop"


def test_without_a_limit_one_plain_request_is_made(script_engine):
    engine = script_engine(SHORT)
    asked = request(n=3, stop=("x",))
    generation, drawn = draw_all(engine, asked)
    assert engine.requests == [asked]
    assert tuple(each.completion for each in drawn) == generation.completions


def test_a_thought_at_its_limit_is_ended_and_the_model_answers(script_engine):
    engine = script_engine(ENDLESS)
    drawn = draw_one(engine, max_thinking_tokens=4)
    assert drawn.completion.text == "<think>a.a.a.\n</think>\n\n4"
    assert drawn.completion.finish_reason == "stop"
    assert drawn.reason == "its thought was ended after 4 tokens"
    assert "".join(drawn.completion.token_texts or ()) == drawn.completion.text
    assert engine.decode(drawn.completion.token_ids) == drawn.completion.text
    closing = len("\n</think>\n\n")
    assert len(drawn.completion.token_ids) == 4 + closing + 2
    assert drawn.completion.logprobs == (HALF,) * 4 + (0.0,) * closing + (HALF,) * 2
    assert drawn.num_generated == engine.num_written == 6
    assert engine.requests[1].prefix_ids == drawn.completion.token_ids[:-2]
    assert engine.requests[1].max_tokens == 40 - 4 - closing
    assert drawn.prompt_tokens == 1 + 4 + closing
    assert drawn.cached_tokens == 1


def test_an_answer_that_the_limit_cuts_goes_on(script_engine):
    """The limit is that of the thought: the first request ends with it, in the answer."""
    engine = script_engine(
        {"": "<think>", "<think>": "</think>", "</think>": "1", "1": "2", "2": "3", "3": "<end>"}
    )
    drawn = draw_one(engine, max_thinking_tokens=3)
    assert drawn.completion.text == "<think></think>123"
    assert (drawn.reason, drawn.num_generated) == (None, 6)
    assert [each.max_tokens for each in engine.requests] == [3, 37]


def test_an_answer_without_a_thought_is_not_ended(script_engine):
    engine = script_engine({"": "1", "1": "2", "2": "3", "3": "<end>"})
    drawn = draw_one(engine, max_thinking_tokens=2)
    assert (drawn.completion.text, drawn.reason) == ("123", None)


def test_a_thought_is_prolonged_where_it_would_end(script_engine):
    engine = script_engine({**SHORT, "Wait": "b.", "b.": "</think>"})
    drawn = draw_one(engine, num_extensions=2)
    assert drawn.completion.text == "<think>a.Waitb.Waitb.</think>4"
    assert drawn.reason == "its thought was prolonged 2 times"
    assert engine.decode(drawn.completion.token_ids) == drawn.completion.text
    # <think> a. </think>, b. </think> twice, 4 and the end of text: two tags were taken back.
    assert drawn.num_generated == engine.num_written == 9
    assert len(drawn.completion.token_ids) == 9 - 2 + 2 * len("Wait")
    assert [each.stop for each in engine.requests] == [("</think>",), ("</think>",), ()]


def test_a_tag_that_begins_within_a_token_leaves_the_text_before_it(script_engine):
    engine = script_engine({"": "<think>", "<think>": "a", "a": ".</", "</": "think>",
                            "Wait": "</think>", "</think>": "4", "4": "<end>"})  # fmt: skip
    drawn = draw_one(engine, num_extensions=1)
    assert drawn.completion.text == "<think>a.Wait</think>4"
    assert engine.decode(drawn.completion.token_ids) == drawn.completion.text


def test_a_text_that_ends_within_its_thought_is_prolonged_too(script_engine):
    script = {"": "<think>", "<think>": "a.", "a.": "<end>", "Wait": "</think>", "</think>": "4"}
    drawn = draw_one(script_engine({**script, "4": "<end>"}), num_extensions=1)
    assert drawn.completion.text == "<think>a.Wait</think>4"
    drawn = draw_one(script_engine(script), max_thinking_tokens=20)
    assert drawn.completion.text == "<think>a."
    assert drawn.completion.finish_reason == "stop"
    assert drawn.reason == "it ended within its thought"


def test_a_prolonged_thought_is_ended_at_the_same_limit(script_engine):
    engine = script_engine({**ENDLESS, "<think>": "</think>", "Wait": "a."})
    drawn = draw_one(engine, num_extensions=1, max_thinking_tokens=8)
    assert drawn.completion.text == "<think>Waita.a.a.\n</think>\n\n4"
    assert drawn.reason == (
        "its thought was prolonged 1 times; its thought was ended after 8 tokens"
    )
    # The word itself reaches the limit: nothing more is thought.
    drawn = draw_one(script_engine({**SHORT, "<think>": "</think>", "</think>\n\n": "4"}),
                     num_extensions=3, max_thinking_tokens=3)  # fmt: skip
    assert drawn.completion.text == "<think>Wait\n</think>\n\n4"


def test_a_thought_without_end_is_cut_with_a_reason(script_engine):
    for limit in (None, 40, 99):
        engine = script_engine(ENDLESS)
        drawn = draw_one(engine, max_thinking_tokens=limit)
        assert drawn.completion.finish_reason == "length"
        assert drawn.reason == "its thought did not end within 40 tokens"
        assert drawn.num_generated == 40


def test_a_thought_that_the_prompt_opens_is_ended(script_engine):
    engine = script_engine({"": "a.", "a.": "a.", "</think>\n\n": "4", "4": "<end>"})
    drawn = draw_one(engine, prompt="<|assistant|><think>\n", max_thinking_tokens=2)
    assert drawn.completion.text == "a.a.\n</think>\n\n4"
    drawn = draw_one(engine, prompt="<|assistant|><think>\n", max_thinking_tokens=40)
    assert drawn.reason == "its thought did not end within 40 tokens"


def test_the_text_that_ends_a_thought_can_be_chosen(script_engine):
    engine = script_engine({**ENDLESS, "Final answer:": "4"})
    drawn = draw_one(engine, max_thinking_tokens=2, closing=" OK.</think>Final answer:")
    assert drawn.completion.text == "<think>a. OK.</think>Final answer:4"


def test_an_engine_without_ids_continues_the_text(script_engine):
    engine = script_engine(ENDLESS, has_ids=False)
    drawn = draw_one(engine, max_thinking_tokens=4)
    assert drawn.completion.text == "<think>a.a.a.\n</think>\n\n4"
    assert engine.requests[1].prefix_ids is None
    assert drawn.completion.token_ids.count(UNTOLD_TOKEN) == 1


def test_a_full_context_ends_a_continuation_with_the_engines_words(script_engine):
    engine = script_engine(ENDLESS, context=10)
    drawn = draw_one(engine, max_thinking_tokens=4)
    assert drawn.completion.text == "<think>a.a.a.\n</think>\n\n"
    assert drawn.completion.finish_reason == "length"
    assert drawn.reason == "it could not go on: expected at most 10 tokens, got 15"
    with pytest.raises(RequestRejected):
        draw_one(engine, request(prefix="a " * 12), max_thinking_tokens=4)


def test_a_prefix_is_continued_and_its_thought_is_known(script_engine):
    engine = script_engine(ENDLESS)
    ids = tuple(map(engine._id_of, ("<think>", "a.")))
    drawn = draw_one(engine, request(prefix="<think>a.", prefix_ids=ids), max_thinking_tokens=2)
    assert drawn.completion.text == "a.a.\n</think>\n\n4"
    assert engine.requests[1].prefix_ids == ids + drawn.completion.token_ids[:-2]
    behind = request(prefix="<think>a.</think>\n\n", max_tokens=9)
    draw_one(engine, behind, max_thinking_tokens=2)
    assert engine.requests[-1].max_tokens == 9


def test_continuations_are_drawn_with_seeds_of_their_own(script_engine):
    engine = script_engine(ENDLESS)
    draw_all(engine, request(n=3), max_thinking_tokens=4)
    first, *others = engine.requests
    assert (first.n, first.seed) == (3, 5)
    assert [each.n for each in others] == [1, 1, 1]
    assert len({each.seed for each in others}) == 3


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"start": "<t>", "end": "<t>"}, "expected another tag than start"),
        ({"closing": "OK."}, "closing: expected '</think>' in it"),
        ({"extension": "Wait</think>"}, "extension: expected no '</think>'"),
        ({"end": " "}, "end"),
        ({"max_thinking_tokens": 0}, "greater than or equal to 1"),
    ],
)
def test_a_config_that_cannot_work_is_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        ThinkingConfig(**fields)
