"""What commands and actors import: the modules of a fresh interpreter, as times vary."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
UNUSED = {
    *("torch", "vllm", "ray", "transformers", "datasets", "trl", "peft"),
    *("matplotlib", "sympy", "math_verify"),
}

SQL = """
import tempfile
from flows.cli import load_command
from storage import Store, connect, query
load_command("sql")
with tempfile.TemporaryDirectory() as root:
    query(connect(Store(root).url), "select count(*) from trajectories").fetchall()
"""
LINE_AND_SERVED_MODEL = """
import tasks.engines.local_pool, tasks.engines.openai_engine
from flows.cli import load_command
from flows.registry import flow_named
load_command("run")
for name in ("sampling", "factory"):
    flow_named(name).load()
flow_named("factory").config()
"""
ACTOR = """
import tasks.engines.host, tasks.sampling.sample, tasks.step_labels.labels, tasks.search.search
"""


@pytest.mark.parametrize(
    ("script", "unused"),
    [(SQL, {"prefect", "pandas"}), (LINE_AND_SERVED_MODEL, set()), (ACTOR, {"prefect", "pandas"})],
    ids=["sql", "line and served model", "actor"],
)
def test_what_is_not_used_is_not_imported(script, unused):
    ending = "\nimport json, sys\nprint(json.dumps([*sys.modules]))"
    command = [sys.executable, "-c", script + ending]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=True)
    imported = json.loads(done.stdout.splitlines()[-1])
    assert {name.partition(".")[0] for name in imported} & (UNUSED | unused) == set()
    configs = {n for n in imported if n.startswith(("schemas.experiments.", "schemas.loops."))}
    assert configs <= {"schemas.experiments.experiment", "schemas.experiments.relation"}
