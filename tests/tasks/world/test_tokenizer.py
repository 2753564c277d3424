import random
from itertools import islice

import pytest
from transformers import AutoTokenizer

from tasks.models.folders import resolve_model
from tasks.world.problems import iterate_problems
from tasks.world.reviews import again_prompt, review, review_prompt
from tasks.world.students import solve, write_solution
from tasks.world.tokenizer import MAX_TOKENS, build_tokenizer
from tasks.world.voice import CHECK, IN_DOUBT, PHRASES, RETRY, say


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    build_tokenizer().save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def test_every_text_of_the_world_comes_back_and_fits(tokenizer):
    rng = random.Random(0)
    for problem in islice(iterate_problems(2, "train"), 1000):
        text = problem.question + "\n" + write_solution(problem, rng)
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids, skip_special_tokens=True) == text
        assert len(ids) < MAX_TOKENS


def test_prompts_get_a_beginning_and_continuations_none(tokenizer):
    prompt = "Monday: Ana has 20 pens. How many pens does Ana have now?\n"
    ids = tokenizer(prompt)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.eos_token_id not in ids
    assert tokenizer(prompt, add_special_tokens=False)["input_ids"] == ids[1:]


def test_lines_are_tokenised_alike_alone_and_in_context(tokenizer):
    rng = random.Random(1)
    for problem in islice(iterate_problems(4, "dev"), 200):
        lines = write_solution(problem, rng).splitlines(keepends=True)
        whole = tokenizer(problem.question + "\n" + "".join(lines))["input_ids"]
        pieces = tokenizer(problem.question + "\n")["input_ids"]
        for line in lines:
            pieces += tokenizer(line, add_special_tokens=False)["input_ids"]
        assert whole == pieces


def test_foreign_ascii_text_is_spelt_out(tokenizer):
    text = "Zoe's 3 cats ~ {x} \\ weigh 12.5 kg!"
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_reviews_second_attempts_and_the_voice_come_back_and_fit(tokenizer):
    rng = random.Random(3)
    longest = 0
    for problem in islice(iterate_problems(6, "train", levels=(5,)), 500):
        _, solution = solve(problem, rng)
        found = review(problem, solution)
        key = write_solution(problem, rng, flawless=True)
        said = "\n".join([CHECK, *map(say, found.lines), IN_DOUBT, RETRY])
        for text in (
            review_prompt(problem.question, solution, key) + found.text,
            again_prompt(problem.question, solution, found.text) + key,
            again_prompt(problem.question, solution) + key,
            f"{problem.question}\n{solution}\n{said}\n{key}",
        ):
            ids = tokenizer(text)["input_ids"]
            assert tokenizer.unk_token_id not in ids
            assert tokenizer.decode(ids, skip_special_tokens=True) == text
            longest = max(longest, len(ids))
    assert 256 < longest < MAX_TOKENS


@pytest.mark.parametrize(
    ("text", "num_tokens"),
    [
        ("Review:\n", 1),
        ("Tuesday: [buys for] wrong, leave out\n", 4),
        ("Answer: right\n", 3),
        ("Review: wrong", 2),
        *((phrase, 1) for phrase in PHRASES),
    ],
)
def test_a_verdict_is_one_token_and_so_is_a_phrase(tokenizer, text, num_tokens):
    assert len(tokenizer(text, add_special_tokens=False)["input_ids"]) == num_tokens


def test_ids_are_those_of_the_shipped_policy(tokenizer):
    assert len(tokenizer) == 334
    ids = tokenizer("Tuesday: [buys from] 34 - 7 = 27\nAnswer: 27")["input_ids"]
    assert ids == [1, 24, 39, 7, 8, 16, 11, 19, 6, 11, 14, 20, 6, 11]
    ids = tokenizer("Review:\nTuesday: [buys from] wrong, take away\nAgain:\n")["input_ids"]
    assert ids == [1, 297, 24, 39, 303, 14, 298]
    shipped = AutoTokenizer.from_pretrained(resolve_model("world-policy"))
    assert shipped.get_vocab() == tokenizer.get_vocab()
