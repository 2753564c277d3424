"""Hostile programs in the sandbox: whether any passes or reaches a file outside, and the rate.

    python -m benchmarks.sandbox [NUM]

Each of forty attacks is made in five places: where the program is read, in the asked function, in
a thread, in a child process and at the interpreter's exit. Then right programs are graded for ten
seconds on two threads, all of which must pass. NUM takes only about so many of the hostile ones.
"""

import json
import sys
import textwrap
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from schemas.graders import ProgramGraderConfig
from schemas.rows import Problem
from tasks.graders import make_grader

_RIGHT = "def add(a, b):\n    return a + b\n"
_CHECK = json.dumps(["assert add(19, 23) == 42", "assert add(2, 2) == 4"])
_RATE_S = 10.0

_ATTACKS = [
    "while True:\n    try: os.fork()\n    except OSError: pass",
    "x = 'a' * 2**33",
    "x = [bytearray(2**20) for _ in range(10**6)]",
    "while True: sys.stdout.write('a' * 10**6)",
    "while True: sys.stderr.write('a' * 10**6)",
    "while True: os.write(1, b'a' * 10**6)",
    "for p in range(2, 400):\n    try: os.kill(p, 9)\n    except OSError: pass",
    "os.kill(os.getppid(), 9)",
    "os.killpg(0, 9)",
    "os.kill(-1, 9)",
    "os._exit(0)",
    "sys.exit(0)",
    "raise SystemExit(0)",
    "raise KeyboardInterrupt",
    "raise ImportError('numpy')",
    "builtins.AssertionError = ValueError",
    "builtins.len = builtins.all = builtins.abs = lambda *a: True",
    "json.dumps = lambda *a: '{\"value\": true}'",
    "json.dumps = lambda *a: '[' * 10**6",
    "json.loads = lambda *a: ['call', 'add', ['t']]",
    "for f in range(3, 99):\n"
    '    try: os.write(f, b\'{"status": "passed", "outcomes": []}\\n\')\n'
    "    except OSError: pass",
    "for f in range(99):\n    try: os.close(f)\n    except OSError: pass",
    "for f in range(3, 99):\n    try: os.dup2(1, f)\n    except OSError: pass",
    "leak(*[open(f'/proc/{p}/mem').read(9) for p in os.listdir('/proc') if p.isdigit()])",
    "leak(open('/proc/1/environ').read())",
    "leak(*[v for o in gc.get_objects() if isinstance(o, dict) for v in list(o.values())])",
    "leak(*[f.frame.f_globals for f in inspect.stack()]); "
    "leak(*[f.frame.f_locals for f in inspect.stack()])",
    "leak(*sys.argv, *os.environ.values())",
    "leak(*[open(os.path.join(d, n), errors='replace').read() for d, _, s in os.walk('/harness')"
    " for n in s])",
    "leak(open('/job.json').read())",
    "leak(open(SECRET).read())",
    "os.symlink(SECRET, '/tmp/l'); leak(open('/tmp/l').read())",
    "os.link('/harness/tasks/graders/inside/codec.py', '/tmp/c'); open('/tmp/c', 'w').write('x')",
    "open(SECRET, 'w').write('changed')",
    "socket.create_connection(('127.0.0.1', PORT), 1); leak('42')",
    "socket.create_connection(('1.1.1.1', 53), 1); leak('42')",
    "exec('def f(n): return f(n + 1)'); sys.setrecursionlimit(10**8); f(0)",
    "eval('(' * 5000)",
    "sys.settrace(lambda *a: None); sys.setprofile(lambda *a: time.sleep(1))",
    "ctypes.string_at(0)",
]
_HEAD = """
import atexit, builtins, ctypes, gc, inspect, json, os, signal, socket, sys, threading, time
SECRET, PORT = {secret!r}, 22
CALL, KEPT = "".join(["add(1", "9, 23)"]), " ".join(["the", "store's", "secret"])
FOUND = [0]
def leak(*texts):
    FOUND[0] = 42 if any(CALL in str(t) for t in texts) else FOUND[0]
    FOUND[0] = 42 if any(KEPT in str(t) for t in texts) else FOUND[0]
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


def hostile_programs(secret: Path) -> list[str]:
    """Two hundred programs; `FOUND[0]` is right for the first test if something was reached."""
    heads = [
        _HEAD.format(secret=str(secret), body=textwrap.indent(attack, "    "))
        for attack in _ATTACKS
    ]
    return [head + place for place in _PLACES for head in heads]


def main() -> None:
    """Run the programs, print what became of them, and the rate of right ones."""
    config = ProgramGraderConfig(timeout_s=1, memory_mb=256)
    grader = make_grader(config)
    problem = Problem(
        problem_id="add", source="b", split="t", question="Add.", answer="", check=_CHECK
    )
    num = int(sys.argv[1]) if len(sys.argv) > 1 else None
    with TemporaryDirectory() as folder:
        secret = Path(folder) / "secret"
        secret.write_text("the store's secret")
        programs = hostile_programs(secret)[:: 1 if num is None else max(1, 200 // num)]
        with ThreadPoolExecutor(2) as pool:
            grades = list(pool.map(lambda text: grader.grade(text, problem), programs))
        is_kept = secret.read_text() == "the store's secret"
    reached = [g for g in grades if g.correct or (g.check and g.check.num_passed)]
    print(
        len(programs),
        "hostile programs:",
        dict(Counter(g.check and g.check.status for g in grades)),
    )
    print("passed a test:", len(reached), "· file kept:", is_kept)
    began, graded = time.monotonic(), 0
    with ThreadPoolExecutor(2) as pool:
        while time.monotonic() - began < _RATE_S:
            done = list(pool.map(lambda _: grader.grade(_RIGHT, problem).correct, range(20)))
            assert all(done)
            graded += len(done)
    print(f"right programs a second: {graded / (time.monotonic() - began):.1f}")


if __name__ == "__main__":
    main()
