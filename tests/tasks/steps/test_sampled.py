"""Which sampled token wrote what."""

import pytest

from tasks.steps.sampled import align
from tasks.steps.token_texts import TokenDecoder
from tasks.world.tokenizer import build_tokenizer

TOKENIZER = build_tokenizer()
DECODER = TokenDecoder(TOKENIZER)
END = TOKENIZER.get_vocab()[str(TOKENIZER.eos_token)]


def ids_of(text: str, *, end: bool = True) -> list[int]:
    ids: list[int] = TOKENIZER.encode(text, add_special_tokens=False)
    return [*ids, END] if end else ids


def test_pieces_join_to_the_text_and_an_end_of_text_is_not_kept():
    text = "12 - 5 = 7\nThe answer is 7."
    sampled = align(DECODER, ids_of(text), text)
    assert sampled.text == text
    assert len(sampled.pieces) == len(sampled.token_ids)
    assert sampled.num_kept == len(sampled.token_ids) - 1
    steps = sampled.steps("\n")
    assert [DECODER.decode(step) for step in steps] == ["12 - 5 = 7\n", "The answer is 7."]


def test_what_follows_the_text_is_not_kept():
    text = "12 - 5 = 7\n"
    whole = text + "Q: 3"
    sampled = align(DECODER, ids_of(whole, end=False), text)
    assert sampled.text == text
    assert "".join(sampled.pieces) == whole
    assert sum(map(len, sampled.steps("\n"))) == sampled.num_kept


def test_what_the_tokens_repeat_of_the_text_before_is_cut():
    sampled = align(DECODER, ids_of("12 - 5"), "2 - 5")
    assert sampled.text == "2 - 5"
    assert sampled.pieces[0] == ""


def test_a_place_in_the_text_has_a_last_token():
    sampled = align(DECODER, ids_of("1 2\n3"), "1 2\n3")
    pieces = sampled.pieces[: sampled.num_kept]
    ends = [sum(map(len, pieces[: i + 1])) for i in range(len(pieces))]
    assert sampled.last_tokens(ends) == list(range(len(pieces)))
    assert sampled.last_tokens([0]) == [0]


def test_tokens_of_another_text_are_refused():
    with pytest.raises(ValueError, match="expected sampled tokens that write '7'"):
        align(DECODER, ids_of("8"), "7")


def test_nothing_sampled_is_nothing():
    sampled = align(DECODER, [END], "")
    assert (sampled.num_kept, sampled.steps("\n"), sampled.pieces) == (0, [], ("",))
