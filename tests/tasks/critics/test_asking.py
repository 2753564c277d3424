"""What critics and actors are shown: steps without thoughts, numbered, whatever texts contain."""

import pytest

from schemas.critique_formats import LinesCritiqueConfig, StepwiseCritiqueConfig
from schemas.engines import PlantedConfig
from schemas.prompts import PlainPromptConfig
from schemas.rows import Step
from tasks.critics.asking import ShownSolution, ask_actor, ask_critic
from tasks.prompts.formats import make_prompt_format
from tasks.world.reviews import again_prompt, review_prompt

LINES = LinesCritiqueConfig()
STEPWISE = StepwiseCritiqueConfig()
BRACES = "{question} {solution} {critique} {key} {0} {} }{"


def steps_of(*texts: str) -> tuple[Step, ...]:
    return tuple(Step(text=text, num_tokens=3) for text in texts)


def test_thoughts_are_hidden_and_counted(make_trajectory):
    row = make_trajectory(
        steps=steps_of("<think>maybe 5\n", "no</think>\n", "2 + 2 = 4\n", "Answer: 4"),
        thinking_tokens=6,
    )
    shown = ShownSolution.of(row)
    assert (shown.steps, shown.num_hidden) == (("2 + 2 = 4", "Answer: 4"), 2)


def test_a_solution_that_is_all_thought_shows_nothing(make_trajectory):
    row = make_trajectory(steps=steps_of("<think>a\n", "b"), thinking_tokens=6)
    assert ShownSolution.of(row) == ShownSolution((), 2)


def test_lines_are_shown_as_written_and_steps_are_numbered():
    shown = ShownSolution.from_steps(steps_of("2 + 2 = 4\n", "  so 4\n\n", "Answer: 4"))
    assert shown.text(STEPWISE) == "Step 1: 2 + 2 = 4\nStep 2: so 4\nStep 3: Answer: 4"
    assert shown.text(LINES) == "2 + 2 = 4\n  so 4\nAnswer: 4"


def test_the_prompts_of_lines():
    shown = ShownSolution(("a", "b"))
    asked = [
        ask_critic(LINES, "Q", shown),
        ask_critic(LINES, "Q", shown, " K\n"),
        ask_actor(LINES, "Q", shown, "\na: wrong\n"),
        ask_actor(LINES, "Q", shown, None),
    ]
    assert [messages[0].text for messages in asked] == [
        "Q\na\nb\nReview:",
        "Q\nKey:\nK\nAttempt:\na\nb\nReview:",
        "Q\na\nb\nReview:\na: wrong\nAgain:",
        "Q\na\nb\nAgain:",
    ]
    assert {message.role for messages in asked for message in messages} == {"user"}


@pytest.mark.parametrize("config", [LINES, STEPWISE])
def test_braces_in_texts_stay_as_they_are(config):
    shown = ShownSolution((BRACES,))
    (told,) = ask_critic(config, f"Q{BRACES}", shown, f"K{BRACES}")
    (again,) = ask_actor(config, f"Q{BRACES}", shown, f"C{BRACES}")
    assert told.text.count(BRACES) == again.text.count(BRACES) == 3
    for text in (f"Q{BRACES}", f"K{BRACES}"):
        assert text in told.text
    assert f"C{BRACES}" in again.text


@pytest.mark.parametrize(
    ("field", "template"),
    [
        ("template", "{question}"),
        ("template", "{question} {solution} {solution}"),
        ("refine_template", "{question} {solution}"),
        ("retry_template", "{solution}"),
        ("key_template", "{question} {solution}"),
    ],
)
def test_a_template_names_each_of_its_places_once(field, template):
    with pytest.raises(ValueError, match=f"{field}: expected"):
        LinesCritiqueConfig(**{field: template})


@pytest.mark.parametrize("key", [None, "Answer: 27"])
def test_the_lines_format_asks_as_the_shipped_policy_learned_it(key):
    solution = "Tuesday: [buys from] 34 + 7 = 41\nAnswer: 41"
    shown = ShownSolution.from_steps([Step(text=solution, num_tokens=1)])
    build = make_prompt_format(PlainPromptConfig(), PlantedConfig()).build
    asked = build(ask_critic(LINES, "How many?", shown, key))
    assert asked == review_prompt("How many?", solution, key)
    for critique in (None, "Tuesday: [buys from] wrong, take away\nReview: wrong"):
        again = build(ask_actor(LINES, "How many?", shown, critique))
        assert again == again_prompt("How many?", solution, critique)
