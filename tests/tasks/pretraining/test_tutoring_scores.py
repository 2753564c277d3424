import pytest
import torch

from tasks.pretraining.sampling import sample_texts
from tasks.pretraining.tutoring_scores import compare_reviews, measure_tutoring
from tasks.world.problems import parse_question
from tasks.world.reviews import nod, parse_review, review
from tasks.world.tokenizer import build_tokenizer

PROBLEM = parse_question(
    "Monday: Dan has 34 books. Tuesday: Ana buys 7 books from Dan. "
    "How many books does Dan have now?"
)
RIGHT = "Tuesday: [buys from] 34 - 7 = 27\nAnswer: 27"
WRONG = "Tuesday: [buys from] 34 + 7 = 41\nAnswer: 41"


def _compare(texts, solutions):
    read = [parse_review(text, 2) for text in texts]
    exact = [review(PROBLEM, solution) for solution in solutions]
    return compare_reviews(read, exact, [solution == RIGHT for solution in solutions])


def test_reviews_are_compared_with_the_exact_ones():
    scores = _compare(
        [
            "Tuesday: [buys from] wrong, take away\nReview: wrong",  # found and placed
            "Tuesday: [buys from] right\nAnswer: wrong\nReview: wrong",  # found
            "Tuesday: [buys from] right\nAnswer: right\nReview: right",  # overlooked
            "Answer: 27",  # no verdict
            "Tuesday: [buys from] right\nAnswer: right\nReview: right",
            "Tuesday: [buys from] wrong, add\nReview: wrong",
            "",  # no verdict: neither
        ],
        [WRONG, WRONG, WRONG, WRONG, RIGHT, RIGHT, RIGHT],
    )
    assert scores.flags_wrong == pytest.approx(2 / 4)
    assert scores.locates == pytest.approx(1 / 4)
    assert scores.passes_right == pytest.approx(1 / 3)


def test_without_such_a_solution_there_is_no_figure():
    scores = _compare([nod(RIGHT).text], [RIGHT])
    assert (scores.flags_wrong, scores.passes_right, scores.locates) == (None, 1.0, None)


class Obedient(torch.nn.Module):
    """Writes a right solution after a review that says `take away`, else a wrong one; nods."""

    def __init__(self, tokenizer):
        super().__init__()
        self.tokenizer = tokenizer

    def generate(self, input_ids, **_):
        rows = []
        for ids in input_ids:
            prompt = self.tokenizer.decode(ids, skip_special_tokens=True)
            if prompt.endswith("Review:\n"):
                text = nod(WRONG).text
            else:
                text = RIGHT if "take away" in prompt else WRONG
            rows.append(torch.tensor([*ids, *self.tokenizer(text)["input_ids"][1:]]))
        pad = self.tokenizer.pad_token_id
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)


def test_second_attempts_are_counted_by_what_they_follow():
    tokenizer = build_tokenizer()
    scores = measure_tutoring(
        Obedient(tokenizer), tokenizer, [PROBLEM, PROBLEM], [[WRONG, RIGHT], [WRONG]], seed=0
    )
    assert scores.num_solutions == 3
    assert scores.own_review.passes_right == 1.0
    assert scores.own_review.flags_wrong == scores.own_review.locates == 0.0
    after_exact = scores.retries["the exact review"]
    assert (after_exact.after_wrong, after_exact.after_right) == (1.0, 0.0)
    for name in ("its own review", 'a review of nothing but "right"', "no review"):
        assert (scores.retries[name].after_wrong, scores.retries[name].after_right) == (0.0, 0.0)
    metrics = scores.as_metrics()
    assert metrics["second attempt, the exact review: wrong to right"] == 1.0
    assert len(metrics) == 3 + 2 * 4


def test_texts_come_in_the_order_of_the_prompts():
    tokenizer = build_tokenizer()
    prompts = [f"{PROBLEM.question}\n{WRONG}\nReview:\n", f"{PROBLEM.question}\n"]
    written = sample_texts(Obedient(tokenizer), tokenizer, prompts)
    assert written == [[nod(WRONG).text], [WRONG]]
