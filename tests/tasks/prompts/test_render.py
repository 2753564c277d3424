import pytest

from tasks.prompts.render import render


@pytest.mark.parametrize(
    ("template", "fields", "text"),
    [
        ("{question}\n", {"question": "2 + 2?"}, "2 + 2?\n"),
        ("{b}{a}{b}", {"a": "1", "b": "2"}, "212"),
        ("{question} {solution}", {"question": "{solution}", "solution": "4"}, "{solution} 4"),
        ("{a} {b}", {"a": "{b}", "b": "{a}"}, "{b} {a}"),
        (r"\boxed{x} {q} {other}", {"q": r"\frac{1}{2}"}, r"\boxed{x} \frac{1}{2} {other}"),
        ("{q}", {"q": r"\1 \g<0>"}, r"\1 \g<0>"),
        ("{{q}}", {"q": "x"}, "{x}"),
        ("plain {}", {}, "plain {}"),
    ],
)
def test_every_text_is_put_in_once_and_as_it_is(template, fields, text):
    assert render(template, **fields) == text


def test_a_field_without_a_place_is_named():
    with pytest.raises(ValueError, match=r"template: expected \{solution\} in it, got 'Q: \{ques"):
        render("Q: {question}", question="2?", solution="4")


def test_a_field_that_is_missing_is_named():
    with pytest.raises(ValueError, match="template field solution: expected a text, got None"):
        render("{solution}", solution=None)  # type: ignore[arg-type]
