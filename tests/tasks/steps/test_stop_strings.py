"""Where a solution ends at a stop string."""

from itertools import product

import pytest

from schemas.engines import UNTOLD_TOKEN, Completion
from tasks.steps.stop_strings import end_at_stop


def completion(*pieces: str, **fields: object) -> Completion:
    """One token a piece: ids count from 10, log probabilities from -1 down."""
    values = {
        "text": "".join(pieces),
        "token_ids": tuple(range(10, 10 + len(pieces))),
        "logprobs": tuple(-1.0 - i for i in range(len(pieces))),
        "finish_reason": "stop",
        "stop_string": None,
        "token_texts": pieces,
        "confidences": tuple(2.0 + i for i in range(len(pieces))),
    }
    return Completion(**{**values, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pieces", "stop", "num_kept"),
    [
        (("So ", "18.", "\n\n", "Question", ":"), ("\n\nQuestion:",), 2),
        (("So ", "18.\n\n", "Question", ":"), ("\n\nQuestion:",), 2),
        (("So ", "18.", "\n", "\n", "Question", ":"), ("\nQuestion:",), 3),
        (("So ", "18.", "\n", "Q", ":", " 2"), ("Problem", "\nQ:"), 2),
        (("So ", "18.", "\nQ:", " 2", "\nA:"), ("\nA:", "\nQ:"), 2),
        (("Q:",), ("Q:",), 0),
        (("So ", "", "Q:", ""), ("Q:",), 1),
    ],
)
def test_tokens_that_begin_before_the_stop_string_are_kept(
    pieces: tuple[str, ...], stop: tuple[str, ...], num_kept: int
) -> None:
    kept = end_at_stop(completion(*pieces, finish_reason="stop", stop_string=stop[0]), stop)
    assert kept.text == "".join(pieces[:num_kept])
    assert kept.token_texts == pieces[:num_kept]
    assert kept.token_ids == tuple(range(10, 10 + num_kept))
    assert kept.logprobs == tuple(-1.0 - i for i in range(num_kept))
    assert kept.confidences == tuple(2.0 + i for i in range(num_kept))
    assert (kept.finish_reason, kept.stop_string) == ("stop", None)


def test_a_text_without_a_stop_string_stays_as_it_is() -> None:
    whole = completion("So ", "18.", finish_reason="length")
    assert end_at_stop(whole, ("Q:",)) == whole
    assert end_at_stop(whole, ()) == whole


def test_a_cut_text_that_reached_a_stop_string_is_finished() -> None:
    cut = completion("18.", "\nQ:", " 2 +", finish_reason="length")
    assert end_at_stop(cut, ("\nQ:",)).finish_reason == "stop"


@pytest.mark.parametrize("prefix_length", range(12))
def test_a_stop_string_is_found_across_the_end_of_a_prefix(prefix_length: int) -> None:
    """Wherever a text is cut into prefix and continuation, the solution ends at the same place."""
    text, stop = "So 18.\nQ: 2?", "\nQ:"
    prefix, rest = text[:prefix_length], text[prefix_length:]
    kept = end_at_stop(completion(*rest), (stop,), prefix=prefix)
    end = text.index(stop)
    if prefix_length < end + len(stop):
        assert prefix + kept.text == text[: max(end, prefix_length)]
        assert kept.finish_reason == "stop"
    else:  # the prefix has it whole: it is the caller's own text
        assert kept == completion(*rest)


def test_the_first_of_several_counts_as_brute_force_finds_it() -> None:
    stops = ("ab", "ba", "bb")
    for letters in product("abc", repeat=5):
        text = "".join(letters)
        places = [i for i in range(5) if text[i : i + 2] in stops]
        kept = end_at_stop(completion(*letters), stops)
        assert kept.text == (text[: places[0]] if places else text)


def test_without_pieces_the_text_is_cut_and_its_tokens_are_unknown() -> None:
    whole = completion("So ", "18.", "\nQ:", " 2 + 2?", token_texts=None)
    kept = end_at_stop(whole, ("\nQ:",))
    assert kept.text == "So 18."
    assert set(kept.token_ids) == {UNTOLD_TOKEN}
    assert (kept.logprobs, kept.token_texts, kept.confidences) == (None, None, None)
