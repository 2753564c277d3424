import random

import pytest
from pydantic import ValidationError

from schemas.pretraining import PretrainingConfig, TutoringConfig
from tasks.pretraining.corpus import draw_examples, draw_text, make_batches
from tasks.world.checker import check_solution
from tasks.world.problems import draw_problem, parse_question
from tasks.world.reviews import parse_review
from tasks.world.students import write_solution
from tasks.world.tokenizer import build_tokenizer

SOLUTIONS = TutoringConfig(review_share=0, second_attempt_share=0)


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


@pytest.fixture(scope="module")
def examples(tokenizer):
    return draw_examples(tokenizer, random.Random(0), max_level=3, tutoring=SOLUTIONS)


def _batches(examples, tokenizer, batch_tokens=2048):
    return list(
        make_batches(
            examples,
            random.Random(0),
            batch_tokens=batch_tokens,
            question_loss_weight=0.1,
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


def _draw(num=2000, **fields):
    rng = random.Random(1)
    tutoring = TutoringConfig(**fields)
    return [draw_text(rng, max_level=5, tutoring=tutoring) for _ in range(num)]


def _asked(prompt):
    """What a prompt asks for."""
    lines = prompt.split("\n")
    if len(lines) == 2:
        return "solution"
    return lines[-2].removesuffix(":") + (" with key" if "Key:" in lines else "")


def test_shares_are_those_of_the_config():
    asked = [_asked(prompt) for prompt, _ in _draw()]
    shares = {name: asked.count(name) / len(asked) for name in set(asked)}
    expected = {"solution": 0.5, "Review": 0.12, "Review with key": 0.03, "Again": 0.35}
    assert shares == pytest.approx(expected, abs=0.03)


def test_every_prompt_begins_with_a_train_question_and_a_students_solution():
    for prompt, text in _draw(500):
        question, *rest = prompt.removesuffix("\n").split("\n")
        assert parse_question(question).split == "train"
        if not rest:
            continue
        if rest[0] == "Key:":
            key, rest = rest[1 : rest.index("Attempt:")], rest[rest.index("Attempt:") + 1 :]
            assert key[-1] == f"Answer: {parse_question(question).answer}"
        solution = "\n".join(rest[: next(i for i, r in enumerate(rest) if r[-1:] == ":")])
        assert check_solution(question, solution).answer is not None
        if rest[-1] == "Review:":
            assert not parse_review(text, solution.count("\n") + 1).faults
        else:
            assert check_solution(question, text).answer is not None


def test_second_attempts_have_the_review_and_the_first_errors_asked_for():
    def firsts(**fields):
        drawn = _draw(300, review_share=0, second_attempt_share=1, **fields)
        for prompt, _ in drawn:
            question, _, rest = prompt.partition("\n")
            solution, _, review = rest.partition("\nReview:\n")
            yield check_solution(question, solution).is_correct, "Review: " in review

    assert not any(is_reviewed for _, is_reviewed in firsts(unreviewed_share=1))
    all_wrong = list(firsts(unreviewed_share=0, wrong_share=1))
    assert all(is_reviewed and not is_right for is_right, is_reviewed in all_wrong)
    as_they_come = [is_right for is_right, _ in firsts(unreviewed_share=0, wrong_share=0)]
    assert 0.35 < sum(as_they_come) / 300 < 0.65


def test_reviewers_of_reviews_and_before_retries_nod_as_often_as_asked():
    def nods(**fields):
        every = {"p_all_seeing": 0, "p_nods": 1, "p_nods_before_retry": 0} | fields
        drawn = _draw(300, keyed_share=0, unreviewed_share=0, **every)
        return [("Review: right" in prompt + text) for prompt, text in drawn]

    assert all(nods(review_share=1, second_attempt_share=0))
    assert not all(nods(review_share=0, second_attempt_share=1))


@pytest.mark.parametrize(
    "fields", [{"review_share": 0.6, "second_attempt_share": 0.5}, {"p_nods": 0.95}]
)
def test_shares_that_do_not_add_up_are_refused(fields):
    with pytest.raises(ValidationError, match="of at most"):
        TutoringConfig(**fields)


def test_a_corpus_of_solutions_alone_is_the_students(tokenizer):
    drawn, written = random.Random(4), random.Random(4)
    for _ in range(20):
        prompt, text = draw_text(drawn, max_level=5, tutoring=SOLUTIONS)
        problem = draw_problem(written, written.randint(1, 5), "train")
        assert (prompt, text) == (problem.question + "\n", write_solution(problem, written))


def test_a_recipe_of_solutions_alone_has_a_hash_of_its_own():
    plain = PretrainingConfig(tutoring=SOLUTIONS)
    assert plain.config_hash() != PretrainingConfig().config_hash()


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


def test_loss_weighs_question_prompt_answer_and_padding_apart(tokenizer):
    examples = draw_examples(tokenizer, random.Random(2), max_level=3, tutoring=TutoringConfig())
    assert any(e.num_question_tokens < e.num_prompt_tokens for e in examples[:50])
    for batch in _batches(examples[:50], tokenizer):
        for token_ids, weights in zip(batch.token_ids, batch.loss_weights, strict=True):
            example = next(
                e for e in examples if token_ids[: len(e.token_ids)].tolist() == e.token_ids
            )
            length, prompt = len(example.token_ids), example.num_prompt_tokens
            question = example.num_question_tokens
            assert tokenizer.decode(token_ids[1:question]).count("\n") == 1
            assert weights[0] == 0
            assert weights[1:question].tolist() == pytest.approx([0.1] * (question - 1))
            # A policy that learned the rest of a prompt would go on after its answer.
            assert not weights[question:prompt].any()
            assert weights[prompt:length].tolist() == [1.0] * (length - prompt)
            assert weights[length:].sum() == 0
