"""Lean proofs: what Lean's messages say, and the sandbox's part with a stand-in for `lean`.

The stand-in answers as Lean 4.35 does, word for word. The tests at the end need a real Lean.
"""

import json

import pytest

from schemas.graders import ProofGraderConfig
from tasks.graders import grader_fault, make_grader
from tasks.graders.lean_checker import (
    check_lean,
    lean_fault,
    lean_toolchain,
    lean_version,
    read_lean_axioms,
    read_lean_error,
)
from tasks.graders.lean_text import AXIOMS
from tasks.graders.proof_tasks import Theorem
from tasks.sandbox import Limits, sandbox_fault

NO_AXIOMS = "'Stepmill.checked' does not depend on any axioms"
SOME = "'Stepmill.checked' depends on axioms: [{}]"
VERSION = "Lean (version 4.35.0, x86_64-unknown-linux-gnu, commit eb6cafb7290e, Release)"
LIMITS = Limits(cpu_s=30, memory_mb=2048)


def message(data, severity="information", kind="[anonymous]"):
    """A line of `lean --json`."""
    place = {"column": 0, "line": 4}
    start = {"caption": "", "data": data, "endPos": place, "fileName": "StepmillCheck.lean"}
    start |= {"isSilent": False, "keepFullRange": False, "kind": kind, "pos": place}
    return json.dumps(start | {"severity": severity})


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (NO_AXIOMS, "passed"),
        (SOME.format("propext"), "passed"),
        (SOME.format("propext,\n Classical.choice,\n Quot.sound"), "passed"),
        (SOME.format("propext, sorryAx"), "refused"),
        (SOME.format("propext, Lean.ofReduceBool"), "refused"),
        (SOME.format("Stepmill.goal._native.native_decide.ax_1_1"), "refused"),
        ("'Other.checked' does not depend on any axioms", "failed"),
    ],
)
def test_axioms_are_read_from_the_last_message(data, status):
    lines = [message("declaration uses `sorry`", "warning", "hasSorry"), message(data)]
    assert read_lean_axioms("\n".join(lines), set(AXIOMS)).status == status


def test_axioms_must_be_printed_once():
    assert read_lean_axioms("", set(AXIOMS)).status == "failed"
    twice = "\n".join([message(NO_AXIOMS), message(SOME.format("sorryAx"))])
    assert read_lean_axioms(twice, set(AXIOMS)).status == "failed"
    assert read_lean_axioms(message(SOME.format("sorryAx, mine")), {"mine", "sorryAx"}).status == (
        "passed"
    )


def test_the_first_error_is_what_a_verdict_says():
    lines = [message("unused variable `h`", "warning"), message("unsolved goals\n⊢ False", "error")]
    lines.append(message("unexpected token ')'; expected command", "error"))
    assert read_lean_error("\n".join(lines)) == "unsolved goals\n⊢ False"
    assert read_lean_error("INTERNAL PANIC: out of memory\n") == "INTERNAL PANIC: out of memory"


@pytest.fixture
def answer_from(tmp_path, monkeypatch):
    """Make `lean` on the path, and of its toolchain, a script with these lines for a module."""
    folder = tmp_path / "toolchain"
    (folder / "bin").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{folder}/bin:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    lean_toolchain.cache_clear()

    def make(body):
        script = folder / "bin/lean"
        script.write_text(
            "#!/bin/sh\n"
            f'case "$1" in --print-prefix) echo {folder}; exit;; '
            f"--version) echo '{VERSION}'; exit;; esac\n"
            f'for file; do :; done\n: > "${{file%.lean}}.olean"\n{body}\n'
        )
        script.chmod(0o755)
        return folder

    yield make
    lean_toolchain.cache_clear()


def test_without_lean_every_proof_is_ungraded_and_the_message_says_what_to_install(
    tmp_path, monkeypatch, make_problem
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    lean_toolchain.cache_clear()
    config = ProofGraderConfig(checker="lean")
    expected = "expected lean to check proofs, there is none on the path or in ~/.elan: install"
    assert f"grader proof: {expected} Lean 4" in str(grader_fault(config))
    grader = make_grader(config)
    problem = make_problem("p0", answer="", check=json.dumps({"statement": "True"}))
    grade = grader.grade("trivial", problem)
    assert grade.check is not None
    assert (grade.correct, grade.check.status) == (None, "sandbox_down")
    assert str(grader.check_gold(problem)).startswith(expected)
    lean_toolchain.cache_clear()


def test_a_project_is_for_lean():
    with pytest.raises(ValueError, match="project: expected checker=lean with it"):
        ProofGraderConfig(project="/data/project")


def test_another_lean_or_a_project_that_is_not_built_is_named(answer_from, tmp_path):
    answer_from("")
    assert lean_version(None) == "4.35.0"
    assert lean_fault(str(tmp_path)) == (
        f"expected a built Lake project, got {tmp_path} without lake-manifest.json"
    )
    lean_toolchain.cache_clear()
    script = tmp_path / "toolchain/bin/lean"
    script.write_text(script.read_text().replace("4.35.0", "3.51.1"))
    assert str(lean_fault(None)).startswith("expected Lean 4, got 'Lean (version 3.51.1")


def test_the_libraries_of_a_project_are_what_lake_says(answer_from, tmp_path):
    folder = answer_from("")
    lake = folder / "bin/lake"
    lake.write_text("#!/bin/sh\necho ./.lake/packages/mathlib/lib:./gone:/usr/lib\n")
    lake.chmod(0o755)
    library = tmp_path / "project/.lake/packages/mathlib/lib"
    library.mkdir(parents=True)
    (tmp_path / "project/lake-manifest.json").write_text("{}")
    found = lean_toolchain(str(tmp_path / "project"))
    assert not isinstance(found, str)
    assert found.libraries == (str(library), "/usr/lib")
    assert lean_version(str(tmp_path / "project")) == f"4.35.0+project-{found.digest}"
    assert len(found.digest) == 8


ERROR = message("Type mismatch\n  h", "error")
PROCESSES = [
    ("Check", message(SOME.format("propext")), 0, "passed"),
    ("Check", message(SOME.format("sorryAx")), 0, "refused"),
    ("Check", ERROR, 1, "failed"),
    ("Proof", ERROR, 1, "failed"),
    ("Asked", ERROR, 1, "bad_check"),
    ("Given", ERROR, 1, "bad_check"),
    ("Proof", "INTERNAL PANIC: out of memory", 1, "memory"),
    ("Proof", "", 128 + 9, "undecided"),
    ("Proof", "", 128 + 24, "timeout"),
]


@pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))
@pytest.mark.parametrize(("module", "said", "code", "status"), PROCESSES)
def test_a_verdict_is_that_of_the_processes_in_the_sandbox(answer_from, module, said, code, status):
    folder = answer_from(
        f"[ $file = Stepmill{module}.lean ] || exit 0\ncat /lean/said; exit {code}"
    )
    (folder / "said").write_text(f"{said}\n")
    found = check_lean(Theorem("∀ n : Nat, 0 + n = n"), "by simp", LIMITS)
    assert found.status == status, found
    if said == ERROR:
        assert found.message == "Type mismatch\n  h"


needs_lean = pytest.mark.skipif(lean_fault(None) is not None, reason=str(lean_fault(None)))
SWAP = Theorem("∀ p q : Prop, And p q → And q p")
GIVEN = Theorem("(p q : Prop) (h : And p q) : r p", definitions="def r (p : Prop) := p")


@needs_lean
@pytest.mark.parametrize(
    ("theorem", "proof", "status"),
    [
        (SWAP, "fun _ _ h => And.intro h.right h.left", "passed"),
        (SWAP, f"theorem t : {SWAP.statement} := fun _ _ h => ⟨h.2, h.1⟩", "passed"),
        (SWAP, "fun _ _ h => h", "failed"),
        (SWAP, "fun p q h => _root_.sorryAx _ .true", "refused"),
        (GIVEN, ":= h.left", "passed"),
        (GIVEN, ":= h.right", "failed"),
        (Theorem("And Tru"), ":= h", "bad_check"),
        (Theorem("Nat"), ":= Nat.zero", "bad_check"),
    ],
)
def test_a_term_is_checked_by_lean(theorem, proof, status):
    said = check_lean(theorem, proof, LIMITS)
    assert said.status == status, said


@needs_lean
@pytest.mark.parametrize(
    ("proof", "status"),
    [
        ("intro p q h\nexact ⟨h.2, h.1⟩", "passed"),
        ("by\n  intro p q h\n  exact ⟨h.2, h.1⟩", "passed"),
        ("intro p q h\nconstructor\n· exact h.2\n· exact h.1", "passed"),
        ("intro p q h\nexact h", "failed"),
        ("intro p q h", "failed"),
        ("simp)\nexample : True := (trivial", "refused"),
    ],
)
def test_tactics_are_checked_by_lean(proof, status):
    said = check_lean(SWAP, proof, Limits(cpu_s=10, memory_mb=2048))
    assert said.status == status, said
