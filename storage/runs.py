"""A run's own rows: when it began, with which config, and how it ended."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version

from schemas.base import FrozenConfig
from schemas.errors import RunConflict
from schemas.rows import RUNS, RunEvent, RunState, now
from schemas.units import Unit
from storage.store import Store

_MAX_MESSAGE = 2000


def new_run_id(flow: str) -> str:
    """A run id nobody else has: the flow's name and the time."""
    return f"{flow}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


@contextlib.contextmanager
def recorded_run(store: Store, run_id: str, flow: str, config: FrozenConfig) -> Iterator[bool]:
    """Record that a run begins and how it ends.

    Yields:
        Whether the run had begun before, so that this is its continuation.

    Raises:
        RunConflict: the run id began with another config; what differs is named.
    """
    unit = _unit(run_id, flow, "started")
    was_begun = store.has(unit)
    if was_begun:
        _check_same(store.read(unit.path)[0], run_id, config)
    store.commit(unit, [_event(flow, "started", config, None)])
    try:
        yield was_begun
    except BaseException as error:
        message = f"{type(error).__name__}: {error}"[:_MAX_MESSAGE]
        name = f"failed-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
        store.commit(_unit(run_id, flow, name), [_event(flow, "failed", config, message)])
        raise
    done = _unit(run_id, flow, f"completed-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}")
    store.commit(done, [_event(flow, "completed", config, None)])


def _unit(run_id: str, flow: str, name: str) -> Unit:
    return Unit(run_id=run_id, stage=flow, name=name, table=RUNS.name)


def _event(flow: str, state: RunState, config: FrozenConfig, message: str | None) -> RunEvent:
    return RunEvent(
        flow=flow,
        state=state,
        config=config.model_dump_json(),
        config_hash=config.config_hash(),
        code_version=version("stepmill"),
        message=message,
        happened_at=now(),
    )


def _check_same(began: RunEvent, run_id: str, config: FrozenConfig) -> None:
    if began.config_hash == config.config_hash():
        return
    old, new = _flatten(json.loads(began.config)), _flatten(config.model_dump(mode="json"))
    changes = [
        f"{name}: {old.get(name)!r} then, {new.get(name)!r} now"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name) and not name.startswith("pool.")
    ]
    raise RunConflict(
        f"run {run_id} began with another config ({'; '.join(changes[:5]) or 'older fields'}): "
        "give the config it began with, or another run id"
    )


def _flatten(value: object, prefix: str = "") -> dict[str, object]:
    if not isinstance(value, dict):
        return {prefix.removesuffix("."): value}
    flat: dict[str, object] = {}
    for key, inner in value.items():
        flat |= _flatten(inner, f"{prefix}{key}.")
    return flat
