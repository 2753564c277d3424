"""What is printed as the next command runs as it is printed."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows.runs.own_commands import as_typed

BIN = Path(sys.executable).parent


def test_an_activated_environment_needs_no_path(monkeypatch):
    monkeypatch.setenv("PATH", f"{BIN}:/usr/bin:/bin")
    assert as_typed("stepmill report first --root a") == "stepmill report first --root a"


@pytest.mark.parametrize("below", [True, False])
def test_elsewhere_the_printed_command_has_the_path_and_runs(monkeypatch, tmp_path, below):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    folder = BIN.parent.parent if below else tmp_path
    monkeypatch.chdir(folder)
    command = as_typed("stepmill --version")
    assert command.startswith(".venv/bin/stepmill" if below else str(BIN))
    ended = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.startswith("stepmill ")) == (0, True)


def test_a_command_of_another_program_is_left_alone(monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert as_typed("prefect deployment ls") == "prefect deployment ls"
