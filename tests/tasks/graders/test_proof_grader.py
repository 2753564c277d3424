"""Proofs checked by the real Coq in the sandbox."""

import json
import os
from dataclasses import replace

import pytest

from schemas.graders import ProofGraderConfig
from tasks.graders import make_grader
from tasks.graders.coq_checker import check_coq, coq_fault, coq_version
from tasks.graders.proof_tasks import Theorem
from tasks.sandbox import Limits

pytestmark = pytest.mark.skipif(coq_fault() is not None, reason=str(coq_fault()))
SUM = {"statement": "forall n : nat, n + 0 = n"}


@pytest.fixture(scope="module")
def grader():
    return make_grader(ProofGraderConfig())


@pytest.fixture
def asked(make_problem):
    def ask(check):
        return make_problem("p0", answer="", check=json.dumps(check))

    return ask


PROOFS = [
    "induction n; simpl; congruence.",
    "Proof. intros. induction n as [| m IH]. - reflexivity. - simpl. rewrite IH. reflexivity. Qed.",
    "Goal forall n:nat, n + 0 = n. induction n. { auto. } { simpl. rewrite IHn. auto. } Qed.",
    "induction n. par: simpl; congruence.",
    "Here it is:\n```coq\nintros n. (* Qed. *) induction n; simpl; auto.\n```",
]
NO_PROOFS = {
    "reflexivity.": "failed",
    "exact (fun n => eq_refl n).": "failed",
    "induction n.": "failed",
    "admit.": "refused",
    "intros. admit. Admitted.": "refused",
    "Admitted.": "refused",
    "Abort. Axiom cheat : forall n : nat, n + 0 = n. Goal True. exact cheat. Qed.": "refused",
    "induction n; simpl; congruence. Qed. Theorem other : False. admit.": "refused",
    "Theorem t : True. Proof. exact I. Qed.": "refused",
    "Unset Guard Checking. fix f 1. exact f.": "refused",
    "fix f 1. exact f.": "failed",
    'Notation "x = y" := True. exact I.': "refused",
    "induction n; vm_compute; auto.": "refused",
    "Load other.": "refused",
    "Drop.": "refused",
    "": "missing",
    "intros; \u0430dmit.": "failed",
    'idtac "Closed under the global context". exact I.': "failed",
    "intros; apply classic.": "failed",
    "exact_no_check I.": "failed",
}


@pytest.mark.parametrize("text", PROOFS)
def test_a_proof_is_right(grader, asked, text):
    grade = grader.grade(text, asked(SUM))
    assert grade.check is not None
    assert (grade.correct, grade.check.status) == (True, "passed"), grade.check


@pytest.mark.parametrize(("text", "status"), NO_PROOFS.items())
def test_what_is_no_proof_is_wrong(grader, asked, text, status):
    grade = grader.grade(text, asked(SUM))
    assert grade.check is not None
    assert (grade.correct, grade.check.status) == (False, status), grade.check


def test_a_theorem_that_does_not_parse_is_named_and_ungraded(grader, asked):
    problem = asked({"statement": "forall n : nat, n +"})
    assert grader.check_gold(problem)
    grade = grader.grade("auto.", problem)
    assert grade.correct is None
    assert grade.check is not None
    assert grade.check.status == "bad_check"


ENDLESS = "repeat (assert True by exact I)."


def test_a_proof_that_needs_too_much_is_wrong_and_one_that_got_too_little_is_open():
    theorem = Theorem(SUM["statement"])
    limits = Limits(cpu_s=1, memory_mb=2048, wall_s=120.0)
    assert check_coq(theorem, ENDLESS, limits).status == "timeout"
    said = check_coq(theorem, ENDLESS, replace(limits, cpu_s=60, wall_s=0.2))
    assert (said.status, said.num_checks, said.outcomes) == ("undecided", 0, ())
    assert (
        said.message == "no verdict after 0.2 s, in which Coq did not get its 60 processor seconds"
    )
    large = "assert (List.length (List.repeat 0 (2000 * 2000)) = 1) by (cbv; reflexivity)."
    assert check_coq(theorem, large, replace(limits, cpu_s=20, memory_mb=300)).status == "memory"


def test_a_verdict_names_the_version_and_the_limits(grader):
    assert grader.name == f"proof-coq-{coq_version()}+rules-2+10s+2048mb"
    assert make_grader(ProofGraderConfig(timeout_s=30)).name.endswith("+30s+2048mb")


def test_what_a_broken_sandbox_left_open_is_asked_again(asked, tmp_path, monkeypatch):
    """Bubblewrap is replaced by a program that fails, and then is there again."""
    grader = make_grader(ProofGraderConfig())
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    proof, problem = "induction n; simpl; auto.", asked(SUM)
    other = asked({"statement": "forall n : nat, n <= n"})
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        for text in (proof, "reflexivity."):
            grade = grader.grade(text, problem)
            assert grade.check is not None
            assert (grade.correct, grade.check.status) == (None, "sandbox_down")
        assert grader.check_gold(other) == "sandbox_down"
    assert grader.grade(proof, problem).correct is True
    assert grader.grade("reflexivity.", problem).correct is False
    assert grader.check_gold(other) is None
