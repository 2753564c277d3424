"""Start a flow from the command line: its config checked first, then Prefect, then the flow."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from flows.server import ensure_server
from schemas.base import FrozenConfig
from schemas.engines import VLLMConfig
from storage import Store
from storage.runs import new_run_id
from storage.store import check_name
from tasks.engines.open import identify_engine


def run_flow(
    name: str, *, root: Path, run_id: str | None, config_file: Path | None, changes: Sequence[str]
) -> None:
    """Run a flow to its end and say what comes next.

    Raises:
        ValueError: no such flow, or a config that does not fit; the field is named.
    """
    console = Console(stderr=True)
    config_class = _config_class(name)
    config = read_config(config_class, config_file, changes)
    run_id = check_name("run id", run_id or new_run_id(name))
    for _, engine in config:
        if isinstance(engine, VLLMConfig):
            identify_engine(engine)  # a model that is none is found out here, not in an actor
    store = Store(root)
    console.print(f"store: {store.root}\nrun:   {run_id}")
    console.print(f"UI:    {ensure_server()}")
    _flow(name)(config, str(store.root), run_id)
    if name == "factory":
        _say_next(Console(), store, run_id)


def read_config(
    config_class: type[FrozenConfig], config_file: Path | None, changes: Sequence[str]
) -> FrozenConfig:
    """A config from its file and single fields, checked.

    Args:
        config_class: what to make.
        config_file: YAML (or JSON, which is YAML); None for the defaults.
        changes: `field.subfield=value` with YAML values, over what the file says.

    Raises:
        ValueError: what is wrong with which field.
    """
    import yaml

    values: dict[str, Any] = {}
    if config_file is not None:
        values = yaml.safe_load(config_file.read_text()) or {}
        if not isinstance(values, dict):
            raise ValueError(f"{config_file}: expected fields with values, got {values!r}")
    for change in changes:
        path, sign, text = change.partition("=")
        if not sign:
            raise ValueError(f"--set {change}: expected FIELD=VALUE")
        *parents, leaf = path.split(".")
        place = values
        for parent in parents:
            place = place.setdefault(parent, {})
        place[leaf] = yaml.safe_load(text)
    return config_class.from_partial(values)


def _config_class(name: str) -> type[FrozenConfig]:
    from schemas.factory import FLOW_CONFIGS

    if name not in FLOW_CONFIGS:
        raise ValueError(f"there is no flow {name!r}: expected one of {', '.join(FLOW_CONFIGS)}")
    return FLOW_CONFIGS[name]


def _flow(name: str) -> Callable[..., Any]:
    """Import late: Prefect reads its settings when it is imported."""
    if name == "factory":
        from flows.factory import factory

        return factory
    from flows.pretraining import pretrain

    return pretrain


def _say_next(console: Console, store: Store, run_id: str) -> None:
    from flows.output import show_report
    from storage import connect

    show_report(connect(store.root), run_id, "table")
    console.print(f"store: {store.root}\n\nnext:")
    root = json.dumps(str(store.root))
    for command in (
        f'stepmill sql --root {root} "select * from cost"',
        f'stepmill sql --root {root} "select trajectory_id, correct from trajectories '
        "where strategy = 'sample' limit 5\"",
        f"stepmill show --root {root} TRAJECTORY_ID",
    ):
        console.print(f"  {command}", soft_wrap=True, highlight=False)
