"""Proofs checked by the real Coq in the sandbox."""

import json

import pytest

from schemas.graders import ProofGraderConfig
from tasks.graders import make_grader
from tasks.graders.coq_checker import coq_fault

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
