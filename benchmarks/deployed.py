"""A sampling run as a deployment: `stepmill serve` in a process, and a requested run."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from os import environ
from pathlib import Path
from typing import Any

import psutil
import yaml

from flows.server.deployment_names import POOL
from schemas.sampling import SamplingJob

_TIMEOUT_S = 400.0
_ENDING_S = 40.0
_LOOK_EVERY_S = 0.1
_ENDS = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class DeployedRun:
    """A run started by a Prefect worker, which `stepmill serve` owns."""

    def __init__(self, root: Path, job: SamplingJob, run_id: str) -> None:
        """Serve one deployment and request a run of it.

        Raises:
            RuntimeError: it could not be served.
        """
        self._log = root.with_suffix(".log")
        deployments = root.with_suffix(".deployments.yaml")
        deployments.write_text(yaml.safe_dump(_deployments()))
        command = [sys.executable, "-m", "flows.cli", "serve"]
        with self._log.open("wb") as log:
            self._serve = subprocess.Popen(
                [*command, "--root", str(root), "--deployments", str(deployments)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.top = psutil.Process(self._serve.pid)
        try:
            self._wait_until_ready()
            deployment = _ask("GET", "deployments/name/sampling/killed")
            parameters = {
                "root": str(root),
                "run_id": run_id,
                "job": job.model_dump(mode="json"),
            }
            made = _ask(
                "POST", f"deployments/{deployment['id']}/create_flow_run", parameters=parameters
            )
        except BaseException:
            self.close()
            raise
        self._run = made["id"]

    def is_over(self) -> bool:
        """Whether the run has ended or is no longer served."""
        return self._serve.poll() is not None or self._state()["type"] in _ENDS

    def message(self) -> str | None:
        """Why the run, or serving it, failed; None if it succeeded."""
        state = self._state()
        if state["type"] == "COMPLETED":
            return None
        if self._serve.poll() is None:
            return f"{state['type']}: {state['message']}"
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line]
        return f"serve: exit {self._serve.returncode}: {lines[-1] if lines else ''}"

    def close(self) -> None:
        """Stop serving."""
        if self._serve.poll() is None:
            self._serve.send_signal(signal.SIGTERM)
            try:
                self._serve.wait(_ENDING_S)
            except subprocess.TimeoutExpired:
                self._serve.kill()
                self._serve.wait()

    def _state(self) -> dict[str, Any]:
        return _ask("GET", f"flow_runs/{self._run}")["state"]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _TIMEOUT_S
        while "ready; " not in self._log.read_text(errors="replace"):
            if self._serve.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"stepmill serve did not start: {self._log.read_text()}")
            time.sleep(_LOOK_EVERY_S)


def _deployments() -> dict[str, Any]:
    deployment = {
        "name": "killed",
        "entrypoint": "benchmarks.killed:sample",
        "work_pool": {"name": POOL},
        "parameters": {},
    }
    return {"name": "stepmill", "deployments": [deployment]}


def _ask(method: str, path: str, **fields: Any) -> Any:
    """A response of the Prefect server."""
    request = urllib.request.Request(
        f"{environ['PREFECT_API_URL']}/{path}",
        method=method,
        data=json.dumps(fields).encode() if fields else None,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)
