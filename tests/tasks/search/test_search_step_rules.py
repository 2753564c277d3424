"""Step-wise searches whose steps are more than what a separator cuts."""

import itertools
from dataclasses import replace

import pytest

from schemas.engines import MarkovConfig
from schemas.prompts import PlainPromptConfig
from schemas.search.strategies import BeamConfig, BestOfNConfig, MctsConfig, RebaseConfig
from schemas.thinking import ThinkingConfig
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.prompts.formats import PromptFormat
from tasks.search.tree import walk
from tasks.steps.segmentation import split_steps
from tasks.steps.trees import whole_steps
from tasks.thinking.thoughts import Thoughts

ONE_PATH = BeamConfig(width=1)


def format_of(**fields) -> PromptFormat:
    prompt = PlainPromptConfig.from_partial(fields)
    thinking: ThinkingConfig | None = prompt.thinking
    return PromptFormat(
        build=lambda messages: messages[-1].text,
        has_chat_template=False,
        separator=prompt.separator,
        rule=prompt.step_rule,
        thoughts=None if thinking is None else Thoughts.of(thinking),
    )


class EveryScore(dict):
    """Every text scores the same."""

    def __missing__(self, text: str) -> float:
        return 0.9


def path_table(*pieces: str) -> dict[str, dict[str, float]]:
    texts = itertools.accumulate(pieces, initial="")
    return {text: {piece: 1.0} for text, piece in zip(texts, pieces, strict=False)}


def run(find_one, table_engine, pieces, prompt_format, **limits):
    engine = table_engine(path_table(*pieces), EveryScore(none=0.0))
    found = find_one(ONE_PATH, engine, budget=1, prompt_format=prompt_format, **limits)
    (end,) = found.ends
    return engine, found, end


PIECES = ("a\n", "b\n", "cccc\n", "dd\n", "Answer: 4")


def test_a_step_is_drawn_until_it_is_long_enough(find_one, table_engine):
    engine, found, end = run(find_one, table_engine, PIECES, format_of(steps={"min_chars": 4}))
    # "a\nb" has three visible characters, "dd" two: both go on.
    assert [step.text for step in end.steps()] == ["a\nb\ncccc\n", "dd\nAnswer: 4"]
    assert [step.num_tokens for step in end.steps()] == [3, 3]
    assert engine.num_drawn == sum(row.generated_tokens for row in found.rows) == 6
    assert {request.stop for request in engine.requests} == {("\n",)}
    assert engine.scored == ["a\nb\ncccc\n", end.text]


def test_a_step_that_cannot_become_long_enough_is_cut(find_one, table_engine):
    steps = format_of(steps={"min_chars": 50})
    _, _, end = run(find_one, table_engine, PIECES, steps, max_step_tokens=2)
    assert (end.state, end.reason, end.text) == (
        "truncated",
        "a step of more than 2 tokens",
        "a\nb\n",
    )
    _, _, end = run(find_one, table_engine, PIECES, steps, max_tokens=2)
    assert (end.state, end.reason) == ("truncated", "not finished after 2 tokens")


def test_the_last_step_goes_on_to_the_end(find_one, table_engine):
    engine, found, end = run(
        find_one, table_engine, PIECES, format_of(steps={"max_steps": 3}), max_step_tokens=1
    )
    assert [step.text for step in end.steps()] == ["a\n", "b\n", "cccc\ndd\nAnswer: 4"]
    assert end.state == "finished"
    assert [request.stop for request in engine.requests] == [("\n",), ("\n",), ()]
    assert found.main_decision().correct


def test_words_within_a_drawn_text_begin_steps_of_their_own(find_one, table_engine):
    pieces = ("x", ". ", "Wait", " no\n", "So", ". ", "So\n", "Answer: 4")
    rule = format_of(steps={"starts": ["Wait", "So"], "min_chars": 3})
    engine, found, end = run(find_one, table_engine, pieces, rule)
    assert [step.text for step in end.steps()] == ["x. Wait no\n", "So. ", "So\nAnswer: 4"]
    engine, found, end = run(
        find_one, table_engine, pieces, format_of(steps={"starts": ["Wait", "So"]})
    )
    texts = [step.text for step in end.steps()]
    assert texts == ["x. ", "Wait no\n", "So. ", "So\n", "Answer: 4"]
    assert [step.num_tokens for step in end.steps()] == [2, 2, 2, 1, 2]
    # One draw for each separator; each draw is scored once, with all of its steps.
    assert len(engine.requests) == 3
    assert len(engine.scored) == 3
    assert len(end.scores()) == 5
    (row,) = found.rows
    assert [step.text for step in row.steps] == texts
    assert row.generated_tokens == engine.num_drawn == 9


def test_a_searched_thought_is_counted_and_not_read_for_the_answer(find_one, table_engine):
    pieces = ("<think>Answer: 5\n", "no</think>", "Answer: 4\n", "So 4")
    _, found, end = run(find_one, table_engine, pieces, format_of(thinking={}))
    assert [step.text for step in end.steps()] == [
        "<think>Answer: 5\n",
        "no</think>",
        "Answer: 4\n",
        "So 4",
    ]
    (row,) = found.rows
    assert (row.thinking_tokens, row.answer) == (2, "4")
    _, found, end = run(find_one, table_engine, pieces, format_of(thinking={}), max_tokens=1)
    (row,) = found.rows
    assert (row.status, row.thinking_tokens, row.answer, row.correct) == (
        "truncated",
        1,
        None,
        None,
    )


RULES = [
    {"min_chars": 20},
    {"max_steps": 2},
    {"min_chars": 20, "max_steps": 3},
    {"starts": ["Step"], "min_chars": 14},
]


@pytest.mark.parametrize("strategy", [BeamConfig(width=2), RebaseConfig(), MctsConfig(width=2)])
@pytest.mark.parametrize("steps", RULES, ids=str)
def test_searched_solutions_have_the_steps_that_their_texts_are_cut_into(
    find, table_engine, strategy, steps
):
    engine = MarkovEngine(MarkovConfig(num_steps=5, p_right=0.8))
    prompt_format = format_of(steps=steps)
    rule = prompt_format.step_rule
    (found,) = find(
        strategy,
        engine,
        markov_problems(1, seed=1),
        budget=4,
        verifier=table_engine({}, EveryScore(none=0.0)),
        prompt_format=prompt_format,
    )
    assert {end.state for end in found.ends} == {"finished"}
    assert sum(row.generated_tokens for row in found.rows) == sum(
        node.step.num_tokens
        for root in found.search.roots
        for node in walk(root)
        if node.step is not None
    )
    rows = {row.trajectory_id: row for row in found.rows}
    for row in found.rows:
        whole = [step.text for step in whole_steps(row, rows)]
        if rule.max_steps is not None:
            assert len(whole) <= rule.max_steps
        else:
            assert whole == split_steps("".join(whole), rule)


def test_whole_draws_have_at_most_as_many_steps_as_the_rule_says(find, table_engine):
    engine = MarkovEngine(MarkovConfig(num_steps=5, p_right=0.8))
    rule = format_of(steps={"max_steps": 2})
    problems = markov_problems(1, seed=1)
    for prompt_format, num in ((rule, 2), (replace(rule, rule=None), 6)):
        (found,) = find(
            BestOfNConfig(),
            engine,
            problems,
            budget=4,
            verifier=engine,
            prompt_format=prompt_format,
        )
        assert {len(end.steps()) for end in found.ends} == {num}
