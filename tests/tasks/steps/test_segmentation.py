import pytest

from schemas.engines import Completion
from tasks.steps.segmentation import measure_steps, split_steps, step_body


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", []),
        ("\n\n", []),
        ("a", ["a"]),
        ("a\n", ["a\n"]),
        ("a\nb", ["a\n", "b"]),
        ("a\n\nb", ["a\n\n", "b"]),
        ("\na\nb\n", ["\na\n", "b\n"]),
        ("a\n \n", ["a\n \n"]),
    ],
)
def test_steps_end_behind_separators_and_are_never_empty(text, steps):
    assert split_steps(text, "\n") == steps
    assert "".join(split_steps(text, "\n")) == (text if steps else "")


def test_a_long_separator_is_not_a_short_one():
    assert split_steps("a\nb\n\nc", "\n\n") == ["a\nb\n\n", "c"]


def test_an_empty_separator_is_refused():
    with pytest.raises(ValueError, match="separator"):
        split_steps("a", "")


def test_the_body_of_a_step_has_no_separator():
    assert step_body("a = 1\n\n") == "a = 1"


def completion(text, pieces, logprobs=None):
    return Completion(
        text=text,
        token_ids=tuple(range(len(pieces))),
        logprobs=logprobs,
        finish_reason="stop",
        stop_string=None,
        token_texts=tuple(pieces),
    )


def test_tokens_and_logprobs_go_to_the_step_they_end_in():
    """The end-of-text token has no characters and belongs to the last step."""
    made = completion("ab\ncd", ["a", "b\n", "c", "d", ""], (-1.0, -2.0, -4.0, -8.0, -16.0))
    steps = measure_steps(made, "\n")
    assert [(s.text, s.num_tokens, s.logprob) for s in steps] == [
        ("ab\n", 2, -3.0),
        ("cd", 3, -28.0),
    ]


def test_a_step_extends_to_the_end_of_the_token_that_ends_it():
    pieces = ["a", "\nStep", " 1", ": b", "\n", "Step", " 2", ": c", ""]
    steps = measure_steps(completion("".join(pieces), pieces), "\nStep ")
    assert [(s.text, s.num_tokens) for s in steps] == [
        ("a\nStep 1", 3),
        (": b\nStep 2", 4),
        (": c", 2),
    ]


def test_a_step_of_which_a_token_leaves_nothing_belongs_to_the_one_before():
    pieces = ["a", "\nb", "\n", "c"]
    steps = measure_steps(completion("a\nb\nc", pieces), "\n")
    assert [(s.text, s.num_tokens) for s in steps] == [("a\nb\n", 3), ("c", 1)]
    assert [s.text for s in measure_steps(completion("a\nb", ["a", "\nb"]), "\n")] == ["a\nb"]


def test_no_visible_text_has_no_steps():
    assert measure_steps(completion("\n", ["\n"]), "\n") == ()
