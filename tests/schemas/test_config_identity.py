"""Configs of older versions keep their hashes, which are part of unit names and recorded runs."""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest

import schemas
from schemas.base import FrozenConfig, Since, Was

WRITTEN_BY_VERSION_3 = Path(__file__).parents[1] / "fixtures" / "configs-v3.jsonl"


def recorded() -> Iterator[Any]:
    for number, line in enumerate(WRITTEN_BY_VERSION_3.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        yield pytest.param(row, id=f"{number}-{row['config_class']}")


def find_class(name: str) -> type[FrozenConfig]:
    for found in pkgutil.walk_packages(schemas.__path__, "schemas."):
        if config_class := getattr(importlib.import_module(found.name), name, None):
            return config_class
    raise AssertionError(f"no config class {name} in schemas")


@pytest.mark.parametrize("row", recorded())
def test_a_config_of_version_3_is_read_and_has_the_same_hash(row: dict[str, Any]) -> None:
    config = find_class(row["config_class"]).from_partial(row["config"])
    assert config.config_hash() == row["hash"]


class Before(FrozenConfig):
    most_wrong: int = 4
    rate: float = 1e-5


class After(FrozenConfig):
    max_wrong: Annotated[int, Was("most_wrong")] = 4
    with_notes: Annotated[bool, Since(4)] = False
    rate: float = 1e-5

    identity_order = ("max_wrong", "rate")


def test_a_renamed_field_keeps_the_hash_and_takes_its_old_name() -> None:
    assert After(max_wrong=7).config_hash() == Before(most_wrong=7).config_hash()
    assert After.from_partial({"most_wrong": 7}) == After(max_wrong=7)


def test_an_added_field_changes_the_hash_only_where_it_is_used() -> None:
    assert After().config_hash() == Before().config_hash()
    assert After(with_notes=True).config_hash() != Before().config_hash()


def test_fields_that_count_change_the_hash() -> None:
    assert After(rate=2e-5).config_hash() != After().config_hash()


class Outer(FrozenConfig):
    inner: After = After()
    choices: tuple[After, ...] = ()


def test_old_names_are_taken_in_nested_configs() -> None:
    config = Outer.from_partial({"inner": {"most_wrong": 1}, "choices": [{"most_wrong": 2}]})
    assert (config.inner.max_wrong, config.choices[0].max_wrong) == (1, 2)
    assert config.identity()["inner"] == {"most_wrong": 1, "rate": 1e-5}
