"""Prefect's server on a real PostgreSQL: parallel tasks of two processes, no logged error."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
TASKS, THREADS, PROCESSES = 200, 32, 2
PATIENCE_S = 180.0
LOAD = f"""
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

@task
def count(number: int) -> int:
    return number

@flow(task_runner=ThreadPoolTaskRunner(max_workers={THREADS}))
def load() -> int:
    return sum(count.map(range({TASKS})).result())

assert load() == {sum(range(TASKS))}
"""
ERRORS = re.compile(r"error|exception|traceback|locked", re.IGNORECASE)


def find_binaries():
    folders = [Path(found).parent for found in [shutil.which("initdb")] if found]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


@pytest.fixture(scope="module")
def postgres():
    """The connection URL of a database in its own folder, served on a Unix socket."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's programs are not installed (Debian: apt-get install postgresql)")
    # PostgreSQL refuses to run as root, and a socket's path must be short.
    as_postgres = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    if as_postgres:
        shutil.chown(folder, "postgres")

    def run(program, *arguments):
        command = [*as_postgres, str(binaries / program), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, cwd="/tmp")

    data = folder / "data"
    try:
        run("initdb", "-D", data, "-U", "stepmill", "-A", "trust", "-N")
        options = f"-k {folder} -c listen_addresses="
        run("pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
        try:
            run("createdb", "-h", folder, "-U", "stepmill", "prefect")
            yield f"postgresql+asyncpg://stepmill@/prefect?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def prefect_on_postgres(postgres, tmp_path_factory):
    """The API's URL of a Prefect server on that database, and its log."""
    folder = tmp_path_factory.mktemp("prefect-on-postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_HOME": str(folder),
        "PREFECT_API_DATABASE_CONNECTION_URL": postgres,
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
    }
    log = folder / "server.log"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1"]
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [*command, "--port", str(port)], stdout=stream, stderr=stream, env=environment
        )
    try:
        wait_until(lambda: answers(environment["PREFECT_API_URL"]), log)
        yield environment, log
    finally:
        server.terminate()
        server.wait(60)


def wait_until(is_true, log):
    deadline = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline, log.read_text()[-4000:]
        time.sleep(0.5)


def answers(url):
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as reply:
            return reply.status == 200
    except OSError:
        return False


def count_runs(kind, url):
    """How many runs of a kind are completed."""
    body = f'{{"{kind}": {{"state": {{"type": {{"any_": ["COMPLETED"]}}}}}}}}'
    request = urllib.request.Request(
        f"{url}/{kind}/count", body.encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return int(reply.read())


def test_parallel_tasks_of_two_processes_all_complete_without_a_database_error(prefect_on_postgres):
    environment, log = prefect_on_postgres
    loads = [
        subprocess.Popen([sys.executable, "-c", LOAD], env=environment, stderr=subprocess.PIPE)
        for _ in range(PROCESSES)
    ]
    said = [load.communicate(timeout=PATIENCE_S)[1].decode() for load in loads]
    assert [load.returncode for load in loads] == [0] * PROCESSES, said
    url = environment["PREFECT_API_URL"]
    # The server records the states of tasks a little after it receives them.
    wait_until(lambda: count_runs("task_runs", url) == TASKS * PROCESSES, log)
    assert count_runs("flow_runs", url) == PROCESSES
    assert [line for line in log.read_text().splitlines() if ERRORS.search(line)] == []
