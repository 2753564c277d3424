"""YAML of a caller as values, refused at once where it is too deep or too large."""

from typing import Any

_MAX_DEPTH = 40
_MAX_VALUES = 100_000
"""An alias counts each time it is used: a few lines of them can stand for billions of values."""


def read_yaml(where: str, text: str | bytes) -> Any:
    """The values of a text.

    Args:
        where: what messages call it.
        text: YAML, or JSON, which is YAML.

    Raises:
        ValueError: it is not YAML, or is deeper or larger than any config.
    """
    import yaml

    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        words = " ".join(str(error).split())
        raise ValueError(f"{where}: expected YAML, got something else: {words}") from error
    except RecursionError as error:
        raise ValueError(f"{where}: expected at most {_MAX_DEPTH} levels, got many more") from error
    _check_size(where, values)
    return values


def _check_size(where: str, values: Any) -> None:
    num_values, left = 0, [(values, 1)]
    while left:
        value, depth = left.pop()
        num_values += 1
        if depth > _MAX_DEPTH:
            raise ValueError(f"{where}: expected at most {_MAX_DEPTH} levels, got more")
        if num_values > _MAX_VALUES:
            raise ValueError(f"{where}: expected at most {_MAX_VALUES:,} values, got more")
        if isinstance(value, dict):
            left += [(each, depth + 1) for each in value.values()]
        elif isinstance(value, list):
            left += [(each, depth + 1) for each in value]
