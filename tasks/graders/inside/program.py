"""The program's side: it defines what the text defines, and answers calls until it is ended.

Untrusted code shares this process, and can change everything here: what it sends are the values
that it returns, and nothing else is believed.
"""

# ruff: noqa: SIM105, SIM108

import builtins
import json
import os
import sys

sys.path.insert(0, "/harness")
from tasks.graders.inside.codec import decode, encode


def main() -> None:
    """Read the text, run it, answer calls."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)

    def reply(message: object) -> None:
        replies.write(json.dumps(message).encode() + b"\n")
        replies.flush()

    job = json.loads(requests.readline())
    held: list = []

    def refer(value: object) -> int:
        held.append(value)
        return len(held) - 1

    names: dict = {"__name__": "__main__", "__builtins__": builtins}
    try:
        code = compile(job["source"], "program", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reply({"failed": "compile_error", "message": f"{type(error).__name__}: {error}"})
        return
    try:
        exec(job["preamble"], names)
    except SyntaxError:
        pass  # the question is prose
    entry = job["entry"]
    names.pop(entry, None)  # the question has it without a body
    try:
        exec(code, names)
    except BaseException as error:
        kind = "memory" if isinstance(error, MemoryError) else "failed"
        reply({"failed": kind, "message": f"{type(error).__name__}: {error}"})
        return
    solution = names.get("Solution")
    if entry and entry not in names and solution is not None and hasattr(solution, entry):
        names[entry] = lambda *args, **kwargs: getattr(solution(), entry)(*args, **kwargs)
    if entry and not callable(names.get(entry)):
        reply({"failed": "missing", "message": f"no function {entry} is defined"})
        return
    reply({"ready": True})
    for line in requests:
        try:
            op, target, sent = json.loads(line)
            args, kwargs = decode(sent, held.__getitem__)
            if isinstance(target, str):
                target = eval(target, names)
            else:
                target = held[target]
            before = json.dumps([encode(each, lambda _: -1) for each in args])
            if op == "call":
                value = target(*args, **kwargs)
            elif op == "get":
                value = getattr(target, *args)
            else:
                value = list(target)
            message = {"value": encode(value, refer)}
            after = [encode(each, lambda _: -1) for each in args]
            if json.dumps(after) != before:
                message["changed"] = [encode(each, refer) for each in args]
        except BaseException as error:
            message = {"raised": type(error).__name__, "message": str(error)[:300]}
        reply(message)


main()
