"""Lean 4 proofs, checked by `lean` in the sandbox.

Each module is compiled by a process of its own: what the theorem needs, what is asked, the proof.
The last process has the kernel compare what was asked with what was proved, and prints the axioms;
only what that one prints counts. Without the sandbox nothing is checked.

The toolchain is that of `lean` on the path, or in ~/.elan; with a Lake project, the one that this
names. A project's libraries, built before, can be imported.
Deviation: compiled modules are trusted, as by Lean itself, which does not check them again. So a
proof that made Lean run a program could forge them; `lean_text` refuses what runs programs.
"""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from schemas.rows import CheckResult
from tasks.graders.coq_text import Refused
from tasks.graders.lean_text import AXIOMS, CHECK, PROOF, lean_files, read_lean_proof
from tasks.graders.proof_process import BAD_STATEMENT, BY_OTHERS, KILLED, run_checker
from tasks.graders.proof_tasks import Theorem, checked
from tasks.sandbox import Limits, sandbox_fault

_INSTALL = "install Lean 4 (https://lean-lang.org/install; Debian: apt install elan)"
_TOOL_TIMEOUT_S = 120.0
_NUM_PROCESSES = 64
"""Lean starts threads, also where it uses one."""
_RESERVED_MB, _LIBRARIES_MB = 8192, 32768
"""Address space besides the limit of memory, which Lean itself keeps (`--memory`): it reserves more
than 4 GB for threads as it starts, and maps the libraries."""
_TOOLCHAIN = "/lean"
_LIBRARY = "/library"
_BEGIN = f"""
compile() {{
    {_TOOLCHAIN}/bin/lean --json --threads=1 --memory="$memory" -o "$1.olean" "$1.lean"
    code=$?
    [ $code -ne {BY_OTHERS} ] || exit {KILLED}
    return $code
}}
"""
_PRINTED = re.compile(
    r"'Stepmill\.checked' (?:does not depend on any axioms|depends on axioms: \[([^\]]*)\])"
)


@dataclass(frozen=True, slots=True)
class LeanToolchain:
    """An installed Lean, and the libraries that a project adds."""

    folder: str
    version: str
    libraries: tuple[str, ...]
    digest: str
    """Of the versions that the project names; empty without a project."""


@cache
def lean_toolchain(project: str | None) -> LeanToolchain | str:
    """The Lean of this machine or of a project; as text, why there is none and what to install."""
    found = _program("lean")
    if found is None:
        return f"expected lean to check proofs, there is none on the path or in ~/.elan: {_INSTALL}"
    if project is not None and not (Path(project) / "lake-manifest.json").is_file():
        return f"expected a built Lake project, got {project} without lake-manifest.json"
    try:
        folder = Path(_ask(found, "--print-prefix", project=project))
        said = _ask(str(folder / "bin/lean"), "--version", project=project)
        libraries = _libraries(folder, project)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or error
        return f"expected lean to say where it is, got {str(said).strip()[-300:]}: {_INSTALL}"
    version = re.search(r"version ([^\s,)]+)", said)
    if version is None or not version[1].startswith("4."):
        return f"expected Lean 4, got {said[:100]!r}: {_INSTALL}"
    return LeanToolchain(str(folder), version[1], libraries, _digest(project))


def lean_fault(project: str | None) -> str | None:
    """Say what to install to check proofs by Lean on this machine, or None."""
    found = lean_toolchain(project)
    return found if isinstance(found, str) else sandbox_fault()


def lean_version(project: str | None) -> str:
    """The version of Lean, such as `4.35.0`, and what tells the project; `none` without Lean."""
    found = lean_toolchain(project)
    if isinstance(found, str):
        return "none"
    return f"{found.version}+project-{found.digest}" if found.digest else found.version


def check_lean(
    theorem: Theorem, proof: str, limits: Limits, *, project: str | None = None
) -> CheckResult:
    """Say whether a text proves a theorem without axioms but Lean's and those that it allows."""
    try:
        term = read_lean_proof(proof, theorem)
    except Refused as error:
        return checked("refused", str(error))
    allowed = {*AXIOMS, *theorem.axioms}
    files = lean_files(theorem, term)
    return _run(files, lambda printed: read_lean_axioms(printed, allowed), limits, project)


def check_lean_statement(
    theorem: Theorem, limits: Limits, *, project: str | None = None
) -> CheckResult:
    """Say whether Lean takes a text for a proposition: `passed`, or why not."""
    return _run(lean_files(theorem, None), lambda _: checked("passed"), limits, project)


def read_lean_axioms(printed: str, allowed: set[str]) -> CheckResult:
    """The verdict from the messages of the last process, one in JSON a line."""
    said = [str(message.get("data")) for message in _messages(printed)]
    found = [match for each in said if (match := _PRINTED.fullmatch(each.strip()))]
    if len(found) != 1:
        return checked("failed", f"expected the axioms of the proof, got {' '.join(said)}")
    names = set((found[0][1] or "").replace(",", " ").split())
    if names <= allowed:
        return checked("passed")
    return checked("refused", f"expected a proof without axioms, got {', '.join(sorted(names))}")


def read_lean_error(printed: str) -> str:
    """The first error among Lean's messages; what was printed, where none is a message."""
    messages = list(_messages(printed))
    for message in messages:
        if message.get("severity") == "error":
            return str(message.get("data")).strip()
    rest = (line for line in printed.splitlines() if not line.startswith("{"))
    return "\n".join(rest).strip()


def _run(
    files: dict[str, str],
    read: Callable[[str], CheckResult],
    limits: Limits,
    project: str | None,
) -> CheckResult:
    toolchain = lean_toolchain(project)
    if isinstance(toolchain, str):
        return checked("sandbox_down", toolchain)
    places = {f"{_LIBRARY}/{number}": each for number, each in enumerate(toolchain.libraries)}
    path = ":".join(["/tmp", *places])
    steps = [f"export LEAN_PATH={path}", f"memory={limits.memory_mb}"]
    for module in files:
        end = f">&2 || exit {'$?' if module == PROOF else BAD_STATEMENT}"
        steps.append(f"compile {module} {'' if module == CHECK else end}")
    return run_checker(
        _BEGIN + "\n".join(steps),
        read,
        name="Lean",
        files={f"/tmp/{module}.lean": text for module, text in files.items()},
        folders={_TOOLCHAIN: toolchain.folder, **places},
        limits=replace(
            limits,
            num_processes=_NUM_PROCESSES,
            memory_mb=limits.memory_mb + _RESERVED_MB + (_LIBRARIES_MB if places else 0),
        ),
        explain=read_lean_error,
    )


def _messages(printed: str) -> Iterator[dict[str, Any]]:
    for line in printed.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict):
            yield message


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path=str(Path.home() / ".elan/bin"))


def _libraries(folder: Path, project: str | None) -> tuple[str, ...]:
    if project is None:
        return ()
    said = _ask(str(folder / "bin/lake"), "env", "printenv", "LEAN_PATH", project=project)
    found = (str((Path(project) / each).resolve()) for each in said.split(":") if each)
    return tuple(each for each in found if Path(each).is_dir())


def _ask(*command: str, project: str | None) -> str:
    done = subprocess.run(
        command, cwd=project, capture_output=True, text=True, check=True, timeout=_TOOL_TIMEOUT_S
    )
    return done.stdout.strip()


def _digest(project: str | None) -> str:
    if project is None:
        return ""
    names = ("lean-toolchain", "lake-manifest.json")
    found = (Path(project) / name for name in names)
    texts = b"".join(file.read_bytes() for file in found if file.is_file())
    return hashlib.sha256(texts).hexdigest()[:8]
