import random

import pytest

from tasks.pretraining.corpus import draw_examples, make_batches
from tasks.world.checker import check_solution
from tasks.world.problems import parse_question
from tasks.world.tokenizer import build_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


@pytest.fixture(scope="module")
def examples(tokenizer):
    return draw_examples(tokenizer, random.Random(0), max_level=3)


def _batches(examples, tokenizer, batch_tokens=2048):
    return list(
        make_batches(
            examples,
            random.Random(0),
            batch_tokens=batch_tokens,
            prompt_loss_weight=0.1,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def test_examples_are_train_questions_with_students_solutions(examples, tokenizer):
    num_right = 0
    for example in examples:
        assert example.token_ids[0] == tokenizer.bos_token_id
        assert example.token_ids[-1] == tokenizer.eos_token_id
        prompt = tokenizer.decode(example.token_ids[1 : example.num_prompt_tokens])
        question = prompt.removesuffix("\n")
        assert parse_question(question).split == "train"
        assert len(parse_question(question).events) <= 3
        solution = tokenizer.decode(example.token_ids[example.num_prompt_tokens : -1])
        check = check_solution(question, solution)
        assert check.answer is not None
        num_right += check.is_correct
    # Students of levels 1 to 3 are right two times in three.
    assert 0.5 < num_right / len(examples) < 0.8


def test_batches_hold_every_example_once_within_the_budget(examples, tokenizer):
    batches = _batches(examples, tokenizer)
    rows = [
        [t for t in row if t != tokenizer.pad_token_id]
        for batch in batches
        for row in batch.token_ids.tolist()
    ]
    assert sorted(rows) == sorted(example.token_ids for example in examples)
    assert all(batch.token_ids.numel() <= 2048 for batch in batches)
    assert sum(batch.num_tokens for batch in batches) == sum(map(len, rows))
    # Texts of similar length share a batch, so padding is a few tokens in a hundred.
    assert sum(batch.token_ids.numel() for batch in batches) < 1.05 * sum(map(len, rows))


def test_a_text_longer_than_the_budget_gets_a_batch_of_its_own(examples, tokenizer):
    batches = _batches(examples[:20], tokenizer, batch_tokens=16)
    assert all(len(batch.token_ids) == 1 for batch in batches)
    assert len(batches) == 20


def test_loss_weighs_solution_prompt_and_padding_apart(examples, tokenizer):
    for batch in _batches(examples[:50], tokenizer):
        for token_ids, weights in zip(batch.token_ids, batch.loss_weights, strict=True):
            example = next(
                e for e in examples if token_ids[: len(e.token_ids)].tolist() == e.token_ids
            )
            length, prompt = len(example.token_ids), example.num_prompt_tokens
            assert weights[0] == 0
            assert weights[1:prompt].tolist() == pytest.approx([0.1] * (prompt - 1))
            assert weights[prompt:length].tolist() == [1.0] * (length - prompt)
            assert weights[length:].sum() == 0
