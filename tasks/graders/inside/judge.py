"""The judge's side: it runs the tests, and asks the program's process for values.

The functions that tests name are stand-ins, which send their arguments to the other process and
return what comes back, as plain values. The program is never in this process, so it can read no
test, patch no `assert` and forge no verdict. Each `assert` is one check; all of them are made, also
after one that fails. What the program returned, call by call, is its behaviour.
"""

# ruff: noqa: D102, D105, PTH123, SIM115

import ast
import builtins
import hashlib
import json
import os
import random
import select
import sys
import time
from typing import Any

sys.path.insert(0, "/harness")
from tasks.graders.inside.codec import decode, encode

_MAX_REPLY = 4 << 20


class Gone(BaseException):
    """The program answers no more; the text is the status."""


class Unsupported(BaseException):
    """The tests give the program what cannot cross, such as a function."""


class ProgramError(Exception):
    """An exception of the program's own kind."""


class Value:
    """A value of the program that is not plain; equal to nothing but itself."""

    def __init__(self, talk, number):
        self._talk, self._number = talk, number

    def __call__(self, *args, **kwargs):
        return self._talk.ask("call", self._number, args, kwargs)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self._talk.ask("get", self._number, (name,), {})

    def __iter__(self):
        return iter(self._talk.ask("list", self._number, (), {}))


class Function:
    """A name that the program defines."""

    def __init__(self, talk, name):
        self._talk, self._name = talk, name
        self.__name__ = name

    def __call__(self, *args, **kwargs):
        return self._talk.ask("call", self._name, args, kwargs)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self._talk.ask("get", self._name, (name,), {})


class Talk:
    """Requests to the program, and its replies."""

    def __init__(self, deadline):
        self._deadline, self._pending = deadline, b""
        self._returned, self._has_returned = hashlib.sha256(), False
        self.raised = []

    def ask(self, op, target, args, kwargs):
        sent = encode((args, kwargs), self._number_of)
        reply = self.exchange([op, target, sent])
        try:
            if "raised" in reply:
                kind = getattr(builtins, str(reply["raised"]), None)
                is_plain = isinstance(kind, type) and issubclass(kind, Exception)
                error = _make_error(kind if is_plain else ProgramError, reply)
                self.raised.append(error)
                self._note(["raised", type(error).__name__])
            else:
                error, value = None, decode(reply["value"], self._value)
                changed = reply.get("changed") or []
                self._note([*map(_canonical, (reply["value"], *changed))])
                self._has_returned = True
                for mine, theirs in zip(args, changed, strict=False):
                    _update(mine, decode(theirs, self._value))
        except Exception:  # whatever else the program wrote
            raise Gone("output") from None
        if error is not None:
            raise error
        return value

    def behaviour(self):
        """A digest of what came back for each call; None if nothing was ever returned."""
        return self._returned.hexdigest()[:16] if self._has_returned else None

    def _note(self, said):
        self._returned.update(json.dumps(said).encode() + b"\n")

    def exchange(self, request):
        try:
            data = json.dumps(request).encode() + b"\n"
            while data:
                data = data[os.write(1, data) :]
        except OSError:
            raise Gone("ended") from None
        return self.read()

    def read(self):
        while b"\n" not in self._pending:
            left = self._deadline - time.monotonic()
            if left <= 0 or not select.select([0], [], [], left)[0]:
                raise Gone("timeout")
            piece = os.read(0, 1 << 16)
            if not piece:
                raise Gone("ended")
            self._pending += piece
            if len(self._pending) > _MAX_REPLY:
                raise Gone("output")
        line, _, self._pending = self._pending.partition(b"\n")
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError, MemoryError):
            raise Gone("output") from None
        if not isinstance(reply, dict):
            raise Gone("output")
        return reply

    def _value(self, number):
        if type(number) is not int:
            raise ValueError("not a number")
        return Value(self, number)

    def _number_of(self, value):
        if isinstance(value, Value):
            return value._number
        raise Unsupported(f"an argument of type {type(value).__name__}")


def _canonical(value):
    """An encoded value such that equal ones are written alike: 1, 1.0 and True, sets, dicts."""
    if value is True or value is False:
        return ["i", "1" if value else "0"]
    if not isinstance(value, list):
        return value
    mark, *parts = value
    if mark == "f" and float.fromhex(parts[0]).is_integer():
        return ["i", format(int(float.fromhex(parts[0])), "x")]
    if mark in ("l", "t"):
        return [mark, *map(_canonical, parts)]
    if mark in ("s", "z"):
        return ["s", *sorted(map(_canonical, parts), key=json.dumps)]
    if mark == "d":
        return [mark, *sorted([[*map(_canonical, pair)] for pair in parts], key=json.dumps)]
    return value


def _make_error(kind, reply):
    try:
        return kind(str(reply.get("message")))
    except TypeError:
        return ProgramError(str(reply.get("message")))


def _update(mine, theirs):
    if type(mine) is type(theirs) and isinstance(mine, list):
        mine[:] = theirs
    elif type(mine) is type(theirs) and isinstance(mine, dict | set):
        mine.clear()
        mine.update(theirs)


class Checks(ast.NodeTransformer):
    """Makes each `assert` a check that is noted and does not end the test.

    Nor does a call that raises an AssertionError, such as numpy's `assert_allclose`, unless a
    `try` or `with` around it may expect that.
    """

    def __init__(self):
        self.num = 0
        self._num_around = 0

    def visit_Assert(self, node):
        if isinstance(node.test, ast.Constant):
            return node
        number = ast.Constant(self.num)
        self.num += 1
        noted = ast.Try(
            body=[node, _call("passed", number)],
            handlers=[
                ast.ExceptHandler(
                    type=ast.Name("Exception", ast.Load()),
                    name="__error",
                    body=[_call("failed", number, ast.Name("__error", ast.Load()))],
                )
            ],
            orelse=[],
            finalbody=[],
        )
        return ast.fix_missing_locations(ast.copy_location(noted, node))

    def visit_Try(self, node):
        return self._visit_inside(node)

    def visit_With(self, node):
        return self._visit_inside(node)

    def visit_Expr(self, node):
        if self._num_around or not isinstance(node.value, ast.Call):
            return node
        handler = ast.ExceptHandler(
            type=ast.Name("AssertionError", ast.Load()),
            name="__error",
            body=[_call("broke", ast.Name("__error", ast.Load()))],
        )
        noted = ast.Try(body=[node], handlers=[handler], orelse=[], finalbody=[])
        return ast.fix_missing_locations(ast.copy_location(noted, node))

    def _visit_inside(self, node):
        self._num_around += 1
        self.generic_visit(node)
        self._num_around -= 1
        return node


def _call(method, *args):
    function = ast.Attribute(ast.Name("__checks", ast.Load()), method, ast.Load())
    return ast.Expr(ast.Call(function, list(args), []))


class Outcomes:
    """What each check gave."""

    def __init__(self, num):
        self.outcomes = ["not_run"] * num
        self.message = None
        self.is_broken = False

    def passed(self, number):
        if self.outcomes[number] == "not_run":
            self.outcomes[number] = "passed"

    def failed(self, number, error):
        self.outcomes[number] = "failed"
        self.note(error)

    def broke(self, error):
        self.is_broken = True
        self.note(error)

    def note(self, error):
        self.message = self.message or f"{type(error).__name__}: {error}"[:500]


def _free_names(tree):
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return {node.id for node in names} - bound - set(dir(builtins))


def judge(job):
    """The result of one program's tests."""
    talk = Talk(time.monotonic() + job["seconds"])
    try:
        first = talk.exchange({key: job[key] for key in ("source", "preamble", "entry")})
    except Gone as gone:
        return {"status": str(gone), "outcomes": [], "message": None}
    if first.get("ready") is not True:
        known = ("compile_error", "missing", "memory")
        status = first.get("failed")
        status = status if status in known else "failed"
        return {"status": status, "outcomes": [], "message": str(first.get("message"))[:500]}
    names: dict[str, Any] = {"__name__": "tests"}
    try:
        exec(job["preamble"], names)
    except Exception:  # the question is prose, or defines less
        names = {"__name__": "tests"}
    checks = Checks()
    try:
        tree = ast.parse(job["tests"])
        free = _free_names(tree) - {*names}
        code = compile(checks.visit(tree), "tests", "exec")
    except (SyntaxError, ValueError, RecursionError) as error:
        return {"status": "bad_check", "outcomes": [], "message": f"the tests: {error}"[:500]}
    outcomes = Outcomes(max(1, checks.num))
    behaviour = None
    names |= {name: Function(talk, name) for name in free}
    if job["entry"]:
        names[job["entry"]] = Function(talk, job["entry"])
    names["__checks"] = outcomes
    random.seed(0)
    sys.path.append("/packages")
    status = "passed"
    try:
        exec(code, names)
        behaviour = talk.behaviour()
    except Gone as gone:
        status = str(gone)
    except ImportError as error:
        is_theirs = any(error is each for each in talk.raised)
        status = "failed" if is_theirs else "bad_check"
        outcomes.note(error)
    except Unsupported as error:
        status = "bad_check"
        outcomes.note(error)
    except (Exception, SystemExit) as error:
        status = "failed"
        outcomes.broke(error)
        behaviour = talk.behaviour()
    if outcomes.is_broken and status == "passed":
        status = "failed"
    if outcomes.is_broken and set(outcomes.outcomes) == {"passed"}:
        outcomes.outcomes.append("failed")
    if checks.num == 0 and status in ("passed", "failed"):
        outcomes.outcomes = [status]
    if status == "passed" and set(outcomes.outcomes) != {"passed"}:
        status = "failed"
    if status == "failed" and (outcomes.message or "").startswith("MemoryError"):
        status = "memory"
    return {
        "status": status,
        "outcomes": outcomes.outcomes,
        "message": outcomes.message,
        "behaviour": behaviour,
    }


def main():
    """Judge, and say so on stderr, where only the grader reads."""
    verdict = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    sys.stdout = sys.stderr = open(os.devnull, "w")
    with open(sys.argv[1]) as file:
        job = json.load(file)
    try:
        result = judge(job)
    except (MemoryError, RecursionError):
        result = {"status": "output", "outcomes": [], "message": "its values are too large"}
    os.write(verdict, json.dumps(result).encode())
    os._exit(0)


main()
