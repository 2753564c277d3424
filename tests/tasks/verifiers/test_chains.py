"""Scores of steps from chains of verdicts, what a critic is asked, and which chains are known."""

import pytest

from schemas.critique_formats import LinesCritiqueConfig, StepwiseCritiqueConfig
from schemas.generative import GenerativeConfig, GenPrmLayoutConfig, ThinkPrmLayoutConfig
from tasks.verifiers.chains import (
    Chain,
    KnownChains,
    ask_for_turn,
    ask_for_verdicts,
    mean_scores,
    stops_at_error,
)
from tasks.verifiers.reductions import reduce_scores

FAILED = Chain(("a",), (0.9, 0.2), has_failed=True)
PASSED = Chain(("b",), (0.9, 0.6, 0.8, 0.7))
CUT = Chain(("c",), (0.4,))


def test_steps_after_a_failure_have_its_score():
    assert FAILED.step_scores(4) == [0.9, 0.2, 0.2, 0.2]
    assert PASSED.step_scores(4) == [0.9, 0.6, 0.8, 0.7]
    assert PASSED.step_scores(2) == [0.9, 0.6]


def test_steps_without_a_verdict_are_undecided():
    assert CUT.step_scores(3) == [0.4, 0.5, 0.5]
    assert Chain().step_scores(2) == [0.5, 0.5]


def test_a_failure_costs_the_same_however_many_steps_follow():
    assert len({reduce_scores(FAILED.step_scores(n), "min") for n in (2, 3, 9)}) == 1
    assert len({reduce_scores(FAILED.step_scores(n), "last") for n in (2, 3, 9)}) == 1
    # A wrong verdict may be drawn where right is likelier: the lowest score so far counts.
    assert Chain((), (0.3, 0.8), has_failed=True).step_scores(3) == [0.3, 0.8, 0.3]


def test_chains_are_averaged_step_by_step():
    assert mean_scores([FAILED, PASSED], 4) == pytest.approx([0.9, 0.4, 0.5, 0.45])
    assert mean_scores([FAILED, PASSED, CUT], 2) == pytest.approx([2.2 / 3, 1.3 / 3])


def test_which_layouts_stop_at_an_error():
    assert [
        stops_at_error(layout)
        for layout in (
            LinesCritiqueConfig(),
            StepwiseCritiqueConfig(judges="all"),
            GenPrmLayoutConfig(),
            ThinkPrmLayoutConfig(),
        )
    ] == [True, False, False, True]


def test_thinkprm_is_asked_as_published():
    (message,) = ask_for_verdicts(ThinkPrmLayoutConfig(), "1+1?", ["1+1 = 2", " so 2"])
    assert message.text == (
        "You are given a math problem and a proposed step-by-step solution:\n\n[Math Problem]\n\n"
        "1+1?\n\n[Solution]\n\nStep 1: 1+1 = 2\nStep 2: so 2\n\nReview and critique each step in "
        "the proposed solution to determine whether each step is correct. If the solution is "
        "incomplete, only verify the provided steps."
    )


def test_genprm_is_asked_in_turns_as_published():
    layout = GenPrmLayoutConfig()
    first = ask_for_turn(layout, "1+1?", ["1+1 = 2"], [])
    assert [(each.role, each.text) for each in first] == [
        (
            "system",
            "You are a math teacher. Your task is to review and critique the paragraphs in "
            "solution step by step.",
        ),
        ("user", "Question: 1+1?\n\n1+1 = 2"),
    ]
    second = ask_for_turn(layout, "1+1?", ["1+1 = 2", "so 2"], ["Yes"])
    assert second[:2] == first
    assert [(each.role, each.text) for each in second[2:]] == [
        ("assistant", "Yes"),
        ("user", "so 2"),
    ]
    assert layout.opening.replace("{step}", "2") == (
        "<analyze>\nLet's analyze the Paragraph 2 step by step: "
    )


def test_the_oldest_chains_are_forgotten():
    known = KnownChains(limit=2)
    for number in range(3):
        known.add("q", [f"step {number}"], [FAILED])
    assert known.get("q", ["step 0"]) is None
    assert known.get("q", ["step 2"]) == (FAILED,)
    assert known.get("other", ["step 2"]) is None


def test_several_critiques_at_temperature_0_are_refused():
    with pytest.raises(ValueError, match="num_chains: expected 1 at temperature 0"):
        GenerativeConfig(num_chains=4)
    assert GenerativeConfig(num_chains=4, temperature=0.6).own_prompt.type == "plain"
    assert GenerativeConfig(layout=GenPrmLayoutConfig()).own_prompt.type == "chat"
