"""Proofs that others wrote: imported, graded by Coq, and graded again."""

import json

import pytest

from schemas.graders import ProofGraderConfig
from schemas.imports import ImportsJob
from schemas.regrading import RegradingJob
from storage import connect, query
from tasks.graders.coq_checker import coq_fault

pytestmark = pytest.mark.skipif(coq_fault() is not None, reason=str(coq_fault()))
GRADER = ProofGraderConfig()


def test_proofs_that_others_wrote_are_graded_and_graded_again(
    store, tmp_path, prefect_server, capsys
):
    from flows.imports import import_solutions
    from flows.regrading import regrade

    rows = [
        {
            "question": "Is zero a right unit?",
            "check": {"statement": "forall n : nat, n + 0 = n"},
            "responses": ["Proof. induction n; simpl; congruence. Qed.", "simpl.", "Admitted."],
        },
        {"question": "?", "check": {"statement": "forall n, n +"}, "responses": ["auto."]},
    ]
    path = tmp_path / "theirs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    job = ImportsJob(path=path, check_column="check", grader=GRADER)
    import_solutions(job, store.url, "theirs")
    assert 'stays ungraded: File "./Check.v"' in capsys.readouterr().err
    graded = """
        select array_to_string([s.text for s in steps], '') as text, correct, check_result.status
        from graded
    """
    expected = [
        ("Admitted.", False, "refused"),
        ("Proof. induction n; simpl; congruence. Qed.", True, "passed"),
        ("auto.", None, "bad_check"),
        ("simpl.", False, "failed"),
    ]

    def found():
        rows = query(connect(store.root), graded).fetchall()
        return sorted(rows, key=lambda row: (row[0], row[1] is None))

    assert found() == expected
    changes = regrade(RegradingJob(grader=GRADER), store.url, "theirs")
    assert sum(changes.values()) == 4
    assert all(change.before is change.after for change in changes)
    assert found() == expected
