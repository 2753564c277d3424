"""Config values that would take hours or all memory are refused at once, by name."""

import pytest

from flows.commands.yaml_values import read_yaml
from schemas.evaluation import EvaluationConfig
from schemas.sampling import SamplingConfig

LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "it is more than 100,000 values"),
        ("a: &a [*a]", "a contains itself"),
        ("[" * 1_000_000, "it is nested more than 50 deep"),
        ("{a: " * 1_000_000, "it is nested more than 50 deep"),
        ("- " * 200_000 + "a", "it is nested more than 50 deep"),
        ("a: " + "9" * 10_000, "Exceeds the limit"),
        ("a: 2024-13-45", "month must be in"),
        ("a: *b", "undefined alias"),
        (b"a: \xff", "codec can't decode|unacceptable character"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
    ],
)
def test_what_is_no_config_is_refused_at_once(text, said):
    words = rf"job\.yaml: expected YAML, got something else: .*({said})"
    with pytest.raises(ValueError, match=words):
        read_yaml("job.yaml", text)


def test_aliases_of_a_few_values_are_read():
    text = "base: &base {a: 1, b: [2, 3]}\none: *base\ntwo: {<<: *base, a: 4}"
    found = read_yaml("job.yaml", text)
    assert found["one"] == {"a": 1, "b": [2, 3]}
    assert found["two"] == {"a": 4, "b": [2, 3]}


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), 10**400, 2**63])
def test_absurd_numbers_are_refused_by_the_name_of_their_field(value):
    with pytest.raises(ValueError, match="seed") as refused:
        SamplingConfig.from_partial({"num_samples": 1, "seed": value})
    assert len(str(refused.value)) < 500


def test_absurd_numbers_in_lists_are_refused_by_their_place():
    with pytest.raises(ValueError, match="budgets"):
        EvaluationConfig.from_partial({"budgets": [1, 10**400]})
