"""The stop strings that a plain prompt brings."""

import pytest

from schemas.engines import PlantedConfig
from schemas.prompts import ChatPromptConfig, Example, PlainPromptConfig
from schemas.sampling import SamplingConfig, SamplingJob
from tasks.prompts.formats import make_prompt_format
from tasks.prompts.stops import derive_stops

EXAMPLE = Example(question="1 + 1?", answer="1 + 1 = 2\nThe answer is 2.")


@pytest.mark.parametrize(
    ("template", "stops"),
    [
        ("{question}\n", ()),
        ("Solve the problem step by step.\n\n{question}\n", ()),
        ("1 + 1?\nAnswer: 2\n\n{question}\n", ()),
        ("- {question}", ()),
        ("Question: {question}\nAnswer:", ("\nQuestion:",)),
        ("Q: 1?\nA: 1\n\nQ: 2?\nA: 2\n\nQ: {question}\nA:", ("\nQ:",)),
        ("Problem 1\n1?\n\nProblem 2\n{question}\n", ("\nProblem",)),
        ("Problem:\n{question}\n\nSolution:\n", ("\nProblem:",)),
        ("### Problem\n{question}\n### Solution\n", ("\n### Problem",)),
        ("Example 1\nQ: a\nA: 3\n\nExample 2\nQ: {question}\nA:", ("\nExample", "\nQ:")),
        ("问题\uff1a{question}\n答案\uff1a", ("\n问题\uff1a",)),
    ],
)
def test_a_next_question_begins_as_the_template_begins_one(
    template: str, stops: tuple[str, ...]
) -> None:
    assert derive_stops(PlainPromptConfig(template=template), ()) == stops


def test_examples_without_a_label_are_told_apart_by_what_ends_them() -> None:
    assert derive_stops(PlainPromptConfig(), (EXAMPLE,)) == ("\n\n",)
    apart = PlainPromptConfig(separator="\n\n")
    assert derive_stops(apart, (EXAMPLE,)) == ()
    spaced = Example(question="1 + 1?", answer="1 + 1 = 2\n\nThe answer is 2.")
    assert derive_stops(PlainPromptConfig(), (spaced,)) == ()


def test_a_label_that_answers_have_too_ends_nothing() -> None:
    prompt = PlainPromptConfig(template="Step: {question}\n")
    assert derive_stops(prompt, (EXAMPLE,)) == ("\nStep:",)
    stepwise = Example(question="1?", answer="First.\nStep: 2")
    assert derive_stops(prompt, (stepwise,)) == ("\n\n",)


def test_own_stop_strings_replace_the_derived_ones() -> None:
    prompt = PlainPromptConfig(template="Q: {question}\nA:", stop=("###",))
    assert derive_stops(prompt, ()) == ("###",)
    assert derive_stops(prompt.with_fields(stop=()), ()) == ()
    prompt_format = make_prompt_format(prompt, PlantedConfig())
    assert prompt_format.ends(("END", "###")) == ("###", "END")


@pytest.mark.parametrize(
    ("stop", "said"),
    [("\n", "after its first step"), ("answer is", "would be cut there"), ("Let's", "cut there")],
)
def test_stop_strings_that_end_every_solution_are_refused(stop: str, said: str) -> None:
    fields = {"examples": (EXAMPLE,), "opening": "Let's think."}
    with pytest.raises(ValueError, match=said):
        PlainPromptConfig(stop=(stop,), **fields)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=rf"sampling\.stop: .*{said}"):
        SamplingJob.from_partial(
            {
                "problems": {"type": "world"},
                "policy": {"type": "planted"},
                "prompt": PlainPromptConfig(**fields).model_dump(),  # type: ignore[arg-type]
                "sampling": {"stop": [stop]},
            }
        )
    chat = make_prompt_format(PlainPromptConfig(**fields), PlantedConfig())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=said):
        chat.ends((stop,))


def test_an_empty_stop_string_and_a_parameter_out_of_range_are_refused() -> None:
    for fields in ({"stop": [""]}, {"top_k": 0}, {"min_p": 1.5}, {"repetition_penalty": 0.0}):
        with pytest.raises(ValueError, match=next(iter(fields))):
            SamplingConfig.from_partial(fields)


def test_a_template_argument_that_a_prompt_is_made_with_is_refused() -> None:
    with pytest.raises(ValueError, match="add_generation_prompt"):
        ChatPromptConfig(template_arguments={"add_generation_prompt": False})
