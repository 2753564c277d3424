"""What of a text is compiled as a proof, and what is refused unread."""

import pytest

from benchmarks.proofs import ATTACKS
from tasks.graders.coq_text import Refused, find_proof, read_tactics, split_sentences

STATEMENT = "forall n : nat, n * 2 = n + n"


@pytest.mark.parametrize(
    ("text", "tactics"),
    [
        ("intros. lia.", "intros.\nlia."),
        ("Proof. intros. lia. Qed.", "intros.\nlia."),
        ("Proof .\nlia.\nDefined.\n", "lia."),
        (f"Lemma double : {STATEMENT}. Proof. lia. Qed.", "lia."),
        ("Theorem t:forall n:nat,n*2=n+n.\nlia.", "lia."),
        (f"Goal {STATEMENT}. lia.", "lia."),
        ("split. { auto. } { auto. } Qed.", "split.\n{ auto.\n} { auto.\n} "),
        ("split.\n- auto.\n- auto.", "split.\n- auto.\n- auto."),
        ("split; auto (* Qed. *).", "split; auto  ."),
        ("par: lia.", "all: lia."),
        ("1-2, 3: par : lia.", "1-2, 3: all : lia."),
        ("pose (par := 1). lia.", "pose (par := 1).\nlia."),
        ('idtac "par: Qed. x". lia.', 'idtac "par: Qed. x".\nlia.'),
        ("destruct n as [|m]. [> auto | lia ].", "destruct n as [|m].\n[> auto | lia ]."),
        ("rewrite Nat.mul_comm. lia.", "rewrite Nat.mul_comm.\nlia."),
        ("auto...\nlia.", "auto...\nlia."),
        ("intros π. lia.", "intros π.\nlia."),
    ],
)
def test_what_is_compiled_are_the_tactics(text, tactics):
    assert read_tactics(text, STATEMENT) == tactics


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Admitted.", "expected a tactic, got 'Admitted.'"),
        ("intros; admit.", "expected a proof without admit"),
        ("exact ltac:(give_up).", "expected a proof without give_up"),
        ("let t := eval vm_compute in 1 in idtac.", "expected a proof without vm_compute"),
        ("exact (I <: True).", "casts by a virtual machine"),
        ("lia. Qed. Print nat.", "expected nothing after Qed. got 'Print nat.'"),
        ("split. { lia. } Qed. auto.", "expected nothing after } Qed. got 'auto.'"),
        ("Lemma t : True. exact I. Qed.", "expected the asked statement"),
        ("#[local] Axiom a : False.", "expected a tactic"),
        ("[goal]: Admitted.", "expected a tactic, got 'Admitted.'"),
        ("1, 2 - 3: Admitted.", "expected a tactic, got 'Admitted.'"),
        ("- + * { all: Axiom a : False.", "expected a tactic, got 'Axiom a : False.'"),
        ("\u0430dmit.", "expected a tactic"),
        ("auto.\u00a0Admitted.", "expected printable characters, got '\\xa0'"),
        ("auto. (* lia.", "expected the end of a comment"),
        ('idtac "lia.', "expected the end of a string"),
        ("lia", "expected a full stop at the end, got 'lia'"),
        ("Proof. Qed.", "expected tactics, got none"),
        ("}", "expected tactics, got none"),
        ("", "expected tactics, got none"),
    ],
)
def test_what_is_refused_says_why(text, reason):
    with pytest.raises(Refused) as error:
        read_tactics(text, STATEMENT)
    assert reason in str(error.value)


def test_attacks_with_a_command_or_a_refused_word_never_reach_coq():
    """What is left of the attacks has tactics alone, and Coq finds that they prove nothing."""
    left = []
    for attack in ATTACKS:
        try:
            left.append(read_tactics(find_proof(attack.replace("STATEMENT", STATEMENT)), STATEMENT))
        except Refused:
            continue
    assert len(ATTACKS) - len(left) >= 120
    words = ("Admitted", "Axiom", "Abort", "admit", "vm_compute", "native_compute", "Notation")
    held = [word for text in left for word in words if word in text and '"' not in text]
    assert held == ["Admitted"]  # `auto ; Admitted.`, an unknown tactic


def test_sentences_end_where_coq_ends_them():
    assert split_sentences('a "x. y". b. c.d. (* e. "*)" *) f...') == [
        'a "x. y".',
        "b.",
        "c.d.",
        "f...",
    ]
