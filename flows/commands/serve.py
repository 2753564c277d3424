"""`stepmill serve`: a Prefect server, every flow deployed, and a worker, until it is stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from flows.commands.options import DEFAULT_ROOT, Root
from flows.runs.folding import nightly_folding
from flows.server.prefect_server import Process, end_group, serving
from schemas.errors import StepmillError
from storage import Store

POOL = "stepmill"
DEPLOYMENTS = Path(__file__).resolve().parents[2] / "prefect.yaml"
"""Beside the packages, in a checkout or an editable install of one."""

_LOOK_EVERY_S = 0.5
_EXAMPLE = (
    """prefect deployment run factory/factory -p config='{"eval_sampling": {"num_samples": 16}}'"""
)


def serve(
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port of the Prefect server; by default one of 4200 to 4209."
        ),
    ] = None,
    deployments: Annotated[
        Path | None, typer.Option(help="A file like prefect.yaml; by default that one.")
    ] = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Deploy every flow and run what is scheduled or requested, until Ctrl-C."""
    keep_serving(root, port=port, deployments=deployments)


def keep_serving(root: str, *, port: int | None = None, deployments: Path | None = None) -> None:
    """Start server, work pool, deployments and worker; return when stopped.

    Args:
        root: the store of all runs that do not name another.
        port: the server's port, whether it already runs or is started; None for a usual one.
        deployments: a file like `prefect.yaml`; None for `prefect.yaml` itself.

    Raises:
        StepmillError: a process did not start, or ended by itself.
    """
    store, console = Store(root), Console(stderr=True)
    file = DEPLOYMENTS if deployments is None else deployments.absolute()
    if not file.is_file():
        raise StepmillError(f"expected the deployments in {file}, which does not exist")
    os.environ["STEPMILL_ROOT"] = store.url
    signal.signal(signal.SIGTERM, _stop)
    console.print(f"store: {store.url}", soft_wrap=True)
    with serving(port) as (url, server):
        console.print(f"UI:    {url}")
        _make_pool()
        console.print("deploying every flow, about a second each ...", highlight=False)
        _deploy(file)
        found = _list_deployments()
        width = max((len(name) for name, _ in found), default=0)
        for name, schedule in found:
            console.print(f"  {name:<{width}}  {schedule}", soft_wrap=True, highlight=False)
        console.print("start one, for example:", highlight=False)
        console.print(f"  export PREFECT_API_URL={url}/api", soft_wrap=True, highlight=False)
        console.print(f"  {_EXAMPLE}", soft_wrap=True, highlight=False)
        with _worker() as worker, nightly_folding(store):
            ends = "the worker" if server is None else "the worker and the server"
            console.print(f"ready; Ctrl-C ends {ends}", highlight=False)
            _wait(worker, server)


def _stop(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _make_pool() -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    pool = WorkPoolCreate(name=POOL, type="process", base_job_template=template)
    with get_client(sync_client=True) as client, contextlib.suppress(ObjectAlreadyExists):
        client.create_work_pool(pool)


def _deploy(file: Path) -> None:
    command = [*_prefect("--no-prompt", "deploy", "--all"), "--prefect-file", str(file)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise StepmillError(f"{file} cannot be deployed:\n{finished.stdout}{finished.stderr}")


def _list_deployments() -> list[tuple[str, str]]:
    """Each deployment of the pool, and when it runs."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName

    ours = WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))
    with get_client(sync_client=True) as client:
        found = client.read_deployments(work_pool_filter=ours)
        flows = {d.flow_id: client.read_flow(d.flow_id).name for d in found}
    return sorted(
        (
            f"{flows[deployment.flow_id]}/{deployment.name}",
            ", ".join(_say_when(s.schedule) for s in deployment.schedules if s.active)
            or "on request",
        )
        for deployment in found
    )


def _say_when(schedule: Any) -> str:
    if cron := getattr(schedule, "cron", None):
        return f"cron {cron} {schedule.timezone or 'UTC'}"
    if interval := getattr(schedule, "interval", None):
        return f"every {interval}"
    return str(schedule.rrule)


@contextlib.contextmanager
def _worker() -> Iterator[Process]:
    """A worker and its runs in their own process group, which ends with the block."""
    command = _prefect("worker", "start", "--pool", POOL, "--type", "process")
    # What a run prints arrives on standard error; of Prefect's log only warnings and errors.
    environment = {**os.environ, "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING"}
    worker = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, start_new_session=True, env=environment
    )
    try:
        yield worker
    finally:
        end_group(worker)


def _wait(worker: Process, server: Process | None) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            for name, process in (("worker", worker), ("Prefect server", server)):
                if process is not None and process.poll() is not None:
                    raise StepmillError(f"the {name} ended by itself, with {process.returncode}")
            time.sleep(_LOOK_EVERY_S)


def _prefect(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "prefect", *arguments]
