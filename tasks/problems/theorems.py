"""The theorems that come with the package: small ones of logic, naturals and lists, with proofs.

`theorems.json` has a statement, a proof and a subject for each. Their questions hold all that a
prover has to know; `check` is what the grader `proof` reads.
"""

import json
from functools import cache
from importlib.resources import files

from schemas.rows import Problem
from schemas.units import derive_id

SOURCE = "theorems"
HEADER = "From Coq Require Import Arith Lia List.\nImport ListNotations."
"""What is loaded before each statement."""


@cache
def read_theorems() -> list[dict[str, str]]:
    """`statement`, `proof` and `subject` of each theorem, in order."""
    return json.loads(files("tasks.problems").joinpath("theorems.json").read_text())


def theorem_problems(limit: int | None = None, split: str = "test") -> list[Problem]:
    """The first theorems as problems."""
    return [
        Problem(
            problem_id=derive_id(SOURCE, row["statement"]),
            source=SOURCE,
            split=split,
            question=f"Prove in Coq.\n{HEADER}\nTheorem goal : {row['statement']}.",
            answer="",
            solution=f"{row['proof']}\nQed.",
            subject=row["subject"],
            check=json.dumps({"statement": row["statement"], "header": HEADER}),
        )
        for row in read_theorems()[:limit]
    ]
