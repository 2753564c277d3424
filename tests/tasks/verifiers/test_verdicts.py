"""Verdicts in texts, their tokens, and P(right) from log probabilities, by hand."""

import math
from typing import get_args

import pytest

from schemas.critique_formats import LinesCritiqueConfig, StepwiseCritiqueConfig
from schemas.engines import UNTOLD_TOKEN, Completion
from schemas.generative import GenPrmLayoutConfig, ThinkPrmLayoutConfig, VerdictLayoutConfig
from tasks.verifiers.verdicts import (
    WORDS,
    VerdictTokens,
    VerdictWords,
    find_verdicts,
    read_verdict,
)
from tasks.world.students import Hint
from tasks.world.tokenizer import build_tokenizer

LINES, STEPWISE = LinesCritiqueConfig(), StepwiseCritiqueConfig()
GENPRM, THINKPRM = GenPrmLayoutConfig(), ThinkPrmLayoutConfig()
NO_TOKENS = VerdictTokens(frozenset(), frozenset())


def letters(text):
    return list(map(ord, text))


@pytest.mark.parametrize(
    ("layout", "text", "expected"),
    [
        (LINES, "a right\nb wrong, the right way\nReview: wrong\nc right", ["right", "right"]),
        (LINES, "a: missing\nReview: wrong", ["wrong"]),
        (LINES, "nothing", []),
        (
            STEPWISE,
            "Step 1: x\nCorrectness: correct\nStep 2: y\nCorrectness: **incorrect**\n"
            "Conclusion: wrong",
            ["right", "wrong"],
        ),
        (STEPWISE, "Step 1: x\nStep 2: y\nCorrectness: wrong", ["wrong"]),
        (GENPRM, r"Let me see. $\boxed{3}$ <output>**Judgement**: $\boxed{No}$", ["wrong"]),
        (GENPRM, r"\boxed{\text{Yes}}, \boxed{ no }", ["right", "wrong"]),
        (
            THINKPRM,
            "Step 1: fine, \\boxed{correct}\nStep 2: \\boxed{Incorrect}.",
            ["right", "wrong"],
        ),
        (THINKPRM, r"\boxed{corrected} \boxed{12} boxed{correct}", []),
    ],
)
def test_verdicts_are_found_where_a_layout_has_them(layout, text, expected):
    found = find_verdicts(text, layout)
    assert [each.verdict for each in found] == expected
    words = WORDS[layout.type]
    for each in found:
        word = text[each.begin : each.end].lower()
        kind = words.right if each.verdict == "right" else words.wrong
        assert word in map(str.lower, kind)
        assert each.part[0] <= each.begin < each.end <= each.part[1]


def test_the_token_of_a_verdict_is_the_first_that_no_opposite_word_has():
    found = VerdictTokens.of(letters, VerdictWords(("Right",), ("Rib", "no"), ("x ",)))
    # `Right` leaves `Rib` at its third letter and `no` at its first; small and capital first
    # letters are read alike.
    assert found.right == {ord("g")}
    assert found.wrong == {ord("b"), ord("n"), ord("N")}
    assert found.ids == tuple(sorted(map(ord, "gbnN")))


def test_the_context_of_a_verdict_decides_its_token():
    tokens = {"x right": [1, 7], "x Right": [1, 8], "x wrong": [1, 9], "x Wrong": [1, 10]}
    words = VerdictWords(("right",), ("wrong",), ("x ",))
    assert VerdictTokens.of(tokens.__getitem__, words) == VerdictTokens(
        frozenset({7, 8}), frozenset({9, 10})
    )


def test_tokens_that_contain_more_than_the_word_count():
    vocabulary = {
        "Ġright": 1, "▁Right.": 2, "righteous": 3, "rights": 4, "wrong, add": 5, " wrong": 6,
        "missing,": 7, "bright": 8, "right_": 9, "wro": 10,
    }  # fmt: skip
    found = VerdictTokens.of(lambda _: None, WORDS["lines"], vocabulary)
    assert found == VerdictTokens(frozenset({1, 2, 9}), frozenset({5, 6, 7}))
    many = {f"right{' ' * n}": n for n in range(80)}
    kept = VerdictTokens.of(lambda _: None, WORDS["lines"], many)
    assert kept.right == frozenset(range(50))


def test_an_engine_without_an_encoding_names_no_tokens():
    assert VerdictTokens.of(lambda _: None, WORDS["lines"]).ids == ()


def written(texts, ids=None, **fields):
    return Completion(
        text="".join(texts),
        token_ids=tuple(ids or [UNTOLD_TOKEN] * len(texts)),
        logprobs=None,
        finish_reason="stop",
        stop_string=None,
        token_texts=tuple(texts),
        **fields,
    )


def read(completion, layout: VerdictLayoutConfig = LINES, tokens=NO_TOKENS, before=""):
    verdicts = find_verdicts(before + completion.text, layout)
    words = WORDS[layout.type]
    return [read_verdict(completion, each, len(before), words, tokens) for each in verdicts]


def test_named_tokens_share_the_probability_where_the_word_is_written():
    tokens = VerdictTokens(frozenset({5, 6}), frozenset({3}))
    # In the order of `ids`: 3, 5, 6. The first token's numbers belong to no verdict.
    rows = ((-1.0, -2.0, -3.0), tuple(map(math.log, (0.1, 0.3, 0.2))), (0.0, 0.0, 0.0))
    completion = written(["a", " right", "\n"], [1, 5, 2], named_logprobs=rows)
    assert read(completion, tokens=tokens) == [pytest.approx(0.5 / 0.6)]
    wrong = written(["a", " wrong", "\n"], [1, 3, 2], named_logprobs=rows)
    assert read(wrong, tokens=tokens) == [pytest.approx(0.5 / 0.6)]
    # Written with a token that was not named: the word itself decides.
    other = written(["a", " wrong", "\n"], [1, 9, 2], named_logprobs=rows)
    assert read(other, tokens=tokens) == [0.0]


def test_a_verdict_of_several_tokens_is_read_at_the_one_that_tells():
    tokens = VerdictTokens(frozenset({8}), frozenset({9}))
    rows = tuple(tuple(map(math.log, pair)) for pair in ((0.5, 0.5), (0.2, 0.8), (0.9, 0.1)))
    completion = written(["a ri", "gh", "t"], [4, 8, 4], named_logprobs=rows)
    assert read(completion, tokens=tokens) == [pytest.approx(0.2)]


def test_what_stands_before_a_continuation_is_not_read_again():
    tokens = VerdictTokens(frozenset({5}), frozenset({3}))
    completion = written(
        ["b", " right"], [1, 5], named_logprobs=((0, 0), tuple(map(math.log, (0.25, 0.75))))
    )
    known, new = read(completion, tokens=tokens, before="a wrong\n")
    assert new == pytest.approx(0.75)
    assert known == 0.0  # it has no token here; callers read the new ones alone


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({" right": 0.6, " wrong": 0.2, " x": 0.1}, 0.75),
        ({" right": 0.4, " Right": 0.2, " missing": 0.3}, 0.6 / 0.9),
        # A beginning of only one kind of word counts; white space and other words do not.
        ({" ri": 0.3, " wr": 0.1, " ": 0.3, "s": 0.1}, 0.75),
        # The other kind is not told: it has at most .04, what the told ones leave over.
        ({" right": 0.9, " x": 0.06}, 0.9 / 0.94),
        # And it was less likely than all that were told.
        ({" right": 0.5, " x": 0.01}, 0.5 / 0.51),
    ],
)
def test_told_tokens_are_sorted_by_their_texts(told, expected):
    rows = ({"a": -0.1}, {text: math.log(p) for text, p in told.items()})
    completion = written(["a", " right"], told=rows)
    assert read(completion) == [pytest.approx(expected)]


def test_told_texts_may_begin_before_the_word_and_within_it():
    rows = (
        {"{": 0.0},
        {"in": math.log(0.25), "correct": math.log(0.5)},
        {"correct": 0.0},
        {"}": 0.0},
    )
    completion = written([r"\boxed{", "in", "correct", "}"], told=rows)
    assert read(completion, THINKPRM) == [pytest.approx(2 / 3)]
    joined = ({r"\boxed{": 0.0}, {"{Yes": math.log(0.1), "{No": math.log(0.3)}, {"}": 0.0})
    completion = written(["\\boxed", "{No", "}"], told=joined)
    assert read(completion, GENPRM) == [pytest.approx(0.25)]


def test_without_log_probabilities_the_word_decides():
    assert read(written(["a right\nb wrong\n"])) == [1.0, 0.0]
    whole = Completion(
        text="a right", token_ids=(UNTOLD_TOKEN,), logprobs=None, finish_reason="stop",
        stop_string=None, told=({"x": -1.0},),
    )  # fmt: skip
    assert read(whole) == [1.0]


def test_every_verdict_of_the_built_in_world_is_a_token_of_its_kind():
    tokenizer = build_tokenizer()
    vocabulary = tokenizer.get_vocab()

    def encode(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    found = VerdictTokens.of(encode, WORDS["lines"], vocabulary)
    assert vocabulary["right"] in found.right
    for verdict in ("wrong", "missing"):
        for said in (verdict, *(f"{verdict}, {hint}" for hint in get_args(Hint))):
            assert encode(f"Tuesday: [buys] {said}\n")[-2] in found.wrong, said
