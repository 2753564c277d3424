"""What of a text is compiled as a Lean proof, how the files are put together, what is refused."""

import pytest

from tasks.graders.coq_text import Refused
from tasks.graders.lean_text import find_lean_proof, lean_files, read_lean_proof, read_signature
from tasks.graders.proof_tasks import Theorem

STATEMENT = "∀ n : Nat, 0 + n = n"
HEADER = "import Mathlib\nopen Nat Real"
THEOREM = Theorem(STATEMENT, header=HEADER)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("by\n  intro n\n  simp", "by\n  intro n\n  simp"),
        ("fun n => Nat.zero_add n", "fun n => Nat.zero_add n"),
        (":= Nat.zero_add", "Nat.zero_add"),
        (":=\n  by\n    simp", "by\n  simp"),
        ("⟨h, rfl⟩", "⟨h, rfl⟩"),
        ("intro n\nsimp", "by\n  intro n\n  simp"),
        ("  intro n\n  · simp", "by\n  intro n\n  · simp"),
        ("cases n with\n  | zero => rfl", "by\n  cases n with\n    | zero => rfl"),
        ("theorem t : ∀ n:Nat, 0+n = n := by\n  simp", "by\n  simp"),
        (f"lemma t.{{u}}\n    : {STATEMENT} :=\n  by simp", "by simp"),
        (f"example : {STATEMENT} := by simp", "by simp"),
        (f"import Mathlib\n\nopen Nat Real\n\ntheorem t : {STATEMENT} := by simp", "by simp"),
        (f"{HEADER}\nintro n\nsimp", "by\n  intro n\n  simp"),
        (
            "by -- axiom\n  simp /- sorry /- ( -/ -/ [x]",
            "by" + " " * 9 + "\n  simp" + " " * 21 + "[x]",
        ),
        ("by exact foo' \"a -- b)\" ')'", "by exact foo' \"a -- b)\" ')'"),
        ("by simp [f '' s, h']", "by simp [f '' s, h']"),
        ("by exact Nat.lt.def #s", "by exact Nat.lt.def #s"),
    ],
)
def test_what_is_compiled_is_the_proof(text, term):
    assert read_lean_proof(find_lean_proof(text), THEOREM) == term


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sorry", "without sorry"),
        ("by\n  admit", "without admit"),
        ("by exact sorryAx _ true", "without sorryAx"),
        ("by decide +native", "without native"),
        ("by native_decide", "without native_decide"),
        ("by simp) axiom cheat : False theorem t : (True", "without axiom"),
        ("by simp)\nopaque x : Nat\n(", "without opaque"),
        ("by simp)\nend (", "expected an opening bracket before )"),
        ("by simp [h}", "expected an opening bracket before }"),
        ("by simp (", "expected a closing bracket after ("),
        ('by exact f "(" )', "expected an opening bracket before )"),
        ("by exact '\"' ) (\"", "expected the end of a string"),
        ("by set_option maxRecDepth 9 in simp", "without set_option"),
        ("by run_tac pure ()", "without run_tac"),
        ("by exact (by_elab return x)", "without by_elab"),
        ('s!"{(by_elab return x)}"', "without by_elab"),
        ("unsafe x", "without unsafe"),
        ("let rec @[implemented_by f] x := 1; x", "without @["),
        ("by simp)\n#eval 1\n(", "without #eval"),
        ('include_str "/etc/passwd"', "without include_str"),
        ("by simp)\nmacro_rules | `(x) => `(y)\n(", "without macro_rules"),
        ('by simp)\nlocal notation "x" => y\n(', "without notation"),
        ("theorem t : True := trivial", "expected the asked statement, got 't : True'"),
        (f"theorem t (h : False) : {STATEMENT} := by simp", "expected the asked statement"),
        (f"theorem t : {STATEMENT}", "expected := after the theorem"),
        (f"import Lean\ntheorem t : {STATEMENT} := by simp", "without import"),
        ("exact «sorry»", "without sorry"),
        ('exact r#"x"#', "without raw strings"),
        ("by simp\u00a0", "expected printable characters, got '\\xa0'"),
        ("by simp /- x", "expected the end of a comment"),
        ("", "expected a proof, got none"),
        ("-- by simp", "expected a proof, got none"),
    ],
)
def test_what_is_no_proof_is_refused_unread(text, reason):
    with pytest.raises(Refused) as error:
        read_lean_proof(text, THEOREM)
    assert reason in str(error.value)


def test_a_proof_is_compiled_with_the_asked_statement_and_the_header():
    theorem = Theorem("(n : Nat) (h : n = 1) : n = d", header=HEADER, definitions="def d := 1")
    assert lean_files(theorem, "by\n  exact h") == {
        "StepmillGiven": "import Mathlib\nopen Nat Real\ndef d := 1\n",
        "StepmillAsked": "import Mathlib\nimport StepmillGiven\nopen Nat Real\n"
        "def _root_.Stepmill.asked : Prop := (\n∀ (n : Nat) (h : n = 1), n = d\n)\n",
        "StepmillProof": "import Mathlib\nimport StepmillGiven\nopen Nat Real\n"
        "theorem _root_.Stepmill.goal (n : Nat) (h : n = 1) : (\nn = d\n) := (\nby\n  exact h\n)\n",
        "StepmillCheck": "import StepmillAsked\nimport StepmillProof\n"
        "theorem Stepmill.checked : Stepmill.asked := @Stepmill.goal\n"
        "#print axioms Stepmill.checked\n",
    }
    assert list(lean_files(theorem, None)) == ["StepmillGiven", "StepmillAsked"]


@pytest.mark.parametrize(
    ("statement", "signature"),
    [
        (STATEMENT, ("", STATEMENT)),
        ("(a b : Nat) [Fact p] {x : X} : a = b", ("(a b : Nat) [Fact p] {x : X}", "a = b")),
        ("(1 + 1 = 2) ∧ True", ("", "(1 + 1 = 2) ∧ True")),
        ("{x | x < (1 : Nat)} = ∅", ("", "{x | x < (1 : Nat)} = ∅")),
    ],
)
def test_a_statement_may_have_binders_before_a_colon(statement, signature):
    assert read_signature(statement) == signature
    again = "theorem t {}: {} := by simp".format(*signature)
    assert read_lean_proof(again, Theorem(statement)) == "by simp"
