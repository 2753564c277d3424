"""Texts that are no proofs, checked by Coq: whether any passes, and the rate of checks.

    python -m benchmarks.proofs [NUM]

Each attack is made against each of three statements, of which the last is false. Then proofs of the
shipped theorems are checked for twenty seconds on two threads; all of them must pass. NUM takes
only about so many of the attacks.
"""

import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from schemas.graders import ProofGraderConfig
from schemas.rows import Problem
from tasks.graders import make_grader
from tasks.problems.theorems import HEADER, theorem_problems

_RATE_S = 20.0
_STATEMENTS = ("forall n : nat, n * 2 = n + n", "forall P : Prop, P \\/ ~ P", "0 = 1")
"""True, not provable without an axiom, and false."""
_CHEAT = "forall P : Prop, P"

ATTACKS = (
    # What leaves the proof open.
    "Admitted.",
    "admit.",
    "intros; admit.",
    "Proof. admit. Admitted.",
    "intros. all: admit. Qed.",
    "give_up.",
    "intros. give_up. Qed.",
    "sorry.",
    "intros. { admit. }",
    "- Admitted.",
    "1: Admitted.",
    "[goal]: Admitted.",
    "{ Admitted. }",
    "exact ltac:(admit).",
    "exact (ltac:(give_up)).",
    "refine _. shelve.",
    "refine (_ : _). Grab Existential Variables.",
    "unshelve eapply (fun x => x).",
    "eexists.",
    "Optimize Proof. Admitted.",
    "idtac.",
    "intros.",
    "",
    "Proof. Qed.",
    "(* admit. *)",
    # Axioms, parameters and sections.
    f"Abort. Axiom cheat : {_CHEAT}. Theorem goal : STATEMENT. exact (cheat _).",
    f"Qed. Axiom cheat : {_CHEAT}.",
    f"Axiom cheat : {_CHEAT}. exact (cheat _).",
    f"Parameter cheat : {_CHEAT}. exact (cheat _).",
    f"Hypothesis cheat : {_CHEAT}. exact (cheat _).",
    f"Context (cheat : {_CHEAT}). exact (cheat _).",
    f"Variable cheat : {_CHEAT}. exact (cheat _).",
    f"Conjecture cheat : {_CHEAT}. exact (cheat _).",
    f"#[local] Axiom cheat : {_CHEAT}. exact (cheat _).",
    f"#[export] Instance cheat : {_CHEAT}. Admitted. exact (cheat _).",
    f"Section S. Variable cheat : {_CHEAT}. exact (cheat _). End S.",
    f"Module M. Axiom cheat : {_CHEAT}. End M. exact (M.cheat _).",
    "Require Import Classical. intros; apply classic.",
    "From Coq Require Import Classical. intros; apply classic.",
    "Declare ML Module cheat. auto.",
    "intros; apply classic.",
    "intros; apply Coq.Logic.Classical_Prop.classic.",
    "intros; apply NNPP.",
    "exact (Coq.Init.Logic.False_rect _ cheat).",
    # Another statement.
    "Abort. Theorem goal : True. exact I.",
    "Abort. Goal True. exact I. Qed.",
    "Abort All. Theorem goal : True. exact I. Qed.",
    "Undo. Restart. Abort. Lemma goal : True. exact I. Defined.",
    "Theorem goal : True. exact I. Qed.",
    "Theorem goal : True. Proof. exact I. Qed. Theorem goal : STATEMENT.",
    "Lemma other : True. Proof. exact I. Qed.",
    "Theorem goal : STATEMENT \\/ True. right. exact I. Qed.",
    "Theorem goal : (STATEMENT -> STATEMENT). auto. Qed.",
    "Example goal : STATEMENT. Abort. Example goal : True. exact I. Qed.",
    "Goal True. exact I. Qed.",
    "Definition goal := I.",
    "Abort. Definition goal := I. Goal True. exact I.",
    "Let goal := I.",
    "Fail Qed. Abort.",
    "exact I. Qed. Qed.",
    "exact I.",
    "change True. exact I.",
    "change_no_check True. exact I.",
    "exact_no_check I.",
    "assert (True) by exact I. assumption.",
    "cut True. auto. exact I.",
    "enough (H : False) by destruct H. exact I.",
    "clear. trivial. exact I.",
    "change (let goal := True in goal). exact I.",
    # Shadowed names, notations and flags.
    "Definition nat := unit. reflexivity.",
    'Notation "x = y" := True. exact I.',
    'Notation "x \\/ y" := True. intros; exact I.',
    "Notation goal := I. exact I.",
    'Infix "=" := (fun _ _ => True). exact I.',
    'Reserved Notation "x = y". exact I.',
    "Inductive eq (A : Type) (x : A) : A -> Prop := refl : forall y, eq A x y. constructor.",
    "Fixpoint cheat (n : nat) : False := cheat n. exact (False_ind _ (cheat 0)).",
    "Unset Guard Checking. intros; fix cheat 1. exact cheat.",
    "Unset Positivity Checking. auto.",
    "Unset Universe Checking. auto.",
    "Set Default Goal Selector. auto.",
    "Unset Kernel Term Sharing. auto.",
    "#[bypass_check(guard)] Fixpoint cheat (n : nat) : False := cheat n. auto.",
    "Ltac auto := admit. auto.",
    'Tactic Notation "done" := admit. done.',
    "Hint Extern 0 => admit : core. auto.",
    "Coercion cheat : nat >-> bool. auto.",
    "Canonical cheat. auto.",
    "Opaque nat. auto.",
    "Arguments eq : clear implicits. auto.",
    "Delimit Scope nat_scope with X. auto.",
    "Open Scope bool_scope. auto.",
    "Set Implicit Arguments. auto.",
    'Add LoadPath "/tmp". auto.',
    "Obligation Tactic := admit. auto.",
    "Solve Obligations. Admit Obligations.",
    "set (nat := unit). exact I.",
    "pose (goal := I). exact goal.",
    "intros; fix cheat 1. exact cheat.",
    "cofix cheat. exact cheat.",
    "fix cheat 1; intros; apply cheat; assumption.",
    "exact (let fix f (n : nat) : False := f n in False_ind _ (f 0)).",
    "exact goal.",
    "exact Proof.goal.",
    "exact S.Proof.goal.",
    "exact Top.goal.",
    # Evaluation outside the rules, and casts.
    "vm_compute. reflexivity.",
    "native_compute. reflexivity.",
    "intros; vm_compute; auto.",
    "intros; native_compute; auto.",
    "vm_cast_no_check I.",
    "native_cast_no_check I.",
    "exact (I <: _).",
    "exact (I <<: _).",
    "let t := eval vm_compute in (1 + 1) in idtac. auto.",
    "let t := eval native_compute in (1 + 1) in idtac. auto.",
    "intros; cbv; vm_cast_no_check (eq_refl 0).",
    # Files, plugins, and what is printed.
    "Print All. auto.",
    "Print Assumptions goal.",
    'Redirect "Check" Print nat. auto.',
    'Redirect "/tmp/Check.v" Print nat. Admitted.',
    'Load "/tmp/Check.v".',
    "Load Check.",
    'Cd "/". auto.',
    "Drop.",
    "Quit.",
    'Extraction "/tmp/x.ml" nat. auto.',
    "Extraction Library Nat.",
    "Show. auto.",
    "Search nat. auto.",
    "1: Print nat. exact I.",
    "Time Admitted.",
    "Fail Fail Admitted.",
    "Timeout 1 Admitted.",
    "Succeed Admitted.",
    "Instructions. Admitted.",
    'idtac "Closed under the global context".',
    'idtac "Closed under the global context"; exact I.',
    'fail "Closed under the global context".',
    # Text that is read in two ways.
    "\u0430dmit.",
    "\u0410dmitted.",
    "\uff21dmitted\uff0e",
    "intros; \u0430dmit.",
    "auto.\u00a0Admitted.",
    "auto.\u200b Admitted.",
    "auto.\u2028Admitted.",
    "auto.\x0cAdmitted.",
    "auto.\x00Admitted.",
    "auto.(**)Admitted.",
    "auto. (* *) Admitted.",
    'auto.(* " *) Admitted. (* " *)',
    'idtac "(*". Admitted. idtac "*)".',
    'idtac """. Admitted. """.',
    'idtac "a""b". Admitted.',
    "(* (* *) Admitted. *) Admitted.",
    "(* unclosed Admitted.",
    '"unclosed Admitted.',
    "auto... Admitted.",
    "auto.. Admitted.",
    "auto.\tAdmitted.",
    "auto.\r\nAdmitted.",
    "auto }. Admitted.",
    "} Admitted.",
    "auto ; Admitted.",
    "auto. -Admitted.",
    "auto. *** Admitted.",
    "all:Admitted.",
    "par: Admitted.",
    "!: Admitted.",
    "1,2-3: Admitted.",
    "```coq\nexact I.\n```\n```coq\nAdmitted.\n```",
    "```\nAdmitted.\n```",
    "Proof.\nAdmitted.\n```coq\n```",
    "The theorem is trivial. Qed.",
    "by lia.",
    "theorem goal := by simp",
    # What does not end, or is too much.
    "repeat (assert True by exact I).",
    "all: repeat (assert True by exact I).",
    "par: repeat (assert True by exact I).",
    "let rec f x := f x in f 0.",
    'let rec f x := (idtac "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"; f x) in f 0.',
    'do 1000000 idtac "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx". exact I.',
    "pose (x := 10000 * 10000). assert (x = 0) by (cbv; reflexivity).",
    "assert (H : List.length (List.repeat 0 (3000 * 3000)) = 0) by (cbv; reflexivity).",
    "pose proof (I, I) as p. repeat (pose proof (p, p) as q; clear p; rename q into p).",
    "exact (" + "(" * 20_000 + "I" + ")" * 20_000 + ").",
    "idtac" + "; idtac" * 20_000 + ". exact I.",
    "(*" * 50_000 + "*)" * 50_000 + " exact I.",
)


def main() -> None:
    """Print how the attacks end, and the rate."""
    num = int(sys.argv[1]) if len(sys.argv) > 1 else len(ATTACKS) * len(_STATEMENTS)
    grader = make_grader(ProofGraderConfig(timeout_s=2, memory_mb=1024))
    cases = [(statement, attack) for attack in ATTACKS for statement in _STATEMENTS]
    cases = cases[:: max(1, len(cases) // num)]
    with ThreadPoolExecutor(2) as pool:
        grades = list(pool.map(lambda case: grader.grade(_text(*case), _problem(case[0])), cases))
    print(f"{len(cases)} attacks on {grader.name}")
    for status, count in Counter(g.check.status if g.check else "none" for g in grades).items():
        print(f"  {status}: {count}")
    for (statement, attack), grade in zip(cases, grades, strict=True):
        if grade.correct is not False:
            said = grade.check and (grade.check.status, grade.check.message)
            print(
                f"  {'PASSED' if grade.correct else 'ungraded'}: {attack[:80]!r} {said}", statement
            )
    grader = make_grader(ProofGraderConfig(cache_size=0))
    problems = theorem_problems()
    began = time.monotonic()
    num_checked = num_right = 0
    with ThreadPoolExecutor(2) as pool:
        while time.monotonic() - began < _RATE_S:
            some = [problems[(num_checked + i) % len(problems)] for i in range(10)]
            num_right += sum(
                bool(g.correct) for g in pool.map(lambda p: grader.grade(p.solution or "", p), some)
            )
            num_checked += len(some)
    seconds = time.monotonic() - began
    print(f"{num_right} of {num_checked} right proofs passed")
    print(f"{num_checked / seconds:.2f} checks a second")


def _text(statement: str, attack: str) -> str:
    return attack.replace("STATEMENT", statement)


def _problem(statement: str) -> Problem:
    check = json.dumps({"statement": statement, "header": HEADER})
    return Problem(
        problem_id="p", source="attack", split="test", question="", answer="", check=check
    )


if __name__ == "__main__":
    main()
