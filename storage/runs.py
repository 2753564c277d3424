"""A run's own rows: when it began, with which config, and how it ended."""

import contextlib
import json
import secrets
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from pydantic import ValidationError

from schemas.base import FrozenConfig
from schemas.errors import RunConflict
from schemas.rows import RUNS, RunEvent, RunState, now
from schemas.units import Unit
from storage.dataset_card import put_card
from storage.store import Store

_MAX_MESSAGE = 2000


def new_run_id(flow: str) -> str:
    """A new run id: the flow's name, the time, and four random digits."""
    return f"{flow}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


@contextlib.contextmanager
def recorded_run(
    store: Store,
    run_id: str,
    flow: str,
    config: FrozenConfig,
    *,
    part: str | None = None,
    named_by_part: Collection[str] = (),
) -> Iterator[bool]:
    """Record that a flow of a run begins and how it ends.

    Args:
        store: the store.
        run_id: the run.
        flow: the flow.
        config: what it does.
        part: distinguishes several runs of the flow in this run; usually a set of problems.
        named_by_part: fields of the config that the part stands for. They are not compared, so that
            a model that was moved is still the same model.

    Yields:
        Whether it had already begun, so that it is resumed.

    Raises:
        RunConflict: it began with another config; the message names the differences.
    """
    started = _unit(run_id, flow, "started", part)
    # Committed before it is compared: of two processes that begin at once, one finds the other's.
    was_begun = store.commit(started, [_event(flow, part, "started", config, None)]).was_there
    if was_begun:
        _check_same(store.read(started.path)[0], run_id, config, named_by_part)
    try:
        yield was_begun
    except BaseException as error:
        is_told = not isinstance(error, Exception)  # by a signal
        state: RunState = "cancelled" if is_told else "failed"
        message = "it was told to end" if is_told else _say(error)
        record_end(store, run_id, flow, config, state, part=part, message=message)
        raise
    record_end(store, run_id, flow, config, "completed", part=part)


def record_end(
    store: Store,
    run_id: str,
    flow: str,
    config: FrozenConfig,
    state: RunState,
    *,
    part: str | None = None,
    message: str | None = None,
) -> None:
    """Record how a flow of a run ended; the newest record counts. Renews the store's card."""
    ended = _unit(run_id, flow, f"{state}-{_stamp()}", part)
    store.commit(ended, [_event(flow, part, state, config, message)])
    with contextlib.suppress(OSError):  # the card repeats what the folders say
        put_card(store)


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:_MAX_MESSAGE]


def recorded_configs(store: Store, run_id: str, flow: str) -> list[dict[str, Any]]:
    """The configs that a flow of a run began with, one per part, in order of the parts' names."""
    paths = store.files(RUNS.name, run_id=run_id, stage=flow, prefix="started")
    return [json.loads(store.read(path)[0].config) for path in paths]


def began_with(store: Store, run_id: str, flow: str, part: str | None) -> dict[str, Any] | None:
    """The config that a part of a flow of a run began with; None if it has not begun."""
    started = _unit(run_id, flow, "started", part)
    return json.loads(store.read(started.path)[0].config) if store.has(started) else None


def _unit(run_id: str, flow: str, event: str, part: str | None) -> Unit:
    name = event if part is None else f"{event}-{part}"
    return Unit(run_id=run_id, stage=flow, name=name, table=RUNS.name)


def _stamp() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"


def _event(
    flow: str, part: str | None, state: RunState, config: FrozenConfig, message: str | None
) -> RunEvent:
    return RunEvent(
        flow=flow,
        part=part,
        state=state,
        config=config.model_dump_json(),
        config_hash=config.config_hash(),
        code_version=version("stepmill"),
        message=message,
        happened_at=now(),
    )


def _check_same(
    began: RunEvent, run_id: str, config: FrozenConfig, named_by_part: Collection[str]
) -> None:
    old = _flatten(_to_present_names(json.loads(began.config), type(config)))
    new = _flatten(config.model_dump(mode="json"))
    left_out = {"pool", *named_by_part}
    changes = [
        f"{name}: {old.get(name)!r} then, {new.get(name)!r} now"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name) and name.split(".")[0] not in left_out
    ]
    if changes:
        part = "" if began.part is None else f" ({began.part})"
        raise RunConflict(
            f"{began.flow}{part} of run {run_id} began with another config "
            f"({'; '.join(changes[:5])}): give the config it began with, or another run id"
        )


def _to_present_names(recorded: dict[str, Any], config_class: type[FrozenConfig]) -> dict[str, Any]:
    """A recorded config in the present form of its class; unchanged if the class rejects it.

    Fields that an older version did not have take their defaults.
    """
    try:
        return config_class.model_validate(recorded).model_dump(mode="json")
    except ValidationError:
        return recorded


def _flatten(value: object, prefix: str = "") -> dict[str, object]:
    if not isinstance(value, dict):
        return {prefix.removesuffix("."): value}
    flat: dict[str, object] = {}
    for key, inner in value.items():
        flat |= _flatten(inner, f"{prefix}{key}.")
    return flat
