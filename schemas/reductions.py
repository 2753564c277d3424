"""The reduction of step scores that suits a verifier, by the labels that it was trained on.

* Monte Carlo labels, hard targets: `min`, as in Math-Shepherd (arXiv:2312.08935).
* Monte Carlo labels, soft targets: `min`. The published choice is `last` (arXiv:2408.03314, where
  `min` and `prod` are better only for human labels); the built-in world contradicts it.
* A label per step by a checker, a judge or people: `min`; arXiv:2305.20050 and arXiv:2501.07301 use
  the product, which does not differ from the minimum beyond noise.
* Only the answer's label (an outcome verifier): `last`, the score of the whole solution
  (arXiv:2110.14168), as the verifier was not trained on earlier steps.
* Labels of others (`human`, `math_shepherd`, `imported`): `min`, as for a checker or Monte Carlo.
* Unknown labels (imported scores, published verifiers): `min`.

Measured on 200 dev problems of the built-in world, paired by problem. A verifier of hard targets:
searches by `last` instead of `min` lose 0.07 (beam, N = 4), 0.04 (beam, 16) and 0.05 (DVTS, 16);
best of 64 loses 0.06, votes weighted by it 0.01. A verifier of soft targets: beam loses 0.05 at
N = 4 and at 16 and DVTS 0.03 at 16 (with intervals that include 0), best of 64 loses 0.09,
likelihood + logit 0.03 at N = 16. Only the filter vote, which compares the reduced score with a
threshold, gains by `last` under soft targets (0.16 at N = 16), as the minimum of soft scores is
rarely above one half. RESULTS.md has the table.

A config that names a reduction takes precedence.
"""

from dataclasses import dataclass
from typing import Literal

from schemas.evaluation import Reduction
from schemas.metric_names import Name

FALLBACK: Reduction = "min"
"""The reduction for a verifier whose labels are not known."""
BY_LABELS: dict[tuple[str, str], Reduction] = {
    ("monte_carlo", "hard"): "min",
    ("monte_carlo", "soft"): "min",
    ("checker", "hard"): "min",
    ("checker", "soft"): "min",
    ("judge", "hard"): "min",
    ("judge", "soft"): "min",
    ("human", "hard"): "min",
    ("human", "soft"): "min",
    ("math_shepherd", "hard"): "min",
    ("math_shepherd", "soft"): "min",
    ("outcome", "hard"): "last",
    ("outcome", "soft"): "last",
}
"""By label method (without settings) and kind of target."""


@dataclass(frozen=True, slots=True)
class VerifierLabels:
    """What a verifier was trained on."""

    method: str
    """The method in the column of step labels, such as `monte_carlo[n=8]`."""
    targets: Literal["hard", "soft"] = "hard"


def suitable_reduction(labels: VerifierLabels | None) -> Reduction:
    """The reduction from the table above; `labels` is None if they are not known."""
    if labels is None:
        return FALLBACK
    return BY_LABELS.get((Name.parse(labels.method).base, labels.targets), FALLBACK)
