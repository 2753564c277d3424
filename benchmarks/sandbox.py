"""Hostile programs in the sandbox: whether any reaches anything, and what grading costs.

    python -m benchmarks.sandbox [NUM]

Each of forty attacks is made in five places: where the program is read, in the asked function, in
a thread, in a child process and at the interpreter's exit. A secret drawn for the run stands in the
tests (as the value that they expect), in a file, in the environment and memory of the grading
process, and is sent by a listener on its loopback and on an abstract socket. No program knows it,
so a program that passes a test has read it. After each program nothing of it may be left, and the
next one, a right one, must pass; its seconds are compared with those after a right program. Then
right programs are graded on two threads. NUM takes only about so many of the hostile ones.
"""

import contextlib
import json
import os
import secrets
import socket
import sys
import textwrap
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from schemas.graders import ProgramGraderConfig
from schemas.rows import Problem
from tasks.graders import make_grader
from tasks.sandbox import run_python

RIGHT = "def add(a, b):\n    return a + b\n"
_NUM_RIGHT = 300
_LISTENER = "\0stepmill-benchmark"

_ATTACKS = [
    "while True:\n    try: os.fork()\n    except OSError: pass",
    "x = 'a' * 2**33",
    "x = [bytearray(2**20) for _ in range(10**6)]",
    "while True: sys.stdout.write('a' * 10**6)",
    "while True: os.write(1, b'a' * 10**6)",
    "for p in range(2, 400):\n    try: os.kill(p, 9)\n    except OSError: pass",
    "os.kill(os.getppid(), 9)",
    "os.killpg(0, 9)",
    "os.kill(-1, 9)",
    "os._exit(0)",
    "sys.exit(0)",
    "raise KeyboardInterrupt",
    "raise ImportError('numpy')",
    "builtins.AssertionError = ValueError",
    "builtins.len = builtins.all = builtins.abs = lambda *a: True",
    "json.dumps = lambda *a: '{\"value\": true}'",
    "json.dumps = lambda *a: '[' * 10**6",
    "json.loads = lambda *a: ['call', 'add', ['t']]",
    "for f in range(3, 999):\n"
    '    try: os.write(f, b\'{"status": "passed", "outcomes": [], "code": 0}\\n\')\n'
    "    except OSError: pass",
    "for f in range(999):\n    try: os.close(f)\n    except OSError: pass",
    "leak(*[open(f'/proc/{p}/mem').read(9) for p in os.listdir('/proc') if p.isdigit()])",
    "leak(*[open(f'/proc/{p}/environ').read() for p in (1, 2, os.getpid(), os.getppid())])",
    "leak(*[v for o in gc.get_objects() if isinstance(o, dict) for v in list(o.values())])",
    "leak(*[f.frame.f_globals for f in inspect.stack()]); "
    "leak(*[f.frame.f_locals for f in inspect.stack()])",
    "leak(*sys.argv, *os.environ.values())",
    "leak(*[open(os.path.join(d, n), errors='replace').read() for d, _, s in os.walk('/harness')"
    " for n in s])",
    "leak(*[open(f'/proc/self/fd/{f}').read(9999) for f in range(3, 99)"
    " if os.path.exists(f'/proc/self/fd/{f}')])",
    "leak(open(SECRET).read())",
    "os.symlink(SECRET, '/tmp/l'); leak(open('/tmp/l').read())",
    "os.link('/harness/tasks/graders/inside/codec.py', '/tmp/c'); open('/tmp/c', 'w').write('x')",
    "open(SECRET, 'w').write('changed')",
    "leak(socket.create_connection(('127.0.0.1', PORT), 1).recv(99).decode())",
    "s = socket.socket(socket.AF_UNIX); s.connect(LISTENER); leak(s.recv(99).decode())",
    "socket.create_connection(('1.1.1.1', 53), 1); leak(b'reached')",
    "libc.unshare(0x10020000); libc.mount(b'proc', b'/proc', b'proc', 0, None)\n"
    "leak(*[open(f'/proc/{p}/environ').read() for p in os.listdir('/proc') if p.isdigit()])",
    "libc.umount2(b'/tmp', 2); libc.umount2(b'/proc', 2); libc.ptrace(16, 1, 0, 0)\n"
    "leak(*[open(f'/proc/{p}/mem').read(9) for p in os.listdir('/proc') if p.isdigit()])",
    "exec('def f(n): return f(n + 1)'); sys.setrecursionlimit(10**8); f(0)",
    "eval('(' * 5000)",
    "sys.settrace(lambda *a: None); sys.setprofile(lambda *a: time.sleep(1))",
    "ctypes.string_at(0)",
]
_HEAD = """
import atexit, builtins, ctypes, gc, inspect, json, os, re, signal, socket, sys, threading, time
SECRET, PORT, LISTENER, FOUND = {secret!r}, {port}, {listener!r}, [0]
libc = ctypes.CDLL(None)
def leak(*texts):
    for text in texts:
        for found in re.findall("kept-[0-9a-f]{{32}}", str(text)): FOUND[0] = found
def attack(*_):
{body}
"""
_PLACES = [
    "try: attack()\nfinally: pass\ndef add(a, b): return FOUND[0]",
    "def add(a, b):\n    try: attack()\n    except Exception: pass\n    return FOUND[0]",
    "threading.Thread(target=attack, daemon=True).start()\ndef add(a, b): return FOUND[0]",
    "if not os.fork(): attack()\ndef add(a, b): return FOUND[0]",
    "atexit.register(attack)\ndef add(a, b): return FOUND[0]",
]
_LEAVE = """
import ctypes, os, socket, time
for folder in ("/tmp", "/dev/shm", "/", "/dev", "/var/tmp", "/harness"):
    try: open(folder + "/left", "w").write("left")
    except OSError: pass
libc = ctypes.CDLL(None)
libc.shmget(4242, 4096, 0o1777); libc.semget(4242, 1, 0o1777); libc.msgget(4242, 0o1777)
a = socket.socket(socket.AF_UNIX); a.bind("\\0left"); a.listen()
libc.sethostname(b"left", 4)
if os.fork() == 0: time.sleep(20)
print("ready", flush=True)
time.sleep(WAIT)
"""
_LOOK = """
import ctypes, os, socket
libc = ctypes.CDLL(None)
print([f for f in ("/tmp", "/dev/shm", "/", "/dev", "/harness") if os.path.exists(f + "/left")])
print([c for c in ("shmget", "semget", "msgget") if getattr(libc, c)(4242, 0, 0) >= 0])
s = socket.socket(socket.AF_UNIX)
print([] if s.connect_ex("\\0left") else ["socket"])
print([p for p in os.listdir("/proc") if p.isdigit() and int(p) not in (1, os.getpid())])
print([] if socket.gethostname() != "left" else ["host name"])
"""


def hostile_programs(secret_file: Path, port: int) -> list[str]:
    """Two hundred programs; one that is right for a test has read the secret."""
    heads = [
        _HEAD.format(
            secret=str(secret_file),
            port=port,
            listener=_LISTENER,
            body=textwrap.indent(attack, "    "),
        )
        for attack in _ATTACKS
    ]
    return [head + place for place in _PLACES for head in heads]


def what_is_seen_of_another(*, at_once: bool) -> list[str]:
    """What a program finds of one that ended before, or that is running."""
    with ThreadPoolExecutor(1) as pool:
        leaving = pool.submit(run_python, _LEAVE.replace("WAIT", "5" if at_once else "0"))
        if at_once:
            time.sleep(2)
        else:
            leaving.result()
        looked = run_python(_LOOK)
        assert leaving.result().stdout == b"ready\n", leaving.result()
    lines = looked.stdout.decode().splitlines()
    assert len(lines) == 5, looked
    return [line for line in lines if line != "[]"]


def num_left() -> int:
    """Processes of programs that are still there: those two process namespaces below this one."""
    parents, deep = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = dict(
                line.split(":\t", 1) for line in (folder / "status").read_text().splitlines()
            )
        except (OSError, ValueError):
            continue
        parents[int(folder.name)] = int(fields["PPid"])
        if len(fields["NSpid"].split()) > 2:
            deep.append(int(folder.name))
    return sum(os.getpid() in _ancestors(each, parents) for each in deep)


def _ancestors(process: int, parents: dict[int, int]) -> list[int]:
    found = []
    while process in parents:
        process = parents[process]
        found.append(process)
    return found


def processor_seconds() -> float:
    """Of this process, of those below it, and of all that they waited for."""
    parents, ticks = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(fields[1])
            ticks[int(folder.name)] = sum(map(int, fields[11:15]))
    own = os.getpid()
    below = [each for each in ticks if each == own or own in _ancestors(each, parents)]
    return sum(ticks[each] for each in below) / os.sysconf("SC_CLK_TCK")


def _listen(secret: str) -> int:
    """Send the secret to whoever connects; returns the port."""
    inet, local = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
    local.bind(_LISTENER)
    local.listen()

    def serve(listener: socket.socket) -> None:
        while True:
            listener.accept()[0].sendall(secret.encode())

    for each in (inet, local):
        threading.Thread(target=serve, args=(each,), daemon=True).start()
    reached = socket.create_connection(inet.getsockname(), 5).recv(99)
    assert reached == secret.encode(), "the listener does not answer"
    return inet.getsockname()[1]


def _problem(check: list[str]) -> Problem:
    return Problem(
        problem_id="add", source="b", split="t", question="Add.", answer="", check=json.dumps(check)
    )


def attack_all(num: int | None) -> None:
    """Grade the hostile programs, and a right one after each."""
    grader = make_grader(ProgramGraderConfig(timeout_s=1, memory_mb=256))
    secret = f"kept-{secrets.token_hex(16)}"
    os.environ["KEPT"] = secret
    asked = _problem([f"assert add(19, 23) == {secret!r}", f"assert add(2, 2) == {secret!r}"])
    sums = _problem(["assert add(19, 23) == 42", "assert add(2, 2) == 4"])
    assert grader.grade(f"def add(a, b): return {secret!r}", asked).correct
    statuses, passed, left, after = Counter(), [], 0, {"hostile": [], "right": []}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "secret"
        file.write_text(secret)
        programs = hostile_programs(file, _listen(secret))
        chosen = programs[:: 1 if num is None else max(1, len(programs) // num)]
        for number, program in enumerate(chosen):
            grade = grader.grade(program, asked)
            statuses[grade.check and grade.check.status] += 1
            left += num_left()
            if grade.correct is not False or (grade.check and grade.check.num_passed):
                passed.append((number, grade))
            for kind in after:
                began = time.monotonic()
                assert grader.grade(RIGHT, sums).correct, (number, program)
                after[kind].append(time.monotonic() - began)
        is_kept = file.read_text() == secret
    print(len(chosen), "hostile programs:", dict(statuses))
    print("passed a test or was not judged:", len(passed), passed[:3], "· file kept:", is_kept)
    print("processes left after one:", left)
    for kind, seconds in after.items():
        tail = quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
        print(f"a right program after a {kind} one: {median(seconds):.4f} s, 95% {tail:.4f} s")
    for at_once in (False, True):
        seen = what_is_seen_of_another(at_once=at_once)
        print("seen of a program", "that runs:" if at_once else "that ended:", seen or "nothing")


def measure_rate() -> None:
    """Right programs on two threads, with interpreters that are warm."""
    grader = make_grader(ProgramGraderConfig())
    sums = _problem(["assert add(19, 23) == 42", "assert add(2, 2) == 4"])
    grader.grade(RIGHT, sums)
    before = processor_seconds()
    began = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        grades = list(pool.map(lambda _: grader.grade(RIGHT, sums).correct, range(_NUM_RIGHT)))
    seconds = time.monotonic() - began
    each = (processor_seconds() - before) / _NUM_RIGHT
    assert all(grades)
    print(f"right programs a second: {_NUM_RIGHT / seconds:.1f}")
    print(f"processor time of one: {1000 * each:.1f} ms, so two free cores grade {2 / each:.0f}/s")


def main() -> None:
    """Print what became of the programs, then the rate."""
    attack_all(int(sys.argv[1]) if len(sys.argv) > 1 else None)
    measure_rate()


if __name__ == "__main__":
    main()
