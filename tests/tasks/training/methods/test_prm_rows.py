import pytest

from schemas.errors import ModelUnusable
from tasks.training.methods.prm import PrmTrainer, check_separator
from tasks.training.rows import RowEncoder, load_rows
from tasks.training.sets import read_set


@pytest.fixture
def encode(toy_tokenizer, prm_job):
    def run(row, has_chat_template=False, **fields):
        encoder = RowEncoder(toy_tokenizer, has_chat_template=has_chat_template)
        return PrmTrainer.encode_row(encoder, row, prm_job(**fields))

    return run


def test_a_step_is_read_at_the_separator_after_it(encode, stepwise_row, toy_tokenizer):
    row = encode(stepwise_row(["1 + 1 = 2", "Answer: 2"], [True, None]))
    tokens = toy_tokenizer.convert_ids_to_tokens(row["input_ids"])
    prompt, first = ["<s>", "1", "2", "\n"], ["1", " + ", "1", " = ", "2", "\n"]
    assert tokens == [*prompt, *first, "Answer: ", "2", "\n"]
    assert row["positions"] == [9, 12]
    assert row["labels"] == [1.0, None]
    assert row["length"] == 13


def test_a_chat_prompt_gets_no_second_special_token(encode, stepwise_row, toy_tokenizer):
    row = encode(stepwise_row(["3"], [True], prompt="<s>12\n"), has_chat_template=True)
    tokens = toy_tokenizer.convert_ids_to_tokens(row["input_ids"])
    assert tokens == ["<s>", "1", "2", "\n", "3", "\n"]


def test_an_empty_step_names_its_row_and_trajectory(
    make_set, stepwise_row, toy_tokenizer, prm_job, tmp_path
):
    encoder = RowEncoder(toy_tokenizer, has_chat_template=False)
    with pytest.raises(ValueError, match=r"row 0 of .*made from t0.*: step 1 is empty"):
        load_rows(
            read_set(make_set([stepwise_row(["1", ""], [True, False])])),
            lambda row: PrmTrainer.encode_row(encoder, row, prm_job()),
            max_length=64,
            cache_dir=tmp_path / "cache",
        )


def test_a_separator_that_the_tokenizer_does_not_know_is_refused(toy_tokenizer):
    check_separator(toy_tokenizer, "\n")
    with pytest.raises(ModelUnusable, match=r"separator 'ки'.*<unk>"):
        check_separator(toy_tokenizer, "ки")
