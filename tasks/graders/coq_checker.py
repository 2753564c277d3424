"""Coq proofs, checked by `coqc` in the sandbox.

One process compiles the proof. A second, in files that the first cannot write, parses the statement
before it loads the compiled proof, has the kernel compare the types, and prints the axioms; only
what that one prints counts. Without the sandbox nothing is checked.

A proof is wrong if Coq spends its processor seconds or its memory on it. If the clock runs out
before, or another process ends Coq, the machine was busy and nothing is decided.
"""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from schemas.rows import CheckResult
from tasks.graders.coq_text import Refused, read_tactics
from tasks.graders.proof_process import BAD_STATEMENT, BY_OTHERS, KILLED, run_checker
from tasks.graders.proof_tasks import Theorem, checked
from tasks.sandbox import Limits, sandbox_fault

_FINDLIB = Path("/etc/ocamlfind.conf")
"""Where Coq's plugins are found; the sandbox has no /etc."""
_CLOSED = "Closed under the global context"
_BEGIN = f"""
compile() {{
    OCAMLFIND_CONF=/tmp/findlib.conf coqc -q -Q . S "$1"
    code=$?
    [ $code -ne {BY_OTHERS} ] || exit {KILLED}
    return $code
}}
"""
"""Coq does not hold back SIGXCPU, so only another process ends it by SIGKILL."""


def coq_fault() -> str | None:
    """Say what to install to check proofs by Coq on this machine, or None."""
    if shutil.which("coqc") is None:
        return "expected coqc to check proofs, there is none: install Coq (Debian: apt install coq)"
    return sandbox_fault()


@cache
def coq_version() -> str:
    """The version of the Coq that is installed, such as `8.16.1`; `none` without one."""
    if shutil.which("coqc") is None:
        return "none"
    done = subprocess.run(["coqc", "-print-version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[0]


def check_coq(theorem: Theorem, proof: str, limits: Limits) -> CheckResult:
    """Say whether a text proves a theorem without axioms but those that the theorem allows."""
    try:
        tactics = read_tactics(proof, theorem.statement)
    except Refused as error:
        return checked("refused", str(error))
    lines = [_begin(theorem), f"Theorem goal : {_enclosed(theorem)}.", "Proof.", tactics, "Qed."]
    files = {
        "/tmp/Proof.v": "\n".join(lines),
        "/tmp/Check.v": "\n".join(
            [
                _begin(theorem),
                f"Definition asked : Type := {_enclosed(theorem)}.",
                "Require S.Proof.",
                "Definition proved : asked := S.Proof.goal.",
                "Print Assumptions proved.",
            ]
        ),
    }
    return _run(theorem, files, "compile Proof.v >&2 || exit $?; compile Check.v", limits)


def check_coq_statement(theorem: Theorem, limits: Limits) -> CheckResult:
    """Say whether Coq takes a text for a proposition: `passed`, or why not."""
    text = f"{_begin(theorem)}\nDefinition asked : Type := {_enclosed(theorem)}."
    text += "\nDefinition proved := I.\nPrint Assumptions proved."
    return _run(theorem, {"/tmp/Check.v": text}, "compile Check.v", limits)


def _run(theorem: Theorem, files: dict[str, str], command: str, limits: Limits) -> CheckResult:
    if theorem.definitions:
        files["/tmp/Given.v"] = f"{theorem.header}\n{theorem.definitions}\n"
        command = f"compile Given.v >&2 || exit {BAD_STATEMENT}; {command}"
    files["/tmp/findlib.conf"] = _FINDLIB.read_text() if _FINDLIB.exists() else ""
    return run_checker(
        _BEGIN + command,
        lambda printed: _read_axioms(printed, theorem.axioms),
        name="Coq",
        files=files,
        limits=limits,
    )


def _read_axioms(printed: str, allowed: tuple[str, ...]) -> CheckResult:
    printed = printed.strip()
    if printed == _CLOSED:
        return checked("passed")
    first, *lines = printed.split("\n")
    names = [line.split()[0] for line in lines if line[:1].strip()]
    if first == "Axioms:" and names and set(names) <= set(allowed):
        return checked("passed")
    return checked(
        "refused", f"expected a proof without axioms, got {' '.join(printed.split())}"[:500]
    )


def _begin(theorem: Theorem) -> str:
    given = "Require Import S.Given." if theorem.definitions else ""
    return f"{theorem.header}\n{given}"


def _enclosed(theorem: Theorem) -> str:
    return f"({re.sub(r'[.]+$', '', theorem.statement.strip())})"
