"""Start a flow from the command line: its config checked first, then Prefect, then the flow."""

import json
import os
import shlex
import signal
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console

from flows.runs.progress import say
from flows.server.prefect_server import ensure_server
from schemas.base import FrozenConfig
from schemas.dataset_export import DatasetExportJob
from schemas.engines import VLLMConfig
from schemas.evaluation import EvaluationJob
from schemas.factory import FactoryConfig
from schemas.imports import ImportsJob
from schemas.loops import (
    DpoRoundsConfig,
    RestEmLoopConfig,
    RestLoopConfig,
    ReverseCurriculumLoopConfig,
    VStarLoopConfig,
)
from schemas.policy_training import PolicyTrainingJob
from schemas.pretraining import PretrainingConfig
from schemas.prm_training import PrmTrainingJob
from schemas.problems import ProblemsJob
from schemas.regrading import RegradingJob
from schemas.sampling import SamplingJob
from schemas.scoring import ScoringJob
from schemas.search import SearchJob
from schemas.step_labels import StepLabelsJob
from storage import Store
from storage.runs import new_run_id
from storage.store import check_name
from tasks.engines.open import identify_engine

_PATIENCE_S = 5.0

FLOWS: dict[str, tuple[str, str, type[FrozenConfig]]] = {
    "factory": ("flows.factory", "factory", FactoryConfig),
    "problems": ("flows.problems", "problems", ProblemsJob),
    "pretraining": ("flows.pretraining", "pretrain", PretrainingConfig),
    "sampling": ("flows.sampling", "sample", SamplingJob),
    "imports": ("flows.imports", "import_solutions", ImportsJob),
    "regrading": ("flows.regrading", "regrade", RegradingJob),
    "step_labels": ("flows.step_labels", "label_steps", StepLabelsJob),
    "prm_training": ("flows.prm_training", "train_verifier", PrmTrainingJob),
    "policy_training": ("flows.policy_training", "train_policy", PolicyTrainingJob),
    "scoring": ("flows.scoring", "score", ScoringJob),
    "search": ("flows.search", "search", SearchJob),
    "evaluation": ("flows.evaluation", "evaluate", EvaluationJob),
    "dataset_export": ("flows.dataset_export", "build_training_set", DatasetExportJob),
    "rest": ("flows.loops.rest", "rest", RestLoopConfig),
    "rest_em": ("flows.loops.rest_em", "rest_em", RestEmLoopConfig),
    "dpo_rounds": ("flows.loops.dpo_rounds", "dpo_rounds", DpoRoundsConfig),
    "v_star": ("flows.loops.v_star", "v_star", VStarLoopConfig),
    "reverse_curriculum": (
        "flows.loops.reverse_curriculum",
        "reverse_curriculum",
        ReverseCurriculumLoopConfig,
    ),
}
"""Each flow's module, function and config. `prefect.yaml` deploys the same flows."""


def run_flow(
    name: str,
    *,
    root: str | Path,
    run_id: str | None,
    config_file: Path | None,
    changes: Sequence[str],
    values: Mapping[str, Any] | None = None,
) -> Any:
    """Run a flow to its end and say what comes next; what the flow returns.

    Args:
        name: the flow.
        root: the store.
        run_id: the run; None for a new one.
        config_file: see `read_values`.
        changes: see `read_values`.
        values: `given` of `read_values`.

    Raises:
        ValueError: no such flow, or a config that does not fit; the field is named.
    """
    console = Console(stderr=True)
    if name not in FLOWS:
        raise ValueError(f"there is no flow {name!r}: expected one of {', '.join(FLOWS)}")
    module, function, config_class = FLOWS[name]
    config = read_config(config_class, config_file, changes, values)
    run_id = check_name("run id", run_id or new_run_id(name))
    for _, engine in config:
        if isinstance(engine, VLLMConfig):
            identify_engine(engine)  # a model that is none is found out here, not in an actor
    store = Store(root)
    console.print(f"store: {store.url}\nrun:   {run_id}")
    console.print(f"UI:    {ensure_server()}")
    _stop_soon_when_interrupted(run_id)
    # Imported late: Prefect reads its settings, the server's address among them, on import.
    flow = getattr(import_module(module), function)
    from flows.runs.recording import without_heartbeats

    with without_heartbeats():  # who started it from a terminal sees whether it still runs
        made = flow(config, store.url, run_id)
    if name == "factory":
        _say_next(Console(), store, run_id)
    elif name in ("evaluation", "search"):
        say(f"next: stepmill report {run_id} --root {shlex.quote(store.url)}")
    return made


def read_config(
    config_class: type[FrozenConfig],
    config_file: Path | None,
    changes: Sequence[str],
    given: Mapping[str, Any] | None = None,
) -> FrozenConfig:
    """A config from its file and single fields (see `read_values`), checked.

    Raises:
        ValueError: what is wrong with which field.
    """
    return config_class.from_partial(read_values(config_file, changes, given))


def read_values(
    config_file: Path | None, changes: Sequence[str], given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The fields of a config that a file and options name, unchecked.

    Args:
        config_file: YAML (or JSON, which is YAML); None for the defaults.
        changes: `field.subfield=value` with YAML values, over what the file says.
        given: fields that options of their own name, over what the file says; None is not given.

    Raises:
        ValueError: a file or a change is no YAML, or names no field.
    """
    values: dict[str, Any] = {}
    if config_file is not None:
        values = _read_yaml(str(config_file), config_file.read_bytes()) or {}
        if not isinstance(values, dict):
            raise ValueError(f"{config_file}: expected fields with values, got {values!r}")
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
        place[leaf] = _read_yaml(f"--set {change}", text)
    return values


def _read_yaml(where: str, text: str | bytes) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        words = " ".join(str(error).split())
        raise ValueError(f"{where}: expected YAML, got what is none: {words}") from error


def _stop_soon_when_interrupted(run_id: str) -> None:
    """Ctrl-C ends the run within seconds, whatever it waits for: nothing committed can be lost."""

    def stop(number: int, frame: object) -> None:
        say(f"stopped: the same command with `--run-id {run_id}` goes on")
        timer = threading.Timer(_PATIENCE_S, os._exit, [128 + number])
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)


def _say_next(console: Console, store: Store, run_id: str) -> None:
    from flows.commands.report import show_report
    from storage import connect

    show_report(connect(store.url), run_id, "table")
    console.print(f"store: {store.url}\n\nnext:")
    root = json.dumps(store.url)
    for command in (
        f'stepmill sql --root {root} "select * from cost"',
        f'stepmill sql --root {root} "select trajectory_id, correct from trajectories '
        "where strategy = 'sample' limit 5\"",
        f"stepmill show --root {root} TRAJECTORY_ID",
    ):
        console.print(f"  {command}", soft_wrap=True, highlight=False)
