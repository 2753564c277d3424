"""YAML that is too deep or too large is refused at once."""

import pytest

from flows.commands.yaml_values import read_yaml


def test_values_and_aliases_of_a_usual_size_are_read():
    text = "a: &a {x: 1}\nb: [*a, *a]"
    assert read_yaml("file", text) == {"a": {"x": 1}, "b": [{"x": 1}, {"x": 1}]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Nine levels of nine aliases: 9^9 values in ten lines.
        (
            "l0: &l0 [x]\n"
            + "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 10)),
            "file: expected at most 100,000 values",
        ),
        ("a: &a [*a]", "file: expected at most 40 levels"),
        ("[" * 41 + "]" * 41, "file: expected at most 40 levels"),
        ("[" * 3000 + "]" * 3000, "file: expected at most 40 levels"),
        ("a: [1", "file: expected YAML, got something else"),
        (b"\xff\xfe\xff", "file: expected YAML, got something else"),
    ],
)
def test_what_no_config_is_like_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        read_yaml("file", text)
