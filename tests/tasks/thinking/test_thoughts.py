"""What is thought, what is answered, and how many tokens each took."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.engines import MarkovConfig, OpenAIConfig
from schemas.prompts import ChatPromptConfig, PlainPromptConfig
from schemas.rows import Step, Trajectory
from schemas.thinking import THOUGHT_TAGS, ThinkingConfig
from tasks.graders.extraction import extract_answer, without_thoughts
from tasks.prompts.formats import make_prompt_format
from tasks.steps.segmentation import split_steps
from tasks.thinking.thoughts import Thoughts, answer_text
from tasks.world.tokenizer import build_tokenizer

WRITTEN = Thoughts(start="<think>", end="</think>")
OPENED = Thoughts(start="<think>", end="</think>", is_opened=True)


@pytest.mark.parametrize(
    ("text", "thoughts", "answer", "is_open"),
    [
        ("4", WRITTEN, "4", False),
        ("<think>a</think>4", WRITTEN, "4", False),
        ("<think>a \\boxed{5}", WRITTEN, "", True),
        ("a</think>4", WRITTEN, "4", False),
        ("<think>a</think>4<think>b</think>5", WRITTEN, "5", False),
        ("<think>a</think>4<think>b", WRITTEN, "4", True),
        ("a \\boxed{5}", OPENED, "", True),
        ("a</think>4", OPENED, "4", False),
        ("", OPENED, "", True),
        ("", WRITTEN, "", False),
    ],
)
def test_an_answer_stands_behind_its_thought(text, thoughts, answer, is_open):
    assert thoughts.answer(text) == answer
    assert thoughts.is_open(text) == is_open


@pytest.mark.parametrize(("start", "end"), THOUGHT_TAGS)
def test_graders_know_the_tags_of_every_family(start, end):
    text = f"{start}It is \\boxed{{5}}.{end}It is \\boxed{{4}}."
    assert extract_answer(text) == "4"
    assert without_thoughts(text.upper()) == "IT IS \\BOXED{4}."
    assert Thoughts(start=start, end=end).answer(text) == "It is \\boxed{4}."


def steps_of(text: str, rule) -> tuple[Step, ...]:
    """A character is a token."""
    return tuple(Step(text=step, num_tokens=len(step)) for step in split_steps(text, rule))


@pytest.mark.parametrize(
    ("text", "before", "thoughts", "num"),
    [
        ("<think>a\nb</think>4\n5", "", WRITTEN, 18),
        ("a\nb</think>4\n5", "", WRITTEN, 11),
        ("a\nb</think>4\n5", "<think>x", WRITTEN, 11),
        ("4\n5", "<think>x</think>", WRITTEN, 0),
        ("4\n5", "", WRITTEN, 0),
        ("4\n5", "", OPENED, 3),
        ("4\n5", "a</think>", OPENED, 0),
        ("<think>a\nb", "", WRITTEN, 10),
        ("4\n<think>a\nb", "", WRITTEN, 12),
    ],
)
def test_tokens_of_thoughts_are_those_of_their_steps(text, before, thoughts, num):
    rule = PlainPromptConfig(thinking=ThinkingConfig()).step_rule
    assert thoughts.num_tokens(steps_of(text, rule), before) == num


def trajectory(name: str, steps: list[str], num: int | None, parent=None, at=None) -> Trajectory:
    return Trajectory(
        trajectory_id=name,
        problem_id="p",
        policy="m",
        strategy="sample",
        sample_index=0,
        parent_id=parent,
        branch_step=at,
        status="finished",
        steps=tuple(Step(text=text, num_tokens=1) for text in steps),
        grader="exact",
        temperature=1.0,
        top_p=1.0,
        seed=0,
        prompt_tokens=0,
        cached_tokens=0,
        generated_tokens=len(steps),
        engine="e",
        created_at=datetime.now(UTC),
        thinking_tokens=num,
    )


def test_stored_rows_say_where_their_answers_begin():
    whole = trajectory("whole", ["a ", "b ", "c ", "d"], 2)
    in_answer = trajectory("in_answer", ["x", "y"], 0, "whole", 3)
    in_thought = trajectory("in_thought", ["x ", "y"], 1, "whole", 1)
    cut = trajectory("cut", ["x ", "y"], 2, "whole", 1)
    below = trajectory("below", ["z"], 0, "in_answer", 4)
    early = trajectory("early", ["z"], 0, "in_answer", 2)
    untold = trajectory("untold", ["a ", "b"], None)
    rows = {row.trajectory_id: row for row in (whole, in_answer)}
    found = {
        row.trajectory_id: answer_text(row, rows)
        for row in (whole, in_answer, in_thought, cut, below, early, untold)
    }
    assert found == {
        "whole": "c d",
        "in_answer": "c xy",
        "in_thought": "y",
        "cut": "",
        "below": "c xz",
        "early": "z",
        "untold": "a b",
    }
    with pytest.raises(ValueError, match="expected whole"):
        answer_text(in_answer, {})


def test_a_prompt_that_ends_with_the_tag_opens_the_thought(tmp_path: Path):
    tokenizer = build_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m['content'] }}{% endfor %}<assistant><think>\n"
    )
    tokenizer.save_pretrained(tmp_path)
    server = {"base_url": "http://localhost:8000/v1"}
    with_template = OpenAIConfig.model_validate(
        {"model": "m", "tokenizer": str(tmp_path), "server": server}
    )
    chat = OpenAIConfig.model_validate({"model": "m", "api": "chat", "server": server})
    config = ChatPromptConfig(thinking=ThinkingConfig())

    opened = make_prompt_format(config, with_template)
    assert opened.thoughts == OPENED
    assert opened.answers(["It is 5.", "It is 5.</think>4"]) == ["", "4"]
    assert make_prompt_format(config, chat).thoughts == WRITTEN
    said = config.with_fields(thinking={"is_opened": True})
    assert make_prompt_format(said, chat).thoughts == OPENED


def test_a_model_without_thoughts_is_read_whole():
    plain = make_prompt_format(PlainPromptConfig(), MarkovConfig())
    assert plain.answers(["a</think>4"]) == ["a</think>4"]
    assert plain.count_thinking(()) is None
    assert plain.thought_tags == ("<think>", "</think>")
