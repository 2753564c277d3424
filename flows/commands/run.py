"""`stepmill run`: check the config of a flow, start Prefect, and run the flow."""

import os
import shlex
import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from flows.commands.options import (
    DEFAULT_ROOT,
    ConfigFile,
    DryRun,
    ExpectedTokens,
    Rate,
    Root,
    RunId,
    set_option,
)
from flows.commands.yaml_values import read_yaml
from flows.registry import Flow, flow_named
from flows.runs.asking import asked_lines
from flows.runs.own_commands import as_typed
from flows.runs.progress import say
from flows.runs.sets import look_for
from flows.server.prefect_server import ensure_server
from schemas.base import FrozenConfig
from schemas.engines import VLLMConfig
from schemas.experiments.experiment import TRAINED
from storage import Store
from storage.runs import new_run_id
from storage.store import check_name
from tasks.engines.open import identify_engine

_STOP_AFTER_S = 5.0
_FLOW = "flow"


def run(
    flow: Annotated[
        str | None,
        typer.Argument(
            help="The whole line: {names of line}. A stage: {names of stage}. A loop, as with "
            "`improve`: {names of loop}. An experiment: experiment_NAME. By default the `flow` "
            "that the config names, else factory."
        ),
    ] = None,
    run_id: RunId = None,
    config: ConfigFile = None,
    change: Annotated[list[str] | None, set_option("eval_sampling.num_samples=8")] = None,
    dry_run: DryRun = False,
    tokens_per_second: Rate = None,
    expected_tokens: ExpectedTokens = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Run a flow; with the id of a run that was stopped, do only what is missing.

    A config says what a flow does: which problems, which models, how many samples. Every field of
    `factory` has a default, which --config and --set override. A wrong field is named, with the
    fields that exist, before anything starts. `stepmill describe FLOW` prints every field
    with its meaning; docs/configs.md has examples, and recipes/ has published set-ups.

    For example:

    - `stepmill run --run-id first`
    - `stepmill run --set eval_problems.num_problems=50 --set prm_training.max_steps=300`
    - `stepmill run sampling --config sampling.yaml --root s3://bucket/store`
    - `stepmill run --dry-run --config recipes/rest-em.yaml --tokens-per-second 5000`
    """
    name = flow or flow_in(config) or "factory"
    if wants_plan(dry_run, tokens_per_second, expected_tokens):
        plan_flow(
            name,
            config_file=config,
            changes=change or [],
            tokens_per_second=tokens_per_second,
            expected_tokens=expected_tokens,
        )
        return
    run_flow(name, root=root, run_id=run_id, config_file=config, changes=change or [])


def run_flow(
    name: str,
    *,
    root: str | Path,
    run_id: str | None,
    config_file: Path | None,
    changes: Sequence[str],
    values: Mapping[str, Any] | None = None,
) -> Any:
    """Run a flow to its end and print what comes next; what the flow returns.

    Args:
        name: the flow.
        root: the store.
        run_id: the run; None for a new one.
        config_file: see `read_values`.
        changes: see `read_values`.
        values: `given` of `read_values`.

    Raises:
        ValueError: the flow does not exist, a field of the config does not fit and is named, or the
            flow works on a run that does not exist; nothing is written then.
    """
    console = Console(stderr=True)
    flow = flow_for(name, config_file)
    config = read_config(flow.config, config_file, changes, values)
    if (sets := config.stored_sets()) is not None:
        look_for(root, run_id, sets)
    run_id = check_name("run id", run_id or new_run_id(name))
    check_models_of(config)
    asked = asked_lines(config)
    store = Store(root)
    console.print(f"store: {store.url}\nrun:   {run_id}")
    for line in asked:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    console.print(f"UI:    {ensure_server()}")
    _stop_soon_when_interrupted(run_id)
    # Imported late: Prefect reads its settings, the server's address among them, on import.
    start = flow.load()
    from flows.runs.recording import without_heartbeats

    with without_heartbeats():  # from a terminal one sees whether it still runs
        made = start(config, store.url, run_id)
    _show_next(flow, store, run_id)
    return made


def check_models_of(config: FrozenConfig) -> None:
    """Look for the models that a config names, so that an unusable one is not found in an actor.

    Raises:
        ModelUnusable: one is not there, or cannot be read.
    """
    for _, engine in config:
        if isinstance(engine, VLLMConfig) and engine != TRAINED:
            identify_engine(engine)


def plan_flow(
    name: str,
    *,
    config_file: Path | None,
    changes: Sequence[str],
    values: Mapping[str, Any] | None = None,
    tokens_per_second: float | None = None,
    expected_tokens: int | None = None,
) -> None:
    """Print what a flow would do, and start nothing; models need not exist.

    Args:
        name: the flow.
        config_file: see `read_values`.
        changes: see `read_values`.
        values: `given` of `read_values`.
        tokens_per_second: generated tokens per second of all actors; None prints no hours.
        expected_tokens: of a solution; None to assume them.

    Raises:
        ValueError: a field does not fit, the flow works on the rows of an earlier run, or the
            number of problems is not known.
    """
    from flows.runs.forecast import Assumptions
    from flows.runs.forecast_flows import forecast
    from flows.tables.forecast import forecast_table
    from flows.tables.output import open_console

    flow = flow_for(name, config_file)
    config = read_config(flow.config, config_file, changes, values)
    assumed = Assumptions(solution_tokens=expected_tokens)
    table = forecast_table(forecast(config, assumed), assumed, tokens_per_second)
    open_console().print(table)


def wants_plan(dry_run: bool, rate: float | None, expected_tokens: int | None) -> bool:
    """Whether only a plan is asked for.

    Raises:
        ValueError: an option that only a plan has is given without it, or the rate is not above 0.
    """
    if not dry_run and (rate is not None or expected_tokens is not None):
        raise ValueError("--tokens-per-second, --expected-tokens: expected them with --dry-run")
    if rate is not None and not rate > 0:
        raise ValueError(f"--tokens-per-second: expected more than 0, got {rate:g}")
    return dry_run


def flow_in(config_file: Path | None) -> str | None:
    """The `flow` that a config file names, if it names one.

    Raises:
        ValueError: the file is not YAML, or names something else than a flow.
    """
    if config_file is None:
        return None
    values = read_yaml(str(config_file), config_file.read_bytes())
    named = values.get(_FLOW) if isinstance(values, dict) else None
    if not isinstance(named, str | None):
        raise ValueError(f"{config_file}: {_FLOW}: expected the name of a flow, got {named!r}")
    return named


def flow_for(name: str, config_file: Path | None) -> Flow:
    """The flow of this name.

    Raises:
        ValueError: it does not exist, or the config file is for another one.
    """
    flow, meant = flow_named(name), flow_in(config_file)
    if meant not in (None, name):
        raise ValueError(f"{config_file}: expected a config of {name}, got one of {meant}")
    return flow


def read_config(
    config_class: type[FrozenConfig],
    config_file: Path | None,
    changes: Sequence[str],
    given: Mapping[str, Any] | None = None,
) -> FrozenConfig:
    """A checked config from its file and single fields (see `read_values`).

    Raises:
        ValueError: names the field and what is wrong with it.
    """
    return config_class.from_partial(read_values(config_file, changes, given))


def read_values(
    config_file: Path | None, changes: Sequence[str], given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The fields of a config that a file and options name, unchecked.

    Args:
        config_file: YAML (or JSON, which is YAML); None for the defaults. Its `flow`, the name of
            the flow that it is for, is left out.
        changes: `field.subfield=value` with YAML values, which override the file.
        given: fields with their own options, which override the file; None means not given.

    Raises:
        ValueError: a file or a change is not YAML, or names no field.
    """
    values: dict[str, Any] = {}
    if config_file is not None:
        values = read_yaml(str(config_file), config_file.read_bytes()) or {}
        if not isinstance(values, dict):
            raise ValueError(f"{config_file}: expected fields with values, got {values!r}")
        values.pop(_FLOW, None)
    values |= {name: value for name, value in (given or {}).items() if value is not None}
    for change in changes:
        path, sign, text = change.partition("=")
        if not sign:
            raise ValueError(f"--set {change}: expected FIELD=VALUE")
        *parents, leaf = path.split(".")
        place = values
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ValueError(f"--set {change}: expected fields in {parent}, got {place!r}")
        place[leaf] = read_yaml(f"--set {change}", text)
    return values


def _stop_soon_when_interrupted(run_id: str) -> None:
    """Ctrl-C ends the run within seconds, whatever it is waiting for: nothing committed is lost."""

    def stop(number: int, frame: object) -> None:
        say(f"stopped: the same command with `--run-id {run_id}` resumes it")
        timer = threading.Timer(_STOP_AFTER_S, os._exit, [128 + number])
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)


def _show_next(flow: Flow, store: Store, run_id: str) -> None:
    """Print the flow's results, if it shows any, and the commands that come next."""
    places = {"run_id": run_id, "root": shlex.quote(store.url)}
    commands = [as_typed(command.format(**places)) for command in flow.next_commands]
    if not flow.shows_report:
        for command in commands:
            say(f"next: {command}")
        return
    from flows.commands.report import show_report
    from storage import connect

    show_report(connect(store.url), run_id, "table")
    console = Console()
    console.print(f"store: {store.url}\n\nnext:")
    for command in commands:
        console.print(f"  {command}", soft_wrap=True, highlight=False)
