"""Where a verifier reads each step."""

from typing import Any

import pytest

from tasks.steps.segmentation import split_steps
from tasks.verifiers.layout import Encoder, lay_out
from tasks.world.tokenizer import build_tokenizer

PROMPT = "Monday: Hugo has 34 books. How many books?\n"
STEPS = ("Tuesday: [buys from] 34 - 7 = 27\n", "Tuesday: 27 + 7 = 34\n", "Answer: 27\n")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return build_tokenizer()


def test_each_position_is_the_last_token_of_a_separator(tokenizer: Any) -> None:
    layout = lay_out(Encoder(tokenizer), PROMPT, STEPS, "\n")
    newline = tokenizer.convert_tokens_to_ids("\n")
    assert [layout.token_ids[position] for position in layout.positions] == [newline] * len(STEPS)
    for step, position in zip(STEPS, layout.positions, strict=True):
        assert tokenizer.decode(layout.token_ids[: position + 1]).endswith(step)


def test_tokens_joined_are_the_text_behind_one_start_token(tokenizer: Any) -> None:
    layout = lay_out(Encoder(tokenizer), PROMPT, STEPS, "\n")
    assert tokenizer.decode(layout.token_ids) == "<s>" + PROMPT + "".join(STEPS)


def test_a_finished_chat_template_gets_no_start_token(tokenizer: Any) -> None:
    plain = lay_out(Encoder(tokenizer), PROMPT, STEPS, "\n")
    chat = lay_out(Encoder(tokenizer), PROMPT, STEPS, "\n", has_chat_template=True)
    assert chat.token_ids == plain.token_ids[1:]
    assert chat.positions == [position - 1 for position in plain.positions]


def test_tokens_of_a_prefix_are_a_prefix_of_the_tokens(tokenizer: Any) -> None:
    whole = lay_out(Encoder(tokenizer), PROMPT, STEPS, "\n")
    for k in range(1, len(STEPS)):
        prefix = lay_out(Encoder(tokenizer), PROMPT, STEPS[:k], "\n")
        assert prefix.positions == whole.positions[:k]
        assert prefix.token_ids == whole.token_ids[: len(prefix.token_ids)]


@pytest.mark.parametrize("ending", ["", "\n", "\n\n", "  \n", " "])
def test_what_stands_behind_a_step_does_not_change_its_layout(tokenizer: Any, ending: str) -> None:
    expected = lay_out(Encoder(tokenizer), PROMPT, STEPS, "\n")
    bare = [step.rstrip("\n") + ending for step in STEPS]
    assert lay_out(Encoder(tokenizer), PROMPT, bare, "\n") == expected


def test_a_separator_of_several_tokens_is_read_at_its_last(tokenizer: Any) -> None:
    layout = lay_out(Encoder(tokenizer), PROMPT, ["1 + 1 = 2", "2 + 2 = 4"], "\n\n")
    newline = tokenizer.convert_tokens_to_ids("\n")
    for position in layout.positions:
        assert layout.token_ids[position - 1 : position + 1] == [newline, newline]
    assert layout.positions[-1] == len(layout.token_ids) - 1


def test_steps_of_a_segmented_text_all_get_a_position(tokenizer: Any) -> None:
    text = "\n1 + 1 = 2\n\n\n2 + 2 = 4\nAnswer: 4\n  \n"
    steps = split_steps(text, "\n")
    assert len(lay_out(Encoder(tokenizer), PROMPT, steps, "\n").positions) == len(steps) == 3


@pytest.mark.parametrize(
    ("steps", "message"),
    [((), "at least one step"), (("1 + 1 = 2\n", " \n"), r"step 1 is empty.*' \\n'")],
)
def test_no_step_or_an_empty_one_is_an_error(
    tokenizer: Any, steps: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        lay_out(Encoder(tokenizer), PROMPT, steps, "\n")
