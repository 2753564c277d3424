"""Values of configs in YAML, or in JSON, which is YAML: read at once, whatever they hold."""

from collections.abc import Iterable
from typing import Any

_MAX_DEPTH = 50
_MAX_VALUES = 100_000


def read_yaml(where: str, text: str | bytes) -> Any:
    """The value of a text.

    Args:
        where: the file or option that it is from, for messages.
        text: what it holds.

    Raises:
        ValueError: it is not YAML, is nested too deeply, or is too many values once its aliases
            are written out.
    """
    import yaml

    try:
        _check_size(yaml.parse(text, Loader=yaml.SafeLoader))
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        words = " ".join(str(error).split())
        raise ValueError(f"{where}: expected YAML, got something else: {words}") from error


def _check_size(events: Iterable[Any]) -> None:
    """Count the values that a text stands for, with the copies that its aliases make of others.

    Raises:
        ValueError: they are too many, too deep, or without end.
    """
    import yaml

    open_nodes: list[tuple[str | None, int]] = []
    sizes: dict[str, int] = {}
    total = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, total))
            total += 1
            if len(open_nodes) > _MAX_DEPTH:
                raise ValueError(f"it is nested more than {_MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_nodes):
                raise ValueError(f"{event.anchor} contains itself")
            total += sizes.get(event.anchor, 1)
        if total > _MAX_VALUES:
            raise ValueError(f"it is more than {_MAX_VALUES:,} values")
