"""Steps by more than a separator: hand-computed cuts, and what holds for every text."""

import random
from itertools import pairwise

import pytest

from schemas.prompts import ChatPromptConfig, PlainPromptConfig
from schemas.steps import CONNECTIVES, StepRule, StepsConfig
from tasks.steps.segmentation import is_complete, split_steps


def rule(separator: str = "\n", **fields) -> StepRule:
    return StepRule(separator=separator, **fields)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", []),
        (" \n\n", []),
        ("one\ntwo\nthree\n", ["one\ntwo\n", "three\n"]),
        ("123456\n", ["123456\n"]),
        ("12345\n6\n7", ["12345\n6\n", "7"]),
        # White space around a piece does not make it longer; behind a whole step it belongs to it.
        ("      a\n123456\n\n \nb", ["      a\n123456\n\n \n", "b"]),
        ("\n\na\nb", ["\n\na\nb"]),
        ("abcdef\na\nb\nc\nd\n", ["abcdef\n", "a\nb\nc\nd\n"]),
    ],
)
def test_short_pieces_are_joined_with_what_follows(text, steps):
    assert split_steps(text, rule(min_chars=6)) == steps


STARTS = ("Wait", "So", "Let me", "Let")


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("It is 4. Wait, no. So 5.", ["It is 4. ", "Wait, no. ", "So 5."]),
        ("I said so. Waiting. Sofia", ["I said so. Waiting. Sofia"]),
        ("He said Wait, So what", ["He said Wait, So what"]),
        ("x = 3 So\n  So y = 4", ["x = 3 So\n  ", "So y = 4"]),
        ('(It is "4".) So what? So!', ['(It is "4".) ', "So what? ", "So!"]),
        ("It is $4.$ So", ["It is $4.$ ", "So"]),
        ("3.So 4", ["3.So 4"]),
        ("Wait. wait. WAIT. Wait", ["Wait. wait. WAIT. ", "Wait"]),
        ("Good. Let me see. Let x = 1", ["Good. ", "Let me see. ", "Let x = 1"]),
        ("so\nb. So", ["so\n", "b. ", "So"]),
    ],
)
def test_a_word_begins_a_step_where_it_begins_a_sentence_or_a_line(text, steps):
    separator = "\n" if text.startswith("so") else "\n\n"
    assert split_steps(text, rule(separator, starts=STARTS)) == steps


def test_sentences_without_spaces_begin_with_words_too():
    starts = ("\u4f46", "\u6240\u4ee5")
    text = "x\u662f3\u3002\u4f46\u662f\u4e0d\u5bf9\uff01 \u6240\u4ee5x\u662f4"
    assert split_steps(text, rule(starts=starts)) == [
        "x\u662f3\u3002",
        "\u4f46\u662f\u4e0d\u5bf9\uff01 ",
        "\u6240\u4ee5x\u662f4",
    ]


@pytest.mark.parametrize(
    ("most", "steps"),
    [
        (6, ["aaaa\n", "b\n", "c\n", "dddd\n", "e\n", "f"]),
        # The shortest pair is e, f; then b, c; of a+bc and bc+d, both 9 long, the first.
        (5, ["aaaa\n", "b\n", "c\n", "dddd\n", "e\nf"]),
        (4, ["aaaa\n", "b\nc\n", "dddd\n", "e\nf"]),
        (3, ["aaaa\n", "b\nc\n", "dddd\ne\nf"]),
        (2, ["aaaa\nb\nc\n", "dddd\ne\nf"]),
        (1, ["aaaa\nb\nc\ndddd\ne\nf"]),
    ],
)
def test_the_shortest_neighbours_are_joined_until_few_enough_are_left(most, steps):
    assert split_steps("aaaa\nb\nc\ndddd\ne\nf", rule(max_steps=most)) == steps


def test_a_thought_ends_a_step_and_is_joined_with_its_answer_last():
    text = "a.\nb.</think>4\n\nIt is 4."
    ends = {"thought_end": "</think>"}
    assert split_steps(text, rule(**ends)) == ["a.\n", "b.</think>", "4\n\n", "It is 4."]
    assert split_steps(text, rule(**ends, min_chars=50)) == ["a.\nb.</think>", "4\n\nIt is 4."]
    assert split_steps(text, rule(**ends, max_steps=2)) == ["a.\nb.</think>", "4\n\nIt is 4."]
    assert split_steps(text, rule(**ends, max_steps=1)) == [text]
    assert split_steps(text, rule()) == ["a.\n", "b.</think>4\n\n", "It is 4."]


def test_a_tag_alone_is_no_step():
    ends = {"thought_end": "</think>"}
    assert split_steps("a.\n</think>\n\n4", rule(**ends)) == ["a.\n</think>\n\n", "4"]
    assert split_steps("</think>\n4", rule(**ends)) == ["</think>\n", "4"]


def random_text(rng: random.Random) -> str:
    pieces = ["Wait", "So", " ", "\n", "\n\n", ". ", "x = 1", "a", "</think>", ".", "\t", "! "]
    return "".join(rng.choices(pieces, k=rng.randrange(60)))


def random_rule(rng: random.Random, *, has_maximum: bool) -> StepRule:
    return rule(
        rng.choice(["\n", "\n\n", ". "]),
        min_chars=rng.choice([0, 1, 5, 17]),
        starts=rng.choice([(), ("Wait",), ("Wait", "So", "x")]),
        thought_end=rng.choice([None, "</think>"]),
        max_steps=rng.choice([1, 2, 3, 9]) if has_maximum else None,
    )


def test_steps_join_to_the_text_and_are_few_and_long_enough():
    rng = random.Random(1)
    for _ in range(3000):
        text, cut = random_text(rng), random_rule(rng, has_maximum=rng.random() < 0.5)
        steps = split_steps(text, cut)
        assert "".join(steps) == (text if text.strip() else ""), (text, cut)
        assert all(step.strip() for step in steps)
        if cut.max_steps is not None:
            assert len(steps) <= cut.max_steps
        for step in steps[:-1]:
            is_long = len(step.strip()) >= cut.min_chars
            ends_thought = step.rstrip().endswith("</think>") and cut.thought_end
            assert is_long or ends_thought, (text, cut, steps)


def test_the_first_steps_of_a_text_are_cut_into_the_same_steps():
    rng = random.Random(2)
    for _ in range(2000):
        text, cut = random_text(rng), random_rule(rng, has_maximum=False)
        steps = split_steps(text, cut)
        for num in range(len(steps)):
            assert split_steps("".join(steps[:num]), cut) == steps[:num], (text, cut)


def test_joining_by_hand_gives_what_the_heap_gives():
    rng = random.Random(3)
    for _ in range(500):
        pieces = ["x" * rng.randrange(1, 6) + "\n" for _ in range(rng.randrange(1, 30))]
        most = rng.randrange(1, 12)
        joined = list(pieces)
        while len(joined) > most:
            lengths = [len(a) + len(b) for a, b in pairwise(joined)]
            at = lengths.index(min(lengths))
            joined[at : at + 2] = [joined[at] + joined[at + 1]]
        assert split_steps("".join(pieces), rule(max_steps=most)) == joined


def test_a_long_text_is_cut_in_linear_time():
    text = "So x. Wait\n \n" * 40_000
    fast = rule("\n\n", starts=CONNECTIVES, min_chars=40, max_steps=50)
    assert len(split_steps(text, fast)) == 50
    assert split_steps(" \n" * 200_000, fast) == []
    assert split_steps(" \n" * 200_000, "\n") == []
    assert len(split_steps("a\n" * 200_000, rule(min_chars=300_000))) == 2


def test_a_drawn_text_is_complete_where_its_last_step_is_long_enough():
    assert is_complete("abc\n", "\n")
    assert not is_complete("\n", "\n")
    assert not is_complete("abc\n", rule(min_chars=4))
    assert is_complete("abc\nd\n", rule(min_chars=4, max_steps=1))
    assert not is_complete("abcdef. So\n", rule(min_chars=4, starts=("So",)))


def test_a_rule_counts_the_steps_that_came_before():
    assert rule(max_steps=5).after(3) == rule(max_steps=2)
    assert rule(max_steps=5).after(9) == rule(max_steps=1)
    assert rule(min_chars=5).after(9) == rule(min_chars=5)


def test_a_prompts_rule_is_its_separator_its_steps_and_its_thoughts_end():
    assert PlainPromptConfig().step_rule == rule("\n")
    assert not PlainPromptConfig().step_rule.additions
    chat = ChatPromptConfig.from_partial(
        {"steps": {"min_chars": 80, "starts": "connectives"}, "thinking": {}}
    )
    assert chat.step_rule == rule("\n\n", min_chars=80, starts=CONNECTIVES, thought_end="</think>")
    assert chat.step_rule.additions == {
        "min_chars": 80,
        "starts": list(CONNECTIVES),
        "thought_end": "</think>",
    }


def test_prompts_of_before_keep_their_hashes():
    plain = PlainPromptConfig(separator="x")
    assert (
        plain.config_hash() == plain.with_fields(steps=StepsConfig(), thinking=None).config_hash()
    )
    assert plain.config_hash() != plain.with_fields(steps={"min_chars": 1}).config_hash()
    assert plain.config_hash() != plain.with_fields(thinking={}).config_hash()


@pytest.mark.parametrize(
    "fields", [{"min_chars": -1}, {"max_steps": 0}, {"starts": [" "]}, {"starts": "words"}]
)
def test_a_rule_that_cannot_be_meant_is_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        StepsConfig(**fields)
