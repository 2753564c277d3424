"""Programs forked by a warm interpreter: rights, what they see of one another, how they end."""

import multiprocessing
import os
import signal

import pytest

from tasks.sandbox import Limits, run_command, run_python, sandbox_fault
from tasks.sandbox.bubblewrap import PYTHON
from tasks.sandbox.warm import warm_interpreter

pytestmark = pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))

LEAVE = """
import ctypes, os, socket, time
for folder in ("/tmp", "/dev/shm", "/", "/dev", "/harness"):
    try: open(folder + "/left", "w").write("left")
    except OSError: pass
ctypes.CDLL(None).shmget(4242, 4096, 0o1777)
a = socket.socket(socket.AF_UNIX); a.bind("\\0left"); a.listen()
if os.fork() == 0: time.sleep(30)
"""
LOOK = """
import ctypes, os, socket
print([f for f in ("/tmp", "/dev/shm", "/", "/dev", "/harness") if os.path.exists(f + "/left")])
print(ctypes.CDLL(None).shmget(4242, 0, 0))
print(socket.socket(socket.AF_UNIX).connect_ex("\\0left") != 0)
print(sorted(p for p in os.listdir("/proc") if p.isdigit()))
"""


def test_a_program_has_no_rights():
    status = run_python("print(open('/proc/self/status').read())").stdout.decode()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {int(fields[name], 16) for name in fields if name.startswith("Cap")} == {0}
    assert fields["NoNewPrivs"] == "1"
    assert int(fields["Uid"].split()[0]) >= 20_000


def test_nothing_of_a_program_is_seen_by_the_next():
    assert run_python(LEAVE).outcome == "exited"
    assert run_python(LOOK).stdout.decode().splitlines() == ["[]", "-1", "True", "['1', '2']"]


@pytest.mark.parametrize(
    ("source", "outcome", "code", "stderr"),
    [
        ("print(input()); raise SystemExit(3)", "exited", 3, ""),
        ("import os; os.abort()", "exited", 134, ""),
        ("import sys; sys.exit('no')", "exited", 1, "no\n"),
        ("import atexit; atexit.register(print, 'end')", "exited", 0, ""),
        ("import threading as t; t.Thread(target=print, args=('in',)).start()", "exited", 0, ""),
        ("def f():\n    return 1 / 0\nf()", "exited", 1, "ZeroDivisionError: division by zero\n"),
        ("import sys; print('all'); sys.stdout.close()", "exited", 0, ""),
        ("x = (", "exited", 1, "SyntaxError: '(' was never closed\n"),
        ("x = 'a' * 2**33", "memory", None, "MemoryError\n"),
        ("while True: print(1)", "output", None, ""),
        ("while True: pass", "timeout", None, ""),
    ],
)
def test_it_ends_as_under_an_interpreter_of_its_own(source, outcome, code, stderr):
    limits = Limits(cpu_s=1)
    warm = run_python(source, stdin="given", limits=limits)
    cold = run_command(
        [PYTHON, "-I", "-S", "/program.py"],
        files={"/program.py": source},
        stdin="given",
        limits=limits,
    )
    for done in (warm, cold):
        assert (done.outcome, done.exit_code) == (outcome, code)
        assert done.stderr.decode().endswith(stderr)
    assert warm.stdout == cold.stdout


def test_an_interpreter_that_was_killed_is_started_again():
    assert run_python("print(1)").stdout == b"1\n"
    interpreter = warm_interpreter({})
    assert interpreter is not None
    os.kill(interpreter.process_id, signal.SIGKILL)
    while interpreter.is_running:
        pass
    assert run_python("print(2)").stdout == b"2\n"


def test_a_forked_process_has_interpreters_of_its_own():
    assert run_python("print(1)").stdout == b"1\n"
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(run_python, ("print(2)",)).stdout == b"2\n"
    assert run_python("print(3)").stdout == b"3\n"
