import pytest

from schemas.errors import ModelUnusable
from tasks.prm_training.examples import StepExample
from tasks.prm_training.token_rows import TokenRow, check_labels, check_separator, encode_examples


def example(steps, labels, **fields):
    values = {"trajectory_id": "t0", "problem_id": "p0", "prompt": "12\n"}
    return StepExample(steps=steps, labels=labels, **{**values, **fields})


def test_a_step_is_read_at_the_separator_behind_it(toy_tokenizer):
    rows, num_too_long = encode_examples(
        [example(("1 + 1 = 2\n", "Answer: 2"), (1.0, None))],
        toy_tokenizer,
        separator="\n",
        max_length=64,
    )
    tokens = toy_tokenizer.convert_ids_to_tokens(rows[0].token_ids)
    prompt, first, second = ["<s>", "1", "2", "\n"], ["1", " + ", "1", " = ", "2", "\n"], None
    second = ["Answer: ", "2", "\n"]
    assert tokens == prompt + first + second
    assert rows[0].positions == (9, 12)
    assert rows[0].labels == (1.0, None)
    assert num_too_long == 0


def test_a_chat_prompt_gets_no_second_special_token(toy_tokenizer):
    chat = example(("3",), (1.0,), prompt="<s>12\n", has_chat_template=True)
    rows, _ = encode_examples([chat], toy_tokenizer, separator="\n", max_length=64)
    assert toy_tokenizer.convert_ids_to_tokens(rows[0].token_ids) == [
        *("<s>", "1", "2", "\n"),
        *("3", "\n"),
    ]


def test_too_long_examples_are_dropped_whole_and_counted(toy_tokenizer):
    examples = [example(("1",), (1.0,)), example(("1" * 20,), (1.0,)), example(("12",), (0.0,))]
    rows, num_too_long = encode_examples(examples, toy_tokenizer, separator="\n", max_length=7)
    assert [row.labels for row in rows] == [(1.0,), (0.0,)]
    assert max(len(row.token_ids) for row in rows) == 7
    assert num_too_long == 1


def test_outcome_rows_weigh_what_the_config_says(toy_tokenizer):
    examples = [example(("1",), (1.0,)), example(("1",), (1.0,), is_outcome=True)]
    rows, _ = encode_examples(
        examples, toy_tokenizer, separator="\n", max_length=64, outcome_weight=0.25
    )
    assert [row.weight for row in rows] == [1.0, 0.25]


def test_an_empty_step_names_its_trajectory(toy_tokenizer):
    with pytest.raises(ValueError, match="trajectory t0: step 1 is empty"):
        encode_examples(
            [example(("1\n", "\n"), (1.0, 0.0))], toy_tokenizer, separator="\n", max_length=64
        )


def test_a_separator_that_the_tokenizer_does_not_know_is_refused(toy_tokenizer):
    check_separator(toy_tokenizer, "\n")
    with pytest.raises(ModelUnusable, match=r"separator 'ки'.*<unk>"):
        check_separator(toy_tokenizer, "ки")


def test_labels_that_all_say_the_same_are_refused():
    def row(*labels):
        return TokenRow((1, 2), (1,) * len(labels), labels, 1.0, "p0")

    check_labels([row(1.0, None), row(0.0)])
    with pytest.raises(ValueError, match="got 3 labels that all say 1"):
        check_labels([row(1.0, None), row(1.0, 1.0)])
    with pytest.raises(ValueError, match="got none in 1 rows"):
        check_labels([row(None)])
