"""One run of a proof checker in the sandbox, and what its end says about the proof.

A proof is wrong if the checker spends its processor seconds or its memory on it. If the clock runs
out before, or another process ends the checker, the machine was busy and nothing is decided.
"""

import re
from collections.abc import Callable, Mapping

from schemas.rows import CheckResult
from tasks.graders.proof_tasks import checked
from tasks.sandbox import Limits, run_command

BAD_STATEMENT, KILLED = 4, 5
"""Exit codes of a script: the theorem cannot be asked, and another process ended the checker."""
BY_OTHERS = 128 + 9
"""Exit code of a checker that SIGKILL ended; the end of its processor time is SIGXCPU's."""

_NO_MEMORY = re.compile(r"(?:out of|not enough) memory|excessive memory consumption", re.IGNORECASE)
_SAID_CHARACTERS = 500


def run_checker(
    script: str,
    read: Callable[[str], CheckResult],
    *,
    name: str,
    files: Mapping[str, str],
    limits: Limits,
    folders: Mapping[str, str] | None = None,
    explain: Callable[[str], str] = str.strip,
) -> CheckResult:
    """Run a checker and say what it decided.

    Args:
        script: for `sh`; ends with 0 if all was compiled, else as the constants here say.
        read: the verdict from what a script that ended with 0 printed on standard output.
        name: of the checker, in messages.
        files: see `tasks.sandbox.start`, as `folders`.
        limits: what it may use.
        folders: see `files`.
        explain: the message in what a script that failed printed.
    """
    done = run_command(["/bin/sh", "-c", script], limits=limits, files=files, folders=folders)
    printed = done.stdout.decode(errors="replace")
    said = done.stderr.decode(errors="replace") + (printed if done.exit_code else "")
    said = explain(said)[-_SAID_CHARACTERS:]
    if done.outcome == "timeout" and done.seconds >= limits.deadline_s:
        return checked(
            "undecided",
            f"no verdict after {limits.deadline_s:g} s, in which {name} did not get its "
            f"{limits.cpu_s} processor seconds",
        )
    if done.outcome != "exited":
        return checked(done.outcome, said)
    if done.exit_code == BAD_STATEMENT:
        return checked("bad_check", said)
    if done.exit_code == KILLED:
        return checked("undecided", f"another process ended {name}; {said}")
    if done.exit_code:
        return checked("memory" if _NO_MEMORY.search(said) else "failed", said)
    return read(printed)
